"""What lies at a path or address, and what reads it into a store: `FINDERS` lists the sorts of source there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from onstudy.errors import OnstudyError
from onstudy.population.build_sources import FhirSource, Source, files_below
from onstudy.population.bulk_statements import PATIENTS, ROWS, StatementSource
from onstudy.population.omop_source import is_omop
from onstudy.readers.reading import clip

Files = Sequence[tuple[str, str]]
Names = Sequence[str]


def _fhir(files: Files, others: Names) -> Source:
    return FhirSource(tuple(files), others=tuple(others))


def _statements(sort: str, files: Files, others: Names) -> Source:
    return StatementSource(sort, tuple(files), tuple(others))


#: The ends of names, and what reads files that are called so, beside the names of those that are not read.
FINDERS: dict[tuple[str, ...], Callable[[Files, Names], Source]] = {
    (".ndjson", ".jsonl", ".json"): _fhir,
    (".csv", ".tsv"): partial(_statements, ROWS),
    (".yaml", ".yml"): partial(_statements, PATIENTS),
}
_PACKED = ".gz"


def find(source: str, store: Path) -> Source:
    """What lies at a path or address.

    Raises `OnstudyError` where there is nothing, nothing that is known, or files of several sorts.
    """
    _refuse_inside(source, store)
    if is_omop(source):
        from onstudy.population.omop_build import omop_source

        return omop_source(source, store)
    path = Path(source)
    try:
        files = [(path.name, str(path))] if path.is_file() else files_below(path, store)
    except OSError as error:
        raise OnstudyError(f"{clip(source, 400)}: cannot be read: {error.strerror}") from None
    if not path.exists():
        raise OnstudyError(f"{clip(source, 400)}: there is no such file or folder")
    deeper = _deeper(path, files)
    if deeper is not None:
        raise OnstudyError(
            f"{clip(source, 400)}: an OMOP CDM lies in a folder in it; build from {clip(str(deeper), 400)}"
        )
    by_sort = {ends: [file for file in files if _ends(file[0], ends)] for ends in FINDERS}
    found = [(ends, some) for ends, some in by_sort.items() if some]
    if not found:
        raise OnstudyError(
            f"{clip(source, 400)}: holds nothing that can be read: FHIR R4 (.ndjson, .json), an OMOP CDM, CSV with a "
            "column `kind`, patient files (.yaml); each may be packed (.gz)"
        )
    if len(found) > 1:
        names = " and ".join(clip(some[0][0], 80) for _, some in found)
        raise OnstudyError(f"{clip(source, 400)}: holds files of several sorts ({names}); build from one sort only")
    ends, some = found[0]
    return FINDERS[ends](some, [name for name, _ in files if not _ends(name, ends)])


def _deeper(path: Path, files: Files) -> Path | None:
    """A folder below a path that is an OMOP CDM: the tables lie in it, as files or as folders."""
    below = {Path(file).parent for _, file in files if _ends(file, (".csv", ".tsv", ".parquet"))}
    folders = {one for place in below for one in (place, *place.parents) if path in one.parents}
    return next((one for one in sorted(folders) if is_omop(one)), None)


def _refuse_inside(source: str, store: Path) -> None:
    """A store lies in a folder of its own: not where its source lies, nor around it."""
    where, kept = Path(source).resolve(), store.resolve()
    if "://" not in source and (where == kept or kept in where.parents):
        raise OnstudyError(f"{store}: the source lies there; give --store a folder of its own")


def _ends(name: str, ends: tuple[str, ...]) -> bool:
    return name.lower().removesuffix(_PACKED).endswith(ends)
