"""What is computed of results with one bound: the other is what is possible for the kind, nothing is guessed.

Expected bounds are worked out by hand from the formulas and the possible values of the catalogue.
"""

from __future__ import annotations

from random import Random

import pytest
from tests.readers.canon import CATALOGUE, only, written

from onstudy.record.derived import with_plausible
from onstudy.values.interval import ANYTHING, Interval, point

WEIGHT = "kind: body_weight, on: 2026-03-01, value: 70 kg"


def computed(kind: str, *facts: str, sex: str = "male") -> Interval | str | None:
    """The computed value of a patient of 70 years, or why there is none."""
    found = only(written(*facts, born="1956-01-01", sex=sex), kind)
    assert found.computed
    return found.value if isinstance(found.value, Interval) else found.lacks


def count(wbc: str, lymphoblasts: str) -> Interval | str | None:
    fact = f'kind: blood_count, on: 2026-03-15, wbc: "{wbc}", lymphoblasts: "{lymphoblasts}"'
    return computed("absolute_lymphoblast_count", fact)


def clearance(creatinine: str, weight: str = "70 kg", sex: str = "male") -> Interval | str | None:
    fact = f'kind: creatinine, on: 2026-03-15, value: "{creatinine}"'
    return computed("creatinine_clearance", fact, f'kind: body_weight, on: 2026-03-01, value: "{weight}"', sex=sex)


def qtcf(tracing: str) -> Interval | str | None:
    return computed("qtcf", f"kind: ecg, on: 2026-03-14, {tracing}")


@pytest.mark.parametrize(
    ("wbc", "lymphoblasts", "expected"),
    [
        ("25000 /uL", "<40 %", Interval(0, 10_000, False, True)),
        ("25000 /uL", "<=40 %", Interval(0, 10_000)),
        ("25000 /uL", ">0 %", Interval(0, 25_000, True, False)),
        ("25000 /uL", ">40 %", Interval(10_000, 25_000, True, False)),
        ("<25000 /uL", "40 %", Interval(0, 10_000, False, True)),
        ("<25000 /uL", "<=40 %", Interval(0, 10_000, False, True)),
        ("25000 /uL", "<150 %", Interval(0, 37_500, False, True)),  # more than can be, and no less than was said
        ("25000 /uL", "<=0 %", point(0)),
        ("0 /uL", "<40 %", point(0)),
        ("25000 /uL", "<0 %", "unsupported"),
        ("25000 /uL", ">100 %", "unsupported"),
    ],
)
def test_lymphoblasts_of_white_cells(wbc: str, lymphoblasts: str, expected: Interval | str) -> None:
    assert count(wbc, lymphoblasts) == expected


@pytest.mark.parametrize(
    ("creatinine", "weight", "expected"),
    [
        # 70 years, 70 kg: 70 x 70 / 72 = 68.0556 mL/min at 1 mg/dL; creatinine is possible from 0.01 to 100 mg/dL.
        ("<1.0 mg/dL", "70 kg", (68.0556, 6805.5556, True, False)),
        ("<=1.0 mg/dL", "70 kg", (68.0556, 6805.5556, False, False)),
        (">2.0 mg/dL", "70 kg", (0.6806, 34.0278, False, True)),
        ("1.0 mg/dL", "<40 kg", (0.1944, 38.8889, False, True)),  # weight from 0.2 kg
        ("1.0 mg/dL", ">100 kg", (97.2222, 631.9444, True, False)),  # to 650 kg
        ("<1.0 mg/dL", ">100 kg", (97.2222, 63_194.4444, True, False)),
    ],
)
def test_clearance_of_creatinine_and_weight(
    creatinine: str, weight: str, expected: tuple[float, float, bool, bool]
) -> None:
    found = clearance(creatinine, weight)
    assert isinstance(found, Interval)
    assert (found.low, found.high) == pytest.approx(expected[:2], abs=5e-4)
    assert (found.low_open, found.high_open) == expected[2:]
    female = clearance(creatinine, weight, sex="female")
    assert isinstance(female, Interval)
    assert female.low == pytest.approx(0.85 * expected[0], abs=5e-4)


def test_an_input_of_which_nothing_is_known_has_no_bounds() -> None:
    assert with_plausible(ANYTHING, CATALOGUE.kinds["creatinine"]) == ANYTHING
    pending = "kind: creatinine, on: 2026-03-15, status: pending"
    assert computed("creatinine_clearance", pending, WEIGHT) == "pending_result"
    assert clearance("1.0 mg/dL", weight="700 kg") == "unsupported"
    assert clearance("<0.01 mg/dL") == "unsupported"


