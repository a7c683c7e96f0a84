"""What is open as a patient file with empty answers: filled in, it goes back with `--add` (answers.py)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from onstudy.criteria import expr as e
from onstudy.criteria.finding import Reason
from onstudy.readers.timing import unsaid_end
from onstudy.record.catalogue import (
    BOOLEAN,
    COUNT,
    DATE,
    NONE,
    PERIOD,
    QUANTITY,
    STATE,
    Attribute,
    Catalogue,
    Derivation,
    Kind,
)
from onstudy.record.formula import parse_formula
from onstudy.record.patient import Fact
from onstudy.record.unusable import before_itself, over_and_going_on, present_states
from onstudy.screening.missing import Question, others_on_record
from onstudy.screening.narrowing import open_yet
from onstudy.screening.screen import CohortResult, Opening, Screening
from onstudy.screening.unread import sentence
from onstudy.screening.wording import fact_text, of_kind, phrases
from onstudy.values.calendar import show_day

_TITLES = (("missing", "to find or measure"), ("to_do", "to do for the study"), ("to_confirm", "to confirm"))
_SHOWN = 4  # records named before the rest is only counted
_PERSON = {"born": "YYYY-MM-DD", "sex": "male or female"}  # what is said of a patient once, not as a fact
_PERSONAL = {"age": "born", "sex_factor": "sex"}  # the inputs of formulas that are of the person

_Entry = tuple[str, ...]

_LAST_DAY = "# YYYY-MM-DD, the last day, if it is over"


def todo_file(screening: Screening) -> str:
    """A patient file with a blank `value` for everything the verdicts of this screening wait for.

    What is left blank is no answer. An entry with the `id` of a fact completes that fact. Of a kind that is on
    record already, a "no" would deny what is recorded: there the file asks whether that is all (`complete`).
    """
    s = screening
    blank = _Blank(s)
    complete: list[str] = []
    facts: list[_Entry] = []
    asked = _asked(s)
    for title, question in asked:
        if question.kind in _PERSON:
            blank.person[question.kind] = [line.strip() for line in _header(title, question, blank)]
            continue
        others = blank.on_record(question)
        if others:
            complete += [*_header(title, question, blank), *blank.complete(question.kind, others)]
        entries = _without_asked(facts, blank.entries(question, bool(others)))
        if entries:
            facts += [tuple(_header(title, question, blank)), *entries]
    return "\n".join(
        [
            f"# What {s.trial.id} still needs to know, registration on {s.on.isoformat()}.",
            "# Fill in what you know and leave the rest blank; then: onstudy screen ... --add THIS_FILE",
            "# (answers added before stay: --add EARLIER_FILE --add THIS_FILE)",
            *_unread(asked),
            f"patient: {_quoted(s.patient.id)}",
            *(line for key, header in blank.person.items() for line in (*header, f"{key}:  # {_PERSON[key]}")),
            *(["complete:", *complete] if complete else []),
            "facts:",
            *([line for entry in facts for line in entry] or ["  []"]),
            "",
        ]
    )


def _asked(s: Screening) -> list[tuple[str, Question]]:
    """Every question of a kind once, for all cohorts it matters to."""
    asked: dict[tuple[str, str], tuple[str, Question]] = {}
    for source, when in _sources(s):
        for cls, title in _TITLES:
            for question in getattr(source, cls):
                known = asked.get((cls, question.kind))
                merged = question if known is None else _merged(known[1], question)
                asked[(cls, question.kind)] = (known[0] if known else title + when, merged)
    return list(asked.values())


def _without_asked(facts: list[_Entry], entries: list[_Entry]) -> list[_Entry]:
    """The entries for what nothing was asked of yet; what is asked of a fact anew goes into the entry it has in
    `facts`, for two with one id would be two facts.
    """
    left = []
    for entry in entries:
        same = next((at for at, one in enumerate(facts) if one[:2] == entry[:2] and _names_a_fact(entry)), None)
        if same is None:
            left.append(entry)
            continue
        keys = {line.partition(":")[0] for line in facts[same]}
        facts[same] += tuple(line for line in entry[2:] if line.partition(":")[0] not in keys)
    return left


def _names_a_fact(entry: _Entry) -> bool:
    return len(entry) > 1 and entry[1].startswith("    id:")


def _unread(asked: list[tuple[str, Question]]) -> list[str]:
    """A line on the diagnoses of the record that could not be read, where one may be what is asked."""
    names = next((question.unread for _, question in asked if question.unread), ())
    return [f"# {sentence(names)} Look whether one of them is asked here."] if names else []


def _sources(s: Screening) -> Iterator[tuple[CohortResult | Opening, str]]:
    """Where questions come from: the cohorts that are open, then those that open by time alone."""
    yield from ((cohort, "") for cohort in s.cohorts)
    for cohort in s.cohorts:
        if cohort.opening is not None:
            yield cohort.opening, f" until {cohort.id} opens on {show_day(cohort.opening.day)}"


def _merged(one: Question, other: Question) -> Question:
    def both(name: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*getattr(one, name), *getattr(other, name))))

    return replace(
        one,
        criteria=both("criteria"),
        reasons=both("reasons"),
        fields=both("fields"),
        about=both("about"),
        unread=both("unread"),
        unrecorded=one.unrecorded or other.unrecorded,
    )


def _header(title: str, question: Question, blank: _Blank) -> list[str]:
    others, instead = bool(blank.on_record(question)), of_kind(question.kind, blank.catalogue)
    why = phrases(map(Reason, question.reasons), others, instead=instead)
    return [f"  # {', '.join(question.criteria)}, {title}: {why}.", f"  # {question.ask}"]


def _limited(s: Screening) -> set[str]:
    """Kinds whose results a rule compares with a multiple of the limit of normal."""
    found = set()
    for row in s.criteria:
        for node in e.walk(row.criterion.rule) if row.criterion.rule is not None else ():
            if isinstance(node, e.Compare) and isinstance(node.right, e.Limit):
                pick = node.left if isinstance(node.left, e.Pick) else getattr(node.left, "of", None)
                if pick is not None:
                    found.add(pick.records.kind)
    return found


class _Blank:
    """Empty answers to the questions of one screening."""

    def __init__(self, s: Screening) -> None:
        self.s, self.catalogue, self.limited = s, s.catalogue, _limited(s)
        self.facts = {fact.id: fact for fact in s.patient.facts}
        self.written: set[_Entry] = set()
        self.person: dict[str, list[str]] = {}  # what is to be said of the patient, with the lines above it

    def on_record(self, question: Question) -> list[Fact]:
        return others_on_record(question, self.s.patient, self.catalogue)

    def complete(self, kind: str, others: list[Fact]) -> list[str]:
        """The line that declares a kind complete, for a person to uncover."""
        named = [fact_text(fact, self.catalogue) for fact in others[:_SHOWN]]
        more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
        return [
            f"  # On record: {', '.join(named)}{more}.",
            "  # If that is all, take away the # before the next line; if not, add the others below.",
            f"  # - {kind}",
        ]

    def entries(self, question: Question, others: bool) -> list[_Entry]:
        """What there is to fill in for a question; nothing that was written for another one."""
        kind = self.catalogue.kinds.get(question.kind)
        if kind is None:
            return [_by_option(question.kind)]
        about = [self.facts[name] for name in question.about if name in self.facts]
        found = [entry for fact in about for entry in self.completing(fact, question)]
        if question.reasons == (Reason.CONFLICT.value,) and kind.value == NONE and kind.extent != STATE:
            found = self.ending(about, question)
        elif question.reasons == (Reason.CONFLICT.value,) and kind.measured:
            found = [*self.telling_apart(about), self.new(kind)]
        elif question.unrecorded or not found or (kind.measured and Reason.IMPRECISE_VALUE.value in question.reasons):
            found.append(self.another(kind) if others else self.new(kind))
        fresh = [entry for entry in dict.fromkeys(found) if entry not in self.written]
        self.written.update(fresh)
        return fresh

    # A fact that lacks something ------------------------------------------------------------------------

    def completing(self, fact: Fact, question: Question) -> list[_Entry]:
        if fact.computed:
            return self.inputs(fact)
        blanks = list(self.lacking(fact, question))
        return [self.completion(fact, blanks)] if blanks else []

    def ending(self, facts: list[Fact], question: Question) -> list[_Entry]:
        """What settles a contradiction: that what is recorded was over before the time that is asked about."""
        found = [self.completion(fact, [f"to:  {_LAST_DAY}"]) for fact in facts if self._may_be_over(fact, question)]
        if not found:
            return [("  # No further fact settles this: correct the records where they were made.",)]
        return [
            ("  # The records contradict each other: say when it was over, or correct them where they were made.",),
            *found,
        ]

    def telling_apart(self, facts: list[Fact]) -> list[_Entry]:
        """What settles which of several results of one day is the newest: when each was taken, or that one is wrong."""
        found = [self.completion(fact, self._telling(fact)) for fact in facts if not fact.computed]
        how = "write when each was taken, or which was entered in error"
        return [(f"  # The results contradict each other: {how}; or add one of a later day.",), *found] if found else []

    def _telling(self, fact: Fact) -> Iterator[str]:
        if not fact.start.span.exact:
            yield f"on:  # the time of day as well: {show_day(fact.start.days.low) or 'YYYY-MM-DD'}Thh:mm"
        yield "status:  # entered in error, if it was"

    def _may_be_over(self, fact: Fact, question: Question) -> bool:
        """Whether an open period is asked about within a window, so that an end can put it outside."""
        kind = self.catalogue.kinds[fact.kind]
        if kind.extent != PERIOD or fact.negative or not (fact.ongoing or unsaid_end(fact.start, fact.end)):
            return False
        names = {fact.kind, *self.catalogue.ancestors(fact.kind)}
        rules = (row.criterion.rule for row in self.s.criteria if row.criterion.id in question.criteria)
        asked = [node for rule in rules if rule is not None for node in e.walk(rule) if isinstance(node, e.Records)]
        return any(one.lookback is not None for one in asked if one.kind in names)

    def completion(self, fact: Fact, blanks: Iterable[str]) -> _Entry:
        """An entry that completes a fact already there."""
        head = (f"  - kind: {fact.kind}", f"    id: {_quoted(fact.id)}  # {fact_text(fact, self.catalogue)}")
        once = {blank.partition(":")[0]: blank for blank in reversed(list(blanks))}  # the first of each key
        return (*head, *(f"    {blank}" for blank in reversed(once.values())))

    def lacking(self, fact: Fact, question: Question) -> Iterator[str]:
        """The keys of a patient file that would complete a fact: its value, limit, dates or what is not stated."""
        found = [*self._lacking_value(fact), *self._lacking_fields(fact, question.fields)]
        if Reason.IMPRECISE_VALUE.value in question.reasons:
            found += self._inexact_value(fact)
        yield from found or self._lacking_date(fact)

    def _lacking_value(self, fact: Fact) -> Iterator[str]:
        kind = self.catalogue.kinds[fact.kind]
        if kind.measured and fact.value is None:
            yield f"value:  # {_value_choices(kind, self.catalogue)}"
        if not kind.measured and not kind.components and (fact.lacks is not None or not fact.certain):
            yield "value:  # yes, if it was so; no, if it was ruled out"
            yield self._recorded()
        if fact.kind in self.limited and fact.uln is None:
            yield _limit(kind)

    def _inexact_value(self, fact: Fact) -> Iterator[str]:
        """The value of a result that is a range or one of several words, or that is not certain yet."""
        kind = self.catalogue.kinds[fact.kind]
        if kind.measured and fact.value is not None and (open_yet(fact.value) or not fact.certain):
            result = "" if fact.certain else "; the confirmed result"
            yield f"value:  # {_value_choices(kind, self.catalogue)}{result}"

    def _lacking_fields(self, fact: Fact, fields: Iterable[str]) -> Iterator[str]:
        kind = self.catalogue.kinds[fact.kind]
        for name in fields:
            attribute, stated = self.catalogue.attribute(fact.kind, name), fact.attributes.get(name)
            if name in ("start", "end"):
                yield f"{_date_key(kind, name)}:  # YYYY-MM-DD, with Thh:mm where hours matter"
            elif attribute is not None and over_and_going_on(fact, name, self.catalogue):
                yield f"{_date_key(kind, 'end')}:  {_LAST_DAY}"
            elif attribute is not None and before_itself(fact, name):
                wrong = "the one on record lies before the record itself"
                yield f"{name}:  # {_choices(attribute, self.catalogue)}; {wrong}"
            elif attribute is not None and name in present_states(fact.kind, self.catalogue) and stated is not None:
                yield f"{name}:  # {_choices(attribute, self.catalogue)}, as it is now"
                yield f"recorded: {self.s.on.isoformat()}  # the day it was so"
            elif attribute is not None and open_yet(stated):
                yield f"{name}:  # {_choices(attribute, self.catalogue)}"
            elif name in kind.components and (name not in fact.parts or open_yet(fact.parts[name].value)):
                yield from self._lacking_component(fact, kind, name)

    def _lacking_component(self, whole: Fact, kind: Kind, name: str) -> Iterator[str]:
        """A component that is not stated, or what it would be computed from."""
        part = self.catalogue.kinds[kind.components[name]]
        yield f"{name}:  # {_value_choices(part, self.catalogue)}"
        for rule in part.derive:
            for other in sorted(parse_formula(rule.formula).names - whole.parts.keys()) if rule.of == kind.name else ():
                choices = _value_choices(self.catalogue.kinds[kind.components[other]], self.catalogue)
                yield f"{other}:  # {choices}; {name} is then computed"

    def _lacking_date(self, fact: Fact) -> Iterator[str]:
        kind = self.catalogue.kinds[fact.kind]
        if fact.start.day is None:
            yield f"{_date_key(kind, 'start')}:  # YYYY-MM-DD"
        if kind.extent == PERIOD and not fact.negative and (fact.end is None or fact.end.day is None):
            yield f"{_date_key(kind, 'end')}:  # YYYY-MM-DD, the last day" + (", if it is over" if fact.ongoing else "")

    # What a computed value waits for ----------------------------------------------------------------------

    def inputs(self, fact: Fact) -> list[_Entry]:
        """Blanks for what a computed value waits for: each by the id of the fact that lacks it."""
        found = [entry for rule in self.catalogue.kinds[fact.kind].derive for entry in self._inputs_by(rule, fact)]
        return list(dict.fromkeys(found))

    def _inputs_by(self, rule: Derivation, fact: Fact) -> Iterator[_Entry]:
        names = sorted(parse_formula(rule.formula).names)
        if self.catalogue.kinds[rule.of].components:
            whole = next(one for one in self.facts.values() if fact.id in {part.id for part in one.parts.values()})
            parts = [whole.parts[name] for name in names if name in whole.parts]
            if len(parts) == len(names):
                yield from self._waiting(parts)
            return
        for name in names:
            kind = rule.of if name == rule.of else rule.inputs.get(name, "")
            if not kind:
                self._of_the_person(_PERSONAL[name])
                continue
            of = fact.id.removesuffix(f":{fact.kind}") if name == rule.of else ""
            known = [one for one in self.facts.values() if one.kind == kind and not one.negative and of in ("", one.id)]
            yield from self._waiting(known) if known else [self.new(self.catalogue.kinds[kind])]

    def _waiting(self, facts: Iterable[Fact]) -> Iterator[_Entry]:
        for fact in facts:
            if open_yet(fact.value) and not fact.computed:
                yield self.completion(fact, [*self._lacking_value(fact), *self._inexact_value(fact)])

    def _of_the_person(self, key: str) -> None:
        known = self.s.patient.born.known if key == "born" else any(f.kind == "sex" for f in self.facts.values())
        if not known:
            self.person.setdefault(key, [])

    # A fact that is not there -------------------------------------------------------------------------------

    def new(self, kind: Kind) -> _Entry:
        """An entry for a first record of a kind, or for the answer that there is none."""
        if kind.components:
            parts = ((name, self.catalogue.kinds[part]) for name, part in kind.components.items())
            rows = [f"{name}:  # {_value_choices(part, self.catalogue)}" for name, part in parts]
            return _entry(kind, ["on:  # YYYY-MM-DD", *rows])
        if kind.value != NONE:
            return _entry(
                kind,
                ["on:  # YYYY-MM-DD", f"value:  # {_value_choices(kind, self.catalogue)}", *self._details(kind)],
            )
        if kind.extent == STATE:
            dates = [f"on: {self.s.on.isoformat()}  # the day it was so"]
        else:
            dates = [self._recorded(), *_when(kind, "for yes: ")]
        return _entry(kind, ["value:  # yes or no", *dates, *self._details(kind)])

    def another(self, kind: Kind) -> _Entry:
        """An entry for one more record of a kind."""
        return _entry(kind, ["value:  # yes, if there is one more", *_when(kind, ""), *self._details(kind)])

    def _recorded(self) -> str:
        return f"recorded: {self.s.on.isoformat()}  # for no: the day it was recorded"

    def _details(self, kind: Kind) -> Iterator[str]:
        if kind.name in self.limited:
            yield _limit(kind)
        for attribute in self.catalogue.attributes(kind.name).values():
            if attribute.silence is None:
                yield f"{attribute.name}:  # {_choices(attribute, self.catalogue)}"


def _by_option(name: str) -> _Entry:
    """An anchor is no fact: it is given beside the record."""
    how = "--therapy-start DATETIME" if name == "therapy_start" else f"--anchor {name}=DATETIME"
    return (f"  # give it with {how}",)


def _entry(kind: Kind, rows: Iterable[str]) -> _Entry:
    return (f"  - kind: {kind.name}", *(f"    {row}" for row in rows))


def _when(kind: Kind, whose: str) -> Iterator[str]:
    yield f"{_date_key(kind, 'start')}:  # {whose}YYYY-MM-DD"
    if kind.extent == PERIOD:
        yield f"{_date_key(kind, 'end')}:  # {whose}YYYY-MM-DD, the last day, or ongoing"


def _date_key(kind: Kind, name: str) -> str:
    """The key of a start or an end; a moment has one day, and a state holds until a newer statement."""
    if kind.extent != PERIOD:
        return "on"
    return "to" if name == "end" else "from"


def _limit(kind: Kind) -> str:
    unit = "" if kind.unit == "1" else f", a number with its unit, such as {kind.unit}"
    return f"uln:  # upper limit of normal of that laboratory{unit}"


def _value_choices(kind: Kind, catalogue: Catalogue) -> str:
    if kind.value == QUANTITY:
        return "a number without a unit" if kind.unit == "1" else f"a number with its unit, as in {kind.unit}"
    if kind.value in (COUNT, DATE):
        return "a number" if kind.value == COUNT else "YYYY-MM-DD"
    return _listed(kind.values, catalogue)


def _choices(attribute: Attribute, catalogue: Catalogue) -> str:
    if attribute.type == BOOLEAN:
        return f"{attribute.label}: yes or no"
    if attribute.values:
        return f"{attribute.label}: {_listed(attribute.values, catalogue)}"
    return f"{attribute.label}: " + ("YYYY-MM-DD" if attribute.type == DATE else f"a number {attribute.unit}".strip())


def _listed(name: str, catalogue: Catalogue) -> str:
    members = list(catalogue.value_sets[name].members)
    return ", ".join(members[:8]) + (" ... (docs/kinds.md)" if len(members) > 8 else "")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
