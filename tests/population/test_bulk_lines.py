"""Lines that are taken apart together become what they become one by one, whatever they hold."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.population.building import Resource, damaged, ndjson

from onstudy.population.bulk_fhir import Intake, Tally
from onstudy.population.bulk_rows import slots_of, write_rows
from onstudy.population.generate import Asked, generate_fhir

SORTS = ("names", "dates", "numbers", "links", "members")


def taken(block: bytes, together: bool = True) -> tuple[pa.Table, Tally, int]:
    """The rows of a block, their count, and how many of them were taken apart one by one."""
    intake = Intake()
    if together:
        intake.lines(block, 1)
    else:
        for number, line in enumerate(block.split(b"\n"), start=1):
            intake.alone(line, number)
    return *intake.rows(), len(intake.builder)


def listed(table: pa.Table) -> list[tuple[object, ...]]:
    """All that rows hold, however it is held."""
    slots = {sort: slots_of(table, sort) for sort in SORTS}
    beside = [table.column(name).to_pylist() for name in ("patient", "seq", "shape")]
    beside += [
        table.column(name).to_pylist() if name in table.column_names else [None] * table.num_rows
        for name in ("stamp", "payload")
    ]
    return [(*said, *(slots[sort].texts(row) for sort in SORTS)) for row, said in enumerate(zip(*beside, strict=True))]


def check(block: bytes) -> int:
    """Both ways give the same; how many rows were taken apart together."""
    rows, tally, alone = taken(block)
    expected, counted, _ = taken(block, together=False)
    assert listed(rows) == listed(expected)
    assert (tally.read, tally.left) == (counted.read, counted.left)
    return int(rows.num_rows) - alone


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The lines of generated patients."""
    folder = tmp_path_factory.mktemp("lines") / "fhir"
    generate_fhir(Asked(40), folder)
    return [line for path in sorted(folder.glob("*.ndjson")) for line in path.read_bytes().splitlines()]


def test_nearly_all_lines_of_an_export_are_taken_apart_together(lines: list[bytes]) -> None:
    assert check(b"\n".join(lines)) > 0.8 * len(lines)


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\n\n", b" \n"])
def test_however_lines_end(lines: list[bytes], ending: bytes) -> None:
    assert check(ending.join(lines) + ending) > 0.8 * len(lines)


def test_a_block_may_end_anywhere(lines: list[bytes]) -> None:
    block = b"\n".join(lines[-40:])
    for end in (0, 1, 2, 3, *range(len(block) - 3 * len(lines[-1]) // 2, len(block) + 1)):
        check(block[:end])
    assert (
        check(b"\n".join([b'{"value":5}', *(b'{"resourceType":"Observation","id":"a","value":5}' for _ in range(9))]))
        == 0
    )


def test_ids_that_are_none(lines: list[bytes]) -> None:
    """One id with a letter that ids have not, or none at all, among those of many lines that are otherwise alike."""
    own = [line for line in lines if line.startswith(b'{"resourceType":"Patient"')]
    for name in (b"a_b", "\u00e4".encode(), b"", b"x" * 65, b"a b"):
        changed = re.sub(rb'"id":"[^"]*"', b'"id":"' + name + b'"', own[3])
        assert check(b"\n".join([*own, changed])) == len(own)
    assert check(b"\n".join([*own, re.sub(rb'"id":"[^"]*"', b'"id":"' + b"x" * 64 + b'"', own[3])])) == len(own) + 1


def test_however_they_are_spaced(lines: list[bytes]) -> None:
    assert check(ndjson([json.loads(line) for line in lines])) > 0.8 * len(lines)


def test_a_type_that_does_not_stand_first(lines: list[bytes]) -> None:
    """Its keys may be in any order: the rows are the same, and are taken apart together."""
    resources = [json.loads(line) for line in lines]
    turned = [dict(reversed(resource.items())) for resource in resources]
    rows, tally, alone = taken(ndjson(turned))
    expected, counted, _ = taken(ndjson(resources))
    assert listed(rows) == listed(expected)
    assert (tally.read, tally.left) == (counted.read, counted.left)
    assert alone < len(lines) / 10


@pytest.mark.parametrize("kind", ["Observation2", "Obs\\u0022ervation", "", "A" * 65, 5, None, ["Observation"]])
def test_a_type_that_is_none_and_does_not_stand_first(kind: object) -> None:
    line = json.dumps({"id": "o1", "subject": {"reference": "Patient/p1"}, "resourceType": kind}).encode()
    rows, _, _ = taken(line)
    assert not any(shape for shape in rows.column("shape").to_pylist())


@pytest.mark.parametrize("seed", range(4))
def test_lines_with_bytes_changed(lines: list[bytes], seed: int) -> None:
    """Bytes are put in, left out and written over, most of them such as JSON is made of."""
    random = Random(seed)
    made = bytes(range(1, 256)) + b'"":,{}[]\\ \t\r0123456789.-+eE/' * 12
    some = [bytearray(line) for line in random.sample(lines, 400) for _ in range(4)]
    for line in some:
        for _ in range(random.choice((0, 1, 1, 2))):
            place = random.randrange(len(line))
            line[place : place + random.choice((0, 1, 1, 3))] = bytes(random.choices(made, k=random.choice((0, 1, 2))))
    whole = [line for line in some if b"\n" not in line]
    assert check(b"\n".join(line.decode("utf-8", "ignore").encode() for line in whole)) > 0.2 * len(whole)


def test_a_block_that_is_no_text(lines: list[bytes]) -> None:
    assert check(b"\n".join([*lines[:50], b'{"resourceType":"Patient","id":"\xff"}', *lines[50:90]])) == 0


@pytest.mark.parametrize("seed", [1, 2])
def test_damaged_resources(lines: list[bytes], seed: int) -> None:
    random = Random(seed)
    resources = [json.loads(line) for line in random.sample(lines, 600)]
    mixed = [damaged(one, resources, random) if random.random() < 0.5 else one for one in resources for _ in range(5)]
    assert check(ndjson(mixed)) > 0.2 * len(mixed)


# What stands in a slot decides more than what stands there -------------------------------------------------------


def result(number: int, **more: Any) -> Resource:
    """A result, one of many that differ in their slots only."""
    return {
        "resourceType": "Observation",
        "id": f"r{number}",
        "meta": {"versionId": str(number), "lastUpdated": f"2026-01-{number % 28 + 1:02d}T00:00:00Z"},
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "1975-2"}]},
        "subject": {"reference": f"Patient/p{number}", "display": f"Somebody {number}"},
        "effectiveDateTime": f"2026-03-{number % 28 + 1:02d}",
        "valueQuantity": {"value": number + 0.5, "unit": "mg/dL"},
        **more,
    }


