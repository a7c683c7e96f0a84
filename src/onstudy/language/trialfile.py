"""A trial file to a Trial. All problems are gathered and shown together; a file with one makes no Trial,
because a trial short of one criterion is dangerous.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from onstudy.criteria.expr import Named, TruthExpr
from onstudy.criteria.trial import (
    AnchorPoint,
    Cohort,
    Criterion,
    Definition,
    Setting,
    Severity,
    Step,
    Trial,
)  # fmt: skip
from onstudy.errors import InvalidFile, Problem, nearest
from onstudy.language.parse import Names, RuleErrorAt, parse
from onstudy.language.rule_error import AlreadyTold
from onstudy.language.settings import problems, used
from onstudy.language.unparse import unparse
from onstudy.record.catalogue import Catalogue
from onstudy.values.calendar import Duration, Unit
from onstudy.yamltext import Node, place_in, read_yaml

REGISTRATION = "registration"
_IDENTITY = (
    "protocol_version", "official_title", "nci_id", "protocol_id", "phase", "sponsor", "conducted_by",
    "source", "source_date", "reviewed", "notes", "identifiers", "conditions",
)  # fmt: skip
_LATER = ("regimen", "schedule", "endpoints", "decision_rules", "page")
_TOP = (
    "id",
    "version",
    "title",
    "anchors",
    "settings",
    "definitions",
    "steps",
    "cohorts",
    *_IDENTITY,
    *_LATER,
)
_CRITERION = ("id", "text", "rule", "note", "severity", "warn_older_than", "days_since")


def load_trial_file(path: Path, catalogue: Catalogue) -> Trial:
    """Read a trial file. Raises `InvalidFile` with every problem, each with line and column."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InvalidFile([Problem(f"cannot be read: {error.strerror}", str(path))]) from None
    return read_trial(raw, path.name if path.is_file() else str(path), catalogue)


