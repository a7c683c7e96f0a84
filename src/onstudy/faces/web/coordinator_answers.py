"""What a screening waits for as a form, and the form filled in as entries of a patient file.

The form is the file that `onstudy screen --todo` writes, line by line: the same questions, the same blanks, and what is
filled in is read as `--add` reads it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.datastructures import FormData

from onstudy.readers.patientfile import patient_from
from onstudy.readers.patientfile_write import quoted
from onstudy.record.catalogue import BOOLEAN, COUNT, DATE, NONE, QUANTITY, Catalogue
from onstudy.record.patient import Patient
from onstudy.screening.plain import capital
from onstudy.screening.screen import Screening
from onstudy.screening.todo import todo_file

ENTRY, UNIT = "e.", ".unit"
DATES = ("on", "from", "to", "recorded")
MOST_ENTRIES, LONGEST = 400, 400
SOURCE = "answers on the page"

_TITLES = {"to find or measure": "To find or measure", "to do for the study": "To do for the study",
           "to confirm": "To confirm"}  # fmt: skip
_HEADER = re.compile(r"\s*# (?P<criteria>[^:]+?), (?P<title>to [a-z ]+): (?P<why>.*)\.")
_LABELS = {
    "value": "Answer",
    "on": "Date",
    "from": "From",
    "to": "To",
    "recorded": "Recorded on",
    "uln": "Upper limit of normal",
}


@dataclass(frozen=True)
class Blank:
    """One field: a patient file's key, how it is shown, and the words or the unit it takes."""

    name: str
    key: str
    label: str
    hint: str = ""
    value: str = ""
    options: tuple[tuple[str, str], ...] = ()
    unit: str = ""


@dataclass
class Asked:
    """One entry of the form: what is asked and why, and the fields that answer it."""

    number: int
    title: str
    kind: str
    label: str
    ask: str
    why: str
    criteria: str
    id: str = ""
    about: str = ""
    blanks: list[Blank] = field(default_factory=list)
    complete: str = ""  # instead of fields: the kind that may be declared complete
    error: str = ""

    @property
    def heading(self) -> str:
        """The id of its heading in the page."""
        return f"entry-{self.number}"


def asked(s: Screening) -> list[tuple[str, list[Asked]]]:
    """The form of a screening, in the order of the work: title and entries."""
    found = _Reading(s).all()
    return [(shown, mine) for title, shown in _TITLES.items() if (mine := [one for one in found if one.title == title])]


class _Reading:
    """A file of open questions, read line by line."""

    def __init__(self, s: Screening) -> None:
        self.s, self.catalogue = s, s.catalogue
        self.found: list[Asked] = []
        self.header = self.ask = ""
        self.notes: list[str] = []

    def all(self) -> list[Asked]:
        section = ""
        for line in todo_file(self.s).splitlines():
            bare = line.strip()
            if line in ("complete:", "facts:"):
                section = line
            elif bare.startswith("# - ") and section == "complete:":
                self._offer(bare.removeprefix("# - "))
            elif bare.startswith("#"):
                self._comment(line, bare.removeprefix("# "))
            elif bare.startswith("- kind: "):
                self._begin(bare.removeprefix("- kind: "))
            elif section == "facts:" and ":" in bare:
                self._field(bare)
            elif bare.partition(":")[0] in ("born", "sex"):
                self._person(bare.partition(":")[0])
        return self.found

    def _comment(self, line: str, text: str) -> None:
        if _HEADER.fullmatch(line):
            self.header, self.ask, self.notes = line, "", []
        elif self.header and not self.ask:
            self.ask = text
        else:
            self.notes.append(text)

    def _new(self, kind: str) -> Asked:
        header = _HEADER.fullmatch(self.header)
        assert header is not None, "an entry follows the line that says why it is asked"
        entry = self.catalogue.kinds.get(kind)
        one = Asked(
            number=len(self.found),
            title=header["title"],
            kind=kind,
            label=entry.label if entry is not None else "Date of birth",
            ask=self.ask,
            why=header["why"],
            criteria=header["criteria"],
        )
        self.found.append(one)
        return one

    def _offer(self, kind: str) -> None:
        one = self._new(kind)
        one.complete, one.about = kind, " ".join(self.notes[:1]).removeprefix("On record: ")

    def _begin(self, kind: str) -> None:
        self._new(kind)

    def _person(self, key: str) -> None:
        one = self._new(key)
        sexes = tuple((code, code) for code in self.catalogue.value_sets["sex"].members)
        hint = "" if key == "sex" else "YYYY-MM-DD"
        one.blanks.append(Blank(key, key, one.label, hint, options=sexes if key == "sex" else ()))

    def _field(self, text: str) -> None:
        one = self.found[-1]
        key, _, rest = text.partition(":")
        value, _, comment = rest.partition("  # ")
        value = value.strip().strip('"')
        if key == "id":
            one.id, one.about = json.loads(rest.partition("  # ")[0].strip()), comment
            return
        one.blanks.append(self._blank(one, key, value, comment.strip()))

    def _blank(self, one: Asked, key: str, value: str, comment: str) -> Blank:
        name, kind = f"{ENTRY}{one.number}.{key}", self.catalogue.kinds[one.kind]
        attribute = self.catalogue.attribute(one.kind, key)
        part = self.catalogue.kinds[kind.components[key]] if key in kind.components else kind
        label = _LABELS.get(key) or (attribute.label if attribute else part.label)
        if key in DATES or key == "uln":
            hint = "YYYY-MM-DD, or with Thh:mm" if key in DATES else ""
            return Blank(name, key, _dated(label, comment), hint, value, unit=kind.unit if key == "uln" else "")
        if attribute is not None:
            type_, values, unit = attribute.type, attribute.values, attribute.unit
        else:
            type_, values, unit = part.value, part.values, part.unit
        if type_ in (BOOLEAN, NONE):
            options: tuple[tuple[str, str], ...] = (("yes", "yes"), ("no", "no"))
            options = options[:1] if comment.startswith("yes, if there is one more") else options
            return Blank(name, key, label, "", value, options)
        if values:
            members = self.catalogue.value_sets[values].members
            return Blank(name, key, label, "", value, tuple((code, members[code].label) for code in members))
        hints = {DATE: "YYYY-MM-DD", COUNT: "a number", QUANTITY: ""}
        return Blank(name, key, label, hints.get(type_, ""), value, unit=unit if type_ == QUANTITY else "")


