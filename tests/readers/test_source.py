"""Which format a source is, told by its content, and the one clear line where it cannot be used at all."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from tests.readers.canon import of, only, read, said

from onstudy.errors import InvalidFile
from onstudy.readers import READERS, read_patients
from onstudy.readers.source import open_source
from onstudy.record.patient import Patient

PATIENT = {"resourceType": "Patient", "id": "p1", "birthDate": "1955-06-20", "gender": "male"}
WEIGHT = {
    "resourceType": "Observation", "id": "w", "status": "final", "subject": {"reference": "Patient/p1"},
    "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]}, "effectiveDateTime": "2026-03-10",
    "valueQuantity": {"value": 70, "unit": "kg"},
}  # fmt: skip
BUNDLE = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": PATIENT}, {"resource": WEIGHT}]}
NDJSON = json.dumps(PATIENT) + "\n" + json.dumps(WEIGHT) + "\n"
YAML = "patient: p1\nborn: 1955-06-20\nfacts:\n  - {kind: body_weight, on: 2026-03-10, value: 70 kg}\n"
CSV = "patient,kind,on,value\np1,body_weight,2026-03-10,70 kg\n"

FORMATS = {
    "bundle": (json.dumps(BUNDLE), "fhir"),
    "pretty bundle": (json.dumps(BUNDLE, indent=2), "fhir"),
    "list": (json.dumps([PATIENT, WEIGHT]), "fhir"),
    "ndjson": (NDJSON, "ndjson"),
    "ndjson, Windows": (NDJSON.replace("\n", "\r\n"), "ndjson"),
    "yaml": (YAML, "yaml"),
    "flow yaml": ("{patient: p1, facts: [{kind: body_weight, on: 2026-03-10, value: 70 kg}]}", "yaml"),
    "csv": (CSV, "csv"),
    "semicolons": (CSV.replace(",", ";"), "csv"),
    "tabs": (CSV.replace(",", "\t"), "csv"),
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("dressed", ["plain", "packed", "marked", "misnamed"])
def test_the_format_is_told_by_the_content(name: str, dressed: str, tmp_path: Path) -> None:
    text, expected = FORMATS[name]
    data = text.encode()
    data = gzip.compress(data) if dressed == "packed" else b"\xef\xbb\xbf" + data if dressed == "marked" else data
    path = tmp_path / ("patient.xml" if dressed == "misnamed" else "patient")
    path.write_bytes(data)
    assert open_source(path).format == expected
    (patient,) = read_patients(path)
    assert patient.id == "p1"
    assert len(of(patient, "body_weight")) == 1


def test_each_format_has_its_reader() -> None:
    assert {expected for _, expected in FORMATS.values()} == set(READERS)


def test_all_formats_say_the_same() -> None:
    values = {name: only(read(text, "x"), "body_weight").value for name, (text, _) in FORMATS.items()}
    assert len(set(values.values())) == 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"   \n ", "is empty"),
        (json.dumps(BUNDLE).encode()[:-40], "no whole JSON document"),
        (json.dumps(PATIENT).encode()[:-1], "no whole JSON document"),
        (gzip.compress(b"x" * 5000, mtime=0)[:-9], "gzip file is damaged or cut off"),
        (gzip.compress(b"x" * 5000, mtime=0)[:20] + b"junk" * 10, "gzip file is damaged"),
        (b"<Bundle xmlns='http://hl7.org/fhir'/>", "is XML"),
        (b"\xff\xfe\x00p", "not text in UTF-8"),
        (b"\x00" * 10, "no text"),
        (b"{" * 100000, "JSON|nested"),
        (b"[" * 100000, "nested too deeply"),
        (b'{"a":' * 50000 + b"1" + b"}" * 50000, "nested too deeply"),
        (json.dumps(WEIGHT).encode(), "holds no Patient"),
        (b"{}", "holds no Patient"),
        (b"[1, 2]", "holds no Patient"),
        (b'{"resourceType": ["Patient"]}', "holds no Patient"),
        (b"kind,value\n", "holds no patient"),
        (b'kind,value\n"body_weight,70 kg\n', "never closed"),
        (b"kind,kind\nx,y\n", "twice"),
    ],
)
def test_one_clear_line_where_a_source_cannot_be_used(data: bytes, words: str) -> None:
    with pytest.raises(InvalidFile, match=f"(?s)^in/put.file[:0-9]*: .*({words})") as caught:
        read_patients("in/put.file", data)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match=r"nobody\.json: there is no such file"):
        read_patients(tmp_path / "nobody.json")
    with pytest.raises(InvalidFile, match="is a folder"):
        read_patients(tmp_path)
    with pytest.raises(InvalidFile, match="not a file name"):
        read_patients("a\0b")


def test_damaged_lines_are_problems_and_the_others_are_read() -> None:
    lines = [
        "{broken",
        json.dumps(PATIENT),
        json.dumps(WEIGHT)[:50],
        "[" * 5000,
        "",
        json.dumps(WEIGHT),
        '{"no": "type"}',
    ]
    patient = read("\n".join(lines), "bulk.ndjson")
    assert len(of(patient, "body_weight")) == 1
    for place in ("bulk.ndjson:1", "bulk.ndjson:3", "bulk.ndjson:4", "line 7"):
        assert place in said(patient)


def test_line_separators_inside_a_string_are_no_line_ends() -> None:
    odd = {**WEIGHT, "note": [{"text": "a\u2028b\x85c"}]}
    patient = read(json.dumps(PATIENT) + "\n" + json.dumps(odd, ensure_ascii=False) + "\n", "bulk.ndjson")
    assert len(of(patient, "body_weight")) == 1


def test_a_text_of_a_hundred_megabytes_is_not_echoed() -> None:
    huge = "A" * 100_000_000
    text = json.dumps(
        [PATIENT, {**WEIGHT, "id": "HUGE", "status": "HUGE", "code": {"coding": [{"system": "HUGE", "code": "c"}]}}]
    )
    short(read(text.replace("HUGE", huge, 1), "b.json"))
    short(read(f"patient: p1\nfacts:\n  - {{kind: ecog, on: 2026-03-14, value: {huge}}}\n", "p.yaml"))


@pytest.mark.parametrize("place", ["id", "status", "system", "code", "display", "unit", "date"])
def test_a_long_text_anywhere_is_not_echoed(place: str) -> None:
    words = {
        name: "A" * 100_000 if name == place else name
        for name in ("id", "status", "system", "code", "display", "unit", "date")
    }
    coding = {"system": words["system"], "code": words["code"], "display": words["display"]}
    odd = {
        **WEIGHT,
        "id": words["id"],
        "status": words["status"],
        "code": {"coding": [coding, *WEIGHT["code"]["coding"]]},  # type: ignore[index]
        "effectiveDateTime": words["date"],
        "valueQuantity": {"value": 70, "unit": words["unit"]},
    }
    short(read(json.dumps([PATIENT, odd]), "b.json"))
    ecog = f"  - {{kind: ecog, id: {words['id']}, value: {words['unit']}, on: {words['date']}}}\n"
    facts = f"{ecog}  - {{kind: {words['code']}}}\n"
    short(read(f"patient: {words['system']}\nfacts:\n{facts}", "p.yaml"))


def short(patient: Patient) -> None:
    """Nothing of a patient that is shown is long."""
    assert len(said(patient)) < 2000
    assert len(patient.id) < 200
    assert all(len(fact.id) < 200 and len(fact.shown) < 200 and len(fact.source) < 200 for fact in patient.facts)
