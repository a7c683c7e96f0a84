"""Check a trial file: its examples screen to the verdicts and statuses a person wrote beside them, and
every criterion is met, not met and unknown in at least one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from onstudy.criteria.trial import Severity, Trial
from onstudy.errors import InvalidFile, Problem, nearest
from onstudy.readers.patientfile import patient_from
from onstudy.record.catalogue import Catalogue
from onstudy.screening.screen import (
    ELIGIBLE,
    ELIGIBLE_IF_CONFIRMED,
    INELIGIBLE,
    MET,
    NOT_APPLICABLE,
    NOT_MET,
    UNDETERMINED,
    UNKNOWN_STATUS,
    CriterionResult,
    Screening,
    screen,
)  # fmt: skip
from onstudy.values.calendar import When, parse_when, show_day
from onstudy.yamltext import Node, read_yaml

_VERDICTS = (ELIGIBLE, ELIGIBLE_IF_CONFIRMED, UNDETERMINED, INELIGIBLE)
_STATUSES = (MET, NOT_MET, UNKNOWN_STATUS, NOT_APPLICABLE)
_TOP = ("trial", "on", "anchors", "bases", "examples", "unreachable", "note")
_CASE = (
    "id", "title", "note", "from", "without", "facts", "born", "sex", "complete", "on", "anchors",
    "assume_complete", "expect", "criteria", "deciding", "not_used",
)  # fmt: skip


_NO_EXAMPLES = (
    "there is no such file: the trial file is valid, and nobody has shown that its rules mean what they should. Write "
    "it beside the trial file, beginning with the two lines 'trial: {}' and 'examples: []': this check then names what "
    "each criterion needs an example of"
)


def _counted(problems: int) -> str:
    return f"{problems} problem{'s' * (problems > 1)}"


@dataclass(frozen=True, slots=True)
class Checked:
    """What checking the examples of a trial came to."""

    trial: Trial
    examples: int
    failures: tuple[Problem, ...]

    @property
    def line(self) -> str:
        """The one line that sums it up."""
        counted = f"{self.trial.id}: {len(self.trial.criteria)} criteria, {self.examples or 'no'} examples"
        return f"{counted}, all pass" if not self.failures else f"{counted}, {_counted(len(self.failures))}"


def check_examples(trial: Trial, path: Path, catalogue: Catalogue) -> Checked:
    """Screen every example of a file; that there is none yet is a failure. Raises `InvalidFile` where the file itself
    cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Checked(trial, 0, (Problem(_NO_EXAMPLES.format(trial.id), path.name),))
    except (OSError, UnicodeDecodeError) as error:
        why = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error.strerror
        raise InvalidFile([Problem(f"the examples of the trial cannot be read: {why}", path.name)]) from None
    documents = read_yaml(text, path.name)
    if len(documents) != 1:
        raise InvalidFile([Problem("an examples file is one YAML mapping", path.name)])
    return _Examples(trial, documents[0], path.name, catalogue).run()


