"""Many patients at once: generated records with anchors of their own, asked of the vector engine and of the reference.

The rows of one patient must never reach another, so worlds hold patients with many records beside some with none.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
from tests.engines.each import ALL, ready
from tests.generative.make import Rules, Tape, parsed, record, with_unread
from tests.generative.shapes import FAMILIES, INDEX_DAYS

from onstudy.criteria.expr import TruthExpr
from onstudy.criteria.finding import Finding, Reason
from onstudy.engines.memory import Memory
from onstudy.engines.vector import Asks, Pairs, Vector, of_whens
from onstudy.engines.vector.evidence import Evidence, leaves
from onstudy.engines.view import Anchors, View
from onstudy.engines.windows import moved
from onstudy.readers.patientfile import patient_from
from onstudy.record.catalogue import load_catalogue
from onstudy.record.patient import Patient
from onstudy.record.shard import Shard, shard_of
from onstudy.values.calendar import as_when, on_day


@dataclass(frozen=True)
class World:
    """Patients, and pairs of one of them (by row) with anchors. `prepared`: the one day all are prepared for."""

    patients: tuple[Patient, ...]
    rows: tuple[int, ...]
    anchors: tuple[Anchors, ...]
    prepared: date | None = None

    @cached_property
    def shard(self) -> Shard:
        """The patients as arrays."""
        return shard_of(self.patients, load_catalogue())

    def pairs(self) -> Pairs:
        """The pairs as the vector engine takes them."""
        names = {name for anchors in self.anchors for name in anchors}
        columns = {name: of_whens([anchors.get(name) for anchors in self.anchors]) for name in names}
        day = None if self.prepared is None else self.prepared.toordinal()
        return Pairs(np.array(self.rows, np.int32), columns, day)

    def vector(self, plain: bool = True) -> Vector:
        """The vector engine for all pairs."""
        return Vector(self.shard, self.pairs(), load_catalogue(), plain=plain)

    @cached_property
    def memories(self) -> list[tuple[Memory, Memory]]:
        """The reference engine for each pair, as recorded and if confirmed."""
        found = []
        for row, anchors in zip(self.rows, self.anchors, strict=True):
            registration = anchors["registration"]
            assert registration is not None and registration.day is not None
            on = self.prepared or date.fromordinal(registration.day)
            view = View(ready(self.patients[row], on, load_catalogue()), load_catalogue())
            found.append((Memory(view, anchors), Memory(view, anchors, ALL)))
        return found


def records(source: random.Random, count: int) -> tuple[tuple[str, ...], list[Patient], list[date]]:
    """Generated patients with records of the same few kinds, and the day each is asked on."""
    families = [source.choice(FAMILIES) for _ in range(source.choice((1, 1, 2)))]
    kinds = tuple(dict.fromkeys(kind for family in families for kind in family))
    patients, days = [], []
    for number in range(count):
        tape = Tape(source.randbytes(400))
        days.append(tape.one_of(*INDEX_DAYS))
        entry = {**with_unread(tape, record(tape, kinds, days[-1], 8), days[-1]), "patient": f"P{number}"}
        patients.append(patient_from(entry, "world.yaml", load_catalogue()))
    return kinds, patients, days


def anchors_on(source: random.Random, on: date) -> Anchors:
    """Registration, and a start of therapy two days later, if it is known."""
    start = date.fromordinal(on.toordinal() + 2).isoformat()
    therapy = source.choice((f"{start}T09:00", f"{start}T09:00-05:00", start, None))
    return {"registration": on_day(on), "therapy_start": None if therapy is None else as_when(therapy)}


def everybody(source: random.Random, count: int = 30) -> tuple[World, tuple[str, ...]]:
    """Each patient once, on a day of their own."""
    kinds, patients, days = records(source, count)
    anchors = tuple(anchors_on(source, on) for on in days)
    return World(tuple(patients), tuple(range(count)), anchors), kinds


def days_ahead(source: random.Random, count: int = 12) -> tuple[World, tuple[str, ...]]:
    """Some of the patients, several times and in no order, on days after the one all were prepared for."""
    kinds, patients, days = records(source, count)
    on, first = days[0], anchors_on(source, days[0])
    rows = tuple(source.randrange(count) for _ in range(2 * count))
    anchors = tuple(moved(first, on.toordinal() + source.choice((0, 1, 3, 7, 29, 60, 89))) for _ in rows)
    return World(tuple(patients), rows, anchors, prepared=on), kinds


def rules(source: random.Random, kinds: tuple[str, ...], count: int = 8) -> Iterator[TruthExpr]:
    """Generated rules about the kinds."""
    for _ in range(count):
        yield parsed(Rules(Tape(source.randbytes(256)), kinds).rule(2))


# What both engines say, in the same words -----------------------------------------------------------------

Said = tuple[int, frozenset[Reason], frozenset[tuple[str, str, str]]]


def said_by_memory(finding: Finding) -> Said:
    """A finding's truth, causes and questions; a question is a kind, whose work it is, and why."""
    asks = frozenset((ask.kind, ask.cls.value, ask.reason.value) for ask in finding.asks)
    return int(finding.truth), finding.reasons, asks


def said_by_vector(vector: Vector, rule: TruthExpr, assumed: frozenset[str]) -> list[Said]:
    """The same of every pair."""
    truth, asks = vector.truth(rule, assumed), vector.asks(rule, assumed)
    return [(int(truth[pair]), _causes(asks, pair), _asked(asks, pair)) for pair in range(len(truth))]


def _causes(asks: Asks, pair: int) -> frozenset[Reason]:
    return frozenset(reason for place, reason in enumerate(Reason) if asks.reasons[pair] >> place & 1)


def _asked(asks: Asks, pair: int) -> frozenset[tuple[str, str, str]]:
    chosen = (key for key, row in zip(asks.keys, asks.asked, strict=True) if row[pair])
    return frozenset((kind, cls.value, reason.value) for kind, cls, reason in chosen)


def facts_by_memory(memory: Memory, rule: TruthExpr) -> list[frozenset[str]]:
    """For each leaf of a rule the ids of the records it rests on; negatives of a kind that is counted are left out."""
    found = []
    for leaf in leaves(rule):
        evidence = memory.evaluate(leaf).evidence
        state = any(fact.negative and memory.catalogue.kinds[fact.kind].extent == "state" for fact in evidence)
        found.append(frozenset(f.id for f in evidence if (state or not f.negative) and f.id != "born"))
    return found


def facts_by_vector(shard: Shard, found: Sequence[Evidence], pair: int) -> list[frozenset[str]]:
    """The same of the vector engine for one pair."""
    return [
        frozenset(
            str(shard.table(one.kinds[one.kind[place]]).text("id").at(int(one.row[place])))
            for place in np.flatnonzero(one.pair == pair)
        )
        for one in found
    ]
