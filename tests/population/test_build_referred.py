"""References to what is somebody else's or nobody's: a store has what a screening of one file with all of it has."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path
from random import Random

import pytest
from tests.population.building import Resource, built, ndjson, stored
from tests.population.test_build import files_of, lab, person, write
from tests.population.test_bulk_related import URINE, named
from tests.population.test_bulk_versions import bilirubin, check

from onstudy.population import build_beside
from onstudy.population.build_beside import OLDER
from onstudy.readers import read_patients

MRN = "https://hospital.example/mrn"
PEOPLE = [person(f"p{number}", identifier=[{"system": MRN, "value": f"M{number}"}]) for number in (1, 2, 3)]
SPINAL = {"coding": [{"system": "http://snomed.info/sct", "code": "258450006"}]}
ABOUT: dict[str, Resource] = {
    "the same": {"subject": {"reference": "Patient/p1"}},
    "another": {"subject": {"reference": "Patient/p2"}},
    "another by identifier": {"subject": {"identifier": {"system": MRN, "value": "M2"}}},
    "nobody": {},
    "a stranger": {"subject": {"reference": "Patient/p77"}},
    "a group": {"subject": {"reference": "Group/g1"}},
    "nobody's identifier": {"subject": {"identifier": {"system": MRN, "value": "x"}}},
}
RESULT = lab("b1", "p1", 1.5, specimen=named("s1")[0])


def specimen(name: str, about: str, **more: object) -> Resource:
    return {"resourceType": "Specimen", "id": name, **ABOUT[about], **more}


def report(about: str, *results: str, **more: object) -> Resource:
    found: Resource = {"resourceType": "DiagnosticReport", "id": "r1", "status": "final", **ABOUT[about]}
    return {**found, "result": [{"reference": f"Observation/{name}"} for name in results], **more}


def kept_whole(resource: Resource) -> Resource:
    """The same, as a build does not take it apart."""
    return {**resource, "meta": {"versionId": 5}}


@pytest.mark.parametrize("about", ABOUT)
@pytest.mark.parametrize("files", [1, 3])
def test_a_specimen_whosever_it_is(about: str, files: int, tmp_path: Path) -> None:
    """A `Specimen` need not name a subject."""
    for number, one in enumerate((specimen("s1", about, type=URINE), kept_whole(specimen("s1", about, type=URINE)))):
        found = check([*PEOPLE, RESULT, one], tmp_path / f"one{number}", files)
        assert not bilirubin(found["p1"])
        found = check([one, *PEOPLE, kept_whole(RESULT)], tmp_path / f"other{number}", files)
        assert not bilirubin(found["p1"])


@pytest.mark.parametrize("about", ABOUT)
def test_what_it_was_taken_from(about: str, tmp_path: Path) -> None:
    """One after another, each of somebody else."""
    chain = [specimen(f"s{n}", about if n % 2 else "a group", parent=named(f"s{n + 1}")) for n in (1, 2)]
    found = check([*PEOPLE, RESULT, *chain, specimen("s3", "nobody", type=URINE)], tmp_path / "x", 2)
    assert not bilirubin(found["p1"])


@pytest.mark.parametrize("about", ABOUT)
def test_a_report_whosever_it_is(about: str, tmp_path: Path) -> None:
    """It takes its results back, lends them its specimen, or that of another of its results, whosever that is."""
    mine, other = lab("b1", "p1", 1.5), lab("b2", "p3", 2.5, specimen=named("s1")[0])
    urine = specimen("s1", "nobody", type=URINE)
    cases = [
        [report(about, "b1", status="entered-in-error")],
        [report(about, "b1", specimen=named("s1")), urine],
        [report(about, "b1", "b2"), other, urine],
    ]
    for number, case in enumerate(cases):
        assert not bilirubin(check([*PEOPLE, mine, *case], tmp_path / str(number), 2)["p1"])


@pytest.mark.parametrize("about", ABOUT)
def test_a_panel_whosever_it_is(about: str, tmp_path: Path) -> None:
    panel = {**lab("b0", None, 9.0), **ABOUT[about], "hasMember": [{"reference": "Observation/b1"}]}
    panel["specimen"] = named("s1")[0]
    found = check([*PEOPLE, lab("b1", "p1"), panel, specimen("s1", about, type=URINE)], tmp_path / "x", 2)
    assert not bilirubin(found["p1"])


def test_a_result_and_a_report_that_stayed_with_the_patient_it_was_moved_from(tmp_path: Path) -> None:
    old = {**lab("b1", "p1", 1.5), "meta": {"lastUpdated": "2026-03-01T00:00:00Z"}}
    new = {**lab("b1", "p2", 1.5), "meta": {"lastUpdated": "2026-03-02T00:00:00Z"}}
    urine = specimen("s1", "the same", type=URINE)
    found = check([*PEOPLE, old, new, report("the same", "b1", specimen=named("s1")), urine], tmp_path / "x", 2)
    assert not bilirubin(found["p1"]) and not bilirubin(found["p2"])


def test_a_specimen_that_was_moved_is_the_newer_one(tmp_path: Path) -> None:
    old = specimen("s1", "the same", type=URINE, meta={"lastUpdated": "2026-03-01T00:00:00Z"})
    for number, about in enumerate(ABOUT):
        blood = {"type": {"text": "serum"}, "meta": {"lastUpdated": "2026-03-02T00:00:00Z"}}
        found = check([*PEOPLE, RESULT, old, specimen("s1", about, **blood)], tmp_path / str(number), 2)
        assert bilirubin(found["p1"]) == [1.5]


def test_who_has_something_of_that_name_means_that(tmp_path: Path) -> None:
    """Files in which each patient's results are numbered from one, and nothing says what is newer."""
    source = tmp_path / "in"
    for number, (material, status) in enumerate(((SPINAL, "final"), ({"text": "serum"}, "entered-in-error"))):
        name = f"p{number + 1}"
        own = {"subject": {"reference": f"Patient/{name}"}}
        resources = [person(name), lab("b1", name, 1.0), lab("b2", name, 2.0, specimen=named("s1")[0])]
        resources += [
            {**specimen("s1", "nobody", type=material), **own},
            {**report("nobody", "b1", status=status), **own},
        ]
        write(source, **{name: resources})
    built(source, tmp_path / "store")
    found = stored(tmp_path / "store")
    assert {name: bilirubin(one.facts) for name, one in found.items()} == {"p1": [1.0], "p2": [2.0]}
    for name, one in found.items():
        (alone,) = read_patients(f"{name}.ndjson", (source / f"{name}.ndjson").read_bytes())
        assert one == alone


