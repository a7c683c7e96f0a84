"""Quantities: the one place where units are converted, exactly and with one rounding.

Usual laboratory units come from the shipped table (units.toml); any other unit of UCUM is read by pint and
ucumvert, which are imported only then. Where those two would let things cancel that must be kept apart
(international units, copies, mmol/mol), this module keeps them apart.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from itertools import product
from typing import Any

from onstudy.errors import OnstudyError
from onstudy.values.interval import Interval, point
from onstudy.values.units import LONGEST, Scale, ambiguity, normalise_unit, table

__all__ = [
    "Quantity",
    "UnitError",
    "bounded",
    "convert",
    "convert_interval",
    "dimension",
    "factor",
    "normalise_unit",
    "parse_quantity",
]

#: Results keep this many significant digits, so that 1.8 stays 1.8 through any conversion.
SIGNIFICANT_DIGITS = 12


class UnitError(OnstudyError):
    """A unit or a measured value that cannot be used; the message says why."""


# Converting -----------------------------------------------------------------------------------------


def convert(value: float, unit: str, to: str, molar_mass: float | None = None) -> float:
    """`value` in `unit`, expressed in the unit `to`; `molar_mass` in g/mol where mass becomes amount or back.

    The result is a double rounded to 12 significant digits. Raises `UnitError` where the units do not
    measure the same thing, where one is not known, and for a value that is not a finite number.
    """
    line = _line(unit, to, molar_mass)
    if isinstance(line, str):
        raise UnitError(line)
    try:
        number = float(value)
        result = line(number) if math.isfinite(number) else number
    except OverflowError:
        number = result = math.inf
    vanished = result == 0 and number != 0 and line.zero == line.end
    if vanished or not math.isfinite(result):
        raise UnitError(f"{number} {_shown(unit)} is not a number that can be expressed in {_shown(to)}")
    return float(f"{result:.{SIGNIFICANT_DIGITS}g}")


def convert_interval(interval: Interval, unit: str, to: str, molar_mass: float | None = None) -> Interval:
    """An interval with both its bounds converted; open bounds stay open."""
    low, high = (
        None if bound is None else convert(bound, unit, to, molar_mass) for bound in (interval.low, interval.high)
    )
    if low is not None and low == high:
        return point(low)
    return Interval(low, high, interval.low_open, interval.high_open)


def factor(unit: str, to: str, molar_mass: float | None = None) -> Fraction:
    """What a value in `unit` is multiplied by to be in `to`, exact for every unit of the shipped table.

    Raises `UnitError` as `convert` does, and between temperature scales, which no factor joins.
    """
    line = _line(unit, to, molar_mass)
    if isinstance(line, str):
        raise UnitError(line)
    if line.zero * line.slope != line.end:
        raise UnitError(f"no factor leads from {_shown(unit)} to {_shown(to)}: their zeros differ; use convert")
    return line.slope


def dimension(unit: str) -> str:
    """What a unit measures, in words: "mass concentration" of mg/dL. Raises `UnitError` if it is no unit."""
    scales = _scales_of(unit)
    if isinstance(scales, str):
        raise UnitError(scales)
    return scales[0].dimension


@dataclass(frozen=True, slots=True)
class _Line:
    """How values pass from one unit to another: `(value + zero) * slope - end`."""

    slope: Fraction
    zero: Fraction
    end: Fraction
    steepness: float

    def __call__(self, value: float) -> float:
        if self.zero or self.end:
            return float((Fraction(str(value)) + self.zero) * self.slope - self.end)
        return value * self.steepness


@lru_cache(maxsize=4096)
def _line(unit: str, to: str, molar_mass: float | None) -> _Line | str:
    """The way from one unit to another, or why there is none. Kept, since few pairs meet many values."""
    if molar_mass is not None and not 0 < molar_mass < math.inf:
        return f"a molar mass is a positive number of g/mol, not {molar_mass}"
    here, there = _scales_of(unit), _scales_of(to)
    if isinstance(here, str) or isinstance(there, str):
        reason = here if isinstance(here, str) else there
        return f"{_shown(unit)} cannot be expressed in {_shown(to)}: {reason}"
    for start, goal in product(here, there):
        if start.dimension == goal.dimension:
            return _straight(start, goal, Fraction(1))
    for start, goal in product(here, there):
        way = _molar_way(start, goal)
        if way is None:
            continue
        if molar_mass is None:
            return (
                f"{_shown(unit)} is a {start.dimension} and {_shown(to)} a {goal.dimension}: "
                "only with the molar mass of what is measured does one lead to the other"
            )
        return _straight(start, goal, Fraction(str(molar_mass)) ** way)
    return (
        f"{_shown(unit)} cannot be expressed in {_shown(to)}: "
        f"one measures {here[0].dimension}, the other {there[0].dimension}"
    )


def _straight(start: Scale, goal: Scale, between: Fraction) -> _Line | str:
    slope = start.factor / goal.factor * between
    try:
        return _Line(slope, start.zero, goal.zero, float(slope))
    except OverflowError:
        return "the units are too far apart for any number"


def _molar_way(start: Scale, goal: Scale) -> int | None:
    """The power of the molar mass that leads from mass to amount (-1) or back (1); None if none does."""
    molar = table().molar
    if molar.get(start.dimension) == goal.dimension:
        return -1
    return 1 if molar.get(goal.dimension) == start.dimension else None


@lru_cache(maxsize=4096)
def _scales_of(unit: str) -> tuple[Scale, ...] | str:
    """What a unit may measure, or why that cannot be said."""
    known = table().scales
    if unit in known:
        return known[unit]
    name = normalise_unit(unit)
    if name in known:
        return known[name]
    if meanings := ambiguity(name):
        return f"{_shown(unit)} could mean two things, {meanings}; write the one that is meant"
    if re.fullmatch(r"\{[!-z|~]+\}", name) and len(name) <= LONGEST:
        return (Scale(name, Fraction(1)),)
    return _scales_by_ucum(name) or f"{_shown(unit)} is not a unit known here; write it in UCUM (mg/dL, 10*3/uL)"


def _shown(text: str) -> str:
    """A text from outside as a message may hold it: quoted, plain ASCII, not longer than a unit."""
    return ascii(text if len(text) <= LONGEST else text[:LONGEST] + "...")


# Units outside the table ----------------------------------------------------------------------------

#: What pint reads wrongly or at too great a cost: decimals (in UCUM 1.73 is one times 73), `g%`, huge powers.
_UNREADABLE = re.compile(r"[0-9][.,][0-9]|[A-Za-z]%|[0-9]{8}|[*^+\-A-Za-z\])][0-9]{3}")
_REMARK = re.compile(r"\{[^{}]*\}")
#: Powers of ten are numbers; everything else that pint holds to be a mere number is a unit of its own.
_NUMBERS = frozenset({"_10", "percent", "ppth", "ppm", "ppb", "pptr"})
#: UCUM makes these moles, or moles a second; in a laboratory they measure something else.
_NOT_MOLES = {
    "equivalents": "equivalents",
    "osmole": "osmole",
    "enzyme_unit": "catalysis",
    "katal": "catalysis",
}


def _scales_by_ucum(unit: str) -> tuple[Scale, ...]:
    """What a unit outside the table measures: a dimension of the table or one of its own; () if no unit."""
    measured = _measured(unit)
    if measured is None:
        return ()
    signature, worth = measured
    if signature in _signatures():
        name, first = _signatures()[signature]
        return (Scale(name, worth / first),)
    return (Scale(signature, worth),)


@cache
def _signatures() -> dict[str, tuple[str, Fraction]]:
    """The dimensions of the table by what pint makes of their first units, and what it makes of one."""
    found: dict[str, tuple[str, Fraction]] = {}
    for name, unit in table().first_units.items():
        measured = _measured(unit)
        if measured is not None:
            assert measured[0] not in found, f"{name} cannot be told from {found[measured[0]][0]}"
            found[measured[0]] = (name, measured[1])
    return found


def _measured(unit: str) -> tuple[str, Fraction] | None:
    """A signature of what a UCUM unit measures and its worth in pint's own units; None if it is no unit.

    The signature keeps what is above a stroke apart from what is below (mg/kg/d is no frequency), and
    keeps remarks in braces and arbitrary units.
    """
    if not unit or len(unit) > LONGEST or _UNREADABLE.search(_REMARK.sub("{}", unit)):
        return None
    try:
        return _read_by_pint(unit)
    except Exception:  # noqa: BLE001 - whatever a parser makes of hostile text, it is not a unit
        return None


def _read_by_pint(unit: str) -> tuple[str, Fraction] | None:
    registry = _registry()
    read = registry.from_ucum(unit)
    above: Counter[str] = Counter()
    below: Counter[str] = Counter()
    worth = float(read.magnitude)
    for name, power in read.unit_items():
        if registry.Quantity(0.0, name).to_base_units().magnitude != 0:
            return None  # a scale with a zero of its own, or a logarithm: no factor leads there
        one, _ = registry.get_base_units(name)
        worth *= float(one) ** power
        for part, exponent in _parts(registry, name):
            (above if exponent * power > 0 else below)[part] += abs(exponent * power)
    remarks = "".join(_REMARK.findall(unit))
    if not 0 < worth < math.inf:
        return None
    return f"{_product(above)}/{_product(below)}{remarks}", Fraction(f"{worth:.15g}")


def _parts(registry: Any, name: str) -> Iterator[tuple[str, float]]:
    """What one of pint's units consists of: its dimensions, or itself where it must not be dissolved."""
    root = registry.parse_unit_name(name)[0][1]
    dimensions = dict(registry.get_dimensionality(name))
    if root in _NOT_MOLES or (not dimensions and root not in _NUMBERS):
        dimensions = {_NOT_MOLES.get(root, root): 1}
    yield from dimensions.items()


