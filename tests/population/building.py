"""What the tests of building a store share: stores and what is in them, and records damaged in many ways."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

from onstudy.population.build import build
from onstudy.population.build_find import find
from onstudy.population.build_report import Report
from onstudy.population.store import Store
from onstudy.record.catalogue import load_catalogue
from onstudy.record.patient import Fact, Patient
from onstudy.record.shard import patient_of

Resource = dict[str, Any]

#: What a reader says of a whole file, and so of each patient in it; a build counts it in its report instead.
OF_THE_SOURCE = ("its subject is no patient of this source: not used", "a resource of this type is not read")

#: The same texts and values in places where they belong and where they do not.
WORDS = (
    "", "x", "2026-13-45", "2026-02", "1899-01-01", "9999-12-31", "-1", "0", "1e400", "NaN", "12,5", "<5", ">10",
    "final", "entered-in-error", "unknown", "Patient/none", "#c1", "mg/dL", "%", "10*3/uL", "true", "1975-2",
    "2026-03-01T25:00:00Z", "2026-03-01T23:59:60Z", "2026-03-01T10:00", "2026-03-01T10:00:00+14:00",
    "2026-03-01T10:00:00.123456789Z", " 2026-03-01 ", "äö", "a|b", "completed", "preliminary",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 1e300, 10**30, 1e-320, 0.1, 1.0, -0.0, [], {}, [{}], [None], [[]],
    {"value": 1}, {"coding": []}, {"reference": "Patient/zz"},
)  # fmt: skip
#: Elements that a resource may have; some are read, some change the meaning, some are unheard of.
ELEMENTS = (
    "comparator", "issued", "recordedDate", "referenceRange", "valueString", "valueQuantity", "effectivePeriod",
    "abatementDateTime", "contained", "meta", "status", "dataAbsentReason", "component", "note", "implicitRules",
    "modifierExtension", "extension", "_birthDate", "verificationStatus", "category",
)  # fmt: skip


def built(source: Path | str, store: Path, mapping: Path | None = None, workers: int = 0) -> Report:
    """Build a store in this process."""
    return build(find(str(source), store), store, mapping, workers=workers)


def stored(store: Path) -> dict[str, Patient]:
    """Everybody in a store, by id; nobody may be there twice."""
    opened, catalogue = Store.open(store), load_catalogue()
    found: dict[str, Patient] = {}
    for place, info in enumerate(opened.shards):
        shard = opened.read(place)
        for row in range(info.patients):
            patient = patient_of(shard, row, catalogue)
            assert patient.id not in found, "each patient lies in one shard"
            found[patient.id] = patient
    return found


def ndjson(resources: Sequence[Resource]) -> bytes:
    """Resources, one a line."""
    return b"".join(json.dumps(one, ensure_ascii=False).encode() + b"\n" for one in resources)


def problems_of(patient: Patient) -> list[tuple[str, str, bool]]:
    """What is wrong in a patient's own records, in order."""
    said = [(one.what, one.where, one.fact_kept) for one in patient.problems]
    unread = "resources of this type are not read"
    return [one for one in said if one[0] not in OF_THE_SOURCE and not one[0].endswith(unread)]


def same(found: Patient, expected: Patient) -> bool:
    """Whether two patients are the same, with how each fact was first stated, which equality does not look at."""
    return (
        found.facts == expected.facts
        and [_opened(fact) for fact in found.facts] == [_opened(fact) for fact in expected.facts]
        and (found.id, found.born, found.coverage) == (expected.id, expected.born, expected.coverage)
        and problems_of(found) == problems_of(expected)
    )


def _opened(fact: Fact) -> object:
    return fact.opened, fact.code_status, [_opened(part) for part in fact.parts.values()]


# Damaged records ------------------------------------------------------------------------------------------------


def damaged(resource: Resource, others: Sequence[Resource], random: Random) -> Resource:
    """A resource with one to three things in it changed; it keeps its type, its id and whom it is about."""
    found = copy.deepcopy(resource)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        places = [path for path in _paths(found) if path and path[0] not in ("id", "resourceType")]
        if places:
            _damage(found, random.choice(places), others, random)
    for name in ("subject", "patient"):
        if name in resource:
            found[name] = resource[name]
    return found


def _damage(resource: Resource, path: tuple[str | int, ...], others: Sequence[Resource], random: Random) -> None:
    node: Any = resource
    for step in path[:-1]:
        node = node[step]
    key: Any = path[-1]
    how = random.randrange(8)
    if how == 0:
        node.pop(key)
    elif how <= 2:
        node[key] = random.choice(WORDS)
    elif how == 3:
        node[key] = copy.deepcopy(random.choice(VALUES))
    elif how == 4:
        node[key] = [node[key]]
    elif how == 5 and isinstance(node, list):
        node.append(copy.deepcopy(node[key]))
    elif how == 6:
        node[key] = copy.deepcopy(_anything(random.choice(others), random))
    elif isinstance(node, dict):
        node[random.choice(ELEMENTS)] = copy.deepcopy(random.choice((*VALUES, *WORDS)))


def _anything(resource: Resource, random: Random) -> Any:
    node: Any = resource
    for step in random.choice([path for path in _paths(resource) if path]):
        node = node[step]
    return node


def _paths(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inner:
        yield from _paths(value, (*path, key))