@pytest.mark.parametrize("packed", [False, True], ids=["document", "line"])
def test_within_a_bundle_its_own_names_count(packed: bool, tmp_path: Path) -> None:
    """Two patients in a bundle, and another bundle with the same names."""
    for number, material in enumerate((URINE, {"text": "serum"})):
        first, second = f"p{2 * number + 1}", f"p{2 * number + 2}"
        result = {**RESULT, "subject": {"reference": f"Patient/{first}"}}
        other = {**specimen("s1", "nobody", type=material), "subject": {"reference": f"Patient/{second}"}}
        entries = [{"resource": one} for one in (person(first), person(second), result, other)]
        text = json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / f"b{number}.{'ndjson' if packed else 'json'}").write_text(text)
    built(tmp_path / "in", tmp_path / "store")
    found = {name: bilirubin(one.facts) for name, one in stored(tmp_path / "store").items()}
    assert found == {"p1": [], "p2": [], "p3": [1.5], "p4": []}


def test_a_report_of_everybody_s_results(tmp_path: Path) -> None:
    """What others have in it is left out of it, but for what tells whether a specimen is lent."""
    labs = [lab(f"b{number}", f"p{number}", 1.5) for number in (1, 2, 3)]
    for number, more in enumerate(({}, {"specimen": named("s1")[0]})):
        last = [{**labs[2], **more}, specimen("s1", "nobody", type=URINE)]
        everything = [*PEOPLE, *labs[:2], *last, report("nobody", "b1", "b2", "b3")]
        found = check(everything, tmp_path / f"x{number}", 2)
        assert bilirubin(found["p1"]) == ([] if more else [1.5])


