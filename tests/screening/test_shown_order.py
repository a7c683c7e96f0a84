"""One order of what is shown of a record, the catalogue's, whichever way the record came."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from itertools import permutations
from pathlib import Path

import pytest

from onstudy import load_trial, read_patients, screen
from onstudy.faces.output import facts
from onstudy.population.build import build
from onstudy.population.build_find import find
from onstudy.population.generate import Asked, generate_fhir
from onstudy.population.store import Store
from onstudy.readers.fhir_write import to_bundle
from onstudy.record.catalogue import load_catalogue
from onstudy.record.patient import Patient
from onstudy.record.shard import patient_of
from onstudy.screening.report import to_json
from onstudy.screening.wording import details, shown_of

TRACING = "rate 72 /min", "rr 833 ms", "qtcf 417 ms", "qt 393 ms"
DRUG = "route: intravenous", "agent: methotrexate", "intent: ALL"


def stored(source: Path, store: Path) -> Iterator[Patient]:
    build(find(str(source), store), store, None, workers=0)
    opened, catalogue = Store.open(store), load_catalogue()
    for place, info in enumerate(opened.shards):
        yield from (patient_of(opened.read(place), row, catalogue) for row in range(info.patients))


def written(tracing: tuple[str, ...], drug: tuple[str, ...]) -> str:
    parts = ", ".join(word.replace(" ", ": ", 1) for word in tracing)
    return (
        "patient: p1\nborn: 1955-06-20\nfacts:\n"
        f'  - {{kind: ecg, on: "2026-03-01T10:00", {parts}}}\n'
        f"  - {{kind: treatment, from: 2025-11-03, to: 2025-11-20, {', '.join(drug)}}}\n"
    )


def table(tracing: tuple[str, ...], drug: tuple[str, ...]) -> str:
    cells = dict([*(word.split(" ", 1) for word in tracing), *(word.split(": ") for word in drug)])
    names = list(cells)
    ecg = [cells[name] if any(name == word.split(" ")[0] for word in tracing) else "" for name in names]
    given = ["" if one else cells[name] for name, one in zip(names, ecg, strict=True)]
    return (
        f"patient,born,kind,on,from,to,{','.join(names)}\n"
        f"p1,1955-06-20,ecg,2026-03-01T10:00,,,{','.join(ecg)}\n"
        f"p1,1955-06-20,treatment,,2025-11-03,2025-11-20,{','.join(given)}\n"
    )


def bundle(text: str, turned: bool) -> str:
    (patient,) = read_patients("patient file", text.encode())
    found = to_bundle(patient, load_catalogue())
    for entry in found["entry"]:
        for name in ("component", "extension") if turned else ():
            entry["resource"].get(name, []).reverse()
    return json.dumps(found)


def shown(patient: Patient) -> dict[str, str]:
    of_kind = {fact.kind: fact for fact in patient.facts}
    told = (f"{name} {value}" for name, value in details(of_kind["treatment"], load_catalogue()))
    return {"ecg": shown_of(of_kind["ecg"], load_catalogue()), "treatment": ", ".join(told)}


EXPECTED = {
    "ecg": "qt 393 ms, rate 72 /min, rr 833 ms, qtcf 417 ms",
    "treatment": "agent methotrexate, route intravenous, intent acute lymphoblastic leukemia",
}


@pytest.mark.parametrize("turn", range(3))
@pytest.mark.parametrize("name", ["p1.yaml", "p1.csv", "p1.json"])
def test_files_and_stores_show_what_is_stated_in_the_order_of_the_catalogue(
    tmp_path: Path, name: str, turn: int
) -> None:
    tracing, drug = list(permutations(TRACING))[turn * 11], list(permutations(DRUG))[turn * 2]
    text = written(tracing, drug)
    given = {"p1.yaml": text, "p1.csv": table(tracing, drug), "p1.json": bundle(text, bool(turn % 2))}[name]
    path = tmp_path / "source" / name
    path.parent.mkdir()
    path.write_text(given, encoding="utf-8")
    (patient,) = read_patients(path)
    assert shown(patient) == EXPECTED
    (of_store,) = stored(path.parent, tmp_path / "store")
    assert shown(of_store) == EXPECTED


def test_what_the_catalogue_does_not_name_comes_last_by_its_name() -> None:
    given = {"zeta": 1, "qtcf": 2, "alpha": 3, "qt": 4}
    assert [name for name, _ in load_catalogue().in_order("ecg", given)] == ["qt", "qtcf", "alpha", "zeta"]
    assert [name for name, _ in load_catalogue().in_order("no such kind", given)] == sorted(given)


def test_generated_records_say_the_same_word_for_word_from_file_and_store(tmp_path: Path) -> None:
    generate_fhir(Asked(12, seed=7), tmp_path / "source")
    lines = [path.read_bytes() for path in sorted((tmp_path / "source").glob("*.ndjson"))]
    of_file = {patient.id: patient for patient in read_patients("all.ndjson", b"".join(lines))}
    of_store = {patient.id: patient for patient in stored(tmp_path / "source", tmp_path / "store")}
    assert len(of_file) == 12 and of_file.keys() == of_store.keys()
    trial, day = load_trial("NCT03739814"), date(2026, 3, 16)
    for name, patient in of_file.items():
        assert facts([patient], "text") == facts([of_store[name]], "text")
        assert facts([patient], "json") == facts([of_store[name]], "json")
        assert to_json(screen(trial, patient, day)) == to_json(screen(trial, of_store[name], day))
