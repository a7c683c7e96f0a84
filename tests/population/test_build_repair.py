"""A store that was damaged on the disk: building it again repairs it, whatever was damaged and whatever changed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.population.building import Resource, built, ndjson, stored
from typer.testing import CliRunner

from onstudy.errors import OnstudyError
from onstudy.faces.api import read_patients
from onstudy.faces.cli import app
from onstudy.faces.inputs import of_store
from onstudy.population import build as building
from onstudy.population.build_rows import RowsFiles
from onstudy.population.build_work import BUILDING, ROWS, read_done
from onstudy.population.store import SHARDS, Store
from onstudy.population.store_files import is_sealed
from onstudy.values.interval import point

Damage = Callable[[Path], None]


def flipped(path: Path, place: int | None = None) -> None:
    """One bit is another, in the middle of the file unless said."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2 if place is None else place] ^= 4
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def replaced_by_text(path: Path) -> None:
    path.write_text("no part of a store")


def left_of(shard: Path) -> Path:
    """What of the records of a shard could not be used."""
    (info,) = [info for info in Store.open(shard.parent.parent).shards if info.file == shard.name]
    return shard.with_name(info.left_file)


def beside_is_gone(path: Path) -> None:
    left_of(path).unlink()


def beside_is_cut(path: Path) -> None:
    left_of(path).write_text('[["lines')


def beside_says_another(path: Path) -> None:
    """It can be read, and is not what was written."""
    left_of(path).write_text('[["dates that cannot be used", "", 7]]')


DAMAGES = [flipped, cut, Path.unlink, replaced_by_text, beside_is_gone, beside_is_cut, beside_says_another]


def resources(changed: float = 1.5) -> list[Resource]:
    """Forty patients with two results each; `changed` is one of p7."""
    found: list[Resource] = []
    for number in range(40):
        found.append(
            {"resourceType": "Patient", "id": f"p{number}", "birthDate": "1970-05-17", "gender": "female"}
        )  # fmt: skip
        for which in range(2):
            value = changed if (number, which) == (7, 1) else 1 + number / 10 + which
            found.append(
                {
                    "resourceType": "Observation", "id": f"o{number}-{which}", "status": "final",
                    "code": {"coding": [{"system": "http://loinc.org", "code": "1975-2"}]},
                    "subject": {"reference": f"Patient/p{number}"}, "effectiveDateTime": f"2026-03-0{which + 1}",
                    "valueQuantity": {"value": value, "unit": "mg/dL", "system": "http://unitsofmeasure.org",
                                      "code": "mg/dL"},
                }
            )  # fmt: skip
    return found