def test_names_are_looked_at_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_beside, "_TOGETHER", 1)
    labs = [lab(f"b{number}", "p1", 1.5) for number in range(20)]
    taken_back = report("nobody", *(one["id"] for one in labs), status="entered-in-error")
    assert not bilirubin(check([*PEOPLE, *labs, taken_back], tmp_path / "x", 2)["p1"])


def test_two_specimens_of_others_are_lent_to_nobody(tmp_path: Path) -> None:
    labs = [lab("b1", "p1", 1.5), *(lab(f"b{n}", f"p{n}", 1.5, specimen=named(f"s{n}")[0]) for n in (2, 3))]
    both = [specimen("s2", "nobody", type=URINE), specimen("s3", "a group", type=SPINAL)]
    found = check([*PEOPLE, *labs, *both, report("nobody", "b1", "b2", "b3")], tmp_path / "x", 2)
    assert bilirubin(found["p1"]) == [1.5]


def test_only_the_newest_report_of_others_counts(tmp_path: Path) -> None:
    old = report("nobody", "b1", status="entered-in-error", meta={"lastUpdated": "2026-03-01T00:00:00Z"})
    new = report("a group", "b2", meta={"lastUpdated": "2026-03-02T00:00:00Z"})
    found = check([*PEOPLE, lab("b1", "p1", 1.5), lab("b2", "p1", 2.5), old, new], tmp_path / "x", 2)
    assert sorted(bilirubin(found["p1"])) == [1.5, 2.5]


def test_an_older_report_of_others_whose_newer_one_lists_something_else(tmp_path: Path) -> None:
    old = report("nobody", "b1", status="entered-in-error", meta={"lastUpdated": "2026-03-01T00:00:00Z"})
    new = report("nobody", "b7", meta={"lastUpdated": "2026-03-02T00:00:00Z"})
    assert bilirubin(check([*PEOPLE, lab("b1", "p1", 1.5), old, new], tmp_path / "x", 2)["p1"]) == [1.5]


def test_of_two_results_of_one_name_none_lends_its_specimen(tmp_path: Path) -> None:
    two = [lab("b2", about, 2.5, specimen=named("s1")[0]) for about in ("p2", None)]
    everything = [lab("b1", "p1", 1.5), report("nobody", "b1", "b2"), *two, specimen("s1", "nobody", type=URINE)]
    assert bilirubin(check([*PEOPLE, *everything], tmp_path / "x", 2)["p1"]) == [1.5]


def test_a_specimen_that_a_result_of_others_contains_is_lent(tmp_path: Path) -> None:
    inner = {"resourceType": "Specimen", "id": "c", "type": URINE}
    other = lab("b2", "p2", 2.5, specimen={"reference": "#c"}, contained=[inner])
    found = check([*PEOPLE, lab("b1", "p1", 1.5), report("nobody", "b1", "b2"), other], tmp_path / "x", 2)
    assert not bilirubin(found["p1"])


@pytest.mark.parametrize("first", [URINE, {"text": "serum"}], ids=["urine", "serum"])
def test_of_two_reports_of_others_the_first_counts(first: Resource, tmp_path: Path) -> None:
    """Both are of one name, and neither is known to be newer."""
    second = {"text": "serum"} if first == URINE else URINE
    reports = [report(about, "b1", specimen=named(name)) for about, name in (("another", "s1"), ("nobody", "s2"))]
    specimens = [specimen("s1", "nobody", type=first), specimen("s2", "nobody", type=second)]
    for number, files in enumerate((1, 2, 4, 8)):
        found = check([*PEOPLE, lab("b1", "p1", 1.5), *reports, *specimens], tmp_path / str(number), files)
        assert bilirubin(found["p1"]) == ([] if first == URINE else [1.5])


def test_copies_are_not_older_versions(tmp_path: Path) -> None:
    mine = lab("b1", "p1", 1.5)
    panel = lab("b9", "p2", 2.5, hasMember=[{"reference": "Observation/b1"}])
    check([*PEOPLE, mine, mine, panel], tmp_path / "x", 2)
    assert OLDER not in json.loads((tmp_path / "x" / "store" / "report.json").read_text())["could_not_be_used"]


