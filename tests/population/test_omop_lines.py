"""OMOP as files of text: nothing is lost where a quotation mark, an id or a separator is not as it should be."""

from __future__ import annotations

import csv
import gzip
import io
import random
from pathlib import Path

import pytest
from tests.population.building import stored
from tests.population.omop_build import patients_in, write_cdm
from tests.population.test_omop_build import BILIRUBIN, built, named

from onstudy.errors import InvalidFile, OnstudyError
from onstudy.population.omop_folder import Folder, files_of

NO_ROW = "lines of text with more or fewer fields than the header has names: left out"
NO_ID = "rows whose own id is no whole number: read, but nothing can refer to them"
LOST = "rows left out: the id by which they are found is no whole number"
NO_CONCEPT_ID = "concept ids that are no whole numbers: read as none"
NO_TABLE = "tables of an OMOP CDM that the source does not have"


def results(count: int, **more: object) -> list[dict[str, object]]:
    return [{**BILIRUBIN, "measurement_id": number, "value_source_value": "1.5", **more} for number in range(1, count)]


def changed(path: Path, line: int, old: str, new: str) -> None:
    """Change one line of a file (the header is line 1)."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new)
    path.write_text("".join(lines), encoding="utf-8")


def packed(path: Path) -> Path:
    other = path.with_name(f"{path.name}.gz")
    other.write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    return other


def values_of(folder: Path, table: str, columns: list[str]) -> list[tuple[object, ...]]:
    found = Folder(files_of(folder))
    pieces = [piece for path in found.files[table] for piece in found.pieces(table, str(path))]
    in_pieces = [
        tuple(row.values())
        for one in pieces
        for batch in found.batches(table, columns, one)
        for row in batch.to_pylist()
    ]
    assert in_pieces == [tuple(row.values()) for batch in found.batches(table, columns) for row in batch.to_pylist()]
    return in_pieces


# Quotation marks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize(
    ("table", "line", "old", "new"),
    [
        ("measurement", 5, "note", '"5 in'),
        ("person", 2, "1960", '"1960'),
        ("concept", 4, "umol/L", '"umol/L'),
    ],
)
def test_a_quotation_mark_that_is_never_closed_stops_the_build(
    tmp_path: Path, table: str, line: int, old: str, new: str, is_packed: bool
) -> None:
    folder, store = write_cdm(tmp_path / "cdm", measurement=results(60)), tmp_path / "store"
    path = folder / f"{table}.csv"
    text_column(path)
    changed(path, line, old, new)
    path = packed(path) if is_packed else path
    with pytest.raises(InvalidFile, match=rf"{path.name}: line {line}: a quotation mark is opened and n"):
        built(folder, store)
    assert not store.exists()


def test_nothing_is_lost_of_a_store_by_a_mark_that_is_never_closed(tmp_path: Path) -> None:
    folder, store = write_cdm(tmp_path / "cdm", measurement=results(60)), tmp_path / "store"
    text_column(folder / "measurement.csv")
    built(folder, store)
    before = told_of(store)
    changed(folder / "measurement.csv", 30, "note", '"5 in')
    with pytest.raises(InvalidFile, match="line 30"):
        built(folder, store)
    assert told_of(store) == before


def told_of(store: Path) -> dict[Path, bytes]:
    """What a store holds, without what an update starts from."""
    return {path: path.read_bytes() for path in (*store.glob("*.json"), *store.glob("shards/*"))}


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("closing", ['"5 in', '5 in"', '"'])
def test_a_mark_that_swallows_the_rows_up_to_another_stops_the_build(
    tmp_path: Path, closing: str, is_packed: bool
) -> None:
    """The first opens a text; whatever the second would be, rows lie between them."""
    folder, store = write_cdm(tmp_path / "cdm", measurement=results(60)), tmp_path / "store"
    path = folder / "measurement.csv"
    text_column(path)
    changed(path, 11, "note", '"5 in')
    changed(path, 41, "note", closing)
    path = packed(path) if is_packed else path
    with pytest.raises(InvalidFile, match=r"line 11: a quotation mark is opened and not closed before other rows"):
        built(folder, store)
    assert not store.exists()


def text_column(path: Path) -> None:
    """Give each row a last column of text."""
    header, *rows = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([f"{header},told", *(f"{row},note" for row in rows)]) + "\n", encoding="utf-8")


def test_rows_that_a_closed_text_swallows_in_another_column_are_counted_by_their_lines(tmp_path: Path) -> None:
    folder = write_cdm(tmp_path / "cdm", measurement=results(60))
    path = folder / "measurement.csv"
    text_column(path)
    changed(path, 11, "note", '"5 in')
    lines = path.read_text().splitlines(keepends=True)
    first, _, rest = lines[13].partition(",")
    lines[13] = f'{first},{rest.partition(",")[0]}",{rest.partition(",")[2]}'
    path.write_text("".join(lines))
    report = built(folder, tmp_path / "store")
    assert named(report, NO_ROW) == {"measurement": 4}
    assert report.read["measurement"] == 59 - 4


def test_texts_over_several_lines_and_marks_inside_fields_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As exports have them: closed texts with line breaks, doubled marks, inches, lists with commas, Windows' lines."""
    told = ['said "no"\nand, 1\nmore', '""', '5" tube', "", "a\r\nb", "1, one\n2, two", "\n", 'x""y', '"\n"']
    rng = random.Random(3)
    rows = [(str(number), rng.choice(told), rng.choice(told), "7") for number in range(400)]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    loose = '400,5" tube,2" x 3",7\n401,x""y,a"b",7\n'
    (tmp_path / "note.csv").write_text("id,a,b,c\n" + out.getvalue() + loose, newline="")
    expected = [tuple(cell or None for cell in row) for row in rows]
    expected += [("400", '5" tube', '2" x 3"', "7"), ("401", 'x""y', 'a"b"', "7")]
    for size in (40, 64, 100, 1000, 1 << 20):
        monkeypatch.setattr("onstudy.population.omop_lines.BLOCK", size)
        assert values_of(tmp_path, "note", ["id", "a", "b", "c"]) == expected


