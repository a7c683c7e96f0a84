"""Formulas of the catalogue: the numbers of the reference, intervals, and nothing but arithmetic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onstudy.record.catalogue import load_catalogue
from onstudy.record.formula import Formula, FormulaError, parse_formula
from onstudy.values.interval import ANYTHING, Interval, Op, compare, point
from onstudy.values.quantity import convert
from onstudy.values.truth import FALSE, TRUE, UNKNOWN

BAZETT = parse_formula("qt / (60 / rate) ** 0.5")
MOSTELLER = parse_formula("(height * weight / 3600) ** 0.5")
DUBOIS = parse_formula("0.007184 * weight ** 0.425 * height ** 0.725")


def shipped(kind: str, names: set[str]) -> Formula:
    """The formula of a kind in the catalogue that uses exactly these names."""
    found = [parse_formula(d.formula) for d in load_catalogue().kinds[kind].derive]
    return next(formula for formula in found if formula.names == names)


FRIDERICIA = shipped("qtcf", {"qt", "rate"})
FRIDERICIA_RR = shipped("qtcf", {"qt", "rr"})
COCKCROFT_GAULT = shipped("creatinine_clearance", {"age", "weight", "creatinine", "sex_factor"})
LYMPHOBLASTS = shipped("absolute_lymphoblast_count", {"wbc", "lymphoblasts"})


def value(formula: Formula, **inputs: float) -> float:
    found = formula.evaluate({name: point(number) for name, number in inputs.items()})
    assert found.exact
    assert found.low is not None
    return float(found.low)


# Numbers of the reference ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("qt", "rate", "qtcf", "qtcb"),
    [
        (400, 60, 400.000, 400.000),
        (420, 75, 452.431, 469.574),
        (427, 80, 469.974, 493.057),
        (430, 80, 473.276, 496.521),
        (400, 90, 457.886, 489.898),
        (440, 73, 469.725, 485.332),
        (480, 55, 466.278, 459.565),
        (380, 110, 465.083, 514.522),
    ],
)
def test_corrected_qt_to_three_decimals(qt: float, rate: float, qtcf: float, qtcb: float) -> None:
    assert f"{value(FRIDERICIA, qt=qt, rate=rate):.3f}" == f"{qtcf:.3f}"
    assert f"{value(FRIDERICIA_RR, qt=qt, rr=60_000 / rate):.3f}" == f"{qtcf:.3f}"
    assert f"{value(BAZETT, qt=qt, rate=rate):.3f}" == f"{qtcb:.3f}"


@pytest.mark.parametrize(
    ("age", "female", "weight", "creatinine", "umol", "clearance", "met"),
    [
        (72, True, 60, 1.3, 114.9, 37.051, True),
        (70, False, 80, 2.0, 176.8, 38.889, False),
        (65, False, 90, 2.2, 194.5, 42.614, True),
        (84, True, 55, 1.7, 150.3, 21.389, True),
    ],
)
def test_cockcroft_gault(
    age: float, female: bool, weight: float, creatinine: float, umol: float, clearance: float, met: bool
) -> None:
    found = value(COCKCROFT_GAULT, age=age, weight=weight, creatinine=creatinine, sex_factor=0.85 if female else 1.0)
    assert f"{found:.3f}" == f"{clearance:.3f}"
    molar_mass = load_catalogue().kinds["creatinine"].molar_mass
    assert f"{convert(creatinine, 'mg/dL', 'umol/L', molar_mass):.1f}" == f"{umol:.1f}"
    assert (creatinine <= 1.5 * 1.2 or found >= 40) is met


@pytest.mark.parametrize(
    ("cm", "kg", "mosteller", "dubois", "at_08", "at_05", "course_ia"),
    [
        (170, 70, 1.8181, 1.8097, 1.4545, 0.9091, 3.2726),
        (160, 55, 1.5635, 1.5632, 1.2508, 0.7817, 2.8142),
        (185, 110, 2.3776, 2.3316, 1.9020, 1.1888, 4.2796),
        (152, 48, 1.4236, 1.4214, 1.1389, 0.7118, 2.5625),
    ],
)
def test_body_surface_area(
    cm: float, kg: float, mosteller: float, dubois: float, at_08: float, at_05: float, course_ia: float
) -> None:
    area = value(MOSTELLER, height=cm, weight=kg)
    assert f"{area:.4f}" == f"{mosteller:.4f}"
    assert f"{value(DUBOIS, height=cm, weight=kg):.4f}" == f"{dubois:.4f}"
    assert [f"{dose * area:.4f}" for dose in (0.8, 0.5, 1.8)] == [f"{mg:.4f}" for mg in (at_08, at_05, course_ia)]


@pytest.mark.parametrize(("wbc", "count", "met"), [(25.0, 10_000, True), (25.1, 10_040, False)])
def test_absolute_lymphoblast_count(wbc: float, count: float, met: bool) -> None:
    found = LYMPHOBLASTS.evaluate({"wbc": point(convert(wbc, "10*3/uL", "/uL")), "lymphoblasts": point(40.0)})
    assert found.low == pytest.approx(count)
    assert compare(Op.LE, found, point(10_000.0)) is (TRUE if met else FALSE)


# What is not known exactly ------------------------------------------------------------------------------


def test_bounds_are_carried_with_their_openness() -> None:
    found = FRIDERICIA.evaluate({"qt": Interval(400, 427, high_open=True), "rate": point(60)})
    assert found == Interval(400, 427, high_open=True)


def test_the_sex_factor_of_a_patient_of_unknown_sex_gives_a_range() -> None:
    found = COCKCROFT_GAULT.evaluate(
        {"age": point(70), "weight": point(80), "creatinine": point(2.0), "sex_factor": Interval(0.85, 1.0)}
    )
    assert found.low == pytest.approx(38.889 * 0.85, abs=0.001)
    assert found.high == pytest.approx(38.889, abs=0.001)


def test_one_bound_is_enough_for_one_bound() -> None:
    found = LYMPHOBLASTS.evaluate({"wbc": Interval(60_000, None, low_open=True), "lymphoblasts": point(40.0)})
    assert found == Interval(24_000, None, low_open=True)
    assert compare(Op.LE, found, point(10_000)) is FALSE


@pytest.mark.parametrize("missing", [None, ANYTHING])
def test_a_missing_input_gives_no_bounds(missing: Interval | None) -> None:
    found = LYMPHOBLASTS.evaluate({"wbc": point(0.0), "lymphoblasts": missing})
    assert found == ANYTHING
    assert compare(Op.LE, found, point(10_000)) is UNKNOWN
    assert LYMPHOBLASTS.evaluate({"wbc": point(0.0)}) == ANYTHING


def test_what_may_be_divided_by_zero_gives_no_bounds() -> None:
    assert FRIDERICIA.evaluate({"qt": point(400), "rate": Interval(0, 80)}) == ANYTHING


def test_what_no_double_holds_gives_no_bounds() -> None:
    huge = parse_formula("a ** 10")
    assert huge.evaluate({"a": point(1e300)}) == ANYTHING
    assert parse_formula("a * a").evaluate({"a": point(1e300)}) == ANYTHING
    assert parse_formula("a * a - a * a").evaluate({"a": point(1e300)}) == ANYTHING


numbers = st.floats(0.01, 1000)


@given(numbers, numbers, numbers, numbers, st.floats(0, 1), st.floats(0, 1))
def test_every_value_within_the_inputs_lies_within_the_result(
    low: float, width: float, other: float, spread: float, at: float, of: float
) -> None:
    formula = parse_formula("(140 - a) / (a * b) + b ** (1/3)")
    a, b = Interval(low, low + width), Interval(other, other + spread)
    around = formula.evaluate({"a": a, "b": b})
    inside = formula.evaluate({"a": point(low + at * width), "b": point(other + of * spread)})
    assert around.low is not None
    assert around.high is not None
    slack = 1e-9 * max(abs(around.low), abs(around.high))
    assert inside.low is not None
    assert around.low - slack <= inside.low <= around.high + slack


# Nothing but arithmetic ----------------------------------------------------------------------------------


def test_a_formula_knows_its_names_and_its_text() -> None:
    assert FRIDERICIA.names == {"qt", "rate"}
    assert str(parse_formula("  a + -b ")) == "a + -b"
    assert value(parse_formula("a + -b - 1e1"), a=30, b=4) == 16


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1 + 2",
        "qt /",
        "qt; rate",
        "__import__('os').system('true')",
        "qt.real",
        "qt[0]",
        "max(qt, rate)",
        "lambda: qt",
        "qt if rate else 0",
        "qt < 470",
        "not qt",
        "qt // 2",
        "qt % 2",
        "~qt",
        "'a' * qt",
        "qt * True",
        "qt * 2j",
        "(yield qt)",
        "(x := qt)",
        "qt ** rate",
        "qt ** -1",
        "qt ** 0",
        "qt ** 11",
        "qt ** (9 ** 9 ** 9)",
        "qt * 1e999",
        "qt + " * 100 + "qt",
        "(" * 90 + "qt" + ")" * 89,
        "qt\x00",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(FormulaError):
        parse_formula(text)
