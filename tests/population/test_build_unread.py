"""Files of a folder that a build does not read are named; tables may lie in folders."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow.csv as pacsv
import pyarrow.parquet as papq
import pytest
from tests.population.omop_build import patients_in, write_cdm
from tests.population.test_omop_build import BILIRUBIN, NO_TABLE, built, named

from onstudy.errors import InvalidFile, OnstudyError
from onstudy.population.build_find import find
from onstudy.population.build_unread import LINKED, NO_FILE, OTHER_END, PACKED

BESIDE = [
    "README.txt", "readme", "LICENSE", "LICENSE.md", ".DS_Store", "_SUCCESS", ".hidden/data.bin",
    "SHA256SUMS", "checksums.txt", "person.csv.md5", "export.log", "manifest.json.sig", "export-manifest.txt",
]  # fmt: skip
PATIENT = {"resourceType": "Patient", "id": "p1", "birthDate": "1960-05-17"}


def lay(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x\n")


def fhir(folder: Path) -> Path:
    folder.mkdir()
    (folder / "Patient.ndjson").write_text(json.dumps(PATIENT) + "\n")
    return folder


def results(first: int, last: int) -> list[dict[str, object]]:
    return [
        {**BILIRUBIN, "measurement_id": number, "measurement_date": f"2026-03-{number:02d}"}
        for number in range(first, last)
    ]


def test_files_of_fhir_that_are_not_read_are_named(tmp_path: Path) -> None:
    folder, store = fhir(tmp_path / "fhir"), tmp_path / "store"
    lay(folder, *BESIDE, "Observation.ndjson.1", "Observation.ndjson.zst", "more/Condition.ndjson.bz2", "notes.txt")
    expected = {
        "Observation.ndjson.1": OTHER_END,
        "Observation.ndjson.zst": PACKED,
        "more/Condition.ndjson.bz2": PACKED,
        "notes.txt": OTHER_END,
    }
    report = built(folder, store)
    assert dict(report.unread) == expected
    assert json.loads((store / "report.json").read_bytes())["files_not_read"] == expected
    assert "files that were not read (4):\n  Observation.ndjson.1: the end of its name" in report.to_text()


def test_a_file_that_comes_later_and_is_not_read_is_named_though_nothing_changed(tmp_path: Path) -> None:
    folder, store = fhir(tmp_path / "fhir"), tmp_path / "store"
    assert "not read" not in built(folder, store).to_text()
    lay(folder, "Observation.ndjson.zst")
    said = built(folder, store).to_text()
    assert "nothing was written" in said
    assert "Observation.ndjson.zst: is packed in a way that is not read" in said


def test_files_of_patients_that_are_not_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "p1.yaml").write_text("patient: P1\nborn: 1960-01-01\nsex: female\nfacts: []\n")
    lay(tmp_path / "files", "p2.yaml.old")
    assert dict(built(tmp_path / "files", tmp_path / "store").unread) == {"p2.yaml.old": OTHER_END}


def locked_to_us(monkeypatch: pytest.MonkeyPatch, *folders: Path) -> None:
    """Nobody may look into some folders; who tests as root could, so the system's answer is put in its place."""
    scandir = os.scandir

    def refusing(path: os.PathLike[str] | str) -> Iterator[os.DirEntry[str]]:
        if Path(path) in folders:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)


DENIED = "cannot be read: Permission denied"


def test_what_in_a_folder_of_fhir_is_no_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, store = fhir(tmp_path / "fhir"), tmp_path / "store"
    (fhir(tmp_path / "elsewhere") / "Patient.ndjson").write_text(json.dumps({**PATIENT, "id": "p2"}) + "\n")
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "Patient-2.ndjson").symlink_to(tmp_path / "elsewhere/Patient.ndjson")
    os.mkfifo(folder / "Patient-4.ndjson")
    lay(folder, ".git/shut/x", "lost+found/x")
    locked_to_us(monkeypatch, folder / ".git/shut", folder / "lost+found")
    report = built(folder, store)
    assert report.patients == 2, "links to files are followed"
    assert dict(report.unread) == {"Patient-4.ndjson": NO_FILE, "linked": LINKED}


def files(store: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}


