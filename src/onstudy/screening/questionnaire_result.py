"""What an outlook says beside its word: what speaks against a cohort, and what doctors still have to find out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from onstudy.criteria.finding import Finding
from onstudy.record.patient import Fact
from onstudy.screening.decisive import decisive_leaves
from onstudy.screening.missing import questions
from onstudy.screening.questionnaire_answers import Told, given, shown
from onstudy.screening.questionnaire_questions import AGAIN, WHICH
from onstudy.screening.questionnaire_rules import plain_of
from onstudy.screening.screen import CriterionResult, Screening

#: How the words for something begin that a doctor judges; anything else is a test to be done.
JUDGED = ("whether ", "how ")


@dataclass(frozen=True, slots=True)
class Against:
    """A rule that a person's answers do not fit: the answers, and the words of the study plan."""

    criterion: str
    text: str
    said: tuple[tuple[str, str], ...]  # question and answer
    by_time: bool = False  # whether it holds later by time alone


@dataclass(frozen=True, slots=True)
class Asking:
    """What doctors still have to find out: tests, judgements ("whether ..."), and what they will ask about."""

    tests: tuple[str, ...] = ()
    judged: tuple[str, ...] = ()
    history: tuple[str, ...] = ()
    criteria: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)  # the rules that wait for each


@dataclass(frozen=True, slots=True)
class Item:
    """Something open for some groups of a trial, said once: `groups` is empty where it is open for all that may fit."""

    text: str
    groups: tuple[str, ...]
    criteria: tuple[str, ...] = ()


def gathered(lists: Mapping[str, Iterable[str]], criteria: Iterable[Mapping[str, tuple[str, ...]]] = ()) -> list[Item]:
    """What is open in several groups, each once; `lists` has the texts of each group, `criteria` the rules by text."""
    of: dict[str, list[str]] = {}
    for group, texts in lists.items():
        for text in texts:
            of.setdefault(text, []).append(group)
    waiting: dict[str, dict[str, None]] = {}
    for by_text in criteria:
        for text, names in by_text.items():
            waiting.setdefault(text, {}).update(dict.fromkeys(names))
    return [
        Item(text, () if len(groups) == len(lists) else tuple(groups), tuple(waiting.get(text, ())))
        for text, groups in of.items()
    ]


def against(row: CriterionResult, told: Told, by_time: bool) -> Against:
    """Why a row does not hold, in the person's own answers."""
    found: dict[str, tuple[str, str]] = {}
    for fact in _evidence(row.finding):
        for key in _about(fact.id, told):
            question = told.questions[key]
            found[key] = (question.ask, shown(question, told.answers))
    return Against(row.criterion.id, row.criterion.text, tuple(found.values()), by_time)


def _evidence(finding: Finding | None) -> Iterator[Fact]:
    if finding is None:
        return
    for leaf in decisive_leaves(finding):
        yield from leaf.evidence


def _about(name: str, told: Told) -> Iterator[str]:
    """The answered questions a fact was made of: its own, the one it is a detail of, its details."""
    root = name if name in told.questions else name.rpartition(f".{WHICH}.")[0]
    keys = [root, f"{root}.{WHICH}", *(key for key, question in told.questions.items() if question.parent == name)]
    for key in dict.fromkeys(keys):
        question = told.questions.get(key)
        if question is not None and given(question, told.answers) and not key.endswith(f".{AGAIN}"):
            yield key


def asking(rows: Iterable[CriterionResult], s: Screening, left: Collection[str], age: float | None) -> Asking:
    """What the unknown rows still wait for; `left` are the questions the person may still answer, `age` is in years."""
    asked = questions(rows, s.catalogue)
    tests, judged, history = dict[str, None](), dict[str, None](), dict[str, None]()
    criteria = dict[str, dict[str, None]]()
    for question in (*asked.missing, *asked.to_do, *asked.to_confirm):
        kind = s.catalogue.kinds.get(question.kind)
        if kind is None:
            continue
        plain = plain_of(question.kind, s.catalogue)
        if plain.until_age is not None and age is not None and age >= plain.until_age:
            continue
        name = plain.test or plain.name or kind.label
        if plain.test:
            (judged if plain.test.startswith(JUDGED) else tests)[name] = None
        elif question.kind not in left:
            history[name] = None
        criteria.setdefault(name, {}).update(dict.fromkeys(question.criteria))
    waiting = {name: tuple(ids) for name, ids in criteria.items()}
    return Asking(tuple(tests), tuple(judged), tuple(history), waiting)
