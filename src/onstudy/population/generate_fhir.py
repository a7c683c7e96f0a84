"""Generated patients as a FHIR R4 bulk export: NDJSON files by resource type, each type in several parts.

What a saying is in FHIR is worked out once, by the writer of bundles; rows only put in ids and dates. Numbers keep
the unit, the decimals and the limits in which the laboratory wrote them.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from onstudy.errors import Problem
from onstudy.population.generate_block import Block, counted, coverage_of
from onstudy.population.generate_rows import DAY, OPEN, UNSAID, Rows, Saying
from onstudy.readers.fhir_write import to_bundle
from onstudy.readers.statement import Statement, Written
from onstudy.record.catalogue import QUANTITY, Catalogue, Kind
from onstudy.record.checks import TEST_DATA
from onstudy.record.patient import Patient
from onstudy.values.calendar import parse_when
from onstudy.values.codes import UCUM
from onstudy.values.quantity import normalise_unit

Json = dict[str, Any]
#: What stands before a number that keeps its decimals, until it is put in.
NUMBER = "@number:"
#: Whether a row has a start, which end (UNSAID, OPEN or DAY), and whether it has a day of record.
Form = tuple[bool, int, bool]

_CATEGORIES = "http://terminology.hl7.org/CodeSystem/observation-category"
_PROBLEM_LIST = "http://terminology.hl7.org/CodeSystem/condition-category"
#: Dates that stand for those of a row until they are put in, and what they stand for.
START, END, RECORDED = "1901-01-01", "1901-02-02", "1901-03-03"
_PLACES = {START: "start", END: "end", RECORDED: "recorded"}
_NO_RESULT = {"entered in error": "entered-in-error", "failed": "cancelled"}


class FhirWriter:
    """Writes blocks of patients into a folder; a saying met before is not worked out again."""

    def __init__(self, folder: Path, catalogue: Catalogue) -> None:
        self.folder, self.catalogue = folder, catalogue
        self._templates: dict[tuple[tuple[tuple[str, str], ...], Form], tuple[str, str]] = {}

    def write(self, block: Block, part: int) -> dict[str, int]:
        """Write a block as one part of each file; returns how many resources of each type there are."""
        lines: dict[str, list[str]] = defaultdict(list)
        for position in range(len(block)):
            lines["Patient"].append(self._person(block, position))
        for rows in block.rows.values():
            for sort, line in self._lines(block, rows):
                lines[sort].append(line)
        for sort, texts in sorted(lines.items()):
            path = self.folder / f"{sort}.{part:04d}.ndjson"
            path.write_text("\n".join(texts) + "\n", encoding="utf-8")
        return {sort: len(texts) for sort, texts in sorted(lines.items())}

    def _person(self, block: Block, position: int) -> str:
        born = parse_when(block.born.text(position))
        covered = tuple(coverage_of(block, position, self.catalogue))
        name = block.id(position)
        person = Patient(name, born, (), covered, (Problem(TEST_DATA, f"Patient/{name}", True),))
        resource = to_bundle(person, self.catalogue)["entry"][0]["resource"]
        sex = block.sex.words[int(block.sex.index[position])]
        return _compact(resource | ({"gender": sex} if sex else {}))

    def _lines(self, block: Block, rows: Rows) -> Iterator[tuple[str, str]]:
        names = rows.kind.replace("_", "-")
        sayings = [tuple(saying.items()) for saying in rows.sayings]
        ids = [block.id(position) for position in range(len(block))]
        columns = zip(counted(rows).tolist(), rows.said.tolist(), rows.patient.tolist(), strict=True)
        for row, (number, said, position) in enumerate(columns):
            sort, template = self._template(sayings[said], form_of(rows, row))
            yield (
                sort,
                template
                % {
                    "id": f"{ids[position]}-{names}-{number:02d}",
                    "patient": ids[position],
                    "start": rows.start.text(row),
                    "end": rows.end.text(row),
                    "recorded": rows.recorded.text(row),
                },
            )

    def _template(self, saying: tuple[tuple[str, str], ...], form: Form) -> tuple[str, str]:
        """The resource type of a saying with such dates, and its JSON with places for what rows differ in."""
        found = self._templates.get((saying, form))
        if found is None:
            found = self._templates[saying, form] = _template(resource_of(dict(saying), form, self.catalogue))
        return found


def _template(resource: Json) -> tuple[str, str]:
    sort = str(resource.pop("resourceType"))
    resource = {"resourceType": sort, **resource, "id": "@id@", "subject": {"reference": "Patient/@patient@"}}
    text = _compact(resource).replace("%", "%%")
    for date, place in _PLACES.items():
        text = text.replace(date, f"%({place})s")
    text = re.sub(rf'"{NUMBER}([^@"]*)@"', r"\1", text)
    return sort, re.sub(r"@(\w+)@", r"%(\1)s", text)


def _compact(resource: Json) -> str:
    return json.dumps(resource, separators=(",", ":"), ensure_ascii=False)


def form_of(rows: Rows, row: int) -> Form:
    """Which dates a row has."""
    end = int(rows.end.grain[row])
    return bool(rows.start.grain[row]), end if end in (UNSAID, OPEN) else DAY, bool(rows.recorded.grain[row])


def resource_of(saying: Saying, form: Form, catalogue: Catalogue) -> Json:
    """The resource of a saying, with `START`, `END` and `RECORDED` for its dates and numbers as marked text."""
    status = saying.get("status", "")
    said: dict[str, Written] = {
        key: word for key, word in saying.items() if not (key == "status" and word in _NO_RESULT)
    }
    kind = catalogue.kinds[saying["kind"]]
    if status == "failed":
        said["status"] = "pending"
    started, end, recorded = form
    lasting = kind.extent == "period" and saying.get("value") != "no"
    if started:
        said["from" if lasting or end else "on"] = START
    if end:
        said["to"] = "ongoing" if end == OPEN else END
    if recorded:
        said["recorded"] = RECORDED
    statement = Statement(said, catalogue, "generated", "generated")
    fact = statement.fact()
    assert fact is not None, f"the saying {saying} is no fact: {statement.problems}"
    resource: Json = to_bundle(Patient("p", facts=(fact,)), catalogue)["entry"][-1]["resource"]
    resource.pop("identifier", None)
    if status in _NO_RESULT:
        resource["status"] = _NO_RESULT[status]
    if resource["resourceType"] == "MedicationStatement" and recorded and end == DAY:
        resource["status"] = "unknown"  # the day of record may lie before the end, and so was none by which it was over
    if resource["resourceType"] == "Observation":
        _as_written(resource, kind, saying)
        resource["category"] = [{"coding": [{"system": _CATEGORIES, "code": _category(kind)}]}]
    elif resource["resourceType"] == "Condition":
        resource["category"] = [{"coding": [{"system": _PROBLEM_LIST, "code": "problem-list-item"}]}]
    return resource


def _category(kind: Kind) -> str:
    if kind.name in ("body_weight", "body_height"):
        return "vital-signs"
    measured = kind.measured and kind.topic in ("laboratory", "infection", "disease", "pregnancy")
    return "laboratory" if measured else "exam"


_NUMBER = re.compile(r"([<>]=?)?(\d+(?:\.\d+)?)(?:-(\d+(?:\.\d+)?))?")


def _as_written(resource: Json, kind: Kind, saying: Saying) -> None:
    """Put the number, its unit and its limits as they were written in place of those in the catalogue's unit."""
    found = _NUMBER.fullmatch(saying.get("value", ""))
    if kind.value != QUANTITY or found is None:
        return
    unit = saying.get("unit", "")
    for key in ("valueQuantity", "valueRange", "dataAbsentReason", "referenceRange"):
        resource.pop(key, None)
    if found[3]:
        resource["valueRange"] = {"low": quantity(found[2], unit), "high": quantity(found[3], unit)}
    else:
        resource["valueQuantity"] = quantity(found[2], unit, found[1] or "")
    if "uln" in saying:
        resource["referenceRange"] = [{"high": quantity(saying["uln"], unit)}]


def quantity(number: str, unit: str, comparator: str = "") -> Json:
    """A Quantity whose number keeps its decimals."""
    code: Mapping[str, str] = {"unit": unit, "system": UCUM, "code": normalise_unit(unit)} if unit else {}
    return {"value": f"{NUMBER}{number}@", **({"comparator": comparator} if comparator else {}), **code}