def test_a_folder_of_fhir_that_cannot_be_looked_into_stops_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without what lies there the store would be smaller, and nobody would know."""
    folder, store = fhir(tmp_path / "fhir"), tmp_path / "store"
    lay(folder, "more/shut/Observation.ndjson")
    built(folder, store)
    before = files(store)
    (folder / "Patient-3.ndjson").symlink_to(tmp_path / "gone.ndjson")
    locked_to_us(monkeypatch, folder / "more/shut")
    with pytest.raises(InvalidFile) as caught:
        built(folder, store)
    assert [(problem.where, problem.what.partition(";")[0]) for problem in caught.value.problems] == [
        (str(folder / "Patient-3.ndjson"), "cannot be read: No such file or directory"),
        (str(folder / "more/shut"), DENIED),
    ]
    assert files(store) == before


@pytest.mark.parametrize("name", ["measurement", "measurement/2025", "DEATH", "concept"])
def test_a_table_of_omop_that_cannot_be_looked_into_stops_the_build(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, store = write_cdm(tmp_path / "cdm"), tmp_path / "store"
    built(folder, store)
    before = files(store)
    lay(folder, f"{name}/1.csv")
    locked_to_us(monkeypatch, folder / name)
    with pytest.raises(InvalidFile, match=f"{name}: {DENIED}; what lies there would be missing"):
        built(folder, store)
    assert files(store) == before


def test_a_table_of_omop_that_is_a_link_to_nowhere_stops_the_build(tmp_path: Path) -> None:
    folder = write_cdm(tmp_path / "cdm")
    (folder / "measurement.csv").unlink(missing_ok=True)
    (folder / "measurement.csv").symlink_to(tmp_path / "gone.csv")
    with pytest.raises(InvalidFile, match=r"measurement\.csv: cannot be read: No such file"):
        built(folder, tmp_path / "store")


def test_other_folders_of_omop_that_cannot_be_looked_into_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, store = write_cdm(tmp_path / "cdm"), tmp_path / "store"
    (folder / "measurement").symlink_to(write_cdm(tmp_path / "other", measurement=results(1, 4)))
    (folder / "backup").symlink_to(tmp_path / "other")
    lay(folder, "letters/1.csv", "note/shut/1.csv")
    locked_to_us(monkeypatch, folder / "letters", folder / "note/shut")
    assert dict(built(folder, store).unread) == {"backup": LINKED, "letters": DENIED, "measurement": LINKED}


def test_a_source_that_cannot_be_looked_into_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fhir(tmp_path / "fhir")
    locked_to_us(monkeypatch, folder)
    with pytest.raises(OnstudyError, match=f"fhir: {DENIED}$"):
        find(str(folder), tmp_path / "store")
    with pytest.raises(OnstudyError, match=r"none: there is no such file or folder$"):
        find(str(tmp_path / "none"), tmp_path / "store")


def test_a_store_among_its_source_is_not_named(tmp_path: Path) -> None:
    folder = fhir(tmp_path / "fhir")
    built(folder, folder / "store")
    (folder / "link").symlink_to(folder / "store")
    assert not built(folder, folder / "store").unread
    cdm = write_cdm(tmp_path / "cdm")
    assert not built(cdm, cdm / "store").unread
    assert not built(cdm, cdm / "store").unread


def test_one_file_has_nothing_beside_it(tmp_path: Path) -> None:
    folder = fhir(tmp_path / "fhir")
    lay(folder, "Observation.ndjson.1")
    assert not built(folder / "Patient.ndjson", tmp_path / "store").unread


def test_files_of_omop_that_are_no_table_are_named(tmp_path: Path) -> None:
    folder, store = write_cdm(tmp_path / "cdm", measurement=results(1, 4)), tmp_path / "store"
    lay(folder, *BESIDE, "visit_occurrence.csv", "NOTE.csv.zip", "measurement_2.csv", "death.csv.zst", "person.xlsx")
    lay(folder, "extra/measurement.csv", "death/part-0.txt")
    assert dict(built(folder, store).unread) == {
        "death.csv.zst": PACKED,
        "death/part-0.txt": OTHER_END,
        "extra/measurement.csv": "no table of an OMOP CDM is called extra",
        "measurement_2.csv": "no table of an OMOP CDM is called measurement_2",
        "person.xlsx": OTHER_END,
    }


@pytest.mark.parametrize("end", [".csv", ".csv.gz", ".parquet", ".CSV.GZ", ".TSV", ".PARQUET"])
def test_a_table_may_be_a_folder_of_files_and_of_folders(tmp_path: Path, end: str) -> None:
    whole = write_cdm(tmp_path / "whole", measurement=results(1, 13))
    folder = write_cdm(tmp_path / "cdm")
    parts = [
        (write_cdm(tmp_path / str(first), measurement=results(first, first + 4)) / "measurement.csv", first)
        for first in (1, 5, 9)
    ]
    for path in [*folder.glob("*.csv"), *(path for path, _ in parts)]:
        year = next((f"year={2020 + first}/" for one, first in parts if one == path), "")
        other = folder / path.stem.upper() / f"{year}part-0{end}"
        other.parent.mkdir(parents=True)
        if end.lower() == ".parquet":
            papq.write_table(pacsv.read_csv(path), other)
        else:
            other.write_bytes(gzip.compress(path.read_bytes()) if end.lower().endswith("gz") else path.read_bytes())
        path.unlink()
    lay(folder, "MEASUREMENT/_SUCCESS", "MEASUREMENT/_delta_log/0.json", "MEASUREMENT/year=2021/.part-0.crc")
    report = built(folder, tmp_path / "store")
    assert report.read == {"person": 1, "measurement": 12}
    assert not report.unread
    assert "measurement" not in named(report, NO_TABLE)
    assert patients_in(folder)["1"].facts == patients_in(whole)["1"].facts


@pytest.mark.parametrize(
    "name", ["A.NDJSON.GZ", "A.NDJSON", "A.JSONL.GZ", "A.JSON.GZ", "A.CSV.GZ", "A.CSV", "A.YAML.GZ"]
)
def test_names_in_capitals_say_what_a_file_is(tmp_path: Path, name: str) -> None:
    told = {
        "CSV": "patient,kind,value,on\np1,bilirubin_total,1.5 mg/dL,2026-03-01\np2,born,1960-05-17,\n",
        "YAML": "patient: p1\nborn: 1960-05-17\nfacts: []\n---\npatient: p2\nborn: 1960-05-17\nfacts: []\n",
    }
    text = told.get(name.split(".")[1], "".join(json.dumps({**PATIENT, "id": one}) + "\n" for one in ("p1", "p2")))
    packed = gzip.compress(text.encode()) if name.endswith("GZ") else text.encode()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(packed)
    report = built(tmp_path / "in", tmp_path / "store")
    assert report.patients == 2
    assert not report.unread


def test_a_folder_named_like_a_file_is_a_table_as_spark_writes_it(tmp_path: Path) -> None:
    folder = write_cdm(tmp_path / "cdm", measurement=results(1, 4))
    text = (folder / "measurement.csv").read_text()
    (folder / "measurement.csv").unlink()
    (folder / "measurement.csv").mkdir()
    (folder / "measurement.csv" / "part-00000.csv").write_text(text)
    assert built(folder, tmp_path / "store").read["measurement"] == 3


def test_columns_that_only_one_of_several_files_has_are_read(tmp_path: Path) -> None:
    folder = write_cdm(tmp_path / "cdm", measurement=results(1, 3))
    more = write_cdm(tmp_path / "more", measurement=[{**row, "range_high": "1.2"} for row in results(3, 5)])
    (folder / "measurement").mkdir()
    (more / "measurement.csv").rename(folder / "measurement" / "second.csv")
    (folder / "measurement.csv").rename(folder / "measurement" / "first.csv")
    found = [fact for fact in patients_in(folder)["1"].facts if fact.kind == "bilirubin_total"]
    assert [fact.uln is None for fact in sorted(found, key=lambda fact: fact.id)] == [True, True, False, False]


def test_a_part_of_a_table_without_names_of_columns_is_refused(tmp_path: Path) -> None:
    folder = write_cdm(tmp_path / "cdm", measurement=results(1, 4))
    rows = (folder / "measurement.csv").read_text().partition("\n")[2]
    (folder / "measurement").mkdir()
    (folder / "measurement" / "part-1.csv").write_text(rows)
    with pytest.raises(OnstudyError, match=r"part-1.csv: has none of the columns of measurement"):
        built(folder, tmp_path / "store")


def test_a_database_one_folder_deeper_is_told(tmp_path: Path) -> None:
    write_cdm(tmp_path / "export" / "cdm", measurement=results(1, 4))
    with pytest.raises(OnstudyError, match=r"an OMOP CDM lies in a folder in it; build from .*/export/cdm$"):
        find(str(tmp_path / "export"), tmp_path / "store")
