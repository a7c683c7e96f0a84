"""A record as a patient file that a person can read, change, and have read back to the same facts."""

from __future__ import annotations

import re

from onstudy.readers.dates import write_when
from onstudy.readers.fhir_write_parts import is_gender, member_name
from onstudy.readers.reading import NOT_STATED, PENDING
from onstudy.readers.statement import DETECTED
from onstudy.readers.timing import unsaid_end
from onstudy.record.assemble import order, stated
from onstudy.record.catalogue import (
    BOOLEAN,
    CODE,
    COUNT,
    NONE,
    ORDERED,
    PERIOD,
    YES,
    Catalogue,
    load_catalogue,
)
from onstudy.record.checks import is_test_data
from onstudy.record.patient import Coverage, Fact, Patient, Value
from onstudy.values.calendar import When, show_day
from onstudy.values.interval import Interval

_Entry = dict[str, "str | list[str] | _Entry"]
_PLAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_/.%+ -]*[A-Za-z0-9_/.%])?")
_WORDS = ("~", "null", "yes", "no", "true", "false", "on", "off")


def to_patient_file(patient: Patient, catalogue: Catalogue | None = None) -> str:
    """The patient file of a record: what was stated, nothing that is worked out from it."""
    known = catalogue or load_catalogue()
    facts = sorted(stated(patient, known), key=order)
    sex = next((fact for fact in facts if is_gender(fact)), None)
    lines = [f"patient: {quoted(patient.id)}"]
    if patient.born.known:
        lines.append(f"born: {quoted(write_when(patient.born))}")
    if sex is not None and isinstance(sex.value, frozenset):
        lines.append(f"sex: {next(iter(sex.value))}")
    if patient.coverage:
        lines.append("complete:")
        lines += [f"  - {_flow(_covered(cover))}" for cover in patient.coverage]
    if is_test_data(patient.problems):
        lines.append("test_data: yes")
    rest = [fact for fact in facts if fact is not sex]
    lines.append("facts:" if rest else "facts: []")
    for fact in rest:
        lines.append(f"  - {_flow(_entry(fact, known))}")
    return "\n".join(lines) + "\n"


def _covered(cover: Coverage) -> _Entry:
    entry: _Entry = {"kind": cover.kind}
    for key, day in (("from", cover.first), ("to", cover.last)):
        if day is not None:
            entry[key] = show_day(day) or ""
    return entry


def _entry(fact: Fact, catalogue: Catalogue) -> _Entry:
    """One fact as the keys and words of a patient file."""
    entry: _Entry = {"kind": fact.kind, "id": fact.id}
    kind = catalogue.kinds.get(fact.kind)
    if kind is None:
        return {**entry, **_unmapped(fact)}
    entry.update(_dates(fact, catalogue))
    if fact.negative:
        entry["value"] = "no"
        if fact.narrowed is not None:
            entry[fact.narrowed[0]] = _written(fact.narrowed[0], fact, fact.narrowed[1], catalogue)
    else:
        entry.update(_value(fact, catalogue))
        for name in sorted(fact.attributes):
            entry[name] = _written(name, fact, fact.attributes[name], catalogue)
    for name, part in sorted(fact.parts.items()):
        entry[name] = _part(part, fact, catalogue)
    if fact.sample is not None and (kind.value != NONE or kind.components):
        entry["sample"] = fact.sample
    if fact.recorded is not None:
        entry["recorded"] = write_when(fact.recorded)
    if not fact.certain:
        entry["suspected"] = "yes"
    return entry


def _unmapped(fact: Fact) -> _Entry:
    dates = {"on": fact.start, "recorded": fact.recorded}
    known = {key: write_when(when) for key, when in dates.items() if when is not None and when.known}
    return {**known, "value": fact.shown}


def _dates(fact: Fact, catalogue: Catalogue) -> _Entry:
    entry: _Entry = {}
    if fact.negative:
        if fact.start.known:
            entry["from"] = write_when(fact.start)
        if fact.end is not None and fact.end.known:
            entry["to" if fact.start.known else "on"] = write_when(fact.end)
        return entry
    if catalogue.kinds[fact.kind].extent != PERIOD:
        if fact.start.known:
            entry["on"] = write_when(fact.start)
        return {**entry, "active": "yes"} if fact.ongoing else entry
    if fact.start == fact.end and fact.start.known:
        return {"on": write_when(fact.start)}
    if fact.start.known:
        entry["from"] = write_when(fact.start)
    if fact.ongoing:
        entry["to"] = "ongoing"
    elif fact.end is not None and not unsaid_end(fact.start, fact.end):
        entry["to"] = write_when(fact.end)
    return entry