def test_a_text_longer_than_any_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onstudy.population.omop_lines.BLOCK", 64)
    monkeypatch.setattr("onstudy.population.omop_lines.LONGEST", 640)
    told = "\n".join(["some words"] * 100)
    (tmp_path / "note.csv").write_text(f'id,a,b\n1,x,y\n2,"{told}",y\n3,x,y\n')
    with pytest.raises(InvalidFile, match="line 3: a quotation mark is opened and never closed"):
        values_of(tmp_path, "note", ["id"])


def test_carriage_returns_alone_are_refused(tmp_path: Path) -> None:
    folder = write_cdm(tmp_path / "cdm", measurement=results(5))
    path = folder / "measurement.csv"
    path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r"))
    with pytest.raises(InvalidFile, match="carriage return alone"):
        built(folder, tmp_path / "store")


# Ids ----------------------------------------------------------------------------------------------------------


def test_rows_without_an_id_that_can_be_read_are_counted(tmp_path: Path) -> None:
    rows = results(8)
    rows[1]["measurement_date"] = "2026-03-02"
    rows[0]["measurement_id"], rows[1]["measurement_id"] = "x7", ""
    rows[2]["person_id"], rows[3]["person_id"] = "p1", ""
    rows[4]["measurement_concept_id"], rows[5]["unit_concept_id"] = "LOINC 1975-2", "mg"
    people: list[dict[str, object]] = [
        {"person_id": 1, "year_of_birth": 1960},
        {"person_id": "two", "year_of_birth": 1961},
    ]
    folder = write_cdm(tmp_path / "cdm", measurement=rows, person=people)
    with (folder / "concept.csv").open("a") as file:
        file.write("none,LOINC,1-8,x\n7,7\n")
    (folder / "death.csv").write_text("person_id\nx\n")
    report = built(folder, tmp_path / "store")
    assert named(report, NO_ID) == {"measurement.measurement_id": 2}
    assert named(report, LOST) == {
        "measurement.person_id": 2,
        "person.person_id": 1,
        "concept.concept_id": 1,
        "death.person_id": 1,
    }
    assert named(report, NO_CONCEPT_ID) == {"measurement.measurement_concept_id": 1, "measurement.unit_concept_id": 1}
    assert named(report, NO_ROW) == {"concept": 1}
    assert report.read == {"person": 1, "measurement": 5}
    assert report.facts["bilirubin_total"] == 4


# Separators ---------------------------------------------------------------------------------------------------


def test_semicolons_separate_fields_too(tmp_path: Path) -> None:
    folder = write_cdm(tmp_path / "cdm", measurement=results(3, value_source_value='a;b "c"'))
    other = tmp_path / "other"
    other.mkdir()
    for path in folder.iterdir():
        with path.open(newline="") as given, (other / path.name).open("w", newline="") as out:
            csv.writer(out, delimiter=";").writerows(csv.reader(given))
    assert patients_in(other)["1"].facts == patients_in(folder)["1"].facts


def test_another_separator_is_refused_with_those_that_are_read(tmp_path: Path) -> None:
    folder = write_cdm(tmp_path / "cdm", measurement=results(3))
    path = folder / "measurement.csv"
    path.write_text(path.read_text().replace(",", "|"))
    with pytest.raises(OnstudyError, match=r"measurement has no column person_id.*commas, semicolons or tabs"):
        built(folder, tmp_path / "store")


def test_results_without_an_id_and_a_date_are_told_apart(tmp_path: Path) -> None:
    """A composite of a result that has nothing else is called after its id."""
    wbc = {"person_id": 1, "measurement_concept_id": 15, "value_as_number": "4.5", "unit_concept_id": 16}
    lymphoblasts = {"person_id": 1, "measurement_concept_id": 17, "value_as_number": "60", "unit_concept_id": 18}
    folder = write_cdm(tmp_path / "cdm", measurement=[{**one, "measurement_id": ""} for one in (wbc, lymphoblasts)])
    built(folder, tmp_path / "store")
    found = [fact for fact in stored(tmp_path / "store")["1"].facts if fact.kind == "blood_count"]
    of_none = "blood_count@Observation/measurement.0"
    assert [fact.id for fact in found] == [of_none, f"{of_none}~2"]
    assert stored(tmp_path / "store")["1"].facts == patients_in(folder)["1"].facts
