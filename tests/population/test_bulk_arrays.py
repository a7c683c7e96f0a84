"""What is done to facts as arrays is what is done to them one by one."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from onstudy.population import bulk_moments
from onstudy.population.bulk_extra import extra_of
from onstudy.population.bulk_facts import NO_COMPONENTS, Bases, component_names, from_facts
from onstudy.population.bulk_groups import shown_moments
from onstudy.population.bulk_moments import from_whens
from onstudy.population.bulk_order import in_order, in_order_of_runs
from onstudy.population.bulk_tables import NO_KIND, tables_of
from onstudy.record.catalogue import load_catalogue
from onstudy.record.patient import Fact, Patient
from onstudy.record.shard import NONE, Shard, patient_of, shard_of
from onstudy.values.calendar import UNDATED, When, parse_when, show
from onstudy.values.interval import Interval, point
from onstudy.values.overlap import no_earlier, no_later

WRITTEN = (
    "1850-01-01", "1900-02-28", "1999", "2024-02", "2024-02-29", "2026-03-01", "2200-12-31",
    "2026-03-01T00:00", "2026-03-01T23:59", "2026-03-01T10:11:12", "2026-03-01T10:11:12.5", "1969-12-31T23:59:00Z",
    "2026-03-01T10:11Z", "2026-03-01T10:11:00Z", "2026-03-01T10:11:12Z", "2026-03-01T10:11:00.000+00:00",
    "2026-03-01T10:11:00+02:00", "2026-03-01T10:11:00-05:30", "2026-03-01T10:11:12.345678-05:30",
)  # fmt: skip


def moments() -> list[When]:
    """Moments of every sort, those without a bound among them."""
    whens = [parse_when(text) for text in WRITTEN]
    days = [when.span for when in whens if when.offset is None]
    open_ended = [span for day in days for span in (Interval(day.low, None), Interval(None, day.high))]
    return [*whens, *(When(span) for span in open_ended), UNDATED]


def test_moments_are_shown_as_ever() -> None:
    given = moments()
    assert shown_moments(from_whens([*given, None])).to_pylist() == [*(show(when) for when in given), ""]


def test_a_start_and_an_end_bound_each_other_as_those_of_one_fact_do() -> None:
    given = moments() + [When(Interval(when.span.low, when.span.high, True, True)) for when in moments()[2:4]]
    pairs = [(one, other) for one in given for other in given]
    firsts, others = (from_whens([pair[place] for pair in pairs]) for place in (0, 1))
    many = bulk_moments.no_later(firsts, others), bulk_moments.no_earlier(firsts, others)
    for row, (one, other) in enumerate(pairs):
        assert (many[0].at(row), many[1].at(row)) == (no_later(one, other), no_earlier(one, other)), (one, other)


def test_facts_lie_by_kind_patient_time_and_id() -> None:
    """Facts of one moment lie by their ids; those that begin nobody knows when come first."""
    random, kinds = Random(1), ["one", "other"]
    given = [
        (random.randrange(3), Fact(f"f{number:04d}", random.choice(kinds), start=random.choice(moments())))
        for number in random.sample(range(10_000), 900)
    ]
    bases = Bases()
    facts = from_facts(np.array([patient for patient, _ in given], np.int64), [fact for _, fact in given], bases)
    kind = np.array([kinds.index(fact.kind) for _, fact in given], np.int32)
    tables = tables_of(facts, kind, kinds, bases, NO_COMPONENTS, [])
    for name in kinds:
        expected = sorted((patient, *_bounds(fact.start), fact.id) for patient, fact in given if fact.kind == name)
        ids = tables[name].text("id")
        assert NONE not in ids.index.tolist()
        found = [(int(patient), ids.at(row)) for row, patient in enumerate(tables[name].get("patient").tolist())]
        assert found == [(patient, called) for patient, _, _, called in expected]


def _bounds(when: When) -> tuple[float, float]:
    low, high = when.span.low, when.span.high
    return -np.inf if low is None else low, np.inf if high is None else high


@pytest.mark.parametrize("stems", [(), ("r.",)])
def test_a_source_is_stored_for_the_kinds_in_which_any_fact_has_another_than_its_id(stems: tuple[str, ...]) -> None:
    sources = {"ast": ["x", "r.2", "r.3"], "creatinine": ["r.1", "r.2", "x"], "alt": ["r.1", "r.2", "r.3"]}
    kinds, bases = list(sources), Bases()
    given = [Fact(f"r.{row + 1}", kind, source=said) for kind in kinds for row, said in enumerate(sources[kind])]
    given = [*given[::2], *given[1::2], Fact("r.4", "gone", source="x")]
    facts = from_facts(np.arange(len(given)), given, bases)
    kind = np.array([kinds.index(fact.kind) if fact.kind in kinds else NO_KIND for fact in given], np.int32)
    tables = tables_of(facts, kind, kinds, bases, NO_COMPONENTS, [], stems=stems)
    assert [name for name, table in tables.items() if table.has("source")] == ["ast", "creatinine"]
    for name in kinds:
        found = {tables[name].word("id", row): tables[name].word("source", row) for row in range(3)}
        assert sorted(found.items()) == list(zip(("r.1", "r.2", "r.3"), sources[name], strict=True))


def test_rows_are_put_in_order_by_several_keys_and_stay_as_they_lie_where_equal() -> None:
    draw = np.random.default_rng(2)
    for ends in ((3, 2, 4), (1, 1, 1), (5, 1 << 40, 1 << 40)):  # the last do not fit beside each other in 63 bits
        keys = [draw.integers(-1, end, 500) for end in ends]
        rows = list(zip(*(key.tolist() for key in keys), strict=True))
        assert in_order(*keys).tolist() == sorted(range(len(rows)), key=rows.__getitem__)
    assert in_order(np.zeros(0, np.int64)).tolist() == []
    assert in_order(np.array([7], np.int32)).tolist() == [0]


def test_rows_of_groups_that_lie_in_few_runs_are_merged_and_others_are_left_to_be_sorted() -> None:
    draw = np.random.default_rng(3)
    group, rows = draw.integers(-1, 3, 900), np.arange(900)
    key = (group << 20) + np.where(rows < 600, rows, rows - 500) // 3  # two runs in each group, with equal rows
    order = in_order_of_runs(group, key)
    assert order is not None
    assert order.tolist() == sorted(range(900), key=key.__getitem__)
    assert in_order_of_runs(group, (group << 20) + draw.integers(0, 300, 900)) is None
    none = in_order_of_runs(np.zeros(0, np.int32), np.zeros(0, np.int64))
    assert none is not None
    assert none.tolist() == []


def test_runs_may_be_shorter_where_only_rows_that_lie_near_each_other_are_out_of_order() -> None:
    draw = np.random.default_rng(4)
    group = draw.integers(0, 3, 6000).astype(np.int32)
    rows, whole = np.arange(6000), group.astype(np.int64) << 40
    near = whole + (rows // 270 << 10) + rows % 90  # about thirty rows a run in each group
    order = in_order_of_runs(group, near, low=10)
    assert order is not None
    assert order.tolist() == in_order(near).tolist()
    assert in_order_of_runs(group, near) is None
    assert in_order_of_runs(group, near + draw.integers(0, 300, 6000), low=10) is None
    assert in_order_of_runs(group, whole + (rows % 90 << 10), low=10) is None  # as long, but far from each other


def test_components_that_are_no_facts_of_their_own_are_kept_inside_their_whole() -> None:
    """Two results of one sample that contradict each other make one component, which is no fact beside them."""
    when, catalogue = parse_when("2026-03-01"), load_catalogue()
    low, high, platelets = (
        Fact(name, kind, start=when, value=point(value))
        for name, kind, value in (("h1", "hemoglobin", 7.9), ("h2", "hemoglobin", 12.9), ("p1", "platelets", 40000.0))
    )
    both = Fact("h1+h2", "hemoglobin", start=when, value=Interval(7.9, 12.9))
    whole = Fact("count", "blood_count", start=when, parts={"hemoglobin": both, "platelets": platelets})
    given = Patient("P", UNDATED, (whole, low, high, platelets))
    expected, bases = shard_of([given], catalogue), Bases()
    extra = extra_of([given], 0, bases, catalogue)
    kinds = list(catalogue.kinds)
    kind = np.array([kinds.index(bases.facts[base].kind) for base in extra.facts.base.tolist()], np.int32)
    tables = tables_of(extra.facts, kind, kinds, bases, extra.parts, component_names(catalogue), extra.inner)
    assert tables["hemoglobin"].get("inner").tolist() == [False, True, False]
    found = patient_of(Shard(expected.patients, expected.coverage, expected.problems, tables), 0, catalogue)
    assert found.facts == given.facts
