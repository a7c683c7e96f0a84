"""What changed between two versions of a trial file, criterion by criterion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from onstudy.criteria.expr import Named, walk
from onstudy.criteria.trial import Criterion, Trial


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs: what it is, how it was and how it is now."""

    what: str  # trial, anchor therapy_start, setting x, definition y, criterion S1-33
    part: str  # added, removed, moved, or the part that differs: text, rule, severity ...
    old: str = ""
    new: str = ""


def compare_trials(old: Trial, new: Trial) -> list[Change]:
    """All changes, in protocol order; a criterion whose rule is the same but uses a changed definition is named."""
    found = [
        Change("trial", part, str(a), str(b))
        for part, a, b in (
            ("id", old.id, new.id),
            ("version", old.version, new.version),
            ("title", old.title, new.title),
        )
        if a != b
    ]
    for key in sorted({*old.identity, *new.identity}):
        if old.identity.get(key) != new.identity.get(key):
            found.append(Change("trial", key, str(old.identity.get(key, "")), str(new.identity.get(key, ""))))
    found += _entries(
        "anchor", {n: a.label for n, a in old.anchors.items()}, {n: a.label for n, a in new.anchors.items()}
    )
    found += _entries("setting", _texts(old.settings), _texts(new.settings))
    definitions = _entries(
        "definition",
        {n: d.text for n, d in old.definitions.items()},
        {n: d.text for n, d in new.definitions.items()},
    )
    found += definitions
    changed = {change.what.removeprefix("definition ") for change in definitions}
    changed |= {change.what.removeprefix("setting ") for change in found if change.what.startswith("setting ")}
    return [*found, *_groups(old, new), *_criteria(old, new, changed)]


def _texts(settings: Mapping[str, object]) -> dict[str, str]:
    return {name: str(getattr(setting, "value", "")) for name, setting in settings.items()}


def _entries(what: str, old: Mapping[str, str], new: Mapping[str, str]) -> list[Change]:
    found = []
    for name in [*new, *(name for name in old if name not in new)]:
        if name not in old:
            found.append(Change(f"{what} {name}", "added", "", new[name]))
        elif name not in new:
            found.append(Change(f"{what} {name}", "removed", old[name], ""))
        elif old[name] != new[name]:
            found.append(Change(f"{what} {name}", "changed", old[name], new[name]))
    return found


def _groups(old: Trial, new: Trial) -> list[Change]:
    steps = _entries("step", {s.id: s.title for s in old.steps}, {s.id: s.title for s in new.steps})
    return steps + _entries("cohort", {c.id: c.title for c in old.cohorts}, {c.id: c.title for c in new.cohorts})


def _criteria(old: Trial, new: Trial, changed: set[str]) -> Iterator[Change]:
    before = {row.id: row for row in old.criteria}
    after = {row.id: row for row in new.criteria}
    for row in new.criteria:
        if row.id not in before:
            yield Change(f"criterion {row.id}", "added", "", f"{row.text} [{row.rule_text}]")
            continue
        yield from _rows(before[row.id], row)
        if before[row.id].rule_text == row.rule_text and (used := sorted(_uses(row) & changed)):
            yield Change(f"criterion {row.id}", "rests on what changed", "", ", ".join(used))
    for row in old.criteria:
        if row.id not in after:
            yield Change(f"criterion {row.id}", "removed", f"{row.text} [{row.rule_text}]", "")


def _rows(old: Criterion, new: Criterion) -> Iterator[Change]:
    if (old.step, old.cohort) != (new.step, new.cohort):
        yield Change(f"criterion {new.id}", "moved", _where(old), _where(new))
    for part, a, b in (
        ("text", old.text, new.text),
        ("rule", old.rule_text, new.rule_text),
        ("severity", old.severity.value, new.severity.value),
        ("note", old.note, new.note),
        ("days_since", old.days_since, new.days_since),
        ("warn_older_than", str(old.warn_older_than or ""), str(new.warn_older_than or "")),
    ):
        if a != b:
            yield Change(f"criterion {new.id}", part, a, b)


def _where(row: Criterion) -> str:
    return f"step {row.step}" if row.step is not None else f"cohort {row.cohort}"


def _uses(row: Criterion) -> set[str]:
    """The definitions and settings a rule rests on, near and far."""
    if row.rule is None:
        return set()
    nodes = walk(row.rule)
    names = {node.name for node in nodes if isinstance(node, Named)}
    names |= {name for node in nodes if (name := getattr(node, "setting", ""))}
    names |= {span.setting for node in nodes if (span := getattr(node, "span", None)) is not None and span.setting}
    return names | {name[1:] for node in nodes for name in getattr(node, "names", ()) if name.startswith("$")}