def _product(parts: Counter[str]) -> str:
    return ".".join(f"{name}{power:g}" if power != 1 else name for name, power in sorted(parts.items())) or "1"


@cache
def _registry() -> Any:
    """pint's registry with UCUM's units; a second of work, so only where the table does not do."""
    from ucumvert import PintUcumRegistry

    return PintUcumRegistry()


# Values as people write them ------------------------------------------------------------------------

_NUMBER = r"[0-9]{1,30}(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,3}(?![0-9]))?"
_SAME = {"=<": "<=", "≤": "<=", "=>": ">=", "≥": ">=", "=": ""}
_WRITTEN = re.compile(
    rf"(?P<comparator><=|>=|=<|=>|[<>=≤≥])?\s*(?P<low>-?{_NUMBER})"
    rf"(?:\s*(?P<dash>-|–|\bto\b|\.\.)\s*(?P<high>-?{_NUMBER}))?"
    r"(?P<unit>.*)",
    re.DOTALL,
)
_UNIT_BEGINS = re.compile(r"[A-Za-z%\[{(°µμ#×*]|/(?![0-9])|10[*^eEx(⁰¹²³⁴⁵⁶⁷⁸⁹]")
#: No measured value is written with more characters.
_LONGEST_VALUE = 200


@dataclass(frozen=True, slots=True)
class Quantity:
    """A measured value as written: where it lies, its unit in UCUM ("" if none), and its comparator.

    `comparator` is one of "", "<", "<=", ">" and ">="; a value below or above a limit has no other bound.
    """

    interval: Interval
    unit: str
    comparator: str = ""