def of_kind(change: dict[str, Any]) -> list[Resource]:
    """Many usual results, and one with something changed among them."""
    resources = [result(number) for number in range(40)]
    resources[30] |= change
    return resources


@pytest.mark.parametrize(
    "change",
    [
        {"id": "no id"},
        {"id": ""},
        {"id": "x" * 65},
        {"id": "Patient/p1"},
        {"subject": {"reference": "Group/p1", "display": "x"}},
        {"subject": {"reference": "https://one.example/fhir/Patient/p1/_history/2", "display": "x"}},
        {"subject": {"reference": "urn:uuid:p1", "display": "x"}},
        {"subject": {"reference": "", "display": "x"}},
        {"meta": {"versionId": "", "lastUpdated": ""}},
        {"effectiveDateTime": ""},
        {"effectiveDateTime": "\u00e4"},
        {"valueQuantity": {"value": "1.5", "unit": "mg/dL"}},
        {"valueQuantity": {"value": 1e300, "unit": "mg/dL"}},
        {"valueQuantity": {"value": True, "unit": "mg/dL"}},
    ],
    ids=str,
)
def test_one_of_many_is_not_like_the_others(change: dict[str, Any]) -> None:
    assert check(ndjson(of_kind(change))) >= 39


@pytest.mark.parametrize(
    "number", ["", "01", "1.", ".5", "+1", "-", "1e", "1e+", "--1", "1" * 50, "1.50", "-0", "1E-7"]
)
def test_what_is_written_in_place_of_a_number(number: str) -> None:
    text = ndjson(of_kind({})).replace(b'"value": 30.5', f'"value": {number}'.encode())
    assert number.encode() in text
    assert check(text) >= 39


def test_a_word_in_a_category_that_readers_look_for() -> None:
    """The category is kept where it says "vital", wherever in it that stands."""
    category = [[{"id": f"c{number}", "coding": []}] for number in range(39)] + [[{"id": "vital", "coding": []}]]
    resources = [result(number, category=some) for number, some in enumerate(category)]
    rows, _, _ = taken(ndjson(resources))
    assert sum(b"vital" in shape for shape in rows.column("shape").to_pylist()) == 1
    check(ndjson(resources))


def test_lines_of_all_sorts_keep_their_order() -> None:
    """Rows of one patient stand in the order of the source, whichever way each line went."""
    resources: Sequence[Resource] = [
        one
        for number in range(12)
        for one in (
            result(number),
            {"resourceType": "Encounter", "id": f"e{number}", "subject": {"reference": f"Patient/p{number}"}},
            {"resourceType": "Observation", "status": "final"},
            {
                "resourceType": "DiagnosticReport",
                "id": f"d{number}",
                "result": [{"reference": f"Observation/r{number}"}],
            },
            {"resourceType": "Patient", "id": f"p{number}", "gender": "male"},
            {"resourceType": "Medication", "id": f"m{number}"},
        )
    ]
    assert check(ndjson(resources)) == 24, "results and patients are rows of their own"


def test_a_bundle_among_lines() -> None:
    bundle = {"resourceType": "Bundle", "entry": [{"resource": result(number)} for number in range(3)]}
    assert check(ndjson([result(5), bundle, *(result(number) for number in range(6, 40)), bundle])) >= 30


def test_the_file_of_rows_is_the_same_whatever_was_learned_before(lines: list[bytes], tmp_path: Path) -> None:
    block = b"\n".join([*lines, *ndjson(of_kind({"id": "no id"})).splitlines()])
    for number, together in enumerate((True, True, False)):
        rows, _, _ = taken(block, together)
        write_rows(tmp_path / str(number), rows, np.arange(rows.num_rows, dtype=np.int32) % 3)
    assert len({(tmp_path / str(number)).read_bytes() for number in range(3)}) == 1


def test_bytes_in_a_file_may_be_anything(tmp_path: Path) -> None:
    random = Random(9)
    block = bytes(random.choices(b'"":,{}[]\\ \n\n\r0a9idvalue', k=50_000))
    assert check(block) == 0