def read_trial(raw: bytes, name: str, catalogue: Catalogue) -> Trial:
    """`load_trial_file` of bytes already in memory."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidFile([Problem(f"is not UTF-8 text (byte {error.start})", name)]) from None
    documents = read_yaml(text, name)
    if len(documents) != 1 or not documents[0].mapping:
        raise InvalidFile([Problem("a trial file is one YAML mapping that begins with 'id:'", name)])
    reader = _TrialReader(text, name, catalogue)
    trial = reader.trial(documents[0])
    if reader.found:
        raise InvalidFile(reader.problems)
    return replace(trial, source=name, digest=hashlib.sha256(raw).hexdigest())


class _TrialReader:
    def __init__(self, source: str, name: str, catalogue: Catalogue) -> None:
        self.source, self.name, self.catalogue = source, name, catalogue
        self.found: set[tuple[int, int, str]] = set()
        self.anchors: dict[str, AnchorPoint] = {}
        self.settings: dict[str, Setting] = {}
        self.written: dict[str, Node] = {}
        self.definitions: dict[str, Definition] = {}
        self.failed: set[str] = set()  # definitions and $settings that are wrong and have been told
        self.open: list[str] = []
        self.ids: dict[str, int] = {}

    # Problems and small readings ------------------------------------------------------------------------

    def wrong(self, what: str, node: Node, at: tuple[int, int] | None = None) -> None:
        self.found.add((*(at or (node.line, node.column)), what))

    @property
    def problems(self) -> list[Problem]:
        """Everything wrong in the file, from its top to its end."""
        return [Problem(what, f"{self.name}:{line}:{column}") for line, column, what in sorted(self.found)]

    def checked(self, node: Node, known: tuple[str, ...], needed: tuple[str, ...], what: str) -> dict[str, Node]:
        """The entries of a mapping: unknown keys and lacking ones are problems."""
        if not isinstance(node.value, dict):
            self.wrong(f"{what} is a mapping of {', '.join(known[:4])} ...", node)
            return {}
        for key, place in node.keys.items():
            if key not in known:
                self.wrong(f"{what} has no {key!r}{nearest(key, known)}", node, place)
        for key in needed:
            if key not in node.mapping:
                self.wrong(f"{what} lacks {key!r}", node)
        return node.mapping

    def text(self, entries: dict[str, Node], key: str, default: str = "") -> str:
        node = entries.get(key)
        if node is None:
            return default
        if node.text is None:
            self.wrong(f"{key!r} is text", node)
            return default
        return node.text.strip()

    def listed(self, entries: dict[str, Node], key: str) -> Iterator[Node]:
        node = entries.get(key)
        if node is not None and not isinstance(node.value, list):
            self.wrong(f"{key!r} is a list", node)
        yield from (node.items if node is not None else ())

    # The parts ------------------------------------------------------------------------------------------

    def trial(self, node: Node) -> Trial:
        top = self.checked(node, _TOP, ("id", "version", "title", "anchors", "steps", "cohorts"), "the trial")
        self.read_anchors(top.get("anchors"))
        self.read_settings(top.get("settings"), {name for key in top for name in used(top[key], key in _LATER)})
        self.written = top["definitions"].mapping if "definitions" in top else {}
        for name in self.written:
            self.definition(name)
        steps = tuple(self.step(part) for part in self.listed(top, "steps"))
        cohorts = tuple(self.cohort(part) for part in self.listed(top, "cohorts"))
        if "cohorts" in top and not cohorts:
            self.wrong("a trial has at least one cohort", node)
        return Trial(
            id=self.text(top, "id"),
            version=self.text(top, "version"),
            title=self.text(top, "title"),
            anchors=self.anchors,
            steps=steps,
            cohorts=cohorts,
            settings=self.settings,
            definitions=self.definitions,
            identity={key: top[key].plain() for key in _IDENTITY if key in top},
            later={key: top[key].plain() for key in _LATER if key in top},
        )

    def read_anchors(self, node: Node | None) -> None:
        if node is None:
            return
        for name, part in node.mapping.items():
            entries = self.checked(part, ("label", "not_before"), ("label",), f"anchor {name}")
            self.anchors[name] = AnchorPoint(name, self.text(entries, "label"), self.text(entries, "not_before"))
        if REGISTRATION not in self.anchors:
            self.wrong(f"anchors lack {REGISTRATION!r}, from which windows are counted", node)
        for name, anchor in self.anchors.items():
            if anchor.not_before and anchor.not_before not in self.anchors:
                near = nearest(anchor.not_before, self.anchors)
                self.wrong(f"there is no anchor {anchor.not_before!r}{near}", node.mapping[name].mapping["not_before"])

    def read_settings(self, node: Node | None, named: set[str]) -> None:
        """`named` are the settings that something in the file uses."""
        for name, part in (node.mapping if node is not None else {}).items():
            entries = self.checked(part, ("value", "reason", "source"), ("value", "reason"), f"setting {name}")
            value = entries.get("value")
            wrong = list(problems(value, self.catalogue)) if value is not None else []
            for what, place in wrong:
                self.wrong(f"setting {name}: {what}", place)
            if name not in named:
                self.wrong(f"setting {name} is used by no rule; changing it would change nothing", part)
            if value is None or wrong:
                self.failed.add(f"${name}")
                continue
            listed = tuple(item.text or "" for item in value.items)
            self.settings[name] = Setting(name, listed or (value.text or ""), self.text(entries, "reason"))

    def definition(self, name: str) -> Named | None:
        """The definition of that name, read when first asked for; None where there is none, or it is wrong."""
        part = self.written.get(name)
        if name in self.definitions:
            return self.definitions[name].named
        if part is None or name in self.failed:
            return None
        if name in self.open:
            self.wrong(f"definition {name} leads back to itself: {' -> '.join([*self.open, name])}", part)
            self.failed.update(self.open[self.open.index(name) :])
            return None
        self.open.append(name)
        found = self.read_definition(name, part)
        self.open.pop()
        if found is None:
            self.failed.add(name)
            return None
        self.definitions[name] = found
        return found.named

    def read_definition(self, name: str, part: Node) -> Definition | None:
        if name in self.catalogue.kinds:
            self.wrong(f"definition {name} has the name of a kind; choose another", part)
        known = ("rule", "of", "note", "category", "label")
        entries = self.checked(part, known, ("rule",), f"definition {name}")
        if ("category" in entries) != ("label" in entries) or ("category" in entries and "of" in entries):
            self.wrong(f"definition {name}: a class of patients has a category and a label, and no `of`", part)
        of = self.text(entries, "of")
        if of and of not in self.catalogue.kinds:
            self.wrong(f"there is no kind {of!r}{nearest(of, self.catalogue.kinds)}", entries["of"])
            return None
        rule = self.rule(entries.get("rule"), of)
        if rule is None:
            return None
        note, category, label = (self.text(entries, key) for key in ("note", "category", "label"))
        return Definition(name, Named(name, rule, of), unparse(rule), note, category, label)

    def step(self, node: Node) -> Step:
        entries = self.checked(node, ("id", "title", "criteria"), ("id", "title", "criteria"), "a step")
        name = self.text(entries, "id")
        rows = [self.criterion(part) for part in self.listed(entries, "criteria")]
        return Step(name, self.text(entries, "title"), tuple(replace(row, step=name) for row in rows))

    def cohort(self, node: Node) -> Cohort:
        known = ("id", "title", "population", "criteria")
        entries = self.checked(node, known, ("id", "title", "criteria"), "a cohort")
        name = self.text(entries, "id")
        rows = [self.criterion(part) for part in self.listed(entries, "criteria")]
        return Cohort(name, self.text(entries, "title"), tuple(replace(row, cohort=name) for row in rows))

    def criterion(self, node: Node) -> Criterion:
        entries = self.checked(node, _CRITERION, ("id", "text"), "a criterion")
        name = self.text(entries, "id")
        if name in self.ids:
            self.wrong(f"criterion {name} is written twice (first in line {self.ids[name]})", node)
        self.ids.setdefault(name, node.line)
        severity = self.severity(entries)
        if severity is not None and ("rule" in entries) == (severity is Severity.INFORMATION):
            self.wrong(f"criterion {name}: information has no rule, every other criterion has one", node)
        rule = self.rule(entries.get("rule")) if severity is not Severity.INFORMATION else None
        return Criterion(
            id=name,
            text=self.text(entries, "text"),
            rule=rule,
            rule_text="" if rule is None else unparse(rule),
            severity=severity or Severity.REQUIRED,
            note=self.text(entries, "note"),
            warn_older_than=self.age_warning(entries.get("warn_older_than")),
            days_since=self.days_since(entries, severity),
        )

    def days_since(self, entries: dict[str, Node], severity: Severity | None) -> str:
        """The kind whose newest record information counts the days from; "" where none is named."""
        kind = self.text(entries, "days_since")
        if not kind:
            return ""
        if kind not in self.catalogue.kinds:
            self.wrong(f"there is no kind {kind!r}{nearest(kind, self.catalogue.kinds)}", entries["days_since"])
        elif severity is not Severity.INFORMATION:
            self.wrong("days_since is only shown: it stands where severity is information", entries["days_since"])
        return kind

    def severity(self, entries: dict[str, Node]) -> Severity | None:
        """How much a criterion matters; None where what is written is none of the words for it."""
        written = self.text(entries, "severity", Severity.REQUIRED.value)
        try:
            return Severity(written)
        except ValueError:
            self.wrong(f"severity is required, warning or information, not {written!r}", entries["severity"])
            return None

    def age_warning(self, node: Node | None) -> Duration | None:
        if node is None:
            return None
        amount, _, unit = (node.text or "").partition(" ")
        if unit not in ("days", "day") or not amount.isdigit():
            self.wrong("warn_older_than is a number of days, as in '14 days'", node)
            return None
        return Duration(int(amount), Unit.DAYS)

    def rule(self, node: Node | None, of: str = "") -> TruthExpr | None:
        if node is None:
            return None
        if node.text is None:
            self.wrong("a rule is text", node)
            return None
        names = Names(self.anchors, self.settings, self.definition, self.written, self.failed)
        try:
            return parse(node.text, self.catalogue, names, of)
        except AlreadyTold:
            return None
        except RuleErrorAt as error:
            for one in error.all:
                self.wrong(one.message, node, place_in(self.source, node, one.line, one.column))
            return None
