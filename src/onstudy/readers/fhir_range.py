"""referenceRange: the limits of normal of the laboratory that produced a result, in the unit of its kind.

A laboratory states the same range with each result of a kind, so each range is worked out once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from onstudy.readers.fhir_age import OLDEST, after, unit_of_age
from onstudy.readers.fhir_json import Json, codings, items, obj, text, words
from onstudy.readers.fhir_meaning import Vocabulary
from onstudy.readers.fhir_value import number_of, read_quantity
from onstudy.readers.reading import Slot, read_limit
from onstudy.record.catalogue import Kind
from onstudy.values.calendar import Duration, When, reached
from onstudy.values.codes import SNOMED, Code
from onstudy.values.interval import Interval
from onstudy.values.quantity import UnitError, parse_quantity

#: Upper and lower limit of normal, as far as they are known.
Limits = tuple[Interval | None, Interval | None]
NO_LIMITS: Limits = (None, None)
#: What is wrong where the numbers of several ranges are not the same.
DIFFERING = "has several reference ranges that differ: none is used"

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


# Ranges for some people -------------------------------------------------------------------------------


def of_person(parts: list[Json], born: When, sex: str, on: When) -> tuple[list[Json], str]:
    """The ranges that are not for others than a patient on the day of the result; what is wrong.

    `sex` is "male", "female", or "" where it is not known.
    """
    parts, age_unfit = of_age(parts, born, on)
    parts, sex_unfit = of_sex(parts, sex)
    return parts, age_unfit or sex_unfit


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
    first, beyond = _turning(age, birth)
    assert day.low is not None and day.high is not None
    return (first is not None and day.high < first) or (beyond is not None and day.low >= beyond)


def _turning(age: Json, birth: Interval) -> tuple[int | None, int | None]:
    """The first day on which a patient may be of an age, and the first on which that is over for certain."""
    low, high = (_years_old(obj(age, side)) for side in ("low", "high"))
    assert birth.low is not None and birth.high is not None
    first = None if low is None else reached(int(birth.low), low)
    return first, None if high is None else reached(int(birth.high), after(high))


def for_ages(resource: Json) -> bool:
    """Whether a result, or a component of it, has ranges for ages."""
    return next(_ages(resource), None) is not None


def turning_days(resource: Json, born: When) -> tuple[int, ...] | None:
    """The days on which ranges of a result begin or cease to be for others; None where a birth is not that exact.

    What `of_age` gives on a day follows from which of them its first and its last side reach.
    """
    if born.days.low is None or born.days.high is None:
        return None
    return tuple(day for age in _ages(resource) for day in _turning(age, born.days) if day is not None)


def _ages(resource: Json) -> Iterator[Json]:
    for node in (resource, *items(resource, "component")):
        yield from (age for part in items(node, "referenceRange") if (age := obj(part, "age")))


def _years_old(quantity: Json) -> Duration | None:
    """An age in whole years, months, weeks or days; None where it is none, or leaves it open."""
    unit, number = unit_of_age(quantity), number_of(quantity.get("value"))
    if unit is None or number is None or number != int(number) or number < 0 or text(quantity, "comparator"):
        return None
    return Duration(min(int(number), OLDEST[unit]), unit)


_MALE, _FEMALE = "male", "female"
_SEXES, _NOT_UNDERSTOOD = frozenset({_MALE, _FEMALE}), frozenset({"not understood"})
_EITHER = frozenset(frozenset({one}) for one in _SEXES)
_GENDER = "http://hl7.org/fhir/administrative-gender"
_GENDER_V3 = "http://terminology.hl7.org/CodeSystem/v3-AdministrativeGender"
#: How a sex is written in `appliesTo`: SNOMED CT in the value set of R4, HL7's own code systems, words.
_SEX_CODES = {
    Code(SNOMED, "248153007"): _MALE, Code(_GENDER, "male"): _MALE, Code(_GENDER_V3, "M"): _MALE,
    Code(SNOMED, "248152002"): _FEMALE, Code(_GENDER, "female"): _FEMALE, Code(_GENDER_V3, "F"): _FEMALE,
}  # fmt: skip


def of_sex(parts: list[Json], sex: str) -> tuple[list[Json], str]:
    """The ranges that are not for the other sex than that of a patient ("": not known); what is wrong.

    Whether the patient is one of those a range is for need not be known (a race, a pregnancy, a sex where the
    patient's is not known): such a range gives no limit by itself, and is one that may differ beside others.
    """
    if not any(part.get("appliesTo") for part in parts):
        return parts, ""
    told = [(part, _people(part)) for part in parts]
    told = [(part, people) for part, people in told if not sex or people.isdisjoint(_SEXES) or sex in people]
    if not told:
        return [], "has no reference range for the sex of the patient"
    every = {people for _, people in told}
    if any(people <= {sex} for people in every) or every >= _EITHER:
        return [part for part, _ in told], ""
    sexes_only = not sex and every <= _EITHER
    who = "a sex, and the sex" if sexes_only else "some people, and whether the patient is one of them"
    return [], f"has a reference range for {who} is not known: it is not used"


def _people(part: Json) -> frozenset[str]:
    """What a range says of the people it is for, all of it of each of them: a sex, or what is not understood."""
    concepts = items(part, "appliesTo")
    if part.get("appliesTo") and not concepts:
        return _NOT_UNDERSTOOD
    return frozenset().union(*map(_told, concepts))


def _told(concept: Json) -> frozenset[str]:
    if _is_normal(concept):
        return frozenset()
    coded = [_SEX_CODES.get(coding.code, "") for coding in codings(concept)]
    if coded:
        return _SEXES.intersection(coded) or _NOT_UNDERSTOOD
    said = {word.lower() for word in words(concept)}
    return frozenset(said) if said and said <= _SEXES else _NOT_UNDERSTOOD


# Limits ---------------------------------------------------------------------------------------------------


def _limits(slot: Slot, parts: list[Json], unit: str) -> tuple[Limits, tuple[str, ...]]:
    plain = replace(slot, results=None)  # a limit says nothing of detection
    found: set[Limits] = set()
    wrong: list[str] = []
    for part in parts:
        if part.get("type") and not _is_normal(obj(part, "type")):
            continue
        low, high = (_limit(plain, part, side, unit, wrong) for side in ("low", "high"))
        if low is None and high is None:
            low, high = _in_words(slot, text(part, "text"), unit)
        if low is not None or high is not None:
            found.add((high, low))
    if len(found) > 1:
        return NO_LIMITS, (*wrong, DIFFERING)
    return found.pop() if found else NO_LIMITS, tuple(wrong)


def _is_normal(concept: Json) -> bool:
    """Whether the type of a range, or whom it is for, is the normal one; one that is not understood gives no limit."""
    kinds = {coding.code.code for coding in codings(concept)}
    said = text(concept, "text").lower()
    return "normal" in kinds or (not kinds and said in ("normal", "normal range", "reference range"))


def _limit(slot: Slot, part: Json, side: str, unit: str, wrong: list[str]) -> Interval | None:
    element = part.get(side)
    if not isinstance(element, dict):
        return None
    key = f"referenceRange.{side}"
    reading = read_quantity(slot, element, key, unit)
    if reading.wrong:
        wrong.append(f"{key} {reading.wrong.removeprefix(key).strip()}")
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
