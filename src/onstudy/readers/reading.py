"""One written value: what it may be, in the unit or the codes of the place it stands in.

A value that cannot be used is never dropped: its reading has no value, says why (`lacks`) and, where
somebody has to look, what is wrong with it (`wrong`). Messages never repeat what was written.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from onstudy.errors import nearest
from onstudy.readers.dates import read_when, write_when
from onstudy.record.catalogue import (
    CODE,
    COUNT,
    DATE,
    NO,
    ORDERED,
    QUANTITY,
    YES,
    Attribute,
    Catalogue,
    Kind,
    ValueSet,
)
from onstudy.record.patient import Value
from onstudy.values.calendar import DateError
from onstudy.values.interval import Interval, point
from onstudy.values.quantity import (
    Quantity,
    UnitError,
    convert,
    convert_interval,
    dimension,
    parse_quantity,
)

PENDING, NO_UNIT, NOT_STATED = "pending_result", "no_unit_or_limit", "not_stated"
IMPRECISE, CONFLICT, UNSUPPORTED = "imprecise_value", "conflict", "unsupported"
LACKS = (PENDING, NO_UNIT, NOT_STATED, IMPRECISE, CONFLICT, UNSUPPORTED, "no_record")

_PENDING_WORDS = ("pending", "in progress", "awaited", "to follow")
_UNKNOWN_WORDS = ("unknown", "not stated", "not known", "not recorded", "?")
_YES_WORDS, _NO_WORDS = ("yes", "true", "y"), ("no", "false", "n")
UNCLEAR = "unclear"
#: How what is wrong with a number begins that lacks its unit.
UNITLESS = "has no unit"
#: What of an open value set is none of its words.
OTHER = "other"
#: No value of a record that means anything is longer than this; longer ones are not looked at.
LONGEST = 400
SHOWN = 120


@dataclass(frozen=True, slots=True)
class Slot:
    """What may stand in a place: the value of a kind, or of one of its attributes."""

    type: str
    unit: str = ""
    molar_mass: float | None = None
    values: ValueSet | None = None
    results: ValueSet | None = None  # the words for negative and positive, where detection is asked for
    spelling: Callable[[str], str] = str  # a site's spelling of a unit, to UCUM


@dataclass(frozen=True, slots=True)
class Reading:
    """A value as far as it is known.

    `detected` is "yes", "no", `UNCLEAR` where what is said of it leaves it open, or "" where nothing was said.
    """

    value: Value = None
    lacks: str | None = None
    wrong: str = ""
    detected: str = ""
    shown: str = ""


def not_understood(kind: str, catalogue: Catalogue) -> dict[str, Value]:
    """The attributes of which silence would say something, as stated and not readable: a key that nobody understands
    may have meant any of them.
    """
    return {name: None for name, entry in catalogue.attributes(kind).items() if entry.silence is not None}


def without_contradictions(
    kind: str, attributes: Mapping[str, Value], catalogue: Catalogue
) -> tuple[dict[str, Value], list[str]]:
    """The attributes of one record, those that rule each other out as stated and not readable; and what to say."""
    found, said = dict(attributes), []
    for name, entry in catalogue.attributes(kind).items():
        stated = attributes.get(name)
        apart = [(other, code) for own, other, code in entry.contradicted_by if stated == own]
        for other, code in (*entry.ruled_out_by, *apart) if stated is not None else ():
            if attributes.get(other) == code:
                found[name] = found[other] = None
                said.append(f"{other} and {name} contradict each other: neither is used")
    return found, said


def slot_of(entry: Kind | Attribute, catalogue: Catalogue) -> Slot:
    """The slot of a kind's own value or of an attribute."""
    if isinstance(entry, Attribute):
        return Slot(entry.type, entry.unit, None, catalogue.value_sets.get(entry.values), spelling=catalogue.unit)
    detects = catalogue.attribute(entry.name, "detected") is not None
    return Slot(
        entry.value,
        entry.unit,
        entry.molar_mass,
        catalogue.value_sets.get(entry.values),
        catalogue.value_sets.get("result") if detects else None,
        catalogue.unit,
    )


def clip(text: str, most: int = SHOWN) -> str:
    """Text short enough to show, on one line, without control characters."""
    line = " ".join(text[: 4 * most].split())
    if not line.isprintable():
        line = " ".join("".join(letter for letter in line if letter.isprintable()).split())
    return line if len(line) <= most else line[: most - 1] + "…"


_QUOTABLE = frozenset(" .,;:+-/()[]%&'_#*|")


def quoted(text: str, most: int = SHOWN) -> str:
    """What a record calls something, fit to stand in a message: short, on one line, letters, digits and few signs."""
    return clip("".join(letter for letter in text[: 4 * most] if letter.isalnum() or letter in _QUOTABLE), most)


def plain(text: str) -> str:
    """A word as it is compared: small letters, single blanks."""
    return " ".join(text[:LONGEST].lower().replace("_", " ").replace("-", " ").split())