def source_of(folder: Path, changed: float = 1.5) -> Path:
    """Two files: one with everybody but p7's last result, one with that."""
    folder.mkdir(exist_ok=True)
    of_them = resources(changed)
    (folder / "a.ndjson").write_bytes(ndjson([one for one in of_them if one["id"] != "o7-1"]))
    (folder / "b.ndjson").write_bytes(ndjson([one for one in of_them if one["id"] == "o7-1"]))
    return folder


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of several shards, of the source in the folder `in`."""
    monkeypatch.setattr(building, "_FEW", 0)
    monkeypatch.setattr(building, "PATIENTS", 12)
    built(source_of(tmp_path / "in"), tmp_path / "store")
    assert len(Store.open(tmp_path / "store").shards) > 2
    return tmp_path / "store"


def files_of(store: Path) -> dict[str, bytes]:
    paths = sorted(path for path in store.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(store)): path.read_bytes() for path in paths}


def shard_file(store: Path, place: int = 1) -> Path:
    return store / SHARDS / Store.open(store).shards[place].file


@pytest.mark.parametrize("damage", DAMAGES)
def test_building_again_makes_a_damaged_part_anew_and_no_other(store: Path, tmp_path: Path, damage: Damage) -> None:
    before, shard = files_of(store), Store.open(store).shards[1]
    damage(shard_file(store))
    assert len(Store.open(store).verify()) == 1
    report = built(tmp_path / "in", store)
    assert files_of(store) == before
    assert (report.changed, report.damaged, report.parts_read) == (True, 1, 0)
    assert report.patients_built == shard.patients
    assert "repaired: 1 of the parts of the store were damaged and are made anew\n" in report.to_text()
    assert built(tmp_path / "in", store).changed is False


@pytest.mark.parametrize("damage", [flipped, Path.unlink])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_so_it_does_where_the_source_changed_meanwhile(store: Path, tmp_path: Path, damage: Damage, place: int) -> None:
    damage(shard_file(store, place))
    built(source_of(tmp_path / "in", changed=3.25), store)
    built(tmp_path / "in", tmp_path / "fresh")
    assert stored(store) == stored(tmp_path / "fresh")
    assert point(3.25) in [fact.value for fact in stored(store)["p7"].facts]
    assert Store.open(store).manifest.digest == Store.open(tmp_path / "fresh").manifest.digest
    assert Store.open(store).verify() == []


@pytest.mark.parametrize("damage", [flipped, cut, Path.unlink])
def test_rows_that_are_damaged_too_are_read_of_the_source_again(store: Path, tmp_path: Path, damage: Damage) -> None:
    """Rows end with a hash of their own, or a bit that flipped in them would be another value."""
    before = files_of(store)
    rows = max((store / ROWS).glob("*.arrow"), key=lambda path: path.stat().st_size)
    damage(rows)
    flipped(shard_file(store))
    assert built(tmp_path / "in", store).parts_read == 1
    assert files_of(store) == before


def test_no_bit_that_flips_in_rows_comes_into_the_store(store: Path, tmp_path: Path) -> None:
    """At a dozen places all over the file, with a shard that is to be made of it."""
    before = files_of(store)
    rows = max((store / ROWS).glob("*.arrow"), key=lambda path: path.stat().st_size)
    size = rows.stat().st_size
    for place in range(0, size, size // 12):
        flipped(rows, place)
        shard_file(store).unlink()
        built(tmp_path / "in", store)
        assert files_of(store) == before, place


def test_rows_of_another_build_under_the_same_name_are_read_of_the_source_again(store: Path, tmp_path: Path) -> None:
    """They are whole, and their seal is right: only what is kept of the part says that they are not its rows."""
    before = files_of(store)
    built(source_of(tmp_path / "other", changed=3.25), tmp_path / "elsewhere")
    rows, others = (
        min((one / ROWS).glob("*.arrow"), key=lambda path: path.stat().st_size)
        for one in (store, tmp_path / "elsewhere")
    )
    assert rows.read_bytes() != others.read_bytes()
    shutil.copyfile(others, rows)
    assert is_sealed(rows)
    for place in range(len(Store.open(store).shards)):
        flipped(shard_file(store, place))
    assert built(tmp_path / "in", store).parts_read == 1
    assert files_of(store) == before


def test_a_store_without_its_rows_is_repaired_as_well(store: Path, tmp_path: Path) -> None:
    before = files_of(store)
    shutil.rmtree(store / ROWS)
    flipped(shard_file(store))
    built(tmp_path / "in", store)
    assert files_of(store) == before


def killed_before_it_was_settled(source: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What is kept of the shards that were put together."""
    with monkeypatch.context() as patched:
        patched.setattr(building._Build, "_settle", _killed)
        with pytest.raises(KeyboardInterrupt):
            built(source, store)
    return list((store / BUILDING).rglob("*.json"))


