"""Completions of a record (DESIGN 5, "Knowledge is monotone"): more is known, and nothing is said otherwise.

A date or a value is narrowed inside its bounds, a pending result gets its value, a missing attribute or limit is
stated, a kind is declared complete, a kind of which nothing is recorded gets its first record.

A record that a judgement on record would have to judge is no completion but news: the judgement has not seen it. Nor is
the first day of a judgement, or of what it judges: until it is known, nothing says that the judgement came too early.
Nor is what opens the question of a "no" anew, or a diagnosis that nobody can read, or the first day of either where
nothing else tells when it was: each may end a "no".
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from datetime import date
from typing import cast

from tests.generative.make import UNREAD, Tape, denial, fact
from tests.generative.shapes import SHAPES, Entry, Shape

from onstudy.criteria import expr as e
from onstudy.criteria.expr import TruthExpr
from onstudy.readers.dates import read_when
from onstudy.record.catalogue import Catalogue, load_catalogue
from onstudy.values.calendar import UNDATED, When

#: What a written value may turn out to be, once it is known better.
NARROWER: dict[str, tuple[str, ...]] = {
    "<1.8 mg/dL": ("1.2 mg/dL", "1.79 mg/dL", "<1.2 mg/dL"),
    ">1.8 mg/dL": ("1.81 mg/dL", "2.4 mg/dL", ">2 mg/dL"),
    "<=1.8 mg/dL": ("1.8 mg/dL", "<1.8 mg/dL", "1.2 mg/dL"),
    "1.2-2.4 mg/dL": ("1.2 mg/dL", "1.8 mg/dL", "2.4 mg/dL", "1.8-1.81 mg/dL"),
    "1.8": ("1.8 mg/dL",),
    "<20 {copies}/mL": ("<12 {copies}/mL",),
    ">20 {copies}/mL": ("85 {copies}/mL", "21 {copies}/mL"),
    "not detected": ("<20 {copies}/mL",),
    ">2": ("3",),
    "1-2": ("1", "2"),
    "<5 /uL": ("4 /uL", "4.99 /uL"),
    "1-8 /uL": ("4 /uL", "5 /uL", "8 /uL"),
    ">1": ("2", "3"),
    "monoclonal_antibody": ("rituximab", "daratumumab"),
    "skin_bcc_scc": ("skin_bcc", "skin_scc"),
}
#: Attributes whose silence says something: not stating them is no gap.
SILENT = {
    ("treatment", "course_ia_day_1"),
    ("neurologic_disorder", "clinically_relevant"),
    ("seizure", "clinically_relevant"),
}

Facts = list[dict[str, object]]
Step = Callable[[Tape, Entry, date, Sequence[TruthExpr]], bool]


def completed(
    tape: Tape, entry: Entry, index: date, rules: Sequence[TruthExpr], steps: int = 3
) -> tuple[Entry, list[str]]:
    """The record with a few completions, and the names of those that were made."""
    found, made = copy.deepcopy(entry), []
    for _ in range(steps):
        for step in _rotated(tape, STEPS):
            if step(tape, found, index, rules):
                made.append(step.__name__)
                break
    return found, made


def _rotated(tape: Tape, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    start = tape.below(len(steps))
    return steps[start:] + steps[:start]


def _facts(entry: Entry) -> Facts:
    return cast(Facts, entry["facts"])


def _known(entry: Entry) -> Facts:
    """The facts without the diagnoses that nobody can read."""
    return [one for one in _facts(entry) if one["kind"] != UNREAD]


def _one(tape: Tape, entry: Entry, unread: bool = False) -> dict[str, object] | None:
    facts = _facts(entry) if unread else _known(entry)
    return tape.one_of(*facts) if facts else None


def _denied(one: dict[str, object]) -> bool:
    return one.get("value") == "no"


# Dates --------------------------------------------------------------------------------------------------


def narrow_date(tape: Tape, entry: Entry, index: date, _rules: Sequence[TruthExpr]) -> bool:
    """A date that is written, within what is written."""
    one = _one(tape, entry, unread=True)
    keys = [key for key in ("on", "from", "to", "recorded", "disease_free_since") if one and key in one]
    if one is None or not keys:
        return False
    key = tape.one_of(*keys)
    when = read_when(str(one[key]))
    if key in ("on", "from") and when.span.low is None and _day_is_news(one, entry):
        return False
    if key in ("on", "from") and when.span.high is None:
        when = _bounded(when, one, index)
    narrower = _within(tape, when)
    return narrower is not None and _set_date(one, key, narrower)


def supply_date(tape: Tape, entry: Entry, index: date, _rules: Sequence[TruthExpr]) -> bool:
    """A date that is not written at all: no later than it was recorded, or than the index date, or its end."""
    one = _one(tape, entry)
    if one is None or _denied(one):
        return False
    shape = SHAPES[str(one["kind"])]
    if shape.extent == "period" and "from" in one and "to" not in one:
        ended_by_another = shape.kind in ("toxicity", "gvhd") and len(_facts(entry)) > 1
        return not ended_by_another and _supply_end(tape, one, index)
    if "on" in one or "from" in one or (shape.extent == "state" and "recorded" in one):
        return False
    if _day_is_news(one, entry):
        return False
    bounded = _bounded(UNDATED, one, index)
    day = _within(tape, bounded)
    if day is None or "to" not in one:
        return day is not None and _set_date(one, "on", day)
    by_its_end = bounded.days.high == read_when(str(one["to"])).days.high
    return _set_date(one, "from", day[:7] if by_its_end and tape.chance(2) else day)  # of that month, up to its end


def _supply_end(tape: Tape, one: dict[str, object], index: date) -> bool:
    start = read_when(str(one["from"])).days
    first = int(start.high if start.high is not None else start.low or index.toordinal())
    last = first + 60
    if one.get("active") == "yes":
        first = max(first, index.toordinal())
        last = first + 60
    elif one.get("active") == "no" and "recorded" in one:
        recorded = read_when(str(one["recorded"])).days.high
        last = last if recorded is None else int(recorded)
    if last < first:
        return False
    end = date.fromordinal(first + tape.below(last - first + 1)).isoformat()
    return _set_date(one, "to", end)


def _bounded(when: When, one: dict[str, object], index: date) -> When:
    """A start without an upper bound, bounded by the day it was recorded, else by the index date."""
    recorded = read_when(str(one["recorded"])).days.high if "recorded" in one else None
    over = read_when(str(one["to"])).days.high if "to" in one else None
    last = date.fromordinal(min(int(day) for day in (recorded or index.toordinal(), over) if day is not None))
    low = when.days.low
    if low is not None and int(low) > last.toordinal():
        return when
    return read_when(f"{'' if low is None else date.fromordinal(int(low)).isoformat()}..{last.isoformat()}")


def _within(tape: Tape, when: When) -> str | None:
    """A narrower date: a month to a day, a day to a time of day; None where nothing is narrower."""
    if when.span.exact:
        return None
    if when.day is not None:
        clock = tape.one_of("06:00", "18:00", "23:59")
        moment = f"{date.fromordinal(when.day).isoformat()}T{clock}"
        inside = read_when(moment).span.low
        assert inside is not None
        low, high = when.span.low, when.span.high
        return moment if (low is None or low <= inside) and (high is None or inside < high) else None
    low, high = when.days.low, when.days.high
    first = int(low) if low is not None else int(high or 0) - 400
    last = int(high) if high is not None else first + 400
    days = [first, last, first + (last - first) // 2, min(last, first + 1), max(first, last - 1)]
    return date.fromordinal(tape.one_of(*days)).isoformat()


def _set_date(one: dict[str, object], key: str, text: str) -> bool:
    """Write a date unless the record would then end before it begins, or lose what it says of its bounds."""
    after = {**one, key: text}
    start = read_when(str(after.get("from", after.get("on", "1850"))))
    end = read_when(str(after["to"])) if "to" in after else None
    if end is not None and start.span.low is not None and end.span.high is not None and start.span.low >= end.span.high:
        return False
    if key == "recorded" and not _same_bounds(one, text):
        return False
    one[key] = text
    return True


def _same_bounds(one: dict[str, object], recorded: str) -> bool:
    """Whether a narrower day of record leaves room for the dates it bounds."""
    low = read_when(str(one.get("from", one.get("on", "1850")))).days.low
    high = read_when(recorded).days.high
    return low is None or high is None or low <= high


def state_birth(tape: Tape, entry: Entry, _index: date, _rules: Sequence[TruthExpr]) -> bool:
    """The date of birth, or the sex."""
    if not entry.get("sex") and tape.chance(2):
        entry["sex"] = tape.one_of("female", "male")
        return True
    born = str(entry.get("born", ""))
    narrower = {"": ("1966-03-16", "1944-02-29", "1966"), "1966": ("1966-03", "1966-03-17", "1966-01-01"),
                "1966-03": ("1966-03-17", "1966-03-16", "1966-03-31")}.get(born)  # fmt: skip
    if narrower is None:
        return False
    entry["born"] = tape.one_of(*narrower)
    return True


# Values -------------------------------------------------------------------------------------------------


def narrow_value(tape: Tape, entry: Entry, _index: date, _rules: Sequence[TruthExpr]) -> bool:
    """A value, attribute or component that is written, within what is written."""
    one = _one(tape, entry)
    if one is None or _denied(one):
        return False
    for key, written in one.items():
        if isinstance(written, list) or written in NARROWER:
            options = cast(list[str], written) if isinstance(written, list) else NARROWER[str(written)]
            return _state(tape, entry, one, key, tuple(options))
    return False


def give_result(tape: Tape, entry: Entry, _index: date, _rules: Sequence[TruthExpr]) -> bool:
    """A pending result its value; a suspected or pending event its confirmation."""
    one = _one(tape, entry)
    if one is None or _denied(one):
        return False
    shape = SHAPES[str(one["kind"])]
    pending = [name for name in shape.components if one.get(name) == "pending"]
    if pending:
        one[pending[0]] = tape.one_of(*(value for value in shape.components[pending[0]] if value != "pending"))
        return True
    if one.get("status") == "pending":
        del one["status"]
        if shape.values:
            one["value"] = tape.one_of(*(value for value in shape.values if value))
        return True
    return one.pop("suspected", None) is not None


def state_attribute(tape: Tape, entry: Entry, _index: date, _rules: Sequence[TruthExpr]) -> bool:
    """An attribute, a component or a limit that is not written."""
    one = _one(tape, entry)
    if one is None or _denied(one):
        return False
    shape = SHAPES[str(one["kind"])]
    lacking = [
        name for name in shape.attributes if name not in one and (shape.kind, name) not in SILENT and name != "detected"
    ]
    lacking += [name for name in ("wbc", "rbc", "cytospin") if name in shape.components and name not in one]
    if not lacking:
        if shape.limits and "uln" not in one:
            one["uln"] = "1.2 mg/dL"
            return True
        return False
    name = tape.one_of(*lacking)
    words = [w for w in (*shape.attributes.get(name, ()), *shape.components.get(name, ())) if isinstance(w, str)]
    if "on" not in one:  # its first and last day are days of treatment: "once" would say otherwise
        words = [word for word in words if word != "once"]
    return _state(tape, entry, one, name, tuple(words))


def _state(tape: Tape, entry: Entry, one: dict[str, object], name: str, options: tuple[str, ...]) -> bool:
    """State it, unless a recorded "no" excludes it: a negative beside a positive is no completion."""
    left = [word for word in options if not _excluded(entry, one, name, word)]
    if not left:
        return False
    one[name] = tape.one_of(*left)
    return True


def _excluded(entry: Entry, one: dict[str, object], name: str, word: str) -> bool:
    """Whether some recorded "no" speaks of records with this attribute."""
    catalogue = load_catalogue()
    related = {str(one["kind"]), *catalogue.ancestors(str(one["kind"]))}
    values = catalogue.codes_of(str(one["kind"]), name) if name != "value" else None
    for other in _facts(entry):
        if _denied(other) and other["kind"] in related and name in other and values is not None:
            said = other[name]
            denied = frozenset().union(*(values.meaning(w) for w in (said if isinstance(said, list) else [str(said)])))
            if values.meaning(word) & denied:
                return True
    return False


# What nobody recorded -----------------------------------------------------------------------------------


def declare_complete(tape: Tape, entry: Entry, index: date, rules: Sequence[TruthExpr]) -> bool:
    """A kind that is asked of, all of it or from or up to a day."""
    kinds = sorted({node.kind for rule in rules for node in e.walk(rule) if isinstance(node, e.Records)})
    if not kinds:
        return False
    stretch: Entry = {"kind": tape.one_of(*kinds, "all")}
    if tape.chance(3):
        stretch[tape.one_of("from", "to")] = index.isoformat()
    entry["complete"] = [*cast(list[Entry], entry.get("complete", [])), stretch]
    return True


def answer_unrecorded(tape: Tape, entry: Entry, index: date, rules: Sequence[TruthExpr]) -> bool:
    """A kind of which there is no record, none of its groups or members, and which is not asked as known."""
    catalogue = load_catalogue()
    free = [shape for shape in SHAPES.values() if _open_to(shape, entry, rules, catalogue)]
    asked = {node.kind for rule in rules for node in e.walk(rule) if isinstance(node, e.Records)}
    free = [shape for shape in free if shape.kind in asked] or free
    if not free:
        return False
    shape = tape.one_of(*free)
    answer = denial(tape, shape, index) if shape.presence and tape.chance(2) else fact(tape, shape, index)
    _facts(entry).append(answer)
    return True


def _open_to(shape: Shape, entry: Entry, rules: Sequence[TruthExpr], catalogue: Catalogue) -> bool:
    related = _related(shape.kind, catalogue)
    if any(one["kind"] in related for one in _facts(entry)) or _judged(shape.kind, entry, catalogue):
        return False
    covered = {str(cover["kind"]) for cover in cast(list[Entry], entry.get("complete", []))}
    if covered & {*related, "all"}:
        return False
    closed = {n.records.kind for rule in rules for n in e.walk(rule) if isinstance(n, e.Any) and n.closed}
    return not closed & related


def _judged(kind: str, entry: Entry, catalogue: Catalogue) -> bool:
    """Whether an attestation on record judges records of a kind, or of one that they may be of; or a "no" on record
    says nothing of the time after such a record.
    """
    judges = [judged for one in _known(entry) for judged in catalogue.kinds[str(one["kind"])].judges]
    denied = {below for one in _known(entry) if _denied(one) for below in catalogue.families[str(one["kind"])]}
    judges += [judged for name in sorted(denied) for judged in catalogue.reopeners[name]]
    return any(kind in _related(judged.kind, catalogue) for judged in judges)


def _day_is_news(one: dict[str, object], entry: Entry) -> bool:
    """Whether its first possible day would tell that a judgement came too early, of which nothing else tells."""
    catalogue = load_catalogue()
    kind = str(one["kind"])
    if kind == UNREAD:
        return "recorded" not in one
    return bool(catalogue.kinds[kind].judges) or ("recorded" not in one and _judged(kind, entry, catalogue))


def _related(kind: str, catalogue: Catalogue) -> frozenset[str]:
    """A kind, the groups above it, and everything below any of them."""
    groups = {kind, *catalogue.ancestors(kind)}
    return frozenset(groups).union(*(catalogue.families[group] for group in groups))


STEPS: tuple[Step, ...] = (
    narrow_date,
    supply_date,
    state_birth,
    narrow_value,
    give_result,
    state_attribute,
    declare_complete,
    answer_unrecorded,
)
