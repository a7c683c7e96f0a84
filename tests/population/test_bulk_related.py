"""Resources that are read together: a specimen that is named twice, in a result and in the report that lists it."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from tests.population.building import Resource
from tests.population.test_build import lab, person
from tests.population.test_bulk_versions import bilirubin, check

URINE = {"coding": [{"system": "http://snomed.info/sct", "code": "122575003"}]}
MINE = {"reference": "Patient/p1"}


def specimen(name: str = "s1", **more: object) -> Resource:
    """A specimen of the first patient."""
    return {"resourceType": "Specimen", "id": name, "subject": MINE, **more}


def named(*specimens: str) -> list[Resource]:
    """References to specimens."""
    return [{"reference": f"Specimen/{name}"} for name in specimens]


def report(results: int, *specimens: str) -> Resource:
    """A report that lists results."""
    found: Resource = {"resourceType": "DiagnosticReport", "id": "r1", "status": "final", "subject": MINE}
    found["result"] = [{"reference": f"Observation/b{number}"} for number in range(results)]
    return {**found, **({"specimen": named(*specimens)} if specimens else {})}


@pytest.mark.parametrize(("results", "stated"), list(product((1, 2, 3), (False, True))), ids=str)
def test_results_and_their_report_name_one_specimen(results: int, stated: bool, tmp_path: Path) -> None:
    """What was measured in urine is no result in blood, however often its specimen is named."""
    labs = [lab(f"b{number}", "p1", 1.0 + number, specimen=named("s1")[0]) for number in range(results)]
    everything = [person("p1"), *labs, report(results, *(["s1"] if stated else [])), specimen(type=URINE)]
    assert not bilirubin(check(everything, tmp_path / "x")["p1"])


@pytest.mark.parametrize("stated", [False, True])
def test_a_panel_and_its_member_name_one_specimen(stated: bool, tmp_path: Path) -> None:
    panel = lab("b0", "p1", 2.0, hasMember=[{"reference": "Observation/b1"}])
    panel |= {"specimen": named("s1")[0]} if stated else {}
    everything = [person("p1"), panel, lab("b1", "p1", 7.0, specimen=named("s1")[0]), specimen(type=URINE)]
    assert bilirubin(check(everything, tmp_path / "x")["p1"]) == ([] if stated else [2.0])


def test_specimens_of_one_sample(tmp_path: Path) -> None:
    """A result's specimen, its report's, and what both were taken from."""
    taken = {"parent": named("s0")}
    labs = [lab("b0", "p1", 1.0, specimen=named("s1")[0]), lab("b1", "p1", 2.0)]
    everything = [person("p1"), *labs, report(2, "s2", "s1"), specimen("s0", type=URINE)]
    everything += [specimen("s1", **taken), specimen("s2", **taken)]
    assert not bilirubin(check(everything, tmp_path / "x")["p1"])


def test_two_specimens_of_one_name(tmp_path: Path) -> None:
    """Which of them is meant nobody can tell, so that the code of the result counts."""
    everything = [person("p1"), lab("b0", "p1", 1.0, specimen=named("s1")[0])]
    everything += [specimen(type=URINE), specimen(type=URINE, status="available")]
    assert bilirubin(check(everything, tmp_path / "x")["p1"]) == [1.0]


def test_a_panel_that_lists_itself(tmp_path: Path) -> None:
    panel = lab("b0", "p1", 2.0, hasMember=[{"reference": "Observation/b0"}], specimen=named("s1")[0])
    assert not bilirubin(check([person("p1"), panel, specimen(type=URINE)], tmp_path / "x")["p1"])
