"""One patient and one trial as a coordinator's form carries them: the record, the dates, what was added.

The record lives for one request: each page carries it on in its form, in memory, and nowhere else.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from importlib.resources import files
from typing import Any

from starlette.datastructures import FormData, UploadFile

from onstudy.criteria.trial import Trial
from onstudy.engines.view import REGISTRATION
from onstudy.errors import OnstudyError, OptionError
from onstudy.faces.web.coordinator_added import as_patient, read_added
from onstudy.faces.web.coordinator_answers import SOURCE
from onstudy.readers import read_patients
from onstudy.record.absence import ALL
from onstudy.record.catalogue import Catalogue
from onstudy.record.patient import Patient
from onstudy.screening.aged import aged
from onstudy.screening.answers import with_added
from onstudy.screening.plain import capital
from onstudy.screening.rows import STATUS_WORDS
from onstudy.screening.screen import Screening, screen
from onstudy.screening.timeline import VERDICT_WORDS
from onstudy.values.calendar import DateError, When, parse_when, show

#: Bytes of a record that the pages take: the form carries it on with each request.
LARGEST = 5 * 1024 * 1024
_LONGEST = 100
#: The trial and days that the example patients were made for, and the one of them to begin with.
EXAMPLE_DAYS = {"trial": "NCT03739814", "on": "2026-03-16", "start": "2026-03-18T09:00"}
FIRST_EXAMPLE = "data-missing.json"


def examples() -> dict[str, str]:
    """The example patients that ship: file name to what a person reads."""
    names = sorted(one.name for one in files("onstudy").joinpath("examples").iterdir() if one.name.endswith(".json"))
    return {name: name.removesuffix(".json").replace("-", " ") for name in names}


def example(name: str) -> str:
    """The record of an example. Raises `OnstudyError` where there is none of that name."""
    if name not in examples():
        raise OnstudyError("There is no such example. Choose one of the list.")
    return files("onstudy").joinpath("examples", name).read_text(encoding="utf-8")


def decoded(data: bytes, name: str) -> str:
    """The text of an uploaded record, unpacked where it is packed. Raises `OnstudyError` with what to do."""
    if data.startswith(b"\x1f\x8b"):
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
                data = stream.read(LARGEST + 1)
        except (EOFError, zlib.error, OSError):
            raise OnstudyError(f"{name} is packed, and damaged or cut off. Get it again.") from None
    if len(data) > LARGEST:
        raise OnstudyError(
            f"{name} is too large: a record may have at most {LARGEST >> 20} MB. Upload one patient at a time."
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise OnstudyError(f"{name} is not text in UTF-8. Save it as UTF-8, as JSON, YAML or CSV.") from None
    if not text.strip():
        raise OnstudyError(f"{name} is empty. Choose a file with a record in it.")
    return text


@dataclass(frozen=True)
class Settings:
    """What may be changed between two screenings: dates, what is assumed absent, what was added."""

    on: str = ""
    until: str = ""
    anchors: Mapping[str, str] = field(default_factory=dict)
    assume: tuple[str, ...] = ()
    added: Mapping[str, Any] = field(default_factory=dict)

    def as_text(self) -> str:
        """As a hidden field holds them."""
        return json.dumps(
            {"on": self.on, "until": self.until, "anchors": self.anchors, "assume": self.assume, "added": self.added},
            ensure_ascii=False,
            sort_keys=True,
        )


def read_settings(text: str) -> Settings | None:
    """The settings a hidden field holds; None where it holds none."""
    try:
        found = json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    anchors, assume = found.get("anchors"), found.get("assume")
    return Settings(
        on=str(found.get("on", ""))[:_LONGEST],
        until=str(found.get("until", ""))[:_LONGEST],
        anchors={str(k)[:_LONGEST]: str(v)[:_LONGEST] for k, v in anchors.items()} if isinstance(anchors, dict) else {},
        assume=tuple(str(kind)[:_LONGEST] for kind in assume[:_LONGEST]) if isinstance(assume, list) else (),
        added=read_added(json.dumps(found.get("added"))),
    )


@dataclass(frozen=True)
class Case:
    """A patient, a trial and the settings of a screening."""

    trial: Trial
    record: str
    name: str
    who: int | None  # the place of the patient in the record; None where nobody was chosen
    settings: Settings
    catalogue: Catalogue

    @cached_property
    def patients(self) -> list[Patient]:
        """Everybody in the record. Raises `OnstudyError` where it cannot be read."""
        return read_patients(self.name, self.record.encode("utf-8", "surrogatepass"), self.catalogue)

    @property
    def chosen(self) -> bool:
        """Whether it is certain who is screened: the only one, or the one that was named."""
        return len(self.patients) == 1 or (self.who is not None and self.who < len(self.patients))

    @property
    def patient(self) -> Patient:
        """The one who is screened."""
        return self.patients[self.who or 0] if len(self.patients) > 1 else self.patients[0]

    def screened(self, settings: Settings | None = None) -> Screening:
        """The screening. Raises `OnstudyError` for dates and kinds that cannot be."""
        chosen = settings or self.settings
        patient, on = self.patient, day(chosen.on, "Registration")
        if chosen.added:
            more = as_patient(chosen.added, patient.id, self.catalogue)
            patient = with_added(patient, more, SOURCE, self.catalogue, on)
        return screen(
            self.trial,
            patient,
            on,
            anchors={
                name: moment(text, self.trial.anchors[name].label) for name, text in chosen.anchors.items() if text
            },
            until=day(chosen.until, "Look ahead until") if chosen.until else None,
            assume_complete=chosen.assume,
            catalogue=self.catalogue,
        )

    def with_settings(self, settings: Settings) -> Case:
        """The same patient and trial under other settings."""
        return replace(self, settings=settings)


def day(text: str, label: str) -> date:
    """A day of a form. Raises `OnstudyError` that names the field."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise OnstudyError(f"{label}: write a day as YYYY-MM-DD.") from None


