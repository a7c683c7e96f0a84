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

from onstudy.readers.patientfile import facts_from, patient_from
from onstudy.record.catalogue import BOOLEAN, COUNT, DATE, NONE, QUANTITY, Catalogue
from onstudy.screening.plain import capital
from onstudy.screening.screen import Screening
from onstudy.screening.todo import todo_file

ENTRY, UNIT = "e.", ".unit"
DATES = ("on", "from", "to", "recorded")
MOST_ENTRIES, LONGEST = 400, 400
SOURCE = "answers on the page"
_ASKED = ("kind", "id", "recorded")  # what an entry holds before anything is filled in

_TITLES = {"to find or measure": "To find or measure", "to do for the study": "To do for the study",
           "to confirm": "To confirm"}  # fmt: skip
_HEADER = re.compile(r"\s*# (?P<criteria>[^:]+?), (?P<title>to [a-z ]+): (?P<why>.*)\.")
_DECIMAL_COMMA = re.compile(r"^([<>=~ ]*\d+),(\d{1,2}|\d{4,})(?!\d)((?: .*)?)$")
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


def field_label(kind: str, key: str, catalogue: Catalogue) -> str:
    """What a person reads for a key of a patient file: of an entry of a kind, or of the person."""
    if key in _LABELS:
        return _LABELS[key]
    found = catalogue.kinds.get(kind)
    if found is None:
        return "Date of birth" if kind == "born" else capital(kind)
    attribute = catalogue.attribute(kind, key)
    part = catalogue.kinds[found.components[key]] if key in found.components else found
    return attribute.label if attribute is not None else part.label


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
        one = Asked(
            number=len(self.found),
            title=header["title"],
            kind=kind,
            label=field_label(kind, "kind", self.catalogue),
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
        label = field_label(one.kind, key, self.catalogue)
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
        entry = _entry(fields, catalogue)
        said = _faults(entry, patient, catalogue)
        if said:
            wrong.append((fields, said))
        elif facts_from([entry], SOURCE, catalogue, [], []):  # nothing is made of a question without its answer
            facts.append({key: value for key, value in entry.items() if value})
    complete = [kind for kind in form.getlist("complete") if isinstance(kind, str) and kind in catalogue.kinds]
    for key in ("born", "sex"):
        value = form.get(key, "")
        if not isinstance(value, str) or not value.strip():
            continue
        written = value.strip()[:LONGEST]
        problems = patient_from({"patient": patient, key: written}, SOURCE, catalogue).problems
        if problems:
            said = "; ".join(_in_words(problem.what, key, key, catalogue) for problem in problems)
            wrong.append(({"kind": key, key: written}, said))
        else:
            parts[key] = written
    parts |= {"complete": complete} if complete else {}
    parts |= {"facts": facts} if facts else {}
    return Given(parts, tuple(wrong))


def _faults(entry: Mapping[str, str], patient: str, catalogue: Catalogue) -> str:
    """What is wrong with an entry, each fault under the label of its field; "" where nothing is."""
    left = _problems(entry, patient, catalogue)
    said = []
    for key, value in entry.items() if left else ():
        if key not in ("kind", "id") and value:
            alone = _problems({"kind": entry["kind"], key: value}, patient, catalogue)
            said += [_in_words(what, entry["kind"], key, catalogue) + _comma(value) for what in alone if what in left]
            left = [what for what in left if what not in alone]
    return "; ".join([*said, *(_in_words(what, entry["kind"], "kind", catalogue) for what in left)])


def _problems(entry: Mapping[str, str], patient: str, catalogue: Catalogue) -> list[str]:
    found = patient_from({"patient": patient, "facts": [dict(entry)]}, SOURCE, catalogue).problems
    return [problem.what for problem in found]


def _in_words(what: str, kind: str, key: str, catalogue: Catalogue) -> str:
    """A fault in the words of the form: the label of its field where the file has a key, the kind by its name."""
    first, _, rest = what.replace(f" of {kind} ", " ", 1).partition(" ")
    if first in (key, "value", *DATES):
        label = field_label(kind, key if first == "value" and key != "kind" else first, catalogue)
        what = f"{label} {rest}"
    what = re.sub(r"`(\w+)`", lambda found: field_label(kind, found[1], catalogue), what)
    what = what.replace(" is not a date: ", " cannot be read: ").removeprefix(f"{kind}: ")
    return capital(re.sub(rf"\b{re.escape(kind)}\b", field_label(kind, "kind", catalogue), what))


def _comma(value: str) -> str:
    return " (write a decimal point, not a comma)" if "," in value else ""


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
        if fields.get("kind") and any(fields[key] for key in fields if key not in _ASKED and not key.endswith(UNIT)):
            yield fields


def _entry(fields: Mapping[str, str], catalogue: Catalogue) -> dict[str, str]:
    """The entry of a patient file that some fields make, with a blank where one was left.

    What completes no fact of the record has an answer to be given, also where no field for it was sent.
    """
    kind = catalogue.kinds.get(fields["kind"])
    answer = {"value": ""} if kind is not None and not kind.components and not fields.get("id") else {}
    return answer | {
        key: _with_unit(value, fields.get(f"{key}{UNIT}", "")) if value else ""
        for key, value in fields.items()
        if not key.endswith(UNIT)
    }


def _with_unit(value: str, unit: str) -> str:
    """A number on its own in the unit that stands beside its field; a comma that can only be a decimal one, a point.

    Three digits behind it may be thousands: such a number is left as it is, and refused.
    """
    value = _DECIMAL_COMMA.sub(r"\1.\2\3", value)
    return f"{value} {unit}" if unit and re.fullmatch(r"[<>=~ ]*[0-9][0-9., ]*", value) else value
