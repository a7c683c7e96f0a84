"""Synthetic leukemia patients for tests, benchmarks and demonstrations: into a store, as FHIR bulk files, or as OMOP.

Everything about them is invented; each output says so in a README of its own. The same number, seed and version give
the same bytes, however many processes work.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa

from onstudy.errors import OnstudyError
from onstudy.population.generate_block import TODAY, VERSION, generate_block, patient_id
from onstudy.population.generate_draws import Ints
from onstudy.population.generate_facts import Templates
from onstudy.population.generate_fhir import FhirWriter
from onstudy.population.generate_omop import OmopWriter
from onstudy.population.generate_shard import shard_of_block
from onstudy.population.store import (
    GENERATOR,
    Manifest,
    ShardInfo,
    StoreWriter,
    catalogue_digest,
    data_date,
    read_manifest,
    shard_numbers,
)
from onstudy.population.store_files import locked
from onstudy.record.catalogue import load_catalogue

#: About so many patients lie in one shard.
PER_SHARD = 65_536
#: So many patients go into one part of the FHIR files, and are made at once for OMOP.
PER_PART = 4_000
MOST = 100_000_000
#: What a store says it was made from.
SORT = "generated"
README = "README.txt"

_Task = TypeVar("_Task")
_Made = TypeVar("_Made")
#: Told after each part: how many of how many are done.
Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which patients are wanted: how many, of which seed, with records up to which day."""

    count: int
    seed: int = 1
    today: date = TODAY

    def __post_init__(self) -> None:
        if not 1 <= self.count <= MOST:
            raise OnstudyError(f"--n is the number of patients, from 1 to {MOST}")
        if not 0 <= self.seed < 1 << 63:
            raise OnstudyError("--seed is a whole number that is not negative")
        if not 1950 <= self.today.year <= 2150:
            raise OnstudyError(f"--on {self.today}: records run up to a day between 1950 and 2150")

    def said(self) -> dict[str, object]:
        """It as the manifest of a store holds it."""
        return {
            "seed": self.seed,
            GENERATOR: VERSION,
            "today": self.today.isoformat(),
        }


def quiet(done: int, of: int) -> None:
    """Tell nobody."""


# Into a store ---------------------------------------------------------------------------------------------


def generate_store(asked: Asked, folder: Path, workers: int = 1, told: Told = quiet) -> Manifest:
    """Generate patients into a store. Raises `OnstudyError` where the folder holds a store of real patients."""
    writer = StoreWriter(folder)
    with locked(folder):
        before = read_manifest(folder)
        if before is not None and before.sort != SORT:
            raise OnstudyError(f"{folder}: holds a store that was built from records; generate into another folder")
        count = _shard_count(asked.count)
        made = _each(partial(_write_shard, folder, asked, count), range(count), workers, told)
        shards = tuple(sorted((info for info in made if info.patients), key=lambda info: info.number))
        catalogue = load_catalogue()
        manifest = Manifest(
            catalogue=catalogue_digest(catalogue),
            catalogue_version=catalogue.version,
            shard_count=count,
            shards=shards,
            sort=SORT,
            data_date=data_date(shards),
            beside=asked.said(),
        )
        _write_readme(folder, asked)
        writer.commit(manifest)
    return manifest