def moment(text: str, label: str) -> When:
    """A day or time of a form. Raises `OnstudyError` that names the field."""
    try:
        return parse_when(text)
    except DateError:
        raise OnstudyError(f"{label}: write a day as YYYY-MM-DD, or with its time as YYYY-MM-DDThh:mm.") from None


def located(error: OnstudyError, trial: Trial) -> tuple[str, str]:
    """The field of the form that an error of the settings is about, and the error in the words of the form."""
    moments = {name: capital(point.label) for name, point in trial.anchors.items() if name != REGISTRATION}
    text = f"{_OPTIONS[error.option]}{error.what}" if isinstance(error, OptionError) else str(error)
    for word, label in moments.items():
        text = _renamed(text, word, label)
    text = capital(text)
    fields = {"until": _OPTIONS["until"], "assume": _OPTIONS["assume_complete"]}
    fields |= {f"anchor.{name}": label for name, label in moments.items()}
    return next((name for name, label in fields.items() if text.startswith(label)), "on"), text


_OPTIONS = {"until": "Look ahead until", "on": "Registration", "assume_complete": "As absent"}


def _renamed(text: str, word: str, label: str) -> str:
    return re.sub(rf"(?<![\w-]){re.escape(word)}(?![\w-])", lambda _: label, text)


async def uploaded(form: FormData) -> tuple[str, str]:
    """The record a form brings and the name of its file: a new file, an example, or what the page before carried.

    Raises `OnstudyError` where a new file and an example are both given, and for a file that is no text.
    """
    file, chosen = form.get("file"), _text(form, "example")
    if isinstance(file, UploadFile) and file.filename:
        name = file.filename.rpartition("/")[2][:80]
        if chosen:
            raise OnstudyError(f"{name} and an example were both chosen. Take one: the file again, or the example.")
        return decoded(await file.read(LARGEST + 1), name), name
    if chosen:
        return example(chosen), chosen
    return _text(form, "record", LARGEST), _text(form, "name") or "record"