class _Examples:
    def __init__(self, trial: Trial, top: Node, name: str, catalogue: Catalogue) -> None:
        self.trial, self.top, self.name, self.catalogue = trial, top, name, catalogue
        self.failures: list[Problem] = []
        self.cases: dict[str, Node] = {}
        self.seen: dict[str, set[str]] = {row.id: set() for row in trial.criteria}

    def fail(self, what: str, node: Node) -> None:
        self.failures.append(Problem(what, f"{self.name}:{node.line}"))

    def run(self) -> Checked:
        self.known(self.top, _TOP, "an examples file")
        examples = self.top.mapping.get("examples")
        listed = examples.items if examples is not None else []
        bases = self.top.mapping.get("bases")
        self.cases = dict(bases.mapping) if bases is not None else {}
        for case in listed:
            name = self.word(case, "id")
            if not name or name in self.cases:
                self.fail(f"example {name!r}: an example has an id of its own", case)
            self.cases.setdefault(name, case)
        for case in listed:
            self.known(case, _CASE, f"example {self.word(case, 'id')}")
            try:
                self.compare(case, self.screened(case))
            except InvalidFile as error:
                self.failures += error.problems
        self.complete()
        return Checked(self.trial, len(listed), tuple(self.failures))

    def known(self, node: Node, keys: tuple[str, ...], what: str) -> None:
        for key in node.mapping:
            if key not in keys:
                self.fail(f"{what} has no {key!r}{nearest(key, keys)}", node)

    def word(self, node: Node, key: str) -> str:
        part = node.mapping.get(key)
        return (part.text or "").strip() if part is not None else ""

    # One example ------------------------------------------------------------------------------------------

    def screened(self, case: Node) -> Screening:
        name = self.word(case, "id")
        chain = self.chain(case)
        patient = patient_from(self.record(name, chain), f"{self.name}:{case.line}", self.catalogue)
        unused = [problem.what for problem in patient.problems if not problem.fact_kept]
        if len(unused) != int(self.word(case, "not_used") or 0):
            self.fail(f"example {name}: facts that could not be used: {'; '.join(unused) or 'none'}", case)
        on = self.inherited("on", chain) or self.word(self.top, "on")
        assumed = [part.text or "" for link in chain for part in link.mapping.get("assume_complete", _EMPTY).items]
        day = parse_when(on).day
        assert day is not None, f"example {name}: 'on' is a day"
        return screen(
            self.trial, patient, date.fromordinal(day), until=None if _asks_days(case) else date.fromordinal(day),
            anchors=self.anchors(chain), assume_complete=assumed, catalogue=self.catalogue,
        )  # fmt: skip

    def chain(self, case: Node) -> list[Node]:
        """The example and what it builds on, the base first."""
        links = [case]
        while (parent := self.word(links[0], "from")) != "":
            if parent not in self.cases:
                raise InvalidFile([Problem(f"there is no base or example {parent!r}{nearest(parent, self.cases)}",
                                           f"{self.name}:{links[0].line}")])  # fmt: skip
            if self.cases[parent] in links:
                raise InvalidFile([Problem(f"{parent!r} leads back to itself", f"{self.name}:{links[0].line}")])
            links.insert(0, self.cases[parent])
        return links

    def inherited(self, key: str, chain: list[Node]) -> str:
        return next((word for link in reversed(chain) if (word := self.word(link, key))), "")

    def anchors(self, chain: list[Node]) -> dict[str, When | None]:
        found: dict[str, When | None] = {}
        for link in (self.top, *chain):
            for name, node in link.mapping.get("anchors", _EMPTY).mapping.items():
                text = (node.text or "").strip()
                found[name] = None if text in ("", "null", "~") else parse_when(text)
        return found

    def record(self, name: str, chain: list[Node]) -> dict[str, object]:
        """The patient file an example comes to: each link drops facts and adds its own."""
        facts: list[dict[str, object]] = []
        entry: dict[str, object] = {"patient": name}
        for link in chain:
            for part in link.mapping.get("without", _EMPTY).items:
                kept = [fact for fact in facts if part.text not in (fact.get("kind"), fact.get("id"))]
                if len(kept) == len(facts):
                    self.fail(f"example {name}: nothing of {part.text!r} is there to leave out", link)
                facts = kept
            for part in link.mapping.get("facts", _EMPTY).items:
                plain = part.plain()
                assert isinstance(plain, dict), f"{self.name}:{part.line}: a fact is a mapping"
                facts.append({key: None if value == "" else value for key, value in plain.items()})
            for key in ("born", "sex", "complete"):
                if key in link.mapping:
                    entry[key] = link.mapping[key].plain()
        return {**entry, "facts": facts}

    # What it should come to ---------------------------------------------------------------------------------

    def compare(self, case: Node, found: Screening) -> None:
        name = self.word(case, "id")
        for row in found.criteria:
            self.seen[row.criterion.id].add(row.status)
        for cohort, wanted in case.mapping.get("expect", _EMPTY).mapping.items():
            self.same(f"example {name}: {cohort}", self.verdict(found, cohort), wanted, _VERDICTS)
        for criterion, wanted in case.mapping.get("criteria", _EMPTY).mapping.items():
            self.status(f"example {name}: {criterion}", found, criterion, wanted)
        for cohort, wanted in case.mapping.get("deciding", _EMPTY).mapping.items():
            listed = [part.text for part in wanted.items]
            deciding = list(found[cohort].deciding)
            if sorted(deciding) != sorted(text or "" for text in listed):
                self.fail(f"example {name}: {cohort} is decided by {deciding}, expected {listed}", wanted)
        if "expect" not in case.mapping and "criteria" not in case.mapping:
            self.fail(f"example {name} expects nothing", case)

    def verdict(self, found: Screening, cohort: str) -> str:
        return next((result.verdict for result in found.cohorts if result.id == cohort), "no such cohort")

    def same(self, what: str, got: str, wanted: Node, allowed: tuple[str, ...]) -> None:
        if wanted.text not in allowed:
            self.fail(f"{what}: {wanted.text!r} is not one of {', '.join(allowed)}", wanted)
        elif got != wanted.text:
            self.fail(f"{what} is {got}, expected {wanted.text}", wanted)

    def status(self, what: str, found: Screening, criterion: str, wanted: Node) -> None:
        if criterion not in self.seen:
            self.fail(f"{what}: there is no such criterion{nearest(criterion, self.seen)}", wanted)
            return
        row = found.criterion(criterion)
        if not wanted.mapping:
            self.same(what, row.status, wanted, _STATUSES)
            return
        self.known(wanted, ("status", "if_confirmed", "reasons", "clears_on", "holds_until"), what)
        for key, node in wanted.mapping.items():
            got = _got(row, key)
            expected = sorted(part.text or "" for part in node.items) if node.items else _word(node)
            if got != expected:
                self.fail(f"{what}: {key} is {got}, expected {expected}", node)

    def complete(self) -> None:
        """Every criterion is met, not met and unknown at least once, or the file says why it cannot be."""
        excused: Mapping[str, Node] = self.top.mapping.get("unreachable", _EMPTY).mapping
        self.excuses(excused)
        for row in self.trial.criteria:
            if row.severity is Severity.INFORMATION:
                continue
            reasons = excused[row.id].mapping if row.id in excused else {}
            seen = self.seen[row.id]
            for status in (MET, NOT_MET, UNKNOWN_STATUS):
                if status not in seen and status not in reasons:
                    self.fail(f"{row.id} is never {status}; add an example or say why under 'unreachable'", self.top)
                if status in seen and status in reasons:
                    self.fail(f"{row.id} is said never to be {status}, and it is", excused[row.id])

    def excuses(self, excused: Mapping[str, Node]) -> None:
        """What is said to be unreachable names criteria that decide, and statuses, each with its reason."""
        reachable = [row.id for row in self.trial.criteria if row.severity is not Severity.INFORMATION]
        for criterion, node in excused.items():
            if criterion not in reachable:
                near = nearest(criterion, reachable)
                self.fail(f"unreachable: there is no criterion {criterion!r} with a rule{near}", node)
            self.known(node, (MET, NOT_MET, UNKNOWN_STATUS), f"unreachable {criterion}")
            for status, reason in node.mapping.items():
                if not (reason.text or "").strip():
                    self.fail(f"unreachable {criterion}: say why it is never {status}", reason)


def _asks_days(case: Node) -> bool:
    """Whether an example says when something changes, so that the windows must be worked out."""
    rows = case.mapping.get("criteria", _EMPTY).mapping.values()
    return any(key in row.mapping for row in rows for key in ("clears_on", "holds_until"))


def _word(node: Node) -> str | None:
    return None if node.text in ("", "null") else node.text


def _got(row: CriterionResult, key: str) -> object:
    if key == "reasons":
        return sorted(reason.value for reason in row.finding.reasons) if row.finding else []
    if key in ("clears_on", "holds_until"):
        return show_day(getattr(row, key))
    return getattr(row, key, None)


_EMPTY = Node({}, 0, 0)
