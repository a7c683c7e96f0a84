"""A store built from a source: read into rows by its parts, then put together shard by shard.

Everything is kept where the store is. Rows of a part stay there under the hash of the part, so that only what
changed is read again, and shards under the hash of what they were made of until the build is done, so that a build
that was cut short is taken up where it ended. The manifest is replaced last: until then the store is what it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from onstudy.errors import InvalidFile, OnstudyError
from onstudy.population.build_beside import OLDER, beside
from onstudy.population.build_identified import BY_IDENTIFIER
from onstudy.population.build_identified import waiting as rows_waiting
from onstudy.population.build_order import moved
from onstudy.population.build_report import Report, add_left, report_of
from onstudy.population.build_rows import RowsFiles, digest_in, files_of, rows_file
from onstudy.population.build_sound import damaged_shards, is_sound
from onstudy.population.build_sources import Part, Source, Task, refuse
from onstudy.population.build_work import (
    ABOUT_NOBODY,
    BUILDING,
    ROWS,
    Asking,
    Finding,
    Given,
    Put,
    Putting,
    Read,
    Reading,
    catalogue_of,
    read_done,
    read_left,
)
from onstudy.population.build_workers import Workers, processes_for
from onstudy.population.bulk_fhir import NOBODY
from onstudy.population.bulk_notes import Hashes, Noted
from onstudy.population.store import (
    FORMAT,
    SHARDS,
    Manifest,
    ShardInfo,
    SourceInfo,
    StoreWriter,
    catalogue_digest,
    data_date,
    facts_of,
    read_manifest,
)
from onstudy.population.store_files import (
    UNFINISHED,
    digest_of,
    locked,
    make_folder,
    read_checked,
    remove,
    write_checked,
    write_whole,
)

REPORT, PLAN = "report.json", "plan.json"
#: Rows made of those of several parts: whose patient is named by an identifier, and what is read beside others.
IDENTIFIED, BESIDE = "identified", "beside"
#: Patients and records a shard should hold at most.
PATIENTS, RECORDS = 32_000, 1_500_000
MOST_SHARDS = 1 << 14
#: What decides what becomes of a source: these files, and all in these folders.
_MAKING = (
    "values/*",
    "record/*",
    "readers/*",
    *(f"population/{name}*" for name in ("build", "bulk", "numbered", "omop", "store")),
)
#: So few patients need no second shard.
_FEW = 4_000
#: Told how far a build has come: what it does, how much of it is done, and how much there is.
Watch = Callable[[str, int, int], None]
#: Who does the work: processes that were started, how many to start, or None for as many as are worth it.
Hands = Workers | int | None
#: Files of rows, in order, and the numbers of the shards they have rows of.
Places = Mapping[str, frozenset[int]]


@cache
def version() -> str:
    """A hash of the program that builds: rows and shards that another version made are made anew."""
    root, found = Path(__file__).parent.parent, hashlib.blake2b(digest_size=16)
    for path in sorted(path for names in _MAKING for one in root.glob(names) for path in (one, *one.rglob("*"))):
        if path.suffix in (".py", ".toml", ".json") and path.is_file():
            found.update(f"{path.relative_to(root).as_posix()}\n".encode())
            found.update(path.read_bytes())
    return found.hexdigest()


def silent(what: str, done: int, whole: int) -> None:
    """Watches nothing."""


def build(
    source: Source, store: Path, mapping: Path | None = None, watch: Watch = silent, workers: Hands = None
) -> Report:
    """Build a store from a source, or bring the one there is up to date.

    Raises `OnstudyError` where the source or the mapping cannot be used or the source has no patient; the store
    then stays as it was. So it does where the build is interrupted: the next one goes on from there.
    """
    catalogue = catalogue_digest(catalogue_of(mapping))
    watch("looking at the source", 0, 1)
    parts = _different(source.parts(catalogue))
    new = not store.exists()
    make_folder(store)
    with locked(store):
        found = _Build(source, store, mapping, catalogue, parts, watch)
        try:
            return found.stay() if found.unchanged() else found.run(workers)
        except InvalidFile:  # nothing can come of this source, so nothing of it is kept
            found.undo(new)
            raise


def _different(parts: Sequence[Part]) -> list[Part]:
    """The parts, those that hold the same only once."""
    return list({part.digest: part for part in reversed(parts)}.values())[::-1]


@dataclass
class _Build:
    source: Source
    store: Path
    mapping: Path | None
    catalogue: str
    parts: list[Part]
    watch: Watch
    old: Manifest | None = None
    made: Report = field(default_factory=Report)
    derived: dict[str, str] = field(default_factory=dict)  # hashes of rows that were made of those of several parts
    whose: dict[str, str] = field(default_factory=dict)  # the patients of identifiers that were met

    def __post_init__(self) -> None:
        self.old = read_manifest(self.store)
        if self.old is not None and self.old.generated:
            raise OnstudyError(f"{self.store}: holds synthetic patients; build into another folder")
        self.rows = RowsFiles(self.store / ROWS, version())
        self.damaged = damaged_shards(self.store, () if self.old is None else self.old.shards)
        if self.old is not None and self.old.beside.get("version") == version():
            self.damaged |= {shard.number for shard in self.old.shards if shard.left is None}  # it had that once
        self.made = Report(str(self.store), parts=len(self.parts), damaged=len(self.damaged))

    @property
    def sources(self) -> tuple[SourceInfo, ...]:
        """The parts as the manifest lists them."""
        return tuple(SourceInfo(part.name, part.size, part.digest) for part in self.parts)

    def unchanged(self) -> bool:
        """Whether the store is already what this build would make it."""
        old = self.old
        if old is None or old.catalogue != self.catalogue or old.sort != self.source.sort:
            return False
        if [(one.name, one.digest) for one in old.sources] != [(part.name, part.digest) for part in self.parts]:
            return False
        report = self.store / REPORT
        told = report.is_file() and digest_of(report) == old.beside.get("report")
        return not self.damaged and told and old.beside.get("version") == version()

    def stay(self) -> Report:
        """Leave the store as it is, without what a build that was killed left; the report of the build that made it."""
        assert self.old is not None, "where there is no store, something has changed"
        self.derived = self._derived_before()
        StoreWriter(self.store).clear(self.old.shards)
        self._clear()
        found = report_of(json.loads((self.store / REPORT).read_bytes()), str(self.store))
        return replace(found, unread=self.source.unread())

    def run(self, workers: Hands) -> Report:
        """Read what is new, put together what changed, and make it the store."""
        if workers is None:
            workers = processes_for(sum(part.size for part in self.parts))
        make_folder(self.rows.folder)
        given = Given(self.source, self.store, self.mapping, self.catalogue, self._shard_count(), version())
        with Workers(workers) if isinstance(workers, int) else workers as hands:  # gone before anything is undone
            hands.begin(given)
            read = self._read(hands, given.shard_count)
            people = [one for one in read.values() if one.people]
            if not people:
                raise refuse(self._named(), "holds no patient, so there is nobody to store")
            first = people[0].first  # who may be in several files
            alone = first if all((one.people, one.first) == (1, first) for one in people) else None
            places, waited = self._identified(hands, read, given.shard_count)
            places = self._beside(hands, places, waited, alone, given.shard_count)
            shards = self._put(hands, given.shard_count, places, waited, alone)
        if not shards:  # what could only be read as a whole was nobody's
            raise refuse(self._named(), "holds no patient, so there is nobody to store")
        return self._settle(shards, read, given.shard_count, alone)

    def undo(self, new: bool) -> None:
        """Remove what this build left beside the store there was; all, where there was none."""
        remove(self.store / BUILDING)
        if self.old is None:
            for name in (ROWS, SHARDS, PLAN, REPORT):
                remove(self.store / name)
        if new:
            remove(self.store)

    def _named(self) -> str:
        return self.parts[0].name if len(self.parts) == 1 else f"the source ({len(self.parts)} files)"

    def _shard_count(self) -> int:
        """As many as there are; else as were planned by a build that was cut short; else by the size of the source."""
        if self.old is not None:
            return self.old.shard_count
        plan = self.store / PLAN
        planned = json.loads(read_checked(plan) or b"{}")  # where none that can be read was kept, one is made
        if planned.get("version") == version():
            return int(planned["shards"])
        count = shards_for(*self.source.estimate(self.parts))
        write_checked(plan, json.dumps({"version": version(), "shards": count}).encode())
        return count

    # Reading ------------------------------------------------------------------------------------------------

    def _read(self, hands: Workers, shard_count: int) -> dict[str, Read]:
        """Read every part into files of rows, but for those there are already; what came of each file, in order."""
        found: dict[str, Read] = {}
        whole = sum(part.size for part in self.parts)
        done = 0
        kept = {part.digest: self.rows.read_of(part.digest, shard_count) for part in self.parts}
        for part in self.parts:
            known = kept[part.digest]
            if known is not None:
                found |= known
                done += part.size
        self.watch("reading", done, whole)
        counts: dict[str, int] = {}
        for piece, read in hands.each(self._pieces(kept, found, counts, shard_count)):
            found[piece.file] = read
            done += min(piece.task.length, piece.task.part.size)
            self.watch("reading", min(done, whole), whole)
        for part in self.parts:
            if kept[part.digest] is None:
                self.made.parts_read += 1
                self.rows.write(part.digest, counts[part.digest], shard_count)
        return {name: found[name] for name in self.rows.in_order(found, kept)}

    def _pieces(
        self, kept: dict[str, dict[str, Read] | None], found: dict[str, Read], counts: dict[str, int], shard_count: int
    ) -> Iterator[Reading]:
        """The pieces that are not read yet; those that are, of a build that was cut short, are added to `found`."""
        for part in self.parts:
            if kept[part.digest] is not None:
                continue
            counts[part.digest] = 0
            for task in self.source.tasks(part):
                name = rows_file(part.digest, task.number)
                counts[part.digest] += 1
                read = self.rows.finished(name, shard_count)
                if read is None:
                    yield Reading(task, name)
                else:
                    found[name] = read

    def _identified(self, hands: Workers, read: dict[str, Read], shard_count: int) -> tuple[Places, frozenset[str]]:
        """The files and the shards they have rows of, with files of rows whose patient is named by an identifier.

        Each of these, which are also told by themselves, stands behind the one in which its rows have waited.
        """
        places = {name: self.rows.numbers_in(name) for name in read}
        waiting = rows_waiting(self.rows.folder, places)
        if waiting is None:
            return places, frozenset()
        pieces = (Finding(task, waiting.systems) for task in self._with_people(read))
        found = waiting.found([table for _, table in hands.each(pieces)])
        self.derived[IDENTIFIED], self.whose = found.digest, found.whose
        files = files_of(found.digest, len(waiting.files))
        if self.rows.count(found.digest, shard_count) is None:
            found.write(files, shard_count)
            self.rows.write(found.digest, len(files), shard_count)
        self.made.left.update(found.left())
        after = dict(zip(waiting.files, files, strict=True))
        ordered = [name for one in places for name in (one, after.get(one)) if name is not None]
        return {name: places.get(name) or self.rows.numbers_in(name) for name in ordered}, frozenset(files)

    def _beside(
        self, hands: Workers, places: Places, waited: frozenset[str], alone: str | None, shard_count: int
    ) -> Places:
        """The files and shards, with a file of what is read beside the resources of patients, if there is any."""

        def ask(some: Mapping[str, Hashes]) -> Iterator[Sequence[Noted]]:
            return (found for _, found in hands.each(Asking(file, names) for file, names in some.items()))

        found = beside(self.rows.folder, [name for name in places if name not in waited], ask, self.whose, alone)
        self.made.left.update({(OLDER, kind): many for kind, many in found.older.items()})
        if not found.guests:
            return places
        self.derived[BESIDE], files = found.digest, files_of(found.digest, found.files)
        if self.rows.count(found.digest, shard_count) is None:
            found.write([self.rows.folder / file for file in files], shard_count)
            self.rows.write(found.digest, found.files, shard_count)
        return {**places, **{file: self.rows.numbers_in(file) for file in files}}

    def _with_people(self, read: dict[str, Read]) -> Iterator[Task]:
        """The pieces that hold a Patient resource."""
        some = {digest_in(name) for name, one in read.items() if one.people}
        for part in self.parts:
            if part.digest in some:
                yield from (
                    task for task in self.source.tasks(part) if read[rows_file(part.digest, task.number)].people
                )

    # Putting together -----------------------------------------------------------------------------------------

    def _put(
        self, hands: Workers, shard_count: int, places: Places, waited: frozenset[str], alone: str | None
    ) -> list[ShardInfo]:
        """Put every shard together of which something changed; the shards of the store as it will be."""
        changed = self._changed(alone)
        numbers = {number for some in places.values() for number in some if number >= 0}
        kept = () if self.old is None or changed is None else self.old.shards
        old = {shard.number: shard for shard in kept if shard.number not in self.damaged}
        shards: dict[int, ShardInfo] = {}
        pieces: list[Putting] = []
        touched = self._touched(changed, numbers | set(old))
        key = self._key(shard_count, changed, alone)
        make_folder(self.store / BUILDING)
        make_folder(self.store / BUILDING / key)
        for number in sorted(numbers | set(old)):
            if number not in touched and number in old:
                shards[number] = old[number]
                self._unchanged(old[number])
                continue
            of_it = tuple(name for name in places if places[name] & {number, ABOUT_NOBODY, BY_IDENTIFIER})
            pieces.append(Putting(number, of_it, waited, key, changed, old.get(number), alone))
        self._put_pieces(hands, pieces, shards)
        return [shards[number] for number in sorted(shards)]

    def _put_pieces(self, hands: Workers, pieces: Sequence[Putting], shards: dict[int, ShardInfo]) -> None:
        waiting: list[Putting] = []
        for piece in pieces:
            done = self._done(piece)
            if done is None:
                waiting.append(piece)
            else:
                self._take(piece.number, done, shards)
        finished = len(pieces) - len(waiting)
        self.watch("putting together", finished, len(pieces))
        for piece, put in hands.each(waiting):
            finished += 1
            self.watch("putting together", finished, len(pieces))
            self._take(piece.number, put, shards)

    def _take(self, number: int, put: Put, shards: dict[int, ShardInfo]) -> None:
        self.made.ways.update(put.ways)
        if put.info is None:
            add_left(self.made.left, put.left)
        else:
            shards[number] = put.info
            self.made.patients_built += put.built
            self._unchanged(put.info)

    def _unchanged(self, info: ShardInfo) -> None:
        add_left(self.made.left, read_left(self.store / SHARDS / info.left_file))

    def _done(self, piece: Putting) -> Put | None:
        """What a build that was cut short made of a shard; None where it had not come so far."""
        put = read_done(self.store / BUILDING / piece.key / f"{piece.number:05d}.json")
        if put is not None and put.info is not None:
            return put if is_sound(self.store, put.info) else None
        return put

    def _changed(self, alone: str | None) -> tuple[str, ...] | None:
        """The files of rows, old and new, of all parts that changed or stand elsewhere among the others; None where
        everything has to be made anew.
        """
        old = self.old
        if old is None or old.catalogue != self.catalogue or old.sort != self.source.sort:
            return None
        if old.beside.get("version") != version() or alone is not None or old.beside.get("alone"):
            return None
        before, now = [one.digest for one in old.sources], [part.digest for part in self.parts]
        elsewhere = moved(before, now)  # so that patients with rows in them may be told otherwise of now
        elsewhere |= set(self.derived.values()) if elsewhere else set()
        changed = {*before, *self._derived_before().values()} ^ {*now, *self.derived.values()}
        found: list[str] = []
        for digest in sorted(changed | elsewhere):
            count = self.rows.count(digest, old.shard_count)
            if count is None:
                return None
            found += files_of(digest, count)
        return tuple(found)

    def _derived_before(self) -> dict[str, str]:
        """The hashes of rows made of those of several parts that the store there is has."""
        said = {} if self.old is None else self.old.beside
        return {name: str(said[name]) for name in (IDENTIFIED, BESIDE) if name in said}

    def _touched(self, changed: tuple[str, ...] | None, numbers: set[int]) -> set[int]:
        """The shards in which something changed."""
        if changed is None:
            return numbers
        found = {number for name in changed for number in self.rows.numbers_in(name)}
        return numbers if ABOUT_NOBODY in found else found

    def _key(self, shard_count: int, changed: tuple[str, ...] | None, alone: str | None) -> str:
        """A hash of all that the shards of this build are made of."""
        digests = [*(part.digest for part in self.parts), *self.derived.values()]
        base = None if changed is None or self.old is None else self.old.digest
        said = json.dumps([FORMAT, version(), self.catalogue, self.source.sort, shard_count, digests, base, alone])
        return hashlib.blake2b(said.encode(), digest_size=16).hexdigest()

    # The end --------------------------------------------------------------------------------------------------

    def _settle(self, shards: list[ShardInfo], read: dict[str, Read], shard_count: int, alone: str | None) -> Report:
        made = self.made
        for one in read.values():
            made.read.update(one.tally.read)
            made.left.update(
                {said: many for said, many in one.tally.left.items() if alone is None or said[0] != NOBODY}
            )
        made.left.update(self.source.lacking())
        made.unread = self.source.unread()
        made.patients = sum(shard.patients for shard in shards)
        made.test_data = sum(shard.test_data for shard in shards)
        made.facts = facts_of(shards)
        write_whole(self.store / REPORT, _json(made.to_dict()))
        manifest = Manifest(
            self.catalogue,
            catalogue_of(self.mapping).version,
            shard_count,
            tuple(shards),
            self.source.sort,
            self.sources,
            None if self.mapping is None else digest_of(self.mapping),
            data_date(shards),
            {
                "version": version(),
                "alone": alone is not None,
                "report": digest_of(self.store / REPORT),
                **self.derived,
            },
        )
        StoreWriter(self.store).commit(manifest)
        self._clear()
        return made

    def _clear(self) -> None:
        """Remove what no build will need again."""
        digests = {*(part.digest for part in self.parts), *self.derived.values()}
        self.rows.clear(digests)
        for path in self.store.glob(f"{UNFINISHED}*"):
            remove(path)
        remove(self.store / BUILDING)
        remove(self.store / PLAN)


def shards_for(patients: int, records: int) -> int:
    """How many shards a store of so many patients and records has: even, so that two processes share them evenly."""
    count = min(MOST_SHARDS, max(-(-patients // PATIENTS), -(-records // RECORDS)))
    if patients <= _FEW:
        return max(count, 1)
    return max(count + count % 2, 2)


def _json(said: dict[str, object]) -> bytes:
    return (json.dumps(said, indent=1, ensure_ascii=False) + "\n").encode("utf-8")