def settings_of(form: FormData, trial: Trial) -> Settings:
    """The settings a form states. An anchor of the first page, without a name, is the trial's first one.

    An example whose trial is chosen beside dates as they were offered is screened on the days it was made for.
    """
    names = [name for name in trial.anchors if name != REGISTRATION]
    anchors = {name: _text(form, f"anchor.{name}") for name in names}
    on, start = _text(form, "on"), _text(form, "start")
    if _text(form, "example") and trial.id == EXAMPLE_DAYS["trial"] and on and on == _text(form, "offered"):
        on, start = (on, start) if start else (EXAMPLE_DAYS["on"], EXAMPLE_DAYS["start"])
    if names and not anchors[names[0]]:
        anchors[names[0]] = start
    return Settings(
        on=on,
        until=_text(form, "until"),
        anchors=anchors,
        assume=tuple(kind for kind in form.getlist("assume")[:_LONGEST] if isinstance(kind, str)),
        added=read_added(_text(form, "added", LARGEST)),
    )


def _text(form: FormData, name: str, most: int = _LONGEST) -> str:
    value = form.get(name, "")
    return value[:most].strip() if isinstance(value, str) else ""


# What changed -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Changed:
    """A cohort, criterion or value that stands otherwise than before."""

    what: str
    before: str
    after: str


def changes(before: Screening, after: Screening) -> list[Changed]:
    """What is different between two screenings of one patient for one trial: verdicts first, then criteria, then
    values that became older than advised or no longer are.
    """
    found = [
        Changed(f"Cohort {new.id}", VERDICT_WORDS[old.verdict], VERDICT_WORDS[new.verdict])
        for old, new in zip(before.cohorts, after.cohorts, strict=True)
        if old.verdict != new.verdict
    ]
    for one, other in zip(before.criteria, after.criteria, strict=True):
        pair = (one.status, one.if_confirmed), (other.status, other.if_confirmed)
        if pair[0] != pair[1]:
            found.append(Changed(one.criterion.id, _both(*pair[0]), _both(*pair[1])))
    return [*found, *_aged(before, after)]


def _aged(before: Screening, after: Screening) -> Iterator[Changed]:
    """The values that are older than advised in one of two screenings only."""
    old, new = ({one.fact.id: one for one in aged(s, s.cohorts)} for s in (before, after))
    for name, one in {**old, **new}.items():
        if (name in old) != (name in new):
            kind = after.catalogue.kinds[one.fact.kind]
            said = f"Older than advised: {one.why} ({', '.join(one.criteria)})"
            less = "Not among the values older than advised"
            pair = (said, less) if name in old else (less, said)
            yield Changed(f"{capital(kind.label)} of {show(one.fact.start)}", *pair)


def _both(status: str, if_confirmed: str) -> str:
    words = STATUS_WORDS[status]
    return words if status == if_confirmed else f"{words} (if confirmed: {STATUS_WORDS[if_confirmed].lower()})"


def unplanned(s: Screening) -> list[tuple[str, str]]:
    """The moments that are not set and that decide something: how they are asked for, and for which criteria."""
    open_ = (question for cohort in s.cohorts for question in cohort.to_do if question.kind in s.trial.anchors)
    return list(dict.fromkeys((question.ask, ", ".join(question.criteria)) for question in open_))


def assumable(s: Screening) -> list[tuple[str, str]]:
    """The kinds whose absence would settle something: to choose what is taken as absent."""
    kinds: Iterable[str] = (question.kind for cohort in s.cohorts for question in cohort.to_confirm)
    named = {**dict.fromkeys(kind for kind in s.assumed_complete if kind != ALL), **dict.fromkeys(kinds)}
    return [(kind, s.catalogue.kinds[kind].label) for kind in named if kind in s.catalogue.kinds]
