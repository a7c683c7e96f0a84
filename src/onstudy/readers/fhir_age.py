"""An Age of FHIR, and the days on which a person is of it: in completed years, months, weeks or days."""

from __future__ import annotations

from dataclasses import replace

from onstudy.readers.fhir_json import Json, obj, text
from onstudy.readers.fhir_value import contradicts, number_of
from onstudy.values.calendar import Duration, Unit, When, between, reached
from onstudy.values.quantity import normalise_unit

_UNITS = {"a": Unit.YEARS, "mo": Unit.MONTHS, "wk": Unit.WEEKS, "d": Unit.DAYS}
#: Nobody reaches this age.
OLDEST = {Unit.YEARS: 150, Unit.MONTHS: 1800, Unit.WEEKS: 7800, Unit.DAYS: 54750}


def unit_of_age(quantity: Json) -> Unit | None:
    """The unit of an age by its code and by what is written for people; None where they name none, or two."""
    named = {normalise_unit(word) for key in ("code", "unit") if (word := text(quantity, key))}
    known = named & _UNITS.keys()
    return None if len(known) != 1 or contradicts(quantity) else _UNITS[known.pop()]


def read_age(quantity: Json) -> tuple[Duration | None, str]:
    """The completed part of an age; None and what is wrong with it where nobody can be of it."""
    number, unit = number_of(quantity.get("value")), unit_of_age(quantity)
    if unit is None:
        return None, "is not clearly in years, months, weeks or days"
    if number is None or text(quantity, "comparator"):
        return None, "is no number"
    if not 0 <= number < OLDEST[unit]:
        return None, "is an age that nobody has"
    return Duration(int(number), unit), ""


def after(age: Duration) -> Duration:
    """The age that follows one: 17 years last until the 18th birthday."""
    return replace(age, amount=age.amount + 1)


def at_age(node: Json, prefix: str, born: When) -> tuple[When | None, str]:
    """The days of onsetAge, onsetRange and their like, by element `prefix`; and why they are not known.

    None and nothing wrong where there is neither element.
    """
    age, span = obj(node, f"{prefix}Age"), obj(node, f"{prefix}Range")
    sides = {f"{prefix}Range.{side}": obj(span, side) for side in ("low", "high")}
    stated = {f"{prefix}Age": age} if age else {name: side for name, side in sides.items() if side}
    if not stated:
        return None, f"{prefix}Range has neither low nor high: it gives no date" if span else ""
    ages: dict[str, Duration | None] = {}
    for name, quantity in stated.items():
        ages[name], wrong = read_age(quantity)
        if wrong:
            return None, f"{name} {wrong}: it gives no date"
    if not born.known:
        return None, f"{next(iter(stated))} is an age, and the date of birth is not known: it gives no date"
    low, high = (ages.get(name, ages.get(f"{prefix}Age")) for name in sides)
    when = days_of_age(born, low, high)
    return when, "" if when is not None else f"{prefix}Range ends before it begins: it gives no date"


def days_of_age(born: When, low: Duration | None, high: Duration | None) -> When | None:
    """The days from the first of one age to the last of another; None where that is before the first."""
    days = [int(day) for day in (born.days.low, born.days.high) if day is not None]
    beyond = None if high is None else after(high)
    if low is not None and beyond is not None and any(reached(day, low) >= reached(day, beyond) for day in days):
        return None
    first = None if low is None or born.days.low is None else reached(int(born.days.low), low)
    last = None if beyond is None or born.days.high is None else reached(int(born.days.high), beyond) - 1
    return between(first, last)