def test_one_patient_is_named_in_two_ways_in_a_list(tmp_path: Path) -> None:
    both = [lab("b1", "p1", 1.5), {**lab("b2", None, 2.5), "subject": {"identifier": {"system": MRN, "value": "M1"}}}]
    for number, some in enumerate((both, both[::-1])):
        found = check([*PEOPLE, [*some, specimen("s1", "nobody")]], tmp_path / str(number))  # type: ignore[list-item]
        assert sorted(bilirubin(found["p1"])) == [1.5, 2.5]


def test_what_names_the_patient_within_what_names_nobody(tmp_path: Path) -> None:
    inner = lab("x", "p1", 7.0)
    lines: list[object] = [*PEOPLE, [lab("b1", "p1", 1.5), report("nobody", contained=[inner])]]
    assert sorted(bilirubin(check(lines, tmp_path / "x")["p1"])) == [1.5, 7.0]  # type: ignore[arg-type]


HALF = "\ud800"


@pytest.mark.parametrize(
    "more",
    [
        {"specimen": {"reference": f"Specimen/{HALF}"}},
        {"meta": {"lastUpdated": HALF, "versionId": HALF}},
        {"hasMember": [{"reference": f"Observation/{HALF}"}]},
        {"id": HALF},
        {"contained": [{"resourceType": "Specimen", "id": "c", "parent": [{"reference": f"Specimen/{HALF}"}]}]},
    ],
    ids=lambda more: next(iter(more)),
)
@pytest.mark.parametrize("about", ["p1", None])
def test_half_a_letter_stops_no_build(more: Resource, about: str | None, tmp_path: Path) -> None:
    """JSON can escape what no text can hold."""
    lines = [*PEOPLE, lab("b1", "p1", 1.5), {**lab("b2", about, 2.5), **more}, report("nobody", "b1", "b2", HALF)]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.ndjson").write_text("".join(json.dumps(one) + "\n" for one in lines))
    built(tmp_path / "in", tmp_path / "store")
    assert 1.5 in bilirubin(stored(tmp_path / "store")["p1"].facts)


def test_what_a_report_of_others_contains_is_no_fact(tmp_path: Path) -> None:
    inner = {key: said for key, said in lab("x", None, 7.0).items() if key != "subject"}
    found = check([*PEOPLE, lab("b1", "p1", 1.5), report("nobody", "b1", contained=[inner])], tmp_path / "x", 2)
    assert bilirubin(found["p1"]) == [1.5]


def test_a_name_that_several_have_leads_a_report_of_others_nowhere(tmp_path: Path) -> None:
    labs = [lab("b1", "p1", 1.5), lab("b1", "p2", 2.5)]
    for number, about in enumerate(("nobody", "a stranger")):
        found = check([*PEOPLE, *labs, report(about, "b1", status="entered-in-error")], tmp_path / str(number), 2)
        assert [bilirubin(found[name]) for name in ("p1", "p2")] == [[1.5], [2.5]]


REFERENCES = ("Specimen/s_1", "/Specimen/s_1", "fhir/Specimen/s_1", "HTTPS://a b/Specimen/s_1", " Specimen/s_1 ")


@pytest.mark.parametrize("reference", REFERENCES)
def test_a_reference_however_it_is_written(reference: str, tmp_path: Path) -> None:
    result = lab("b1", "p1", 1.5, specimen={"reference": reference})
    assert not bilirubin(check([*PEOPLE, result, specimen("s_1", "nobody", type=URINE)], tmp_path / "x", 2)["p1"])


def test_a_reference_of_what_is_contained(tmp_path: Path) -> None:
    taken = {"resourceType": "Specimen", "id": "c", "parent": named("s1")}
    result = lab("b1", "p1", 1.5, specimen={"reference": "#c"}, contained=[taken])
    found = check([*PEOPLE, result, specimen("s1", "nobody", type=URINE)], tmp_path / "x", 2)
    assert not bilirubin(found["p1"])