def _shard_count(patients: int) -> int:
    """Of more shards than one an even number, so that two processes end together."""
    count = -(-patients // PER_SHARD)
    return count + count % 2 if count > 1 else count


@dataclass
class _Mine:
    """What a process keeps between the parts it works on."""

    templates: Templates | None = None
    writers: dict[Path, FhirWriter] = field(default_factory=dict)


_mine = _Mine()


def _write_shard(folder: Path, asked: Asked, count: int, number: int) -> ShardInfo:
    """Generate the patients whose ids belong into one shard, and write it."""
    if _mine.templates is None:
        _mine.templates = Templates(load_catalogue())
    block = generate_block(asked.seed, _numbers(asked.count, count, number), asked.today)
    shard = shard_of_block(block, _mine.templates)
    return StoreWriter(folder).add(number, shard, block.latest)


def _numbers(patients: int, count: int, number: int) -> Ints:
    """The numbers of the patients that lie in one of `count` shards."""
    every = np.arange(patients, dtype=np.int64)
    if count == 1:
        return every
    return np.asarray(every[_shards(patients, count) == number])


@lru_cache(maxsize=1)
def _shards(patients: int, count: int) -> Ints:
    """The shard of each patient: found once by each process, for all its shards."""
    return shard_numbers(pa.array([patient_id(one) for one in range(patients)], pa.string()), count)


# As files -------------------------------------------------------------------------------------------------


def generate_fhir(asked: Asked, folder: Path, workers: int = 1, told: Told = quiet) -> dict[str, int]:
    """Generate a FHIR bulk export into a new folder; returns how many resources of each type there are."""
    with _new_folder(folder):
        parts = -(-asked.count // PER_PART)
        counts = _each(partial(_write_part, folder, asked, PER_PART), range(parts), workers, told)
        _write_readme(folder, asked)
    return _summed(counts)


def _write_part(folder: Path, asked: Asked, size: int, part: int) -> dict[str, int]:
    writer = _mine.writers.setdefault(folder, FhirWriter(folder, load_catalogue()))
    return writer.write(generate_block(asked.seed, _of_part(asked, size, part), asked.today), part)


def _of_part(asked: Asked, size: int, part: int) -> Ints:
    return np.arange(part * size, min((part + 1) * size, asked.count), dtype=np.int64)


def _summed(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for count in counts:
        for name, number in count.items():
            found[name] = found.get(name, 0) + number
    return dict(sorted(found.items()))


def generate_omop(asked: Asked, folder: Path, told: Told = quiet) -> dict[str, int]:
    """Generate an OMOP CDM 5.4 folder; returns how many rows each table has."""
    with _new_folder(folder):
        writer = OmopWriter(folder, load_catalogue(), asked.today)
        parts = -(-asked.count // PER_PART)
        for part in range(parts):
            writer.write(generate_block(asked.seed, _of_part(asked, PER_PART, part), asked.today))
            told(part + 1, parts)
        counts = writer.close()
        _write_readme(folder, asked)
    return counts


@contextmanager
def _new_folder(folder: Path) -> Iterator[None]:
    """A folder that is not there yet, or is empty; it is removed again where the work on it fails."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OnstudyError(f"{folder}: there is something already; generate into a new folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OnstudyError(f"{folder}: cannot be made: {error.strerror or error}") from None
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


# Both -----------------------------------------------------------------------------------------------------


def _each(work: Callable[[_Task], _Made], tasks: Sequence[_Task], workers: int, told: Told) -> list[_Made]:
    """The work on each task, in their order, by as many processes."""
    found: list[_Made] = []
    if min(workers, len(tasks)) < 2:
        for task in tasks:
            found.append(work(task))
            told(len(found), len(tasks))
        return found
    with ProcessPoolExecutor(min(workers, len(tasks)), mp_context=get_context("spawn")) as pool:
        for made in pool.map(work, tasks):
            found.append(made)
            told(len(found), len(tasks))
    return found


def _write_readme(folder: Path, asked: Asked) -> None:
    (folder / README).write_text(_README.format(asked=asked, version=VERSION), encoding="utf-8")


_README = """\
SYNTHETIC PATIENTS. Nobody here exists, and nothing here was observed.

{asked.count} patients generated by onstudy (generator version {version}, seed {asked.seed}, records up to
{asked.today}). Diagnoses, results, treatments and dates were drawn by chance from distributions that are
invented; docs/generator.md lists them. They are made so that every question of a leukemia trial is answered
yes, no and not at all for some. They describe no hospital, no study and no population, and must never be
presented as real patients, nor used to learn anything about leukemia or its treatment.

The same number of patients, seed and generator version give the same files again.
"""
