"""The examples of docs/language, read out of its pages: records, rules with the answers they must get, and more."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path

from tests.engines.each import ready

from onstudy.criteria.expr import TruthExpr
from onstudy.criteria.finding import Reason
from onstudy.engines.view import Anchors
from onstudy.language.parse import Names, parse
from onstudy.language.trialfile import read_trial
from onstudy.readers.patientfile import patient_from
from onstudy.record.catalogue import load_catalogue
from onstudy.record.patient import Patient
from onstudy.values.calendar import as_when, on_day
from onstudy.values.truth import Truth
from onstudy.yamltext import read_yaml

PAGES = Path(__file__).parents[2] / "docs" / "language"
ANCHORS = ("registration", "therapy_start")
_BLOCK = re.compile(r"^```(?P<sort>\w+)(?P<with> with problems)?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_EXPECTED = re.compile(r"(?P<truth>TRUE|FALSE|UNKNOWN)(?P<reasons>[a-z_, ]*?)(?: / (?P<other>TRUE|FALSE|UNKNOWN))?")
_LINE = re.compile(_EXPECTED.pattern + r" {2,}(?P<rule>\S.*)")
_STRETCH = re.compile(r" +(?P<first>\S+) \.\. (?P<last>\S+) +" + _EXPECTED.pattern)
_ON = re.compile(r"on (?P<on>\S+?)(?:, therapy_start (?P<start>\S+))?")


@dataclass(frozen=True)
class Expected:
    """The answer an example must get; `reasons` None where the page states none."""

    truth: Truth
    if_confirmed: Truth
    reasons: frozenset[Reason] | None


@dataclass(frozen=True)
class Setting:
    """The record and the names in force where an example stands."""

    page: str
    line: int
    patient_text: str = ""
    may_have_problems: bool = False
    names: Names = field(default_factory=lambda: Names(ANCHORS))
    on: date = date(2026, 3, 16)
    therapy_start: str | None = None

    @property
    def anchors(self) -> Anchors:
        """Registration, and the start of therapy two days later at 09:00 unless the page says otherwise."""
        start = self.therapy_start or f"{self.on + timedelta(days=2)}T09:00"
        return {"registration": on_day(self.on), "therapy_start": None if start == "unknown" else as_when(start)}

    def patient(self) -> Patient:
        """The record as an engine receives it."""
        return ready(self.as_read(), self.on, load_catalogue())

    def as_read(self) -> Patient:
        """The record as the reader yields it, with its problems."""
        entry = read_yaml(self.patient_text, self.page)[0].plain()
        assert isinstance(entry, dict)
        return patient_from({"patient": "example", **entry}, self.page, load_catalogue())

    def parse(self, rule: str) -> TruthExpr:
        """The tree of a rule, with the definitions and settings in force."""
        return parse(rule, load_catalogue(), self.names)


@dataclass(frozen=True)
class Example:
    """One line: a rule and the answer it must get."""

    setting: Setting
    rule: str
    expected: Expected

    @property
    def id(self) -> str:
        """Page and line, as pytest shows it."""
        return f"{self.setting.page}:{self.setting.line}"


@dataclass(frozen=True)
class Stretches:
    """A rule and the stretches of registration days with the answer on each."""

    setting: Setting
    until: date
    rule: str
    stretches: tuple[tuple[date, date, Expected], ...]

    @property
    def id(self) -> str:
        """Page and line, as pytest shows it."""
        return f"{self.setting.page}:{self.setting.line}"


def blocks() -> Iterator[tuple[str, Setting, str]]:
    """Every fenced block of every page with its sort, the record and names in force, and its text."""
    for path in sorted(PAGES.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        setting = Setting(path.name, 1)
        for found in _BLOCK.finditer(text):
            setting = replace(setting, line=text.count("\n", 0, found.start()) + 2)
            sort, content = found["sort"], found["text"]
            if sort == "patient":
                setting = replace(setting, patient_text=content, may_have_problems=found["with"] is not None)
            elif sort == "definitions":
                setting = replace(setting, names=names_of(content))
            yield sort, setting, content


def names_of(text: str) -> Names:
    """Definitions and settings written as in a trial file."""
    lines = [
        "id: example", 'version: "1"', "title: example", "anchors:",
        "  registration: {label: Registration}", "  therapy_start: {label: Start of therapy}",
        "steps: []", "cohorts: [{id: C, title: cohort, criteria: []}]",
    ]  # fmt: skip
    settings = read_yaml(text, "page")[0].mapping.get("settings")
    uses = " ".join(f"${name}" for name in settings.mapping) if settings is not None else ""
    lines.append(f'endpoints: "{uses}"')  # the page's rules use them; a setting that nothing uses is refused
    trial = read_trial("\n".join([*lines, text]).encode(), "example.yaml", load_catalogue())
    found = {name: definition.named for name, definition in trial.definitions.items()}
    return Names(ANCHORS, trial.settings, found.get, tuple(found))


def expected(found: re.Match[str]) -> Expected:
    """The answer of a matched line."""
    truth = Truth[found["truth"]]
    reasons = [word.strip() for word in found["reasons"].split(",") if word.strip()]
    named = frozenset(Reason(word) for word in reasons) if reasons else None
    return Expected(truth, Truth[found["other"]] if found["other"] else truth, named)


def examples() -> list[Example]:
    """Every line of every block of rules."""
    found = []
    for sort, block, text in blocks():
        if sort != "rules":
            continue
        setting = block
        for number, line in enumerate(text.splitlines()):
            placed = replace(setting, line=block.line + number)
            if (on := _ON.fullmatch(line)) is not None:
                setting = replace(setting, on=date.fromisoformat(on["on"]), therapy_start=on["start"])
                continue
            match = _LINE.fullmatch(line)
            assert match is not None, f"{placed.page}:{placed.line} is no example: {line!r}"
            found.append(Example(placed, match["rule"], expected(match)))
    return found


def stretches() -> list[Stretches]:
    """Every rule of every block of windows."""
    found = []
    for sort, block, text in blocks():
        if sort != "windows":
            continue
        first, *lines = text.splitlines()
        until = date.fromisoformat(first.removeprefix("until "))
        starts = [number for number, line in enumerate(lines) if not line.startswith(" ")]
        for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
            setting = replace(block, line=block.line + 1 + start)
            found.append(Stretches(setting, until, lines[start], _stretches(lines[start + 1 : end])))
    return found


def _stretches(lines: Sequence[str]) -> tuple[tuple[date, date, Expected], ...]:
    found = []
    for line in lines:
        match = _STRETCH.fullmatch(line)
        assert match is not None, f"no stretch of days: {line!r}"
        found.append((date.fromisoformat(match["first"]), date.fromisoformat(match["last"]), expected(match)))
    return tuple(found)


def pairs(sort: str) -> list[tuple[str, str, str]]:
    """The lines `left => right` of every block of a sort, with their place."""
    found = []
    for kind, block, text in blocks():
        if kind == sort:
            for number, line in enumerate(text.splitlines()):
                left, _, right = line.partition(" => ")
                found.append((f"{block.page}:{block.line + number}", left.strip(), right.strip()))
    return found
