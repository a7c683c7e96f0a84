"""One written fact, as a line of a patient file or a row of CSV states it, as a `Fact`.

Every value is text, `None` where it was left blank; lists mean "one of these", mappings belong to
components. What cannot be used becomes a `Problem` at its place, and the fact is kept wherever dropping
it could let an older or a missing record speak in its stead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from onstudy.errors import AMONG_MANY, Problem, nearest
from onstudy.readers.dates import read_when, spanning, starting
from onstudy.readers.reading import (
    CONFLICT,
    NOT_STATED,
    PENDING,
    UNCLEAR,
    UNITLESS,
    Reading,
    Slot,
    clip,
    not_understood,
    plain,
    read_limit,
    read_value,
    slot_of,
    without_contradictions,
)
from onstudy.readers.timing import Times, empty_negative, over_since, place, place_negative, reversed_period
from onstudy.record.catalogue import BOOLEAN, COUNT, MOMENT, NO, NONE, QUANTITY, STATE, YES, Catalogue, Kind
from onstudy.record.patient import Fact, Value
from onstudy.values.calendar import UNDATED, DateError, When
from onstudy.values.interval import Interval
from onstudy.values.quantity import UnitError, parse_quantity

#: What a blank, a word, a list of words or a component's mapping is, once read from YAML or CSV.
Written = str | None | list["Written"] | dict[str, "Written"]

UNMAPPED, DETECTED = "unmapped", "detected"
KEYS = (
    "kind", "id", "on", "from", "to", "value", "unit", "uln", "lln", "recorded", "status", "suspected",
    "sample", "active",
)  # fmt: skip
_PART_KEYS = ("value", "unit", "uln", "lln", "status", "recorded")

_FINAL = ("final", "amended", "corrected", "confirmed", "appended")
_OPEN = ("active", "in progress", "ongoing")
_DONE = "completed"
_CLOSED = (_DONE, "stopped", "resolved", "inactive", "ended")
_PENDING = ("pending", "registered", "preliminary", "partial")
_ERROR = "entered in error"
_NO_RESULT = (
    "failed", "cancelled", "canceled", _ERROR, "not done", "not performed", "not taken",
    "aborted", "rejected", "unsatisfactory",
)  # fmt: skip
_SUSPECTED = ("suspected", "provisional", "differential", "unconfirmed")
_REFUTED = "refuted"
_STATUSES = (*_FINAL, *_OPEN, *_CLOSED, *_PENDING, *_NO_RESULT, *_SUSPECTED, _REFUTED)
_UNKNOWN = "?"
_OPEN_ENDS = ("ongoing", "present", "active", "now", "continuing")
#: What a question that is still to be answered states itself; the day as well where it asks for a state of that day.
_ASKED = ("kind", "id", "recorded", "unit")


class Statement:
    """One written fact being read: its entry, its place, and the problems met on the way.

    `own`: whether somebody wrote it in the words of this project, or another system put out its own.
    """

    def __init__(
        self, entry: Mapping[str, Written], catalogue: Catalogue, where: str, name: str, own: bool = True
    ) -> None:
        self.entry, self.catalogue, self.where = entry, catalogue, where
        self.name, self.own = name, own
        self.problems: list[Problem] = []
        #: The id of a record that the entry says was entered in error, whatever else it was left blank for.
        self.withdrawn = clip(self._word("id")) if plain(self._word("status")) == _ERROR else ""
        self._misspelt = False
        self._unsaid = False  # whether the answer of an entry that is filled in was left blank
        self._over: When | None = None

    def say(self, what: str, kept: bool = True) -> None:
        """Note a problem of this entry."""
        self.problems.append(Problem(what, self.where, kept))

    def drop(self, what: str) -> None:
        """Note why nothing is made of this entry."""
        self.say(what, kept=False)

    def facts(self) -> list[Fact]:
        """The fact, if there is one; of a state that is over, also the "no" since."""
        fact = self.fact()
        if fact is None:
            return []
        return [fact] if self._over is None else over_since(fact, self._over)

    def fact(self) -> Fact | None:
        """The fact, or None where there is none: a problem says why, unless its answer was left blank."""
        if self._text("kind") == UNMAPPED:
            return self._unmapped()
        kind = self._kind()
        if kind is None:
            return self._unknown_presence()
        if self._left_blank(kind):
            beside = self._beside_blank(kind)
            if not beside:
                return None
            self._half_filled(kind, beside)
        status = self._status()
        if status is None:
            return None
        self._check_keys(kind)
        if kind.value == NONE:
            return self._presence(kind, status)
        return self._measured(kind, status)

    def _unknown_presence(self) -> Fact | None:
        """That there is something of a kind nobody here knows: kept as a diagnosis that could not be read is. A result
        of it, or a "no", is nothing that could be kept.
        """
        name, said = self._text("kind"), self._text("value")
        if not name or (said and read_value(Slot(BOOLEAN), said).value != frozenset({YES})):
            return None
        self.problems[-1] = replace(self.problems[-1], fact_kept=True)
        return replace(self._unmapped(), shown=clip(name, 60))

    def _unmapped(self) -> Fact:
        """A record of something the catalogue does not know: shown, and used for nothing."""
        times = self._times("")
        return Fact(
            id=clip(self._text("id")) or self.name,
            kind=UNMAPPED,
            start=times.on or times.start or UNDATED,
            recorded=times.recorded,
            shown=clip(self._text("value")),
            source=self.where,
        )

    # What it is about -----------------------------------------------------------------------------------

    def _word(self, key: str) -> str:
        value = self.entry.get(key)
        return value.strip() if isinstance(value, str) else ""

    def _text(self, key: str) -> str:
        """A key's text; "" where it is blank or missing, and a problem where it is a list or a mapping."""
        value = self.entry.get(key)
        if value is None or isinstance(value, str):
            return (value or "").strip()
        self.say(f"{key} is a list or a mapping where one word is expected: it is not used")
        return ""

    def _kind(self) -> Kind | None:
        name = self._text("kind")
        if not name:
            self.drop("no kind is stated: nothing can be made of it")
            return None
        kind = self.catalogue.kinds.get(name)
        if kind is None:
            words = [*self.catalogue.kinds, *(k.label for k in self.catalogue)]
            labels = {k.label.lower(): k.name for k in self.catalogue}
            near = nearest(name.lower(), [labels.get(word.lower(), word) for word in words], AMONG_MANY)
            same = labels.get(name.lower()) or self._synonym(name)
            near = f"; did you mean {same}?" if same else near
            self.drop(f"there is no kind {clip(name, 60)!r}{near}")
        return kind

    def _synonym(self, name: str) -> str:
        return next((k.name for k in self.catalogue for word in k.synonyms if plain(word) == plain(name)), "")

    def _left_blank(self, kind: Kind) -> bool:
        """A question of a template without its answer: not a record of anything. What is stated of a result by its
        id, beside a value left blank, is an answer: its limit of normal, or whether anything was detected.
        """
        answers = [key for key in ("value", *kind.components) if key in self.entry]
        if not answers or not all(_blank(self.entry[key]) for key in answers):
            return False
        stated = ("uln", "lln", *self.catalogue.attributes(kind.name))
        of_a_result = kind.value != NONE and self._text("id")
        return not (of_a_result and any(not _blank(self.entry.get(key)) for key in stated))

    def _beside_blank(self, kind: Kind) -> list[str]:
        """What somebody filled in beside an answer left blank; nothing where the question is as it was asked."""
        asked = (*_ASKED, "on") if kind.extent == STATE and kind.value == NONE else _ASKED
        return [clip(key, 60) for key, value in self.entry.items() if key not in asked and not _blank(value)]

    def _half_filled(self, kind: Kind, beside: list[str]) -> None:
        """Say of an entry that its answer was forgotten: what it is about may be, and is not known."""
        self._unsaid = plain(self._text("status")) not in (*_PENDING, *_NO_RESULT, _REFUTED)
        if not self._unsaid:
            return  # that it is awaited, was not done or was ruled out is an answer
        filled = f"{', '.join(f'`{key}`' for key in beside)} {'is' if len(beside) == 1 else 'are'} filled in"
        answer, write = "`value`", "yes or no" if kind.value == NONE else "the result"
        if kind.components:
            answer, write = "every result", "at least one"
        way = f"write {write} there, or leave the whole entry blank"
        self.say(f"{kind.name}: {filled} and {answer} is left blank, so it counts as not known; {way}")

    def _status(self) -> str | None:
        word = plain(self._text("status"))
        if word in _NO_RESULT:
            self.drop(f"its status is {word!r}: that is no result")
            return None
        if word and word not in _STATUSES:
            self.say(f"{clip(word, 40)!r} is no status known here, so its value is not{nearest(word, _STATUSES)}")
            return _UNKNOWN
        return word

    def _check_keys(self, kind: Kind) -> None:
        allowed = {*KEYS, *self.catalogue.attributes(kind.name), *kind.components}
        for key, value in self.entry.items():
            if key not in allowed and not _blank(value):
                self._misspelt = True
                self.say(f"{clip(key, 60)!r} is no part of {kind.name}{nearest(key.lower(), sorted(allowed))}")

    # When it was ------------------------------------------------------------------------------------------

    def _date(self, key: str) -> When | None:
        text = self._text(key)
        if not text:
            return None
        try:
            return read_when(text)
        except DateError as error:
            self.say(f"{key} {error}")
            return None

    def _times(self, status: str) -> Times:
        end_text = plain(self._text("to"))
        going = True if status in _OPEN or end_text in _OPEN_ENDS else False if status in _CLOSED else None
        active = self._yes("active")
        if active is not None:
            going = active
        end = None if end_text in _OPEN_ENDS else self._date("to")
        return Times(self._date("on"), self._date("from"), end, going, self._date("recorded"))

    def _yes(self, key: str) -> bool | None:
        text = self._text(key)
        if not text:
            return None
        reading = read_value(Slot(BOOLEAN), text)
        if reading.wrong:
            self.say(f"{key} {reading.wrong}")
        return None if reading.value is None else reading.value == frozenset({YES})

    def _fitting(self, kind: Kind, times: Times) -> Times:
        """The dates as the kind can have them; dates that contradict each other are left out."""
        bounds = times.start is not None or (times.end is not None and kind.extent != STATE)
        if reversed_period(times):
            self.say("it ends before it begins: its dates are not used")
            return Times(recorded=times.recorded)
        if times.on is not None and bounds:
            self.say("it has both `on` and `from` or `to`: its dates are not used; write one day, or a period")
            return Times(recorded=times.recorded)
        if kind.extent == MOMENT and bounds:
            self.say(f"{kind.name} happens at one moment, read as some time from `from` to `to`: write `on`")
            start = times.start or UNDATED
            last = times.end or (times.recorded if times.going else None)
            happened = spanning(start, last) if last else starting(start) if times.going else start
            return replace(times, on=happened, start=None, end=None)
        if kind.extent == STATE and kind.value != NONE and times.end is not None:
            self.say(f"{kind.name} holds until a newer statement: `to` is not used")
        return times

    # What it says -----------------------------------------------------------------------------------------

    def _presence(self, kind: Kind, status: str) -> Fact | None:
        reading = self._answer(status)
        if reading.wrong:
            self.say(f"value {reading.wrong}")
        times = self._times(status)
        if status == _REFUTED or reading.value == frozenset({NO}):
            return self._negative(kind, times)
        placed = self._fitting(kind, times)
        fact = self._positive(kind, status, placed)
        if kind.extent == STATE and reading.lacks is None:
            if self._unclear(kind, status, times, placed):
                reading = Reading(None, NOT_STATED)
            elif placed.end is not None:
                self._over = placed.end
            elif placed.going is False:
                self._over = spanning(placed.on or placed.start or UNDATED, placed.recorded)
        return replace(fact, lacks=reading.lacks, shown=reading.shown)

    def _unclear(self, kind: Kind, status: str, stated: Times, placed: Times) -> bool:
        """Whether a state may be over or not: its end cannot be used, or it was done, as a pacemaker is put in."""
        if stated.end is not None or self._text("active"):
            return stated.end is not None and placed.end is None
        if status != _DONE or kind.planned:
            return False
        self.say(f"status completed does not tell whether {kind.name} still holds: write `active`, yes or no")
        return True

    def _answer(self, status: str) -> Reading:
        if status == _UNKNOWN or self._unsaid:
            return Reading(None, NOT_STATED)
        if status in _PENDING and not _blank(self.entry.get("value")):
            self._not_final(status)
            return Reading(None, PENDING)
        if _blank(self.entry.get("value")):
            if self._misspelt and not self._mentions_attribute():
                return Reading(None, NOT_STATED, "is not stated, and a key is not understood: yes or no?")
            return Reading(None, PENDING if status in _PENDING else None)
        return read_value(Slot(BOOLEAN), self._text("value"))

    def _not_final(self, status: str) -> None:
        self.say(f"its status is {status}: its value is not used before it is final")

    def _mentions_attribute(self) -> bool:
        kind = self._text("kind")
        return any(name in self.entry for name in self.catalogue.attributes(kind))

    def _negative(self, kind: Kind, times: Times) -> Fact | None:
        stated = [name for name in self.catalogue.attributes(kind.name) if not _blank(self.entry.get(name))]
        if len(stated) > 1:
            self.drop(f"a 'no' can be narrowed by one attribute only, and this one has {', '.join(stated)}")
            return None
        if any(not _blank(self.entry.get(name)) for name in kind.components):
            self.drop("a 'no' has no components")
            return None
        if self._misspelt or any(not problem.fact_kept for problem in self.problems):
            self.drop("a 'no' that is not wholly understood is not used: it could deny too much")
            return None
        dates = [key for key in ("on", "from", "to", "recorded") if self._text(key)]
        if len(dates) > sum(t is not None for t in (times.on, times.start, times.end, times.recorded)):
            self.drop("a 'no' with a date that cannot be read is not used")
            return None
        if empty_negative(times):
            self.drop("it ends before it begins")
            return None
        narrowed = None
        if stated:
            codes = self._attribute(kind, stated[0])
            if not isinstance(codes, frozenset):
                self.drop(f"a 'no' narrowed by {stated[0]} needs one of its words")
                return None
            narrowed = (stated[0], codes)
        if not dates or (len(dates) == 1 and times.start is not None):
            self.say("a 'no' speaks up to a day, and none is stated: write `recorded`")
        return self._bare(kind, times, negative=True, narrowed=narrowed, shown="no")

    def _bare(
        self,
        kind: Kind,
        times: Times,
        negative: bool = False,
        narrowed: tuple[str, frozenset[str]] | None = None,
        shown: str = "",
    ) -> Fact:
        placed = place_negative(times) if negative else place(kind, times)
        return Fact(
            id=clip(self._text("id")) or self.name,
            kind=kind.name,
            start=placed.start,
            end=placed.end,
            ongoing=placed.ongoing,
            negative=negative,
            narrowed=narrowed,
            sample=self._sample(kind),
            recorded=times.recorded,
            shown=shown,
            source=self.where,
        )

    def _sample(self, kind: Kind) -> str | None:
        """The sample it is a result of; only results belong to one."""
        sample = clip(self._text("sample"))
        if sample and kind.value == NONE and not kind.components:
            self.say(f"{kind.name} is no result of a sample: `sample` is not used")
            return None
        return sample or None

    def _positive(self, kind: Kind, status: str, times: Times) -> Fact:
        fact = self._bare(kind, times)
        suspected = bool(self._yes("suspected")) or status in _SUSPECTED
        attributes = {
            name: self._attribute(kind, name)
            for name in self.catalogue.attributes(kind.name)
            if not _blank(self.entry.get(name))
        }
        if self._misspelt:
            attributes = {**not_understood(kind.name, self.catalogue), **attributes}
        attributes, contradictions = without_contradictions(kind.name, attributes, self.catalogue)
        for what in contradictions:
            self.say(what)
        fact = replace(fact, certain=not suspected, attributes=attributes)
        parts = {
            name: part
            for name, component in kind.components.items()
            if (part := self._part(fact, name, self.catalogue.kinds[component])) is not None
        }
        return replace(fact, parts=parts) if parts else fact

    def _attribute(self, kind: Kind, name: str) -> Value:
        """An attribute's value; None, not silence, where it was stated and cannot be read."""
        attribute = self.catalogue.attribute(kind.name, name)
        assert attribute is not None
        return self._one_of(slot_of(attribute, self.catalogue), self.entry.get(name), name).value

    def _one_of(self, slot: Slot, written: Written, key: str, unit: str = "") -> Reading:
        """The reading of a word, or of a list of words: one of them, and it is not known which."""
        if isinstance(written, list):
            readings = [self._one_of(slot, item, key, unit) for item in written]
            codes = [r.value for r in readings if isinstance(r.value, frozenset)]
            if readings and len(codes) == len(readings):
                return Reading(frozenset().union(*codes), shown=", ".join(r.shown for r in readings))
            self.say(f"{key} is a list of what are not all words of its value set: it is not used")
            return Reading(None, NOT_STATED)
        if isinstance(written, dict) or written is None:
            self.say(f"{key} is empty or a mapping where a value is expected: it is not used")
            return Reading(None, NOT_STATED)
        reading = read_value(slot, written, unit, self.own)
        if reading.wrong:
            self.say(f"{key} {_wrong(reading)}")
        return reading

    def _measured(self, kind: Kind, status: str) -> Fact | None:
        times = self._times(status)
        fact = self._positive(kind, status, self._fitting(kind, times))
        reading = self._value(kind, self.entry, status)
        return self._with_value(kind, fact, reading, self.entry)

    def _value(self, kind: Kind, entry: Mapping[str, Written], status: str) -> Reading:
        if status == _UNKNOWN:
            return Reading(None, NOT_STATED)
        if status in _PENDING:
            return self._pending(kind, entry, status)
        if status == _REFUTED:
            self.say(f"{kind.name} has a value, and this one is refuted: which it is instead is not known")
            return Reading(None, CONFLICT)
        if _blank(entry.get("value")):
            stated = [name for name in self.catalogue.attributes(kind.name) if not _blank(entry.get(name))]
            return Reading(None, NOT_STATED, "" if stated else "is not stated")
        unit = entry.get("unit")
        slot = slot_of(kind, self.catalogue)
        return self._one_of(slot, entry["value"], "value", unit if isinstance(unit, str) else "")

    def _pending(self, kind: Kind, entry: Mapping[str, Written], status: str) -> Reading:
        """A result that is not final: what is stated of it may still change."""
        detects = not _blank(entry.get(DETECTED)) and self.catalogue.attribute(kind.name, DETECTED) is not None
        if detects or not _blank(entry.get("value")):
            self._not_final(status)
        return Reading(None, PENDING, detected=UNCLEAR if detects else "")

    def _with_value(self, kind: Kind, fact: Fact, reading: Reading, entry: Mapping[str, Written]) -> Fact:
        attributes = dict(fact.attributes)
        if reading.detected:
            attributes[DETECTED] = self._detection(attributes, reading.detected)
        uln, lln = (self._limit(kind, entry, key) for key in ("uln", "lln"))
        lacks = None if reading.value is not None else reading.lacks or NOT_STATED
        return replace(
            fact,
            value=reading.value,
            lacks=lacks,
            shown=reading.shown,
            uln=uln,
            lln=lln,
            attributes=attributes,
        )

    def _detection(self, attributes: Mapping[str, Value], said: str) -> Value:
        if said == UNCLEAR:
            return None
        stated = attributes.get(DETECTED, frozenset({said}))
        if stated == frozenset({said}) or stated is None:
            return stated
        self.say(f"detected and the value say different things ({CONFLICT}): detection is unknown")
        return None

    def _limit(self, kind: Kind, entry: Mapping[str, Written], key: str) -> Interval | None:
        text = entry.get(key)
        if _blank(text):
            return None
        if not isinstance(text, str) or kind.value not in (QUANTITY, COUNT):
            self.say(f"{key} is not a number with a unit: it is not used")
            return None
        unit, value = entry.get("unit"), entry.get("value")
        own = unit if isinstance(unit, str) and unit else _unit_of(value)
        reading = read_limit(slot_of(kind, self.catalogue), text, own)
        if reading.wrong:
            self.say(f"{key} of {kind.name} {_wrong(reading)}")
        return reading.value if isinstance(reading.value, Interval) else None

    def _part(self, whole: Fact, name: str, kind: Kind) -> Fact | None:
        written = self.entry.get(name)
        if _blank(written):
            return None
        entry: Mapping[str, Written] = written if isinstance(written, dict) else {"value": written}
        for key in entry:
            if key not in _PART_KEYS:
                self.say(f"{clip(key, 60)!r} is no part of the component {name}{nearest(key.lower(), _PART_KEYS)}")
        status = plain(str(entry.get("status") or "")) or self._pending_whole()
        if status in _NO_RESULT or (status and status not in _STATUSES):
            self.drop(f"the component {name} has a status that is no result")
            return None
        part = Fact(
            id=f"{whole.id}.{name}",
            kind=kind.name,
            start=whole.start,
            sample=whole.sample,
            recorded=self._part_recorded(entry) or whole.recorded,
            source=whole.source,
        )
        return self._with_value(kind, part, self._value(kind, entry, status), entry)

    def _pending_whole(self) -> str:
        """The status of the composite where that is pending, which holds for parts without one of their own."""
        status = plain(self._text("status"))
        return status if status in _PENDING else ""

    def _part_recorded(self, entry: Mapping[str, Written]) -> When | None:
        text = entry.get("recorded")
        try:
            return read_when(text) if isinstance(text, str) and text.strip() else None
        except DateError as error:
            self.say(f"recorded {error}")
            return None


def _blank(value: Written) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _wrong(reading: Reading) -> str:
    """What is wrong with a written value, with the way out where it lacks its unit."""
    return f"{reading.wrong}: write the unit behind the number" if reading.wrong.startswith(UNITLESS) else reading.wrong


def _unit_of(value: Written) -> str:
    """The unit written after a value, for a limit that has none of its own."""
    if not isinstance(value, str):
        return ""
    try:
        return parse_quantity(value).unit
    except UnitError:
        return ""
