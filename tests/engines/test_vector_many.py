"""The vector engine beside the reference, for many patients at once: truths, causes, questions and evidence."""

from __future__ import annotations

import gc
import random
import weakref
from collections.abc import Callable
from datetime import date
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engines.each import ALL
from tests.engines.worlds import (
    World,
    days_ahead,
    everybody,
    facts_by_memory,
    facts_by_vector,
    rules,
    said_by_memory,
    said_by_vector,
)
from tests.generative.depth import examples
from tests.generative.make import parsed
from tests.generative.test_knowledge import shipped_rules
from tests.trials.flagship import examples as written_examples
from tests.trials.flagship import patient_entry

from onstudy.criteria.expr import TruthExpr
from onstudy.engines.vector import Vector, evaluate_many
from onstudy.language.unparse import unparse
from onstudy.readers.patientfile import patient_from
from onstudy.record.catalogue import load_catalogue
from onstudy.values.calendar import as_when, on_day
from onstudy.values.truth import TRUE, UNKNOWN

SEEDS = st.integers(0, 2**40)
Made = Callable[[random.Random], tuple[World, tuple[str, ...]]]


def assert_equal(world: World, vector: Vector, rule: TruthExpr) -> None:
    """Both answers, their causes and their questions, pair by pair."""
    for which, assumed in enumerate((frozenset[str](), ALL)):
        found = said_by_vector(vector, rule, assumed)
        wanted = [said_by_memory(memories[which].evaluate(rule)) for memories in world.memories]
        different = [pair for pair, said in enumerate(found) if said != wanted[pair]]
        assert not different, f"{unparse(rule)}: pair {different[0]} {found[different[0]]} {wanted[different[0]]}"


@pytest.mark.generative
@pytest.mark.parametrize("plain", [True, False], ids=["plain apart", "all closely"])
@pytest.mark.parametrize("made", [everybody, days_ahead])
@examples(0.06)
@given(seed=SEEDS)
def test_many_patients_at_once(made: Made, plain: bool, seed: int) -> None:
    source = random.Random(seed)
    world, kinds = made(source)
    vector = world.vector(plain)
    for rule in rules(source, kinds):
        assert_equal(world, vector, rule)


@pytest.mark.generative
@examples(0.06)
@given(seed=SEEDS)
def test_the_facts_an_answer_rests_on(seed: int) -> None:
    source = random.Random(seed)
    world, kinds = everybody(source)
    vector = world.vector()
    for rule in rules(source, kinds):
        found = vector.evidence(rule)
        for pair, (memory, _) in enumerate(world.memories):
            assert facts_by_vector(world.shard, found, pair) == facts_by_memory(memory, rule), unparse(rule)


@pytest.mark.generative
@examples(0.06)
@given(seed=SEEDS)
def test_any_pairs_are_the_pairs_of_all(seed: int) -> None:
    """Pairs asked alone, several times or in another order get the answers they get together."""
    source = random.Random(seed)
    world, kinds = everybody(source)
    asked = list(rules(source, kinds))
    together = evaluate_many(asked, world.shard, world.pairs(), load_catalogue())
    chosen = np.array([source.randrange(len(world.rows)) for _ in range(17)])
    apart = evaluate_many(asked, world.shard, world.pairs().take(chosen), load_catalogue())
    assert (apart.recorded == together.recorded[:, chosen]).all()
    assert (apart.if_confirmed == together.if_confirmed[:, chosen]).all()


def test_a_birth_that_makes_nobody_so_old_decides_no_age() -> None:
    """On 2026-03-16 somebody born on 1905-03-16 is 121; born on the next day, 120; born in 1905, one of both."""
    days = ("1905-03-16", "1905-03-17", "1905", "1960-01-01")
    entries = [{"patient": day, "facts": [], "born": day} for day in days]
    patients = tuple(patient_from(entry, "old.yaml", load_catalogue()) for entry in entries)
    on = {"registration": on_day(date(2026, 3, 16)), "therapy_start": None}
    world = World(patients, tuple(range(len(days))), (on,) * len(days))
    rule = parsed("age at registration >= 60 years")
    assert world.vector().truth(rule, frozenset()).tolist() == [UNKNOWN, TRUE, TRUE, TRUE]
    assert_equal(world, world.vector(), rule)


# The flagship -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plain", [True, False], ids=["plain apart", "all closely"])
def test_what_was_worked_out_is_let_go_of_at_once(plain: bool) -> None:
    """What a vector kept is gone with it: with circles among it, a process would keep several shards."""
    source = random.Random(3)
    world, kinds = everybody(source)
    vector = world.vector(plain)
    for rule in rules(source, kinds):
        vector.answers(rule)
        vector.asks(rule)
    kept: list[weakref.ref[object]] = [weakref.ref(vector.setting), weakref.ref(vector.setting.base)]
    kept += [weakref.ref(records.subjects) for kind in kinds for records in vector.setting.base.records(kind)]
    gc.disable()
    try:
        del vector
        assert len(kept) > 3
        assert [one for one in kept if one() is not None] == []
    finally:
        gc.enable()


@cache
def written_patients() -> World:
    """The patients of every example of the flagship, those of the reference's vignettes among them, each on its day."""
    names = [name for name, case in written_examples().items() if "patient" not in case]
    patients = tuple(patient_from(patient_entry(name), "examples.yaml", load_catalogue()) for name in names)
    start = as_when("2026-03-18T09:00")
    anchors = tuple({"registration": on_day(_day(name)), "therapy_start": start} for name in names)
    return World(patients, tuple(range(len(patients))), anchors)


def _day(name: str) -> date:
    """The registration day of an example, which may be that of the one it comes from."""
    case = written_examples().get(name, {})
    if "on" in case:
        return date.fromisoformat(case["on"])
    return _day(case["from"]) if "from" in case else date(2026, 3, 16)


def test_the_examples_are_all_there() -> None:
    assert len(written_patients().patients) >= 350


@pytest.mark.parametrize("plain", [True, False], ids=["plain apart", "all closely"])
def test_every_criterion_of_every_example(plain: bool) -> None:
    world = written_patients()
    vector = world.vector(plain)
    for rule in shipped_rules():
        assert_equal(world, vector, rule)


def test_the_facts_behind_every_criterion_of_every_example() -> None:
    world = written_patients()
    vector = world.vector()
    for rule in shipped_rules():
        found = vector.evidence(rule)
        for pair, (memory, _) in enumerate(world.memories):
            assert facts_by_vector(world.shard, found, pair) == facts_by_memory(memory, rule), unparse(rule)