def read_value(slot: Slot, text: str, unit: str = "", own: bool = True) -> Reading:
    """What a written value may be; `unit` is used where the text itself has none.

    `own`: whether it was written in the words of this project; see `read_word`.
    """
    if len(text) > LONGEST:
        return Reading(None, IMPRECISE, "is too long to be a value")
    tidy = text.strip()
    words = plain(tidy)
    if words in _UNKNOWN_WORDS and (slot.values is None or slot.values.find(tidy) is None):
        return Reading(None, NOT_STATED, shown=clip(tidy))
    if words in _PENDING_WORDS:
        return Reading(None, PENDING, shown=clip(tidy))
    reason = tidy.partition("unknown:")[2].strip()
    if reason in LACKS:
        return Reading(None, reason, shown=clip(tidy))
    if slot.type in (QUANTITY, COUNT):
        return _read_number(slot, tidy, unit)
    if slot.type in (CODE, ORDERED):
        return read_word(slot, tidy, own)
    if slot.type == DATE:
        return _read_date(tidy)
    return read_yes_no(tidy)


def read_yes_no(text: str) -> Reading:
    """A yes or a no, or the same as true and false."""
    words = plain(text)
    if words in _YES_WORDS or words in _NO_WORDS:
        return Reading(frozenset({YES if words in _YES_WORDS else NO}), shown=clip(text))
    if words in _UNKNOWN_WORDS or words in _PENDING_WORDS:
        return Reading(None, PENDING if words in _PENDING_WORDS else NOT_STATED, shown=clip(text))
    return Reading(None, NOT_STATED, "is neither yes, no nor unknown: write one of the three")


def read_word(slot: Slot, text: str, own: bool = True) -> Reading:
    """A code of the slot's value set by its name, label or synonym.

    Of words that are not our `own`, "other" says only that none of *theirs* fitted: it may be any of ours.
    """
    assert slot.values is not None, "a slot of codes has a value set"
    if not own and plain(text) == OTHER:
        wrong = f"says other, which may be any word of the value set {slot.values.name}: it is not used"
        return Reading(None, NOT_STATED, wrong, shown=clip(text))
    if slot.values.open and plain(text) == OTHER:
        return Reading(slot.values.meaning(OTHER), shown=clip(text))
    found = slot.values.find(text)
    if found is not None:
        return Reading(slot.values.meaning(found), shown=clip(text))
    wrong = f"is no word of the value set {slot.values.name}{_near_member(slot.values, text, own)}"
    return Reading(None, NOT_STATED, wrong)


def _near_member(values: ValueSet, text: str, own: bool) -> str:
    words = [word.lower() for m in values.members.values() for word in (m.name, m.label, *m.synonyms)]
    # Names of drugs end alike, and another drug is no help: of an open set only a slip of the pen is corrected.
    if near := nearest(text.lower(), words, 0.85 if values.open else 0.6):
        return near
    if not values.open:
        return f" ({', '.join(values.members)})"
    return "; write the group it belongs to" + (', or "other" where it belongs to none of them' if own else "")


def _read_date(text: str) -> Reading:
    try:
        when = read_when(text)
    except DateError as error:
        return Reading(None, NOT_STATED, str(error))
    return Reading(when, shown=write_when(when))


# Numbers --------------------------------------------------------------------------------------------

_BOUNDS = re.compile(r"(>=?)\s*(\S+)\s+(?:and\s+)?(<=?)\s*(\S.*)")


def _read_number(slot: Slot, text: str, unit: str) -> Reading:
    said, number = _words_apart(slot.results, text)
    if said and not number:
        return Reading(None, NOT_STATED, detected=said, shown=clip(text))
    try:
        quantity = _both_bounds(number) or parse_quantity(number)
    except UnitError:
        wrong = "is not a number" + (" with a unit, as in 1.8 mg/dL or <20 [IU]/mL" if slot.unit else "")
        return Reading(None, IMPRECISE, wrong)
    if not quantity.unit and unit:
        quantity = Quantity(quantity.interval, unit, quantity.comparator)
        text = f"{text} {unit}"
    reading = measure(slot, quantity, text)
    return _beside_words(reading, said) if said and is_unit(slot, quantity.unit) else reading


def is_unit(slot: Slot, unit: str) -> bool:
    """Whether a text is a unit of whatever, or none is written."""
    try:
        return not unit or bool(dimension(slot.spelling(unit)))
    except UnitError:
        return False


# Words on detection ---------------------------------------------------------------------------------

_BETWEEN = " ,;:()"
_DIGIT, _GAP = re.compile(r"[0-9]"), re.compile(r"[\s,;:(]+")


