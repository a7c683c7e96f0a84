"""Numbers and durations as a rule writes them, in the unit of what they are compared with.

One of the two doors at which units convert. What is wrong is raised as `RuleError`, without its place.
"""

from __future__ import annotations

import re

from onstudy.criteria import expr as e
from onstudy.criteria.expr import RuleError, Type
from onstudy.values.calendar import Duration, Unit
from onstudy.values.quantity import UnitError, convert

#: The units of a duration, in the plural and in the singular.
TIME_UNITS = {word: unit for unit in Unit for word in (unit.value, unit.value[:-1])}
_LONGEST = 100_000
_WRITTEN = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(?:x\s+)?(.*)")


def duration(text: str) -> Duration:
    """'6 months', '1 day': a whole number of hours, days, weeks, months or years."""
    amount, _, unit = text.partition(" ")
    if unit not in TIME_UNITS or not (amount.isascii() and amount.isdigit()):
        raise RuleError(f"{text!r} is not a duration; write a whole number of hours, days, weeks, months or years")
    if len(amount) > len(str(_LONGEST)) or int(amount) > _LONGEST:
        raise RuleError(f"{text!r} is longer than any record")
    return Duration(int(amount), TIME_UNITS[unit])


def number(text: str, setting: str, wanted: Type, molar_mass: float | None) -> e.Number | e.Limit:
    """A written number as one of the type it is compared with; `molar_mass` in g/mol where mass meets amount."""
    amount, unit = amount_and_unit(text)
    if wanted.base != "number":
        raise RuleError(f"a number is compared with {wanted}")
    if unit in ("ULN", "LLN"):
        return e.Limit(float(amount), unit, wanted.unit[0][0] if wanted.unit else "", setting)
    canonical = wanted.unit[0][0] if len(wanted.unit) == 1 and wanted.unit[0][1] == 1 else ""
    if wanted.unit and not canonical:
        raise RuleError(f"a product in {wanted.unit_text} cannot be compared with a written number")
    return e.Number(_in_unit(float(amount), unit, canonical, text, molar_mass), canonical, text, setting)


def amount_and_unit(text: str) -> tuple[str, str]:
    """'5 mg', '5mg', '1.5 x ULN', '7%', '3': the number and the unit, which may be ""."""
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise RuleError(f"{text!r} is not a number")
    return found[1], found[2]


def _in_unit(amount: float, unit: str, canonical: str, text: str, molar_mass: float | None) -> float:
    if not canonical:
        if unit:
            raise RuleError(f"{text!r} has a unit; what it is compared with has none")
        return amount
    if canonical in (e.DAYS, e.YEARS):
        return _of_days_or_years(amount, unit, canonical, text)
    if not unit:
        raise RuleError(f"{text!r} lacks a unit; what it is compared with is measured in {canonical}")
    try:
        return convert(amount, unit, canonical, molar_mass)
    except UnitError as error:
        raise RuleError(str(error)) from None


def _of_days_or_years(amount: float, unit: str, canonical: str, text: str) -> float:
    if canonical == e.DAYS and unit in ("", "week", "weeks"):
        return amount * 7 if unit else amount
    if unit.rstrip("s") != canonical.rstrip("s"):
        raise RuleError(f"{text!r} is compared with {canonical}; write it in {canonical}")
    return amount