def test_what_a_killed_build_left_is_not_taken_over_where_it_was_damaged(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (made,) = killed_before_it_was_settled(source_of(tmp_path / "in", changed=3.25), store, monkeypatch)
    put = read_done(made)
    assert put is not None
    assert put.info is not None
    flipped(store / SHARDS / put.info.file)
    built(tmp_path / "in", store)
    assert Store.open(store).verify() == []
    assert point(3.25) in [fact.value for fact in stored(store)["p7"].facts]


def test_nor_is_what_it_kept_of_a_shard(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bit that flipped anywhere in it: another number, or no JSON."""
    source = source_of(tmp_path / "in", changed=3.25)
    built(source, tmp_path / "fresh")
    (made,) = killed_before_it_was_settled(source, store, monkeypatch)
    data = made.read_bytes()
    places = [data.index(b'"patients": ') + len(b'"patients": '), len(data) - 1, 0]
    for place in places:
        other = shutil.copytree(store, tmp_path / f"store-{place}")
        flipped(other / made.relative_to(store), place)
        built(source, other)
        assert files_of(other) == files_of(tmp_path / "fresh"), place


def test_a_killed_build_leaves_the_store_sound(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it made no shard anew, but found more that cannot be used: a resource of a stranger."""
    stranger = {**resources()[1], "id": "o-1", "subject": {"reference": "Patient/stranger"}}
    (tmp_path / "in/c.ndjson").write_bytes(ndjson([stranger]))
    assert killed_before_it_was_settled(tmp_path / "in", store, monkeypatch)
    assert Store.open(store).verify() == []
    (tmp_path / "in/c.ndjson").unlink()
    report = built(tmp_path / "in", store)
    assert (report.changed, report.damaged) == (False, 0)


def test_a_manifest_that_lost_a_hash_is_made_anew(store: Path, tmp_path: Path) -> None:
    """Of what could not be used of the records of a shard; and a hash that is none is told, not opened as a file."""
    manifest, before = store / "manifest.json", files_of(store)
    written = manifest.read_text()
    manifest.write_text(written.replace('"left"', '"leFt"', 1))
    assert built(tmp_path / "in", store).damaged == 1
    assert files_of(store) == before
    for wrong in ("", "../x", "00"):
        manifest.write_text(re.sub(r'("left": *)"[0-9a-f]+"', rf'\1"{wrong}"', written, count=1))
        with pytest.raises(OnstudyError, match="damaged"):
            built(tmp_path / "in", store)


def test_no_bit_that_flips_in_rows_of_a_build_that_was_killed_comes_into_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before all of its pieces were read: no file says yet which rows the part has."""
    source = source_of(tmp_path / "in")
    built(source, tmp_path / "fresh")
    with monkeypatch.context() as patched:
        patched.setattr(RowsFiles, "write", _killed)
        with pytest.raises(KeyboardInterrupt):
            built(source, tmp_path / "killed")
    rows = max((tmp_path / "killed" / ROWS).glob("*.arrow"), key=lambda path: path.stat().st_size)
    size = rows.stat().st_size
    for place in [*range(0, size, size // 12), size - 1]:
        store = shutil.copytree(tmp_path / "killed", tmp_path / f"store-{place}")
        flipped(store / ROWS / rows.name, place)
        built(source, store)
        assert files_of(store) == files_of(tmp_path / "fresh"), place


def test_rows_of_a_build_that_was_killed_are_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = source_of(tmp_path / "in")
    with monkeypatch.context() as patched:
        patched.setattr(RowsFiles, "write", _killed)
        with pytest.raises(KeyboardInterrupt):
            built(source, tmp_path / "store")
    rows = [(path, path.stat().st_ino) for path in (tmp_path / "store" / ROWS).glob("*.arrow")]
    assert len(rows) == 2
    built(source, tmp_path / "store")
    assert [(path, path.stat().st_ino) for path, _ in rows] == rows


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_the_way_out_is_the_command_that_the_message_names(store: Path, tmp_path: Path) -> None:
    flipped(shard_file(store), 40)
    asked = ["screen", "NCT03739814", "--store", str(store), "--on", "2026-03-16"]
    patients = [part for number in range(40) for part in ("--patient", f"p{number}")]
    refused = CliRunner().invoke(app, [*asked, *patients])
    assert isinstance(refused.exception, OnstudyError)
    assert "the same `onstudy build SOURCE --store DIR`" in str(refused.exception)
    assert CliRunner().invoke(app, ["build", str(tmp_path / "in"), "--store", str(store)]).exit_code == 0
    assert CliRunner().invoke(app, [*asked, *patients]).exit_code == 0


def test_two_patients_of_one_id_both_open_from_the_store(tmp_path: Path) -> None:
    """Nobody can tell whose the results are, so each is a patient: as of the file, in the same order."""
    people = [{"resourceType": "Patient", "id": "p1", "birthDate": f"19{year}-05-17"} for year in (60, 70)]
    source = tmp_path / "in.ndjson"
    source.write_bytes(ndjson([*people, {"resourceType": "Patient", "id": "p2"}]))
    built(source, tmp_path / "store")
    found = of_store(str(tmp_path / "store"), ["p1", "p2"])
    assert [one.id for one in found] == ["p1", "p1", "p2"]
    assert [one.born for one in found] == [one.born for one in read_patients(source)]
    assert found[0].born != found[1].born


def test_a_plan_with_another_number_than_was_planned_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One shard, and a bit that flipped: none."""
    source = source_of(tmp_path / "in")
    built(source, tmp_path / "fresh")
    with monkeypatch.context() as patched:
        patched.setattr(building._Build, "_read", _killed)
        with pytest.raises(KeyboardInterrupt):
            built(source, tmp_path / "store")
    plan = tmp_path / "store" / building.PLAN
    data = plan.read_bytes()
    assert b'"shards": 1}' in data
    plan.write_bytes(data.replace(b'"shards": 1}', b'"shards": 0}'))
    built(source, tmp_path / "store")
    assert files_of(tmp_path / "store") == files_of(tmp_path / "fresh")


def test_a_plan_that_cannot_be_read_is_made_anew(tmp_path: Path) -> None:
    """Such a file is left by a build that was cut short."""
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / building.PLAN).write_text("{")
    (tmp_path / "in.ndjson").write_bytes(ndjson([{"resourceType": "Patient", "id": "p1"}]))
    built(tmp_path / "in.ndjson", tmp_path / "store")
    assert list(stored(tmp_path / "store")) == ["p1"]