def bounded(value: float, comparator: str = "") -> Interval:
    """Where a value lies that is reported with a comparator: "<20" has no lower bound, and 20 is not in it.

    Raises `UnitError` for another comparator than "", "<", "<=", ">" and ">=", and for no finite number.
    """
    if not math.isfinite(value):
        raise UnitError(f"{value} is not a measured value")
    if comparator in ("<", "<="):
        return Interval(None, value, high_open=comparator == "<")
    if comparator in (">", ">="):
        return Interval(value, None, low_open=comparator == ">")
    if comparator:
        raise UnitError(f"{_shown(comparator)} is not a comparator; it is one of <, <=, >=, >")
    return point(value)


def parse_quantity(text: str) -> Quantity:
    """A value as people write it: `1.8 mg/dL`, `<20 [IU]/mL`, `>= 5 %`, `25.0 10*3/uL`, `40-45 %`.

    The unit comes back in UCUM and is not looked up here. Raises `UnitError`, saying what is wrong, where the
    number could be read in two ways (`1,234`), is not finite, or is not followed by a unit.
    """
    if len(text) > _LONGEST_VALUE:
        raise UnitError(f"a value of {len(text)} characters cannot be read: {_shown(text)}")
    written = _WRITTEN.fullmatch(text.strip())
    if written is None:
        raise UnitError(f"{_shown(text)} does not begin with a number, as in 1.8 mg/dL or <20 [IU]/mL")
    unit = _unit_after_number(text, written["unit"])
    comparator = _SAME.get(written["comparator"] or "", written["comparator"] or "")
    low = _number(text, written["low"])
    if written["high"] is None:
        return Quantity(bounded(low, comparator), unit, comparator)
    high = _number(text, written["high"])
    if comparator or high < low or (low < 0 and written["dash"] in "-–"):
        raise UnitError(f"{_shown(text)} is not a range; write the lower and the upper value, as in 1.7..1.9 mg/dL")
    return Quantity(Interval(low, high), unit)


def _number(text: str, written: str) -> float:
    """The number of a text; 0.0 for -0, and no number for what a double cannot hold."""
    number = float(written) + 0.0
    vanished = number == 0 and re.search(r"[1-9]", written.lower().partition("e")[0])
    if vanished or not math.isfinite(number):
        raise UnitError(f"{_shown(text)} is not a number that a measurement can have")
    return number


def _unit_after_number(text: str, written: str) -> str:
    """The unit that follows a number, in UCUM; what cannot be a unit was part of a misread number."""
    if re.match(r"\s?[,'’][0-9]", written):
        raise UnitError(
            f"{_shown(text)} could be read in two ways: write thousands without a sign (1234) "
            "and decimals with a point (1.234)"
        )
    unit = normalise_unit(written)
    if unit not in table().scales and not _UNIT_BEGINS.match(written.strip()):
        raise UnitError(f"{_shown(text)}: after the number comes {_shown(written.strip())}, which is no unit")
    return unit