@pytest.mark.parametrize("about", ["nobody", "another", "the same"])
def test_reports_without_an_id_are_told_apart(about: str, tmp_path: Path) -> None:
    """White cells and lymphoblasts of two samples are no count of lymphoblasts."""
    cells = lab("b1", "p1", 5.0, "6690-2")
    cells["valueQuantity"] = {"value": 5.0, "unit": "10*3/uL", "system": "http://unitsofmeasure.org", "code": "10*3/uL"}
    blasts = lab("b2", "p1", 50.0, "34922-5")
    blasts["valueQuantity"] = {"value": 50, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}
    reports = [{key: said for key, said in report(about, name).items() if key != "id"} for name in ("b1", "b2")]
    results = [cells, blasts]
    orders = (
        [*PEOPLE, *results, *reports], [*reports, *PEOPLE, *results], [reports[0], *PEOPLE, reports[1], *results],
    )  # fmt: skip
    for number, resources in enumerate(orders):
        check(resources, tmp_path / f"{number}")
        source = tmp_path / f"in{number}"
        write(source, **{f"f{place}": [one] for place, one in enumerate(resources)})
        for folder in (source, tmp_path / f"{number}" / "in"):
            built(folder, tmp_path / f"{folder.name}{number}")
            kinds = {fact.kind for fact in stored(tmp_path / f"{folder.name}{number}")["p1"].facts}
            assert "blood_wbc" in kinds and "absolute_lymphoblast_count" not in kinds


def test_more_files_than_a_process_may_open(tmp_path: Path) -> None:
    """Files of rows are open only while they are looked at."""
    source = tmp_path / "in"
    write(source, a=[*PEOPLE, RESULT], z=[specimen("s1", "nobody", type=URINE)])
    for number in range(60):
        write(source, **{f"f{number}": [lab(f"c{number}", "p2", 1.5)]})
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 30, hard))
    try:
        built(source, tmp_path / "store")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert not bilirubin(stored(tmp_path / "store")["p1"].facts)


def test_what_is_read_beside_follows_the_source(tmp_path: Path) -> None:
    """A store that was brought up to date is the one built from nothing."""
    everything = [RESULT, lab("b2", "p2", 2.0), lab("b3", "p3", 3.0, specimen=named("s3")[0])]
    source, store = write(tmp_path / "in", a=[*PEOPLE, *everything]), tmp_path / "store"
    built(source, store)
    first = files_of(store)
    steps: list[dict[str, list[Resource]]] = [
        {"b": [specimen("s1", "nobody", type=URINE)]},
        {"c": [specimen("s3", "a group", type=URINE)]},
        {"b": [specimen("s1", "nobody", type={"text": "serum"})]},
    ]
    values = [[[], [3.0]], [[], []], [[1.5], []]]
    for number, (step, expected) in enumerate(zip(steps, values, strict=True)):
        built(write(source, **step), store)
        assert [bilirubin(stored(store)[name].facts) for name in ("p1", "p3")] == expected
        built(source, tmp_path / f"fresh{number}")
        assert files_of(store) == files_of(tmp_path / f"fresh{number}")
        assert not built(source, store).changed
    for name in ("b", "c"):
        (source / f"{name}.ndjson").unlink()
    built(source, store)
    assert files_of(store) == first


def test_what_is_read_beside_changes_those_it_is_beside(tmp_path: Path) -> None:
    """Nobody else is put together again when a part comes that has nothing to do with it."""
    people = [person(f"q{number}") for number in range(200)]
    source = write(tmp_path / "in", a=[*PEOPLE, *people, RESULT], b=[specimen("s1", "another", type=URINE)])
    built(source, tmp_path / "store")
    report = built(write(source, c=[lab("b9", "q9")]), tmp_path / "store")
    assert report.patients_built == 1


# Documents without a patient -----------------------------------------------------------------------------------------


def odd(*resources: Resource) -> Resource:
    """A bundle that is read as a whole."""
    entries = [{"fullUrl": f"urn:uuid:{one.get('id')}", "resource": one} for one in resources]
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [*entries, {"resource": {"resourceType": "Device"}}],
    }


def plain(*resources: Resource) -> Resource:
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in resources]}


