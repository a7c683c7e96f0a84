"""A store: what was put in comes out, whatever part is asked for, and what is wrong with its files is said."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest
from tests.population.building import stored

from onstudy.errors import OnstudyError
from onstudy.population.spark_lake import open_store
from onstudy.population.store import (
    MANIFEST,
    SHARDS,
    Manifest,
    Store,
    StoreWriter,
    catalogue_digest,
    data_date,
    shard_number,
)
from onstudy.population.store_shard import arrow_text, type_of
from onstudy.readers import read_patients
from onstudy.record.catalogue import load_catalogue
from onstudy.record.patient import Patient
from onstudy.record.shard import Text, patient_of, shard_of

CATALOGUE = load_catalogue()
EXAMPLES = Path(__file__).parents[2] / "examples"
SHARD_COUNT = 3


@pytest.fixture(scope="module")
def patients() -> list[Patient]:
    return sorted(
        (one for path in EXAMPLES.glob("*.json") for one in read_patients(path)), key=lambda patient: patient.id
    )


def written(patients: list[Patient], path: Path) -> Path:
    """A store of patients in three shards."""
    writer = StoreWriter(path)
    shards = []
    for number in range(SHARD_COUNT):
        mine = [one for one in patients if shard_number(one.id, SHARD_COUNT) == number]
        if mine:
            shards.append(writer.add(number, shard_of(mine, CATALOGUE), latest=date(2026, 3, 14 + number).toordinal()))
    writer.commit(Manifest(catalogue_digest(CATALOGUE), CATALOGUE.version, SHARD_COUNT, tuple(shards)))
    return path


@pytest.fixture(scope="module")
def made(patients: list[Patient], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(patients, tmp_path_factory.mktemp("made") / "store")


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Path:
    """A store that may be changed."""
    return Path(shutil.copytree(made, tmp_path / "store"))


# What is in it ------------------------------------------------------------------------------------------------------


def test_what_was_put_in_comes_out(store: Path, patients: list[Patient]) -> None:
    found = stored(store)
    assert found == {patient.id: patient for patient in patients}
    for patient in patients:
        assert [fact.opened for fact in found[patient.id].facts] == [fact.opened for fact in patient.facts]


def test_words_are_stored_in_one_order_and_only_those_that_occur() -> None:
    one = arrow_text(Text(np.array([0, 1, -1], np.int32), ("b", "a")), type_of("what"))
    two = arrow_text(Text(np.array([2, 0, -1], np.int32), ("a", "gone", "b", "a")), type_of("what"))
    assert one.to_pylist() == two.to_pylist() == ["b", "a", None]
    assert one.dictionary.to_pylist() == two.dictionary.to_pylist() == ["a", "b"]


def test_rows_are_stored_by_what_each_differs_from_the_one_before_and_instants_by_their_bytes(made: Path) -> None:
    coded: dict[str, set[str]] = {}
    for path in (made / SHARDS).glob("*.parquet"):
        file = pq.ParquetFile(path).metadata
        for group in map(file.row_group, range(file.num_row_groups)):
            for column in map(group.column, range(group.num_columns)):
                coded.setdefault(column.path_in_schema, set()).update(column.encodings)
    steps = {name for name, found in coded.items() if "DELTA_BINARY_PACKED" in found}
    assert "patient" in steps
    assert steps == {name for name in coded if name == "patient" or name.startswith("p.")}
    assert {name for name, found in coded.items() if "BYTE_STREAM_SPLIT" in found} == {"start.low"}
    assert not any("DICTIONARY" in one for name in (*steps, "start.low") for one in coded[name])


def test_a_patient_is_found_by_id(store: Path, patients: list[Patient]) -> None:
    opened = Store.open(store, CATALOGUE)
    for patient in patients:
        ((place, row),) = opened.find(patient.id)
        assert opened.shards[place].number == shard_number(patient.id, SHARD_COUNT)
        assert patient_of(opened.read(place), row, CATALOGUE) == patient
    with pytest.raises(OnstudyError, match="the store has no patient of that id") as caught:
        opened.find("nobody-of-that-name")
    assert "nobody-of-that-name" not in str(caught.value)


def test_only_what_is_asked_for_is_there(store: Path) -> None:
    shard = Store.open(store).read(0, ["bilirubin_total", "sex"], ["value.low"])
    assert set(shard.kinds) == {"bilirubin_total", "sex"}
    assert set(shard.table("bilirubin_total").columns()) == {"patient", "value.low"}
    assert shard.table("platelets").rows == 0


def test_the_manifest_counts_what_there_is(store: Path, patients: list[Patient]) -> None:
    manifest = Store.open(store).manifest
    assert manifest.patients == len(patients)
    assert manifest.facts["sex"] == len(patients)
    assert sum(manifest.facts.values()) == sum(len(patient.facts) for patient in patients)
    raw = json.loads((store / MANIFEST).read_text())
    assert (raw["patients"], raw["digest"]) == (manifest.patients, manifest.digest)


def test_the_same_patients_give_the_same_files(store: Path, patients: list[Patient], tmp_path: Path) -> None:
    other = written(patients, tmp_path / "other")
    assert (store / MANIFEST).read_bytes() == (other / MANIFEST).read_bytes()
    names = sorted(path.name for path in (store / SHARDS).iterdir())
    assert names == sorted(path.name for path in (other / SHARDS).iterdir())


def test_the_data_date_is_the_latest_of_all_shards(store: Path) -> None:
    latest = max(info.number for info in Store.open(store).shards)
    assert data_date(Store.open(store).shards) == f"2026-03-{14 + latest}"
    assert data_date([]) is None


def test_a_shard_number_depends_on_the_id_alone() -> None:
    """CRC-32 is published with its value for these nine digits."""
    assert shard_number("123456789", 1 << 32) == 0xCBF43926
    assert shard_number("123456789", 10) == 0xCBF43926 % 10
    assert shard_number("é\ud800", 7) in range(7)


# What does not belong to it -------------------------------------------------------------------------------------------


def test_litter_is_no_part_of_the_store_and_goes_at_the_next_commit(store: Path, patients: list[Patient]) -> None:
    litter = [store / SHARDS / name for name in ("00000.aaaaaaaaaaaa.parquet", ".writing-1-ab", "note.txt")]
    for path in litter:
        path.write_bytes(b"PAR1")
    assert stored(store).keys() == {patient.id for patient in patients}
    assert Store.open(store).verify() == []
    written(patients, store)
    assert not any(path.exists() for path in litter)


def test_a_commit_without_its_shards_leaves_the_store_as_it_was(store: Path) -> None:
    before = Store.open(store).manifest
    (store / SHARDS / before.shards[0].file).rename(store / "away")
    with pytest.raises(OnstudyError, match="was not written, so the store stays as it was"):
        StoreWriter(store).commit(before)
    (store / "away").rename(store / SHARDS / before.shards[0].file)
    assert Store.open(store).manifest == before


# What is wrong with it ------------------------------------------------------------------------------------------------


def test_files_that_are_not_as_they_were_written_are_named(store: Path) -> None:
    opened = Store.open(store)
    first, second = (store / SHARDS / info.file for info in opened.shards[:2])
    first.unlink()
    data = bytearray(second.read_bytes())
    data[len(data) // 2] ^= 1
    second.write_bytes(data)
    assert opened.verify() == [f"{first.name} is not there", f"{second.name} is not as it was written"]
    with pytest.raises(OnstudyError, match="this part of the store is not there; build the store again"):
        opened.read(0)
    second.write_bytes(data[: len(data) // 2])
    with pytest.raises(OnstudyError, match="this part of the store is damaged; build the store again"):
        opened.read(1)


@pytest.mark.parametrize("column", ["id", "born.day", "source", "start.day", "patient"])
def test_a_bit_that_flipped_in_a_column_is_noticed_when_it_is_read(
    store: Path, patients: list[Patient], column: str
) -> None:
    """At ten places of what is stored of a column in the first tables."""
    path = store / SHARDS / Store.open(store).shards[0].file
    whole, noticed = path.read_bytes(), 0
    for place in _places(pq.ParquetFile(path).metadata, column):
        data = bytearray(whole)
        data[place] ^= 4
        path.write_bytes(data)
        try:
            shard = Store.open(store).read(0)
            found = [patient_of(shard, row, CATALOGUE) for row in range(shard.patients.rows)]
        except OnstudyError as error:
            assert str(error).startswith(f"{path}: this part of the store is damaged; build the store again: ")
            noticed += 1
        else:
            assert all(one in patients for one in found), "only what nobody reads may change unnoticed"
    assert noticed >= 5


def _places(file: pq.FileMetaData, column: str) -> Iterator[int]:
    names = [field.path for field in file.schema]
    for group in range(4):
        chunk = file.row_group(group).column(names.index(column))
        start = chunk.dictionary_page_offset or chunk.data_page_offset
        yield from range(start, start + chunk.total_compressed_size, max(chunk.total_compressed_size // 10, 1))


def changed(store: Path, change: Callable[[dict[str, object]], object]) -> None:
    raw = json.loads((store / MANIFEST).read_text())
    change(raw)
    (store / MANIFEST).write_text(json.dumps(raw))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda raw: raw.update(format=99), "the store has format 99, and this version reads format 3"),
        (lambda raw: raw.pop("format"), "is no manifest of a store"),
        (lambda raw: raw.pop("shard_count"), "is damaged; remove the folder and build it again"),
        (lambda raw: raw["shards"][0].update(file="../../else.parquet"), "is damaged"),
        (lambda raw: raw["shards"][0].update(facts=[]), "is damaged"),
        (lambda raw: raw.update(shards=None), "is damaged"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_refused(store: Path, change: Callable[..., object], said: str) -> None:
    changed(store, change)
    with pytest.raises(OnstudyError, match=said):
        Store.open(store)


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"\xff\xfe", b"[]", b"7"])
def test_a_manifest_that_is_none_is_refused(store: Path, content: bytes) -> None:
    (store / MANIFEST).write_bytes(content)
    with pytest.raises(OnstudyError, match="is no manifest of a store"):
        Store.open(store)


def test_where_there_is_no_store_the_way_to_one_is_told(tmp_path: Path) -> None:
    with pytest.raises(OnstudyError, match="onstudy build SOURCE --store DIR"):
        Store.open(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(OnstudyError, match="is a file; a store is a folder"):
        Store.open(tmp_path / "file")


def test_a_store_of_another_catalogue_is_refused_where_that_matters(store: Path) -> None:
    changed(store, lambda raw: raw.update(catalogue="0" * 32))
    with pytest.raises(OnstudyError, match="made with another catalogue"):
        Store.open(store, CATALOGUE)
    with pytest.raises(OnstudyError, match="made with another catalogue"):
        open_store(store.as_uri(), CATALOGUE)
    changed(store, lambda raw: raw.update(mapping="1" * 32))
    assert Store.open(store, CATALOGUE).manifest.mapping == "1" * 32
    changed(store, lambda raw: raw.update(catalogue_version="1999"))
    with pytest.raises(OnstudyError, match=r"made with another catalogue \(1999\)"):
        Store.open(store, CATALOGUE)


# In a lake ------------------------------------------------------------------------------------------------------------


def test_a_store_is_opened_by_its_address(store: Path, patients: list[Patient]) -> None:
    opened = open_store(store.as_uri(), CATALOGUE)
    assert opened.manifest == Store.open(store).manifest
    found = [
        patient_of(shard, row, CATALOGUE)
        for place, info in enumerate(opened.shards)
        for shard in [opened.read(place)]
        for row in range(info.patients)
    ]
    assert sorted(found, key=lambda patient: patient.id) == patients
    wanted = patients[-1]
    ((place, row),) = opened.find(wanted.id)
    assert patient_of(opened.read(place), row, CATALOGUE) == wanted


def test_where_no_store_lies_at_an_address_that_is_told(tmp_path: Path) -> None:
    with pytest.raises(OnstudyError, match="there is no store here; copy the folder of one there"):
        open_store(tmp_path.as_uri())
    with pytest.raises(OnstudyError, match="nosuch://x: cannot be read") as caught:
        open_store("nosuch://key:secret@x?secret_key=word")
    assert not any(word in str(caught.value) for word in ("secret", "key", "word"))


def test_a_store_in_memory_is_read_without_a_disk(
    store: Path, patients: list[Patient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing but the file system that pyarrow gives for the address is asked."""
    memory = pafs._MockFileSystem()
    memory.create_dir(f"bucket/store/{SHARDS}")
    for path in (store / MANIFEST, *(store / SHARDS).iterdir()):
        with memory.open_output_stream(f"bucket/store/{path.relative_to(store)}") as file:
            file.write(path.read_bytes())
    monkeypatch.setattr(
        "onstudy.population.spark_lake.FileSystem",
        type("Given", (), {"from_uri": staticmethod(lambda address: (memory, "bucket/store"))}),
    )
    opened = open_store("s3://bucket/store")
    shard = opened.read(0, ["sex"])
    assert patient_of(opened.read(0), 0, CATALOGUE) in patients
    assert shard.table("sex").rows == shard.patients.rows
