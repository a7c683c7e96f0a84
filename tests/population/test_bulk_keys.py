"""Keys of patients held as numbers are the texts they stand for: in shards, among those held as texts, from OMOP on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pytest
from tests.population.building import built, stored
from tests.population.omop_build import PERSON, write_cdm

from onstudy.population import build_work
from onstudy.population.build_identified import at_its_place, places_of
from onstudy.population.build_strangers import add_strangers
from onstudy.population.build_work import ABOUT_NOBODY, ROWS
from onstudy.population.bulk_gathered import Gathered, gathered
from onstudy.population.bulk_keys import alike, as_texts
from onstudy.population.bulk_rows import join_rows, read_rows
from onstudy.population.store import Store, shard_number

_LAST = (1 << 63) - 1
#: Texts of which some are numbers, some look like one, and some cannot be held as one.
_KEYS = ("7", "-7", "0", str(_LAST), str(-_LAST - 1), "007", "+7", " 7", "7.0", "-0", "7e0", "P7", "", str(_LAST + 1))
_PERSON, _RESULT = b'{"resourceType":"Patient"}', b'{"resourceType":"Observation"}'


def as_number(key: str) -> int | None:
    """The number that is written just so, where there is one that fits."""
    if not key.lstrip("-").isdecimal() or abs(int(key)) > _LAST + 1:
        return None
    number = int(key)
    return number if str(number) == key and -_LAST - 1 <= number <= _LAST else None


def rows(keys: list[str | None], held: bool, shape: bytes = _RESULT, first: int = 0) -> pa.Table:
    """Rows about patients with these keys, which are held as numbers or as texts."""
    numbers = [None if key is None else as_number(key) for key in keys]
    return pa.table(
        {
            "patient": pa.array(numbers, pa.int64()) if held else pa.array(keys, pa.string()),
            "seq": pa.array(np.arange(len(keys)) + first, pa.int64()),
            "shape": pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(keys)), pa.int32()), [shape]),
        }
    )


def told(found: Gathered) -> list[tuple[str | None, object]]:
    """Whom each row is about, and where it stood."""
    return [
        (found.keys[patient] if patient >= 0 else None, found.cell("seq", row))
        for row, patient in enumerate(found.patient.tolist())
    ]


# Texts ----------------------------------------------------------------------------------------------------------


def test_a_number_is_the_text_it_stands_for() -> None:
    numbers = pa.array([7, -7, 0, None, _LAST, -_LAST - 1])
    assert as_texts(numbers).to_pylist() == ["7", "-7", "0", None, str(_LAST), str(-_LAST - 1)]
    texts = pa.array(["007", None])
    assert as_texts(texts).to_pylist() == ["007", None]


def test_keys_are_held_in_one_way_where_they_are_compared() -> None:
    numbers, texts = pa.array([7, None]), pa.array(["7", "007"])
    assert [one.type for one in alike([numbers, numbers])] == [pa.int64(), pa.int64()]
    assert [one.to_pylist() for one in alike([numbers, texts])] == [["7", None], ["7", "007"]]


# Shards ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 4, 1000])
def test_a_patient_lies_in_the_shard_of_the_text(count: int) -> None:
    random = Random(count)
    keys = [str(random.choice((-1, 1)) * random.randrange(1 << random.randrange(1, 63))) for _ in range(500)]
    keys += [str(_LAST), str(-_LAST - 1), *keys[:9]]
    expected = [shard_number(key, count) for key in keys]
    for held in (True, False):
        assert places_of(rows([*keys, None], held), count).tolist() == [*expected, ABOUT_NOBODY]


# Several tables -------------------------------------------------------------------------------------------------


def test_patients_of_tables_that_hold_keys_otherwise_are_the_same() -> None:
    random = Random(1)
    for _ in range(30):
        tables: list[list[pa.Table]] = [[], []]
        for number in range(random.randrange(1, 5)):
            held = random.random() < 0.7
            known = [key for key in _KEYS if not held or as_number(key) is not None]
            some = [random.choice((*known, None)) for _ in range(random.randrange(9))]
            for way, one in enumerate((held, False)):
                tables[way].append(rows(some, one, first=10 * number))
        mixed, texts = (told(gathered(join_rows(some), ())) for some in tables)
        assert mixed == texts


def test_numbers_stay_numbers_where_all_tables_have_them() -> None:
    joined = join_rows([rows(["7", "-7"], True), rows([], True), rows(["0", None], True)])
    assert joined.column("patient").to_pylist() == [7, -7, 0, None]


def test_rows_that_have_waited_stand_among_those_held_otherwise() -> None:
    found = at_its_place(rows(["7", "-7"], True, first=1), rows(["x"], False, first=2))
    assert found.column("patient").to_pylist() == ["7", "-7", "x"]
    assert found.column("seq").to_pylist() == [1, 2, 2]


def test_who_has_a_patient_resource_is_no_stranger_however_the_key_is_held() -> None:
    for people, results in ((True, False), (False, True), (True, True), (False, False)):
        left: Counter[tuple[str, str]] = Counter()
        add_strangers([rows(["7", "-8"], people, _PERSON), rows(["7", "8", "-8", "8"], results)], left)
        assert list(left.values()) == [2]
    none: Counter[tuple[str, str]] = Counter()
    add_strangers([], none)
    add_strangers([rows(["7"], True, _PERSON), rows(["7"], False)], none)
    assert not none


@pytest.mark.parametrize("of_rows", [True, False])
@pytest.mark.parametrize("of_patients", [True, False])
def test_rows_of_some_patients_are_found_however_the_keys_are_held(of_rows: bool, of_patients: bool) -> None:
    table = rows(["7", "8", None, "-7", "7"], of_rows)
    wanted = rows(["7", "-7"], of_patients).column("patient").combine_chunks()
    assert build_work._of(table, wanted).column("seq").to_pylist() == [0, 3, 4]


def test_a_text_that_looks_like_the_number_of_a_patient_is_another() -> None:
    assert build_work._of(rows(["7"], True), pa.array(["007", " 7", "+7"])).num_rows == 0
    assert build_work._of(rows(["007", "+7"], False), pa.array([7])).num_rows == 0


# OMOP -----------------------------------------------------------------------------------------------------------


def people(*numbers: object) -> list[dict[str, object]]:
    return [{**PERSON, "person_id": number} for number in numbers]


def results(*numbers: object) -> list[dict[str, object]]:
    row = {
        "measurement_date": "2026-03-01",
        "measurement_concept_id": 1,
        "value_as_number": "1.5",
        "unit_concept_id": 2,
    }
    return [{"measurement_id": place, "person_id": number, **row} for place, number in enumerate(numbers)]


def test_persons_are_told_by_numbers_from_the_start(tmp_path: Path) -> None:
    folder = write_cdm(tmp_path / "cdm", person=people(7, -7), measurement=results(7, -7))
    built(folder, tmp_path / "store")
    files = sorted((tmp_path / "store" / ROWS).glob("*.arrow"))
    tables = [table for file in files if (table := read_rows(file, 0)) is not None]
    assert [table.column("patient").to_pylist() for table in tables] == [[7, -7], [7, -7]]


def test_ids_at_the_ends_of_what_is_a_number_name_their_persons(tmp_path: Path) -> None:
    ids = ["7", "-7", "0", str(_LAST), str(-_LAST - 1)]
    none = [str(_LAST + 1), str(-_LAST - 2), "x7", ""]
    folder = write_cdm(tmp_path / "cdm", person=people(*ids, *none), measurement=results("007", *ids[1:], *none))
    report = built(folder, tmp_path / "store")
    found = stored(tmp_path / "store")
    assert sorted(found) == sorted(ids)
    for patient in found.values():
        assert [fact.kind for fact in patient.facts if fact.kind == "bilirubin_total"] == ["bilirubin_total"]
    lost = {item: many for (reason, item), many in report.left.items() if "no whole number" in reason}
    assert lost == {"person.person_id": 4, "measurement.person_id": 4}


def test_of_persons_who_changed_only_theirs_is_put_together_anew(tmp_path: Path) -> None:
    ids = [*range(-20, 20), _LAST]
    folder, store = write_cdm(tmp_path / "cdm", person=people(*ids), measurement=results(*ids)), tmp_path / "store"
    (folder / "measurement").mkdir()
    (folder / "measurement.csv").rename(folder / "measurement" / "one.csv")
    built(folder, store)
    other = write_cdm(tmp_path / "other", measurement=[{**results(-3)[0], "measurement_id": 99, "value_as_number": 9}])
    (other / "measurement.csv").rename(folder / "measurement" / "two.csv")
    report = built(folder, store)
    assert report.patients_built == 1
    built(folder, tmp_path / "anew")
    found = stored(store)
    assert found == stored(tmp_path / "anew")
    assert len(found["-3"].facts) == len(found["3"].facts) + 1
    (again,), (anew,) = (Store.open(one).shards for one in (store, tmp_path / "anew"))
    assert again.facts == anew.facts