FORMS = {
    "bundle": plain,
    "odd bundle": odd,
    "list": lambda *some: [*some],
    "bundle in a list": lambda *some: [odd(*some)],
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("people", [1, 2])
@pytest.mark.parametrize("others", [(), ("the same",), ("a stranger",), ("a group",), ("the same", "a stranger"),
                                    ("another by identifier", "nobody's identifier")], ids=str)  # fmt: skip
def test_what_names_nobody_among_what_names_somebody(
    form: object, people: int, others: tuple[str, ...], tmp_path: Path
) -> None:
    """It is the only patient's; nobody's, and counted, where there are several; and still there to be referred to."""
    assert callable(form)
    inside = [{**lab(f"b{number}", None, 2.0), **ABOUT[about]} for number, about in enumerate(others)]
    inside += [
        lab("b8", None, 8.0, specimen=named("s1")[0]),
        lab("b9", None, 9.0),
        specimen("s1", "nobody", type=URINE),
    ]
    for one in inside[: len(others)]:
        one["specimen"] = named("s1")[0]
    lines = [*PEOPLE[:people], lab("b7", "p1", 7.0), form(*inside)]
    found = check(lines, tmp_path / "x")
    assert sorted(bilirubin(found["p1"])) == ([7.0, 9.0] if people == 1 else [7.0])
    counted = json.loads((tmp_path / "x" / "store" / "report.json").read_text())["could_not_be_used"]
    told = counted.get("resources that name no subject", {"count": 0})
    assert told["count"] == (0 if people == 1 else 3)


def test_a_result_in_a_list_that_holds_half_a_letter(tmp_path: Path) -> None:
    """JSON can hold what no text does; it is kept."""
    inside = [lab("b1", "p1", 1.25, note=[{"text": "\ud83d"}]), lab("b2", None, 2.5)]
    data = ndjson(PEOPLE) + json.dumps(inside).encode() + b"\n"
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.ndjson").write_bytes(data)
    built(tmp_path / "in", tmp_path / "store")
    assert bilirubin(stored(tmp_path / "store")["p1"].facts) == [1.25]


# Generated --------------------------------------------------------------------------------------------------------


def generated(random: Random) -> Resource:
    """A version of one of few resources, of anybody; each was changed at another time."""

    def reference(kind: str) -> Resource:
        prefix = random.choice(("", "", "", "https://a.example/"))
        return {"reference": f"{prefix}{kind}/b{random.randrange(4)}{random.choice(('', '', '/_history/2'))}"}

    name = f"b{random.randrange(4)}"
    kind = random.choice(("Observation", "Observation", "Specimen", "DiagnosticReport"))
    if kind == "Observation":
        found = lab(name, None, random.randrange(1, 90) / 10)
        if random.random() < 0.6:
            found["specimen"] = reference("Specimen")
        if random.random() < 0.3:
            found["hasMember"] = [reference("Observation")]
    elif kind == "Specimen":
        found = {"resourceType": kind, "id": name, "type": random.choice((URINE, SPINAL, {"text": "serum"}, {}))}
        found["status"] = random.choice(("available", "available", "unsatisfactory"))
        if random.random() < 0.3:
            found["parent"] = [reference("Specimen")]
    else:
        found = {"resourceType": kind, "id": name, "status": random.choice(("final", "final", "entered-in-error"))}
        found["result"] = [reference("Observation") for _ in range(random.randint(1, 3))]
        if random.random() < 0.4:
            found["specimen"] = [reference("Specimen")]
    found |= random.choice(list(ABOUT.values()))
    found["meta"] = {
        "lastUpdated": f"2026-03-{random.randint(1, 28):02}T10:{random.randrange(60):02}:{random.randrange(60):02}Z"
    }
    return {**found, "method": 5} if random.random() < 0.1 else found


@pytest.mark.parametrize("seed", range(30))
def test_generated_lines_in_any_files(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(seed)
    if seed % 3 == 0:
        monkeypatch.setattr(build_beside, "_TOGETHER", 4)
    people = PEOPLE[: random.randint(1, 3)]
    resources = [*people, *(generated(random) for _ in range(random.randint(5, 25)))]
    random.shuffle(resources)
    check(resources, tmp_path / "x", random.randint(1, 4))