def _value(fact: Fact, catalogue: Catalogue) -> _Entry:
    """The value with its unit and limits, or why there is none."""
    kind = catalogue.kinds[fact.kind]
    entry: _Entry = {}
    told = DETECTED in fact.attributes or any(part.lacks is None for part in fact.parts.values())
    if fact.lacks == PENDING and told:
        entry["value"] = "pending"  # it is, and what is said of detection or of a component is not
    elif fact.lacks == PENDING:
        entry["status"] = "pending"
    elif fact.lacks is not None:
        entry["value"] = "unknown" if fact.lacks == NOT_STATED else f"unknown: {fact.lacks}"
    elif kind.value in (CODE, ORDERED):
        values = catalogue.codes_of(fact.kind)
        assert values is not None, "a kind with codes has a value set"
        entry["value"] = _codes(member_name(values, fact.value), fact.value)
    elif isinstance(fact.value, Interval):
        entry["value"] = _number(fact.value, "" if kind.value == COUNT else kind.unit)
    elif isinstance(fact.value, When):
        entry["value"] = write_when(fact.value)
    for key, limit in (("uln", fact.uln), ("lln", fact.lln)):
        if limit is not None and limit.low is not None:
            entry[key] = f"{_digits(limit.low)} {kind.unit}".strip()
    return entry


def _part(part: Fact, whole: Fact, catalogue: Catalogue) -> str | list[str] | _Entry:
    entry = _value(part, catalogue)
    if part.recorded is not None and part.recorded != whole.recorded:
        entry["recorded"] = write_when(part.recorded)
    return entry["value"] if set(entry) == {"value"} else entry


def _written(name: str, fact: Fact, value: Value, catalogue: Catalogue) -> str | list[str]:
    """An attribute in words; `unknown` where it is known not to be known."""
    attribute = catalogue.attribute(fact.kind, name)
    assert attribute is not None, f"{fact.kind} has no attribute {name}"
    if value is None:
        return "unknown"
    if isinstance(value, When):
        return write_when(value)
    if isinstance(value, Interval):
        return _number(value, "" if attribute.type == COUNT else attribute.unit)
    if attribute.type == BOOLEAN:
        return "yes" if value == frozenset({YES}) else "no" if len(value) == 1 else sorted(value)
    return _codes(member_name(catalogue.value_sets[attribute.values], value), value)


def _codes(name: str | None, value: Value) -> str | list[str]:
    assert isinstance(value, frozenset)
    return name if name is not None else sorted(value)


def _digits(number: float) -> str:
    return str(int(number)) if float(number).is_integer() and abs(number) < 1e15 else repr(float(number))


def _number(value: Interval, unit: str) -> str:
    """A number between bounds: `1.8 mg/dL`, `<20 [IU]/mL`, `1.7..1.9 mg/dL`, `>1.7 <=1.9 mg/dL`."""
    low, high = value.low, value.high
    if low is not None and low == high:
        text = _digits(low)
    elif low is None and high is not None:
        text = f"{'<' if value.high_open else '<='}{_digits(high)}"
    elif high is None and low is not None:
        text = f"{'>' if value.low_open else '>='}{_digits(low)}"
    else:
        assert low is not None and high is not None, "a value without any bound is not written"
        signs = ">" if value.low_open else ">=", "<" if value.high_open else "<="
        text = f"{signs[0]}{_digits(low)} {signs[1]}{_digits(high)}"
        if signs == (">=", "<="):
            text = f"{_digits(low)}..{_digits(high)}"
    return f"{text} {unit}".strip()


# YAML ---------------------------------------------------------------------------------------------------


def quoted(text: str) -> str:
    """A scalar of YAML that reads back to the text, plain where that is safe."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS and "  " not in text:
        return text
    if text in ("yes", "no"):
        return text
    escaped = "".join(_escaped(letter) for letter in text)
    return f'"{escaped}"'


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    if letter.isprintable():
        return letter
    return f"\\U{ord(letter):08x}"


def _flow(entry: _Entry) -> str:
    inside = ", ".join(f"{key}: {_scalar(value)}" for key, value in entry.items())
    return f"{{{inside}}}"


def _scalar(value: str | list[str] | _Entry) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, dict):
        return _flow(value)
    return f"[{', '.join(quoted(item) for item in value)}]"
