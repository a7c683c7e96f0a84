"""What lies at a path or address, and what reads it into a store: `FINDERS` lists the sorts of source there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from onstudy.errors import OnstudyError
from onstudy.population.build_sources import FhirSource, Source
from onstudy.population.build_unread import Listing, Unread, is_beside, listing_of, unread_among
from onstudy.population.bulk_statements import PATIENTS, ROWS, StatementSource
from onstudy.population.omop_source import is_omop, refuse_part_of_cdm
from onstudy.readers.reading import clip

Files = Sequence[tuple[str, str]]


def _fhir(files: Files, others: Unread) -> Source:
    return FhirSource(tuple(files), others=others)


def _statements(sort: str, files: Files, others: Unread) -> Source:
    return StatementSource(sort, tuple(files), others)


#: The ends of names, and what reads files that are called so, beside what is not read, and why.
FINDERS: dict[tuple[str, ...], Callable[[Files, Unread], Source]] = {
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
    lies = _listed(source, store)
    if lies is None:
        from onstudy.population.omop_build import omop_source

        return omop_source(source, store)
    path = Path(source)
    lies.refuse_lost(path, lambda _: True)
    files = sorted((name, str(file)) for name, file in lies.files.items())
    deeper = _deeper(path, files)
    if deeper is not None:
        raise OnstudyError(
            f"{clip(source, 400)}: an OMOP CDM lies in a folder in it; build from {clip(str(deeper), 400)}"
        )
    by_sort = {ends: [file for file in files if _ends(file[0], ends)] for ends in FINDERS}
    found = [(ends, some) for ends, some in by_sort.items() if some]
    if path.is_dir() and all(".csv" in ends for ends, _ in found):
        refuse_part_of_cdm(path)
    if not found:
        raise OnstudyError(
            f"{clip(source, 400)}: holds nothing that can be read: FHIR R4 (.ndjson, .json), an OMOP CDM, CSV with a "
            "column `kind`, patient files (.yaml); each may be packed (.gz)"
        )
    if len(found) > 1:
        names = " and ".join(clip(some[0][0], 80) for _, some in found)
        raise OnstudyError(f"{clip(source, 400)}: holds files of several sorts ({names}); build from one sort only")
    ends, some = found[0]
    unread = unread_among(name for name, _ in files if not _ends(name, ends))
    unread |= {name: why for name, why in lies.closed.items() if not is_beside(name)}
    return FINDERS[ends](some, dict(sorted(unread.items())))


def _listed(source: str, store: Path) -> Listing | None:
    """What lies at a path; None of an OMOP database."""
    path = Path(source)
    try:
        if is_omop(source):
            return None
        return Listing({path.name: path}) if path.is_file() else listing_of(path, store)
    except FileNotFoundError:
        raise OnstudyError(f"{clip(source, 400)}: there is no such file or folder") from None
    except OSError as error:
        raise OnstudyError(f"{clip(source, 400)}: cannot be read: {error.strerror}") from None


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