def _words_apart(results: ValueSet | None, text: str) -> tuple[str, str]:
    """What words before or behind a number say of detection (yes, no or nothing), and the text without them.

    All that stands before the number or, behind it, all that follows a blank or a sign counts as words: of
    "<20 copies/mL, not detected" that is "not detected". A text of words alone has no number.
    """
    if results is None:
        return "", text
    digit = _DIGIT.search(text)
    if digit is None:
        return _spoken(results, text), ""
    before = text[: digit.start()].rstrip("<>=≤≥- ")
    if said := _spoken(results, before):
        return said, text[len(before) :].strip(_BETWEEN)
    for gap in _GAP.finditer(text, digit.start()):
        if said := _spoken(results, text[gap.start() :]):
            return said, text[: gap.start()]
    return "", text


def _spoken(results: ValueSet, words: str) -> str:
    found = results.find(words.strip(_BETWEEN))
    return "" if found is None else NO if found == "negative" else YES


def _beside_words(reading: Reading, said: str) -> Reading:
    """A number and what words beside it say of detection, which is not known where they contradict each other."""
    if reading.detected in ("", said):
        return replace(reading, detected=said)
    wrong = "says detected, and the number says that it was not"
    if said == NO:
        wrong, reading = "says not detected, and has a number", Reading(None, CONFLICT, reading.wrong)
    wrong = f"{wrong}: whether it was is unknown"
    return replace(reading, wrong=f"{reading.wrong}; it {wrong}" if reading.wrong else wrong, detected=UNCLEAR)


def _both_bounds(text: str) -> Quantity | None:
    """A value between two bounds with signs of their own: ">1.7 <=1.9 mg/dL"; None for any other form."""
    found = _BOUNDS.fullmatch(text)
    if found is None:
        return None
    low, high = parse_quantity(found[1] + found[2]), parse_quantity(found[3] + found[4])
    bounds = low.interval, high.interval
    try:
        span = Interval(bounds[0].low, bounds[1].high, bounds[0].low_open, bounds[1].high_open)
    except ValueError:
        raise UnitError("the lower bound lies above the upper") from None
    return Quantity(span, high.unit or low.unit)


def measure(slot: Slot, quantity: Quantity, shown: str) -> Reading:
    """A number with its unit, in the unit of the slot.

    What it says of detection holds in whatever unit.
    """
    detected = _detected(quantity) if slot.results is not None else ""
    if detected and not is_unit(slot, quantity.unit):  # what stands in place of a unit may be words that deny it
        detected = "" if detected == NO else UNCLEAR
    if slot.type == COUNT:
        return _count(quantity, shown)
    if not quantity.unit and slot.unit not in ("", "1"):
        wrong = f"{UNITLESS}; it is measured in {slot.unit}"
        return Reading(None, NO_UNIT, wrong, detected, clip(shown))
    try:
        unit = slot.spelling(quantity.unit) or "1"
        value = _converted(quantity.interval, unit, slot)
    except (UnitError, ValueError, OverflowError) as error:
        return Reading(None, NO_UNIT, f"has a unit that cannot be used: {error}", detected, clip(shown))
    return Reading(value, detected=detected, shown=clip(shown))


def _converted(interval: Interval, unit: str, slot: Slot) -> Interval:
    """The interval in the unit of the slot; a number is converted once, not as two bounds."""
    if interval.exact and interval.low is not None:
        return point(convert(interval.low, unit, slot.unit or "1", slot.molar_mass))
    return convert_interval(interval, unit, slot.unit or "1", slot.molar_mass)


def _detected(quantity: Quantity) -> str:
    """Below its limit is not detected, a number is; zero is nothing found; "<=" and ranges say neither."""
    if quantity.comparator == "<":
        return NO
    if quantity.comparator == "<=":
        return ""
    if quantity.comparator:
        return YES
    low, high = quantity.interval.low, quantity.interval.high
    if low == high == 0:
        return NO
    return YES if low is not None and low > 0 else ""


def _count(quantity: Quantity, shown: str) -> Reading:
    if quantity.unit not in ("", "1") and not re.fullmatch(r"\{[^{}]*\}", quantity.unit):
        return Reading(None, NO_UNIT, "is a plain number, yet it is written with a unit", shown=clip(shown))
    bounds = [bound for bound in (quantity.interval.low, quantity.interval.high) if bound is not None]
    if any(bound != math.floor(bound) or bound < 0 for bound in bounds):
        return Reading(None, IMPRECISE, "is not a whole number", shown=clip(shown))
    return Reading(_floats(quantity.interval), shown=clip(shown))


def _floats(value: Interval) -> Interval:
    low, high = (None if bound is None else float(bound) for bound in (value.low, value.high))
    return Interval(low, high, value.low_open, value.high_open)


def read_limit(slot: Slot, text: str, unit: str) -> Reading:
    """A limit of normal in the slot's unit: a number, or the upper one of "<40" and of "10-40"."""
    reading = _read_number(replace(slot, results=None), text.strip(), unit)
    if not isinstance(reading.value, Interval):
        return reading
    bound = reading.value.high if reading.value.high is not None else reading.value.low
    return Reading(Interval(bound, bound), shown=reading.shown)