def _dated(label: str, comment: str) -> str:
    """A date's label with what it is the date of."""
    whose = next((who for who in ("for yes", "for no") if comment.startswith(who)), "")
    return f"{label} ({whose})" if whose else label


# Filled in ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Given:
    """What was filled in, as the parts of a patient file; and the entries that cannot be read, with what is wrong."""

    parts: dict[str, Any]
    wrong: tuple[tuple[Mapping[str, str], str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.parts)


def given(form: FormData, patient: str, catalogue: Catalogue) -> Given:
    """The entries of a form that were filled in and can be read."""
    parts: dict[str, Any] = {}
    wrong: list[tuple[Mapping[str, str], str]] = []
    facts = []
    for fields in _filled(form):
        entry = _entry(fields)
        problems = patient_from({"patient": patient, "facts": [entry]}, SOURCE, catalogue).problems
        if problems:
            wrong.append((fields, "; ".join(capital(problem.what) for problem in problems)))
        else:
            facts.append(entry)
    complete = [kind for kind in form.getlist("complete") if isinstance(kind, str) and kind in catalogue.kinds]
    for key in ("born", "sex"):
        value = form.get(key, "")
        if isinstance(value, str) and value.strip():
            parts[key] = value.strip()[:LONGEST]
    parts |= {"complete": complete} if complete else {}
    parts |= {"facts": facts} if facts else {}
    return Given(parts, tuple(wrong))


def put_back(entries: Iterable[Asked], wrong: Iterable[tuple[Mapping[str, str], str]]) -> None:
    """What could not be read, back in the fields it was written in, with what is wrong."""
    left = list(entries)
    for fields, what in wrong:
        same = next((one for one in left if (one.kind, one.id) == (fields["kind"], fields.get("id", ""))), None)
        if same is None:
            continue
        left.remove(same)
        same.error = what
        same.blanks = [
            replace(blank, value=fields.get(blank.key, ""), unit=fields.get(f"{blank.key}{UNIT}", blank.unit))
            for blank in same.blanks
        ]


def _filled(form: FormData) -> Iterator[dict[str, str]]:
    """The fields of each entry in which anything was filled in."""
    by_number: dict[int, dict[str, str]] = {}
    for name, value in form.multi_items():
        _, number, key = (*name.split(".", 2), "", "")[:3]
        if name.startswith(ENTRY) and number.isdigit() and len(number) < 4 and isinstance(value, str):
            by_number.setdefault(int(number), {})[key] = value.strip()[:LONGEST]
    for _, fields in sorted(by_number.items())[:MOST_ENTRIES]:
        if fields.get("kind") and _answered(fields):
            yield fields


def _entry(fields: Mapping[str, str]) -> dict[str, str]:
    """The entry of a patient file that some fields make."""
    return {
        key: _with_unit(value, fields.get(f"{key}{UNIT}", ""))
        for key, value in fields.items()
        if value and not key.endswith(UNIT)
    }


def _answered(fields: Mapping[str, str]) -> bool:
    """Whether anything was filled in beside the dates and units that are there already.

    A date alone completes a fact of the record; it never makes one.
    """
    filled = {key for key, value in fields.items() if value and not key.endswith(UNIT)} - {"kind", "id"}
    if filled - set(DATES):
        return True
    return bool(fields.get("id")) and "value" not in fields and bool(filled - {"recorded"})


def _with_unit(value: str, unit: str) -> str:
    """A number on its own in the unit that stands beside its field."""
    return f"{value} {unit}" if unit and re.fullmatch(r"[<>=~ ]*[0-9][0-9., ]*", value) else value


# Carried along ----------------------------------------------------------------------------------------------


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
    """What was added, as a record of its own."""
    return patient_from({"patient": patient, **added}, SOURCE, catalogue)


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
