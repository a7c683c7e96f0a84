"""The questions of a questionnaire: made from roots (what rules ask about) and from what a person said yes to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import Enum

from onstudy.record.catalogue import BOOLEAN, COUNT, DATE, MOMENT, NONE, PERIOD, QUANTITY, Attribute, Catalogue
from onstudy.record.plain import NAME, NOTHING_PLAIN, Plain
from onstudy.screening import plain as words
from onstudy.screening.questionnaire_rules import (
    AGENT,
    BORN,
    INTENT,
    OTHER,
    START,
    Asked,
    Root,
    Stretch,
    detail_of,
    plain_of,
)

WHICH, AGAIN = "which", "again"
ON, STILL, END = "on", "still", "end"
DATES = (ON, STILL, END, START)
#: A date or number that is not known has a field of its own beside it: the question's key with this behind.
NOT_KNOWN = ".unknown"


class Form(str, Enum):
    """How a question is answered."""

    YES_NO = "yes_no"
    ONE = "one"
    SEVERAL = "several"
    NUMBER = "number"
    DATE = "date"


@dataclass(frozen=True, slots=True)
class Question:
    """One question as a person reads it. A detail is about the answer called `parent`."""

    key: str
    topic: str
    form: Form
    ask: str
    help: str = ""
    options: tuple[tuple[str, str], ...] = ()
    parent: str = ""
    most: int = 0  # the highest number that makes sense

    @property
    def fields(self) -> tuple[str, ...]:
        """The names its answer is given under: a date has three parts."""
        if self.form is Form.DATE:
            return tuple(f"{self.key}.{part}" for part in ("month", "day", "year"))
        return (self.key,)


@dataclass(frozen=True, slots=True)
class Known:
    """Something a person said yes to, of which details may matter: its key, kind, name and medicine."""

    key: str
    kind: str
    name: str
    agent: str = ""
    purpose: str = ""


def root_question(root: Root, asked: Asked, on: date) -> Question:
    """The question for a root."""
    if root.kind == BORN:
        return Question(BORN, "person", Form.DATE, words.BORN_ASK, words.BORN_HELP)
    kind = asked.catalogue.kinds[root.kind]
    stretch = asked.stretches.get(root.key, Stretch(ever=True))
    plain = detail_of(root.kind, root.attribute, asked.catalogue) if root.attribute else kind.plain
    form, options = _answers(kind.value, kind.plain) if not root.attribute else (Form.YES_NO, words.YES_NO)
    ask = plain.now if stretch.present and plain.now else plain.ask
    name = plain.options.get(root.member, "") if root.attribute else ""
    return Question(
        key=root.key,
        topic=kind.topic,
        form=form,
        ask=words.worded(ask, words.short(name), words.stretch_words(stretch, on)),
        help=plain.help or words.examples(name),
        options=options,
        most=int(kind.plausible[1]) if kind.plausible else 99,
    )


def root_name(root: Root, catalogue: Catalogue) -> str:
    """What a root is about, in plain words."""
    if root.kind == BORN:
        return "your age"
    if root.attribute:
        name = detail_of(root.kind, root.attribute, catalogue).options[root.member]
        return words.worded(words.TREATED_FOR, name, "") if root.attribute == INTENT else name
    return plain_of(root.kind, catalogue).name


def _answers(type_: str, plain: Plain) -> tuple[Form, tuple[tuple[str, str], ...]]:
    if plain.options:
        return Form.ONE, tuple(plain.options.items())
    if type_ in (NONE, BOOLEAN):
        return Form.YES_NO, words.YES_NO
    return {COUNT: Form.NUMBER, QUANTITY: Form.NUMBER, DATE: Form.DATE}[type_], ()


def which_question(root: Root, asked: Asked) -> Question:
    """Which medicines were given for a purpose."""
    names = detail_of(root.kind, AGENT, asked.catalogue).options
    return Question(
        key=f"{root.key}.{WHICH}",
        topic=asked.catalogue.kinds[root.kind].topic,
        form=Form.SEVERAL,
        ask=words.about(root_name(root, asked.catalogue), words.WHICH_ASK),
        help=words.WHICH_HELP,
        options=tuple((name, words.capital(names[name])) for name in asked.offered(root)),
        parent=root.key,
    )


def detail_questions(known: Known, asked: Asked) -> Iterator[Question]:
    """Everything that may be asked about one thing a person has had; what matters of it is for others to say."""
    kind = asked.catalogue.kinds[known.kind]
    for name, attribute in asked.catalogue.attributes(known.kind).items():
        plain = detail_of(known.kind, name, asked.catalogue)
        options = _options(known, name, plain, asked)
        named = (name == INTENT and known.purpose) or (name == AGENT and known.purpose and not known.agent)
        if plain is NOTHING_PLAIN or named or (name == AGENT and not options):
            continue
        yield _detail(known, attribute, plain, options, kind.topic)
    if kind.extent == MOMENT and not kind.measured:
        yield _dated(known, ON, words.LAST_TIME, kind.topic)
    if kind.extent == PERIOD:
        yield _about(known, STILL, Form.YES_NO, words.STILL, kind.topic, words.YES_NO)
        yield _dated(known, END, words.OVER, kind.topic)
        if known.kind in asked.begun:
            yield _dated(known, START, words.BEGUN, kind.topic)


def again_question(known: Known, topic: str) -> Question:
    """Whether there was another one of the same kind, to be told with details of its own."""
    name = words.short(known.name)
    return Question(
        key=f"{known.key}.{AGAIN}",
        topic=topic,
        form=Form.YES_NO,
        ask=words.about(name, words.AGAIN_ASK),
        help=words.AGAIN_HELP,
        options=words.YES_NO,
        parent=known.key,
    )


def _options(known: Known, name: str, plain: Plain, asked: Asked) -> tuple[tuple[str, str], ...]:
    """The answers offered for an attribute: of purposes those the rules name, of a group of medicines its members."""
    options = plain.options
    if name == INTENT:
        options = {code: text for code, text in options.items() if code in (*asked.purposes, OTHER)}
    if name != AGENT or not known.agent:
        return tuple((code, words.capital(text)) for code, text in options.items())
    values = asked.catalogue.codes_of(known.kind, AGENT)
    if values is None or known.agent == OTHER:
        return ()
    below = values.meaning(known.agent) & asked.agents - {known.agent}
    found = tuple((code, words.capital(text)) for code, text in options.items() if code in below)
    return (*found, (OTHER, words.ANOTHER)) if found else ()


def _detail(
    known: Known, attribute: Attribute, plain: Plain, options: tuple[tuple[str, str], ...], topic: str
) -> Question:
    ask = plain.ask
    if NAME in ask:
        ask = words.WHAT_FOR if attribute.name == INTENT else words.WHICH_ONE
    form = Form.ONE if options else _answers(attribute.type, plain)[0]
    return _about(known, attribute.name, form, ask, topic, options or (words.YES_NO if form is Form.YES_NO else ()))


def _dated(known: Known, part: str, ask: str, topic: str) -> Question:
    return _about(known, part, Form.DATE, ask, topic)


def _about(
    known: Known, part: str, form: Form, ask: str, topic: str, options: tuple[tuple[str, str], ...] = ()
) -> Question:
    return Question(
        key=f"{known.key}.{part}",
        topic=topic,
        form=form,
        ask=words.about(words.short(known.name), ask),
        help=words.DATE_HELP if form is Form.DATE else "",
        options=options,
        parent=known.key,
        most=9999,
    )