def test_of_several_results_that_may_be_the_newest_one_has_a_bound() -> None:
    """A weight of below 60 or of 80 kg on one day, creatinine 1: from 70 x 0.2 / 72 to 70 x 80 / 72."""
    weights = [f'kind: body_weight, on: 2026-03-01, value: "{value}"' for value in ("<60 kg", "80 kg")]
    found = computed("creatinine_clearance", "kind: creatinine, on: 2026-03-15, value: 1.0 mg/dL", *weights)
    assert isinstance(found, Interval)
    assert (found.low, found.high) == pytest.approx((0.1944, 77.7778), abs=5e-4)


@pytest.mark.parametrize(
    ("low", "high", "low_open", "high_open", "expected"),
    [
        (None, 400.0, False, True, Interval(50, 400, False, True)),
        (None, 50.0, False, False, point(50)),
        (None, 50.0, False, True, Interval(None, 50, False, True)),  # outside what is possible: nothing is filled in
        (None, 49.0, False, False, Interval(None, 49)),
        (400.0, None, True, False, Interval(400, 2000, True, False)),
        (2000.0, None, False, False, point(2000)),
        (2000.0, None, True, False, Interval(2000, None, True, False)),
        (2500.0, None, False, False, Interval(2500, None)),
        (40.0, 400.0, False, False, Interval(40, 400)),
    ],
)
def test_the_bound_that_is_lacking(
    low: float | None, high: float | None, low_open: bool, high_open: bool, expected: Interval
) -> None:
    assert with_plausible(Interval(low, high, low_open, high_open), CATALOGUE.kinds["qt_interval"]) == expected


@pytest.mark.parametrize(
    ("tracing", "low", "high", "opened"),
    [
        ('qt: "<400 ms", rate: 60 /min', 50, 400, (False, True)),
        ('qt: 420 ms, rr: "<600 ms"', 497.965, 974.734, (True, False)),  # 420 / 0.6^(1/3), 420 / 0.08^(1/3)
        ('qt: 500 ms, rate: "<40 /min"', 127.718, 436.790, (False, True)),  # 500 / 60^(1/3), 500 / 1.5^(1/3)
        ('qt: "<400 ms", rr: 1000 ms, rate: 60 /min', 50, 400, (False, True)),
        ("qt: 400-420 ms, rr: 1000 ms, rate: 60 /min", 400, 420, (False, False)),
    ],
)
def test_corrected_qt(tracing: str, low: float, high: float, opened: tuple[bool, bool]) -> None:
    found = qtcf(tracing)
    assert isinstance(found, Interval)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-4)
    assert (found.low_open, found.high_open) == opened


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ('rr: 1000 ms, rate: "<70 /min"', (400, 400)),
        ('rr: 1000 ms, rate: ">59 /min"', (400, 400)),
        ('rr: "<1000 ms", rate: 60 /min', (400, 408)),  # by its rate 400, give or take two parts of a hundred
        ('rr: "<1000 ms", rate: "<70 /min"', (400, 429.512)),  # 400 x (70 / 60)^(1/3) x 1.02
        ('rr: 1000 ms, rate: ">100 /min"', "conflict"),
        ('rr: "<900 ms", rate: "<60 /min"', "conflict"),
        ("rr: 1000 ms, rate: {status: pending}", (400, 400)),
        ("rr: {status: pending}, rate: 60 /min", (400, 400)),
    ],
)
def test_an_interval_and_a_rate_of_which_one_is_bounded(more: str, expected: tuple[float, float] | str) -> None:
    """QT 400 ms: they contradict each other only where none of the values they allow agree."""
    found = qtcf(f"qt: 400 ms, {more}")
    if isinstance(expected, str):
        assert found == expected
        return
    assert isinstance(found, Interval)
    assert (found.low, found.high) == pytest.approx(expected, abs=5e-4)


def test_what_contradicts_itself_does_so_with_any_qt() -> None:
    """RR 1000 ms is 60/min, not 90, whatever lies below 400 ms; both formulas allow 60 to 400 ms all the same."""
    assert qtcf('qt: "<400 ms", rr: 1000 ms, rate: 90 /min') == "conflict"


@pytest.mark.parametrize("seed", range(20))
def test_every_value_within_the_bounds_gives_one_within_what_is_computed(seed: int) -> None:
    random = Random(seed)
    wide, narrow = random.choice([("<1.4 mg/dL", (0.01, 1.399)), (">1.4 mg/dL", (1.401, 100)), ("<=1.4", (0.01, 1.4))])
    unit = "" if "mg" in wide else " mg/dL"
    around, inside = clearance(wide + unit), clearance(f"{random.uniform(*narrow)} mg/dL")
    assert isinstance(around, Interval) and isinstance(inside, Interval)
    assert around.low is not None and around.high is not None and inside.low is not None
    assert around.low <= inside.low <= around.high
