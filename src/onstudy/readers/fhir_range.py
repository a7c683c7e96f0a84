"""referenceRange: the limits of normal of the laboratory that produced a result, in the unit of its kind.

A laboratory states the same range with each result of a kind, so each range is worked out once.
"""

from __future__ import annotations

from dataclasses import replace

from onstudy.readers.fhir_age import OLDEST, after, unit_of_age
from onstudy.readers.fhir_json import Json, codings, obj, text
from onstudy.readers.fhir_meaning import Vocabulary
from onstudy.readers.fhir_value import number_of, read_quantity
from onstudy.readers.reading import Slot, read_limit
from onstudy.record.catalogue import Kind
from onstudy.values.calendar import Duration, When, reached
from onstudy.values.interval import Interval
from onstudy.values.quantity import UnitError, parse_quantity

#: Upper and lower limit of normal, as far as they are known.
Limits = tuple[Interval | None, Interval | None]
NO_LIMITS: Limits = (None, None)

_MOST = 4096  # ranges kept of one source


class Ranges:
    """The ranges of one source, read."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._known: dict[tuple[str, str, str], tuple[Limits, tuple[str, ...]]] = {}

    def limits(self, kind: Kind, parts: list[Json], unit: str) -> tuple[Limits, tuple[str, ...]]:
        """The limits that the ranges of a result of a kind state, `unit` being the result's; and what is wrong.

        None where ranges for different people differ.
        """
        key = kind.name, unit, repr(parts)
        found = self._known.get(key)
        if found is None:
            found = _limits(self._vocabulary.slot(kind), parts, unit)
            if len(self._known) < _MOST:
                self._known[key] = found
        return found


# Ranges for an age ------------------------------------------------------------------------------------


def of_age(parts: list[Json], born: When, on: When) -> tuple[list[Json], str]:
    """The ranges that are not for another age than that of a patient on the day of the result; what is wrong.

    Ages are completed ones, as they are counted in years: 17 is until the 18th birthday.
    """
    if not any(obj(part, "age") for part in parts):
        return parts, ""
    birth, day = born.days, on.days
    if None in (birth.low, birth.high, day.low, day.high):
        return [], "has a reference range for an age, and the age is not known: it is not used"
    left = [part for part in parts if not _for_others(obj(part, "age"), birth, day)]
    return left, "" if left else "has no reference range for the age of the patient"


def _for_others(age: Json, birth: Interval, day: Interval) -> bool:
    """Whether an age from low to high is certainly not the age on a day."""
    low, high = (_years_old(obj(age, side)) for side in ("low", "high"))
    assert birth.low is not None and birth.high is not None and day.low is not None and day.high is not None
    if low is not None and day.high < reached(int(birth.low), low):
        return True
    return high is not None and day.low >= reached(int(birth.high), after(high))


def _years_old(quantity: Json) -> Duration | None:
    """An age in whole years, months, weeks or days; None where it is none, or leaves it open."""
    unit, number = unit_of_age(quantity), number_of(quantity.get("value"))
    if unit is None or number is None or number != int(number) or number < 0 or text(quantity, "comparator"):
        return None
    return Duration(min(int(number), OLDEST[unit]), unit)


# Limits ---------------------------------------------------------------------------------------------------


def _limits(slot: Slot, parts: list[Json], unit: str) -> tuple[Limits, tuple[str, ...]]:
    plain = replace(slot, results=None)  # a limit says nothing of detection
    found: set[Limits] = set()
    wrong: list[str] = []
    for part in parts:
        if part.get("type") and not _of_the_healthy(part):
            continue
        low, high = (_limit(plain, part, side, unit, wrong) for side in ("low", "high"))
        if low is None and high is None:
            low, high = _in_words(slot, text(part, "text"), unit)
        if low is not None or high is not None:
            found.add((high, low))
    if len(found) > 1:
        return NO_LIMITS, (*wrong, "has several reference ranges that differ: none is used")
    return found.pop() if found else NO_LIMITS, tuple(wrong)


def _of_the_healthy(part: Json) -> bool:
    """Whether a range that states its type is the normal one; a type that is not understood gives no limit."""
    kinds = {coding.code.code for coding in codings(part.get("type"))}
    said = text(obj(part, "type"), "text").strip().lower()
    return "normal" in kinds or (not kinds and said in ("normal", "normal range", "reference range"))


def _limit(slot: Slot, part: Json, side: str, unit: str, wrong: list[str]) -> Interval | None:
    element = obj(part, side)
    if not element:
        return None
    reading = read_quantity(slot, element, f"referenceRange.{side}", unit)
    if reading.wrong:
        wrong.append(f"referenceRange.{side} {reading.wrong}")
    return reading.value if isinstance(reading.value, Interval) and reading.value.exact else None


def _in_words(slot: Slot, said: str, unit: str) -> tuple[Interval | None, Interval | None]:
    """Lower and upper limit of a range that is only text, such as "0.2-1.2 mg/dL" or "<40 U/L"."""
    try:
        quantity = parse_quantity(said) if said else None
    except UnitError:
        quantity = None
    if quantity is None or quantity.interval.exact:
        return None, None
    own = quantity.unit or unit
    bounds = []
    for bound in (quantity.interval.low, quantity.interval.high):
        value = read_limit(slot, f"{bound!r}", own).value if bound is not None else None
        bounds.append(value if isinstance(value, Interval) else None)
    return bounds[0], bounds[1]
