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


#: The parts of one entry, by name: the first is what it says, the others what is said of it.
_Parts = Mapping[str, str]
_CHANGED = "changed"  # how the part that is first is told


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
    was, now = (dict(_leaves({**trial.identity, **trial.later})) for trial in (old, new))
    found += [
        Change("trial", part, was.get(part, ""), now.get(part, ""))
        for part in [*now, *(part for part in was if part not in now)]
        if was.get(part) != now.get(part)
    ]
    found += _entries("anchor", _anchors(old), _anchors(new))
    found += _entries("setting", _settings(old), _settings(new))
    found += _entries("definition", _definitions(old), _definitions(new))
    changed = {change.what.partition(" ")[2] for change in found if change.part in (_CHANGED, "of")}
    return [*found, *_groups(old, new), *_criteria(old, new, changed)]


def _leaves(node: object, path: str = "") -> Iterator[tuple[str, str]]:
    """What is kept as written, leaf by leaf: ("page.plan.1.title", "Course IA")."""
    if isinstance(node, Mapping):
        inner = [(str(key), one) for key, one in node.items()]
    elif isinstance(node, list | tuple):
        inner = [(str(number), one) for number, one in enumerate(node, 1)]
    else:
        yield path, str(node)
        return
    for name, one in inner:
        yield from _leaves(one, f"{path}.{name}" if path else name)


def _anchors(trial: Trial) -> dict[str, _Parts]:
    return {name: {"label": one.label, "not_before": one.not_before} for name, one in trial.anchors.items()}


def _settings(trial: Trial) -> dict[str, _Parts]:
    return {name: {"value": str(one.value), "reason": one.reason} for name, one in trial.settings.items()}


def _definitions(trial: Trial) -> dict[str, _Parts]:
    return {
        name: {
            "rule": one.text, "of": one.named.of, "category": one.category, "label": one.label, "note": one.note,
        }
        for name, one in trial.definitions.items()
    }  # fmt: skip


def _entries(what: str, old: Mapping[str, _Parts], new: Mapping[str, _Parts]) -> list[Change]:
    found = []
    for name in [*new, *(name for name in old if name not in new)]:
        if name not in old:
            found.append(Change(f"{what} {name}", "added", "", _said(new[name])))
        elif name not in new:
            found.append(Change(f"{what} {name}", "removed", _said(old[name]), ""))
        else:
            parts = zip(new[name], old[name].values(), new[name].values(), strict=True)
            found += [
                Change(f"{what} {name}", part if place else _CHANGED, was, now)
                for place, (part, was, now) in enumerate(parts)
                if was != now
            ]
    return found


def _said(parts: _Parts) -> str:
    return next(iter(parts.values()))


def _groups(old: Trial, new: Trial) -> list[Change]:
    steps = _entries(
        "step", {s.id: {"title": s.title} for s in old.steps}, {s.id: {"title": s.title} for s in new.steps}
    )
    before, after = ({c.id: {"title": c.title} for c in trial.cohorts} for trial in (old, new))
    return steps + _entries("cohort", before, after)


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
