"""What was added to a record on the coordinator's page: carried along, listed, taken out, and as a patient file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from onstudy.faces.web.coordinator_answers import LONGEST, MOST_ENTRIES, SOURCE, field_label
from onstudy.readers.patientfile import patient_from
from onstudy.readers.patientfile_write import quoted
from onstudy.record.catalogue import Catalogue
from onstudy.record.patient import Fact, Patient
from onstudy.screening.answered import places
from onstudy.screening.screen import Screening

_NUMBERED = re.compile(rf"{SOURCE} facts\[(\d+)\]")


@dataclass(frozen=True)
class Added:
    """One thing that was added, for the list in which it can be taken out again."""

    at: str  # what a form names to take it out
    label: str
    said: str
    source: str = ""  # as the evidence names it
    mind: str = ""  # what the screening found of it, such as a date after registration


def listed(added: Mapping[str, Any], s: Screening) -> list[Added]:
    """Everything that was added, in the words of the form that asked for it, with what a screening found of it."""
    catalogue = s.catalogue
    rested_on = {place for row in s.criteria for fact in row.evidence for place in places(fact.source)}
    found = [Added(key, field_label(key, key, catalogue), str(added[key])) for key in ("born", "sex") if key in added]
    found += [
        Added(f"complete.{kind}", field_label(kind, "kind", catalogue), "That is all: there was no other")
        for kind in added.get("complete", [])
    ]
    for number, fact in enumerate(added.get("facts", [])):
        kind = fact.get("kind", "")
        label = field_label(kind, "kind", catalogue)
        place = _place(number)
        mind = "; ".join(_labelled(one.what, kind, label) for one in s.problems if place in places(one.where))
        mind += ". No criterion rests on it." if mind and place not in rested_on else ""
        found.append(Added(f"facts.{number}", label, "; ".join(_said(fact, kind, catalogue)), place, mind))
    return found


def _labelled(what: str, kind: str, label: str) -> str:
    """A problem that names a kind as the catalogue does, with the label of the form."""
    return label + what.removeprefix(kind) if kind and what.startswith(f"{kind} ") else what


def _said(fact: Mapping[str, str], kind: str, catalogue: Catalogue) -> Iterator[str]:
    """The fields of an entry with their labels; the answer itself first, and without one."""
    for key, value in sorted(fact.items(), key=lambda one: (one[0] == "id", one[0] != "value")):
        if key == "id":
            yield f"about the record {value}"
        elif key != "kind":
            yield value if key == "value" else f"{field_label(kind, key, catalogue)} {value}"


def taken_out(added: Mapping[str, Any], at: str) -> dict[str, Any]:
    """What was added without one of it; all of it where there is nothing of that name."""
    part, _, which = at.partition(".")
    left = {key: value for key, value in added.items() if key != at}
    if part in ("facts", "complete") and part in added:
        left[part] = [
            one for number, one in enumerate(added[part]) if which != (one if part == "complete" else str(number))
        ]
    return {key: value for key, value in left.items() if value}


def merged(before: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """What was added so far with what was filled in now; an entry for the same fact is joined to it."""
    facts: list[dict[str, str]] = [dict(fact) for fact in before.get("facts", [])]
    for fact in more.get("facts", []):
        same = next((one for one in facts if fact.get("id") and one.get("id") == fact["id"]), None)
        if same is not None:
            same.update(fact)
        elif fact not in facts:
            facts.append(dict(fact))
    complete = list(dict.fromkeys((*before.get("complete", []), *more.get("complete", []))))
    found = {**before, **more}
    return found | ({"complete": complete} if complete else {}) | ({"facts": facts} if facts else {})


def read_added(text: str) -> dict[str, Any]:
    """What was added, as a page carries it; nothing where it is not of that form."""
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    facts = found.get("facts")
    kept: dict[str, Any] = {key: str(found[key])[:LONGEST] for key in ("born", "sex") if found.get(key)}
    if isinstance(found.get("complete"), list):
        kept["complete"] = [str(kind)[:LONGEST] for kind in found["complete"][:MOST_ENTRIES]]
    if isinstance(facts, list):
        kept["facts"] = [
            {str(key)[:LONGEST]: str(value)[:LONGEST] for key, value in fact.items()}
            for fact in facts[: 4 * MOST_ENTRIES]
            if isinstance(fact, dict)
        ]
    return kept


def as_patient(added: Mapping[str, Any], patient: str, catalogue: Catalogue) -> Patient:
    """What was added, as a record of its own; each fact and problem names the answer it comes from."""
    found = patient_from({"patient": patient, **added}, SOURCE, catalogue)
    return replace(
        found,
        facts=tuple(_named(fact) for fact in found.facts),
        problems=tuple(replace(problem, where=_numbered(problem.where)) for problem in found.problems),
    )


def _named(fact: Fact) -> Fact:
    parts = {name: _named(part) for name, part in fact.parts.items()}
    return replace(fact, source=_numbered(fact.source), parts=parts)


def _numbered(place: str) -> str:
    return _NUMBERED.sub(lambda found: _place(int(found[1])), place)


def _place(number: int) -> str:
    return f"answer {number + 1} on the page"


def as_file(added: Mapping[str, Any], patient: str) -> str:
    """What was added, as a patient file for `--add`."""
    lines = [
        f"patient: {quoted(patient)}",
        *(f"{key}: {quoted(added[key])}" for key in ("born", "sex") if key in added),
    ]
    if added.get("complete"):
        lines.append(f"complete: [{', '.join(quoted(kind) for kind in added['complete'])}]")
    facts = added.get("facts", [])
    lines.append("facts:" if facts else "facts: []")
    lines += [f"  - {{{_inside(fact)}}}" for fact in facts]
    return "\n".join(lines) + "\n"


def _inside(fact: Mapping[str, str]) -> str:
    first: Iterable[str] = (key for key in ("kind", "id") if key in fact)
    return ", ".join(f"{quoted(key)}: {quoted(fact[key])}" for key in dict.fromkeys((*first, *fact)))
