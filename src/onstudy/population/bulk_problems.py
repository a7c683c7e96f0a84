"""The problems of many patients: each patient's in the order in which a reader tells them, none of them twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from onstudy.errors import Problem
from onstudy.population.bulk_classes import factorised
from onstudy.population.bulk_facts import Bases, Facts
from onstudy.population.bulk_order import in_order
from onstudy.population.bulk_rows import Ints
from onstudy.population.store_shard import Words
from onstudy.record.shard import NONE, Table, Text, without_defaults

_UNREAD = "resources of this type are not read"


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """Problems as arrays, those of one patient in order."""

    patient: Ints
    what: pa.Array
    where: pa.Array
    kept: NDArray[np.bool_]

    @staticmethod
    def of_facts(facts: Facts, bases: Bases) -> Said:
        """Problems held as facts: what as the id, where as the source, `negative` where no fact was kept."""
        dropped = np.array([base.negative for base in bases.facts], bool)[facts.base]
        return Said(facts.patient, facts.id.array(), facts.source.array(), ~dropped)

    @staticmethod
    def shared(facts: Facts) -> Said:
        """Problems that several records share, held as facts: each is told once a patient, and how often it is so."""
        codes = factorised(facts.patient, facts.id.codes())
        many = np.bincount(codes)
        first = np.empty(len(many), np.int64)
        first[codes[::-1]] = np.arange(len(codes))[::-1]
        occur = np.argsort(first)
        first, many = first[occur], many[occur]
        more = pc.binary_join_element_wise(", and ", pa.array(many - 1).cast(pa.string()), " more", "")
        more = pc.if_else(pa.array(many > 1), more, "")
        where = pc.binary_join_element_wise(facts.source.take(first).array(), more, "")
        return Said(facts.patient[first], facts.id.take(first).array(), where, np.ones(len(first), bool))

    @staticmethod
    def unread(patient: Ints, kinds: Sequence[str]) -> Said:
        """Types of record that are not read: how many of each a patient has."""
        counts: dict[tuple[int, str], int] = {}
        for one, kind in zip(patient.tolist(), kinds, strict=True):
            counts[one, kind] = counts.get((one, kind), 0) + 1
        found = [(one, _UNREAD, f"{kind} ({many})") for (one, kind), many in sorted(counts.items())]
        return Said.listed(found, kept=False)

    @staticmethod
    def of_problems(problems: Sequence[tuple[int, Problem]]) -> Said:
        """Problems given one by one."""
        found = Said.listed([(patient, one.what, one.where) for patient, one in problems], kept=True)
        return Said(found.patient, found.what, found.where, np.array([one.fact_kept for _, one in problems], bool))

    @staticmethod
    def listed(found: Sequence[tuple[int, str, str]], kept: bool) -> Said:
        """Problems as (patient, what, where)."""
        return Said(
            np.array([patient for patient, _, _ in found], np.int64),
            pa.array([what for _, what, _ in found], pa.string()),
            pa.array([where for _, _, where in found], pa.string()),
            np.full(len(found), kept),
        )


def problems_table(said: Sequence[Said], place: Ints) -> Table:
    """The problems of the patients that have a place, sort after sort, each once."""
    patient = place[np.concatenate([one.patient for one in said])]
    sort = np.repeat(np.arange(len(said)), [len(one.patient) for one in said])
    what = pa.concat_arrays([one.what for one in said]).dictionary_encode()
    where = pa.concat_arrays([one.where for one in said])
    kept = np.concatenate([one.kept for one in said])
    told = what.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    once = np.ones(len(patient), bool)
    once[_again(patient, told, where, kept)] = False
    rows = np.flatnonzero(once & (patient >= 0))
    rows = rows[in_order(patient[rows], sort[rows])]
    known = where.take(pa.array(rows))
    empty = pc.equal(known, "").to_numpy(zero_copy_only=False) if len(rows) else np.zeros(0, bool)
    columns = {
        "patient": patient[rows].astype(np.int32),
        "what": Text(told[rows].astype(np.int32), Words(what.dictionary)),
        "where": Text(np.where(empty, NONE, np.arange(len(rows))).astype(np.int32), Words(known)),
        "fact_kept": kept[rows],
    }
    return Table("problems", len(rows), without_defaults(columns))


def _again(patient: Ints, told: Ints, where: pa.Array, kept: NDArray[np.bool_]) -> Ints:
    """The problems that were told before of the same patient. Where they are is looked at where the rest is equal."""
    pair = factorised(patient, told)
    twice = np.flatnonzero(np.bincount(pair)[pair] > 1) if len(pair) else pair
    places = where.take(pa.array(twice)).dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.int64)
    same = factorised(pair[twice], places, kept[twice].astype(np.int64))
    first = np.unique(same, return_index=True)[1] if len(same) else same
    return np.delete(twice, first)
