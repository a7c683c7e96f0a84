"""The coordinator's page without a browser: record and trial to worksheet, answers put in, dates changed, files out."""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import re
import tempfile
from html import unescape
from importlib.resources import files
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response
from tests.trials.flagship import patient_entry
from tests.web.pages import text

from onstudy import load_trial, read_patients, screen
from onstudy.faces.web.coordinator_answers import asked
from onstudy.faces.web.coordinator_case import LARGEST, examples
from onstudy.screening.todo import todo_file

HERE = "/coordinator"
DATES = {"trial": "NCT03739814", "on": "2026-03-16", "start": "2026-03-18T09:00"}
PATIENT = "patient: P1\nborn: 1955-06-20\nsex: male\nfacts:\n  - {kind: ecog, on: 2026-03-14, value: 1}\n"


def example(name: str) -> str:
    return files("onstudy").joinpath("examples", name).read_text(encoding="utf-8")


def first(client: TestClient, record: str | bytes = "", name: str = "record.json", **fields: str) -> Response:
    """The first form, with a file unless an example is chosen."""
    given = {**DATES, **fields}
    upload = {"file": (name, record)} if record else {"file": ("", b"")}
    return client.post(HERE, data=given, files=upload)


def carried(html: str) -> dict[str, str]:
    """All that a page's form holds: hidden fields, texts, dates, chosen options."""
    found = dict(
        re.findall(r'<input (?:type="hidden"|class="usa-input[^"]*") ?[^>]*?name="([^"]+)"[^>]*? value="([^"]*)"', html)
    )
    found |= dict(re.findall(r'<textarea name="([^"]+)" hidden>\n?(.*?)</textarea>', html, re.DOTALL))
    return {name: unescape(value) for name, value in found.items()}


def again(client: TestClient, html: str, to: str = HERE, **fields: str) -> Response:
    return client.post(to, data={**carried(html), **fields})


def changed(html: str) -> list[str]:
    """The rows of "What changed"."""
    part = html[html.index("What changed") : html.index("Worksheet (HTML)")]
    return [text(row) for row in re.findall(r"<tr>(.*?)</tr>", part, re.DOTALL)[1:]]


def field_of(html: str, kind: str, key: str) -> str:
    """The name of a field of the entry that asks about a kind."""
    found = re.search(rf'name="(e\.\d+)\.kind" value="{kind}"', html)
    assert found is not None, kind
    return f"{found[1]}.{key}"


# To the worksheet -----------------------------------------------------------------------------------------------


def test_an_example_can_be_tried_with_the_days_it_was_made_for(client: TestClient) -> None:
    """Given the link of the first page, when its form is sent, then the verdicts are those of examples/README.md."""
    link = re.search(r'href="(/coordinator\?[^"]+)">Try it', client.get(HERE).text)
    assert link is not None
    form = client.get(unescape(link[1])).text
    fields = dict(re.findall(r'name="(on|start)"[^>]* value="([^"]*)"', form))
    fields |= {"example": re.findall(r'<option value="([^"]+)" selected', form)[0], "trial": "NCT03739814"}
    said = text(client.post(HERE, data=fields, files={"file": ("", b"")}).text)
    assert "Cohort C1 Undetermined" in said and "Cohort C2 Ineligible" in said and "Cohort C3 Undetermined" in said


def test_an_example_chosen_by_hand_is_screened_on_its_days_unless_others_are_set(client: TestClient) -> None:
    """examples/README.md: eligible for cohort 1, registered on 2026-03-16 and treated from 2026-03-18."""
    offered = carried(client.get(HERE).text)
    assert (offered["on"], offered["start"]) == ("2026-05-20", "")
    chosen = {**offered, "trial": "NCT03739814", "example": "cohort-1-eligible.json"}

    def sent(**fields: str) -> str:
        return text(client.post(HERE, data={**chosen, **fields}, files={"file": ("", b"")}).text)

    said = sent()
    assert "Step 1 registration 2026-03-16" in said and "Cohort C1 Eligible" in said
    assert "Step 1 registration 2026-05-19" in sent(on="2026-05-19")
    assert "Step 1 registration 2026-05-20" in sent(start="2026-05-21")
    other = sent(trial="NCT06480136")
    assert "for NCT06480136" in other and "Enrolment 2026-05-20" in other
    by_address = carried(client.get(HERE, params={"on": "2026-05-20"}).text)
    assert "offered" not in by_address
    wrong = client.post(HERE, data={**chosen, "example": "", "who": ""}, files={"file": ("", b"")})
    assert wrong.status_code == 422 and carried(wrong.text)["offered"] == "2026-05-20"


def test_what_an_address_fills_in_is_text(client: TestClient) -> None:
    page = client.get(HERE, params={"on": '"><b>', "start": "x" * 500, "example": "../secret", "trial": "NCT1"})
    assert (
        page.status_code == 200 and "<b>" not in page.text and "secret" not in page.text and "x" * 50 not in page.text
    )


def test_a_start_that_is_not_planned_and_decides_is_asked_for_where_it_is_set(client: TestClient) -> None:
    page = first(client, example="cohort-1-eligible.json", start="").text
    assert "When is the therapy start planned? Without it C1-05 cannot be decided." in text(page)
    assert re.search(r'<details class="panel no-print" open>\s*<summary id="settings">', page)
    page = first(client, example="cohort-1-eligible.json").text
    assert "is the therapy start planned" not in text(page)
    assert not re.search(r'<details class="panel no-print" open>\s*<summary id="settings">', page)


def test_whether_the_trial_takes_people_stands_above_the_verdict(client: TestClient) -> None:
    """The flagship's status is not known, and was suspended in April 2023."""
    page = first(client, example="cohort-1-eligible.json").text
    said = text(page)
    status = said.index("This trial: status not known; last known: suspended, as stated on 2023-04-04")
    assert said.index("for NCT03739814") < status < said.index("Cohort C1")


def test_the_first_page_asks_for_a_record_and_a_trial(client: TestClient) -> None:
    page = client.get(f"{HERE}?trial=NCT06480136")
    assert re.search(r'<option value="NCT06480136" selected', page.text)
    assert 'type="file"' in page.text and 'value="2026-05-20"' in page.text
    assert [name in page.text for name in examples()] == [True] * 12


@pytest.mark.parametrize("name", sorted(examples()))
def test_each_example_is_the_screening_of_the_command_line(client: TestClient, name: str) -> None:
    from datetime import date

    page = first(client, example=name)
    [patient] = read_patients(name, example(name).encode())
    s = screen(load_trial("NCT03739814"), patient, date(2026, 3, 16), therapy_start="2026-03-18T09:00")
    assert page.status_code == 200
    assert again(client, page.text, f"{HERE}/json").text == s.to_json() + "\n"


@pytest.mark.parametrize(("name", "record"), [
    ("patient.yaml", PATIENT.encode()),
    ("patient.csv", b"patient,kind,on,value\nP1,ecog,2026-03-14,1\n"),
    ("bundle.json.gz", gzip.compress(example("cohort-1-eligible.json").encode())),
    ("bundle.json", b"\xef\xbb\xbf" + example("cohort-1-eligible.json").encode()),
])  # fmt: skip
def test_every_format_is_taken(client: TestClient, name: str, record: bytes) -> None:
    page = first(client, record, name)
    assert page.status_code == 200 and "Verdict for each cohort" in page.text
    assert again(client, page.text).status_code == 200


def test_the_worksheet_has_its_windows_as_a_time_line(client: TestClient) -> None:
    page = first(client, example="in-four-days.json").text
    assert '<svg class="time"' in page and "Windows: the verdict on each registration day" in page
    assert " style=" not in page and "<script>" not in page


@pytest.mark.parametrize(("fields", "record", "says"), [
    ({}, "", "Choose a file, or one of the examples."),
    ({"trial": "NCT00000000"}, PATIENT, "Choose a trial."),
    ({"on": "soon"}, PATIENT, "Registration: write a day as YYYY-MM-DD."),
    ({"start": "soon"}, PATIENT, "write a day as YYYY-MM-DD, or with its time"),
    ({"start": "2026-03-01"}, PATIENT, "lies before registration"),
    ({"example": "../../etc/passwd"}, "", "There is no such example."),
    ({}, "<xml/>", "is XML"),
    ({}, "{}", "holds no"),
    ({}, "   ", "record.json is empty."),
    ({}, b"\xff\xfe\x00", "record.json is not text in UTF-8"),
    ({}, b"\x1f\x8b\x00\x00", "record.json is packed, and damaged or cut off"),
    ({"example": "in-four-days.json"}, PATIENT, "record.json and an example were both chosen. Take one"),
])  # fmt: skip
def test_what_cannot_be_used_is_told_beside_its_field(
    client: TestClient, fields: dict[str, str], record: str | bytes, says: str
) -> None:
    page = first(client, record, **fields)
    assert page.status_code == 422 and says in text(page.text)
    assert "Please look at this again" in page.text


def test_a_record_may_have_five_megabytes(client: TestClient) -> None:
    large = json.loads(example("cohort-1-eligible.json"))
    large["entry"][0]["resource"]["text"] = {"status": "generated", "div": "x" * (LARGEST - 400_000)}
    page = first(client, json.dumps(large))
    assert page.status_code == 200 and again(client, page.text).status_code == 200
    too_large = first(client, b"x" * (LARGEST + 1))
    assert too_large.status_code == 422 and "at most 5 MB" in too_large.text


def bundle_of(*names: str) -> str:
    """The records of several examples in one FHIR bundle."""
    several = [json.loads(example(name)) for name in names]
    return json.dumps({**several[0], "entry": [entry for one in several for entry in one["entry"]]})


@pytest.mark.parametrize(("name", "record", "people"), [
    ("two.yaml", PATIENT + "---\n" + PATIENT.replace("P1", "P2").replace("1955", "1990"), ["P1", "P2"]),
    ("two.json", bundle_of("cohort-1-eligible.json", "data-missing.json"), ["cohort-1-eligible", "data-missing"]),
])  # fmt: skip
def test_of_several_patients_one_is_asked_for_by_name(
    client: TestClient, name: str, record: str, people: list[str]
) -> None:
    asks = first(client, record, name)
    assert asks.status_code == 422 and f"{name} holds 2 patients: choose one." in text(asks.text)
    choice = re.search(r'<select[^>]* name="who".*?</select>', asks.text, re.DOTALL)
    assert choice is not None and re.findall(r'value="(\d)"\s*>([^<]+)<', choice[0]) == [
        *zip("01", people, strict=True)
    ]
    second = again(client, asks.text, trial="NCT03739814", who="1")
    assert f"<bdi>{people[1]}</bdi> for NCT03739814" in second.text
    assert f"<bdi>{people[1]}</bdi> for NCT03739814" in again(client, second.text).text
    assert json.loads(again(client, second.text, f"{HERE}/json").text)["patient"] == people[1]
    for nobody in ("2", "x", "-1", ""):
        assert "choose one" in again(client, asks.text, trial="NCT03739814", who=nobody).text


def test_another_patient_of_the_record_has_none_of_the_answers(client: TestClient) -> None:
    """What was added is one patient's: on the way to the other it is left behind."""
    asks = first(client, bundle_of("data-missing.json", "cohort-1-eligible.json"), "two.json").text
    page = again(client, asks, trial="NCT03739814", who="0").text
    page = again(client, page, **{field_of(page, "lvef", "value"): "60"}).text
    assert "What you added" in page and "Another of the 2 patients" in text(page)
    choice = again(client, page, choose="yes")
    assert choice.status_code == 200 and "Which patient" not in choice.text
    assert carried(choice.text)["start"] == "2026-03-18T09:00"
    other = again(client, choice.text, trial="NCT03739814", who="1").text
    assert "<bdi>cohort-1-eligible</bdi>" in other and "What you added" not in other


def test_after_an_error_elsewhere_the_file_need_not_be_chosen_again(client: TestClient) -> None:
    page = first(client, PATIENT, "p.yaml", on="soon")
    assert page.status_code == 422 and "Taken: <bdi>p.yaml</bdi>." in page.text
    assert again(client, page.text, trial="NCT03739814", on="2026-03-16").status_code == 200
    page = first(client, PATIENT, "p.yaml", start="2026-03-01")
    assert 'id="start-error"' in page.text and carried(page.text)["start"] == "2026-03-01"
    assert again(client, page.text, trial="NCT03739814", start="").status_code == 200
    newer = client.post(
        HERE, data={**carried(page.text), **DATES}, files={"file": ("q.yaml", PATIENT.replace("P1", "Q1"))}
    )
    assert "<bdi>Q1</bdi> for NCT03739814" in newer.text
    assert "choose it again" in first(client, "   ").text


def test_what_is_far_too_large_leads_back_to_the_form(client: TestClient) -> None:
    page = first(client, b"x" * (20 * 1024 * 1024 + 1))
    assert page.status_code == 413 and '<a class="usa-button" href="/coordinator">Back to the form</a>' in page.text
    assert "how large a file may be" in page.text and "at once" not in page.text


def test_the_top_says_what_the_worksheet_rests_on(client: TestClient) -> None:
    page = first(client, example="cohort-1-eligible.json").text
    top = text(page[: page.index('class="verdicts"')])
    assert "Step 1 registration 2026-03-16" in top and "2026-03-18T09:00" in top and "Trial file version 1.0" in top
    assert load_trial("NCT03739814").title in top


def test_results_older_than_advised_are_said_beside_the_verdict(client: TestClient) -> None:
    """Registered in November, his laboratory values of March are more than 14, his heart's more than 28 days old."""
    page = first(client, example="cohort-1-eligible.json", on="2026-11-22", start="2026-11-24T09:00").text
    verdicts = text(page[page.index('<ul class="verdicts">') : page.index("Worksheet (HTML)")])
    assert "Cohort C1 Eligible 9 values are older than advised" in verdicts
    assert verdicts.count("older than advised") == 1
    assert 'href="#renew"' in page and "To measure again 9" in text(page)
    assert "older than advised" not in first(client, example="cohort-1-eligible.json").text


def test_what_could_not_be_used_is_said_on_top(client: TestClient) -> None:
    page = first(client, PATIENT + "  - {kind: no_such_kind, value: 1}\n", "p.yaml").text
    assert "1 entry of the record could not be used" in text(page[: page.index("Worksheet (HTML)")])


# Answering --------------------------------------------------------------------------------------------------------


def test_the_form_asks_what_the_todo_file_asks() -> None:
    from datetime import date

    [patient] = read_patients("x.json", example("data-missing.json").encode())
    s = screen(load_trial("NCT03739814"), patient, date(2026, 3, 16))
    entries = [one for _, several in asked(s) for one in several]
    lines = todo_file(s)
    assert len(entries) == lines.count("- kind: ") + lines.count("# - ")
    assert sum(len(one.blanks) for one in entries) == len(re.findall(r"^    (?!id:)[a-z_0-9]+:", lines, re.MULTILINE))


def test_answers_change_the_verdict_and_what_changed_is_listed(client: TestClient) -> None:
    page = first(client, example="data-missing.json").text
    answers = {
        field_of(page, "bcr_abl1", "value"): "negative",
        field_of(page, "lvef", "value"): "60",
        field_of(page, "lvef", "on"): "2026-03-10",
        field_of(page, "bilirubin_total", "uln"): "1.2",
    }
    page = again(client, page, **answers).text
    rows = changed(page)
    assert "Cohort C1 Undetermined Eligible" in rows and "S1-18 Unknown Met" in rows
    assert '<bdi class="source">answer 2 on the page</bdi>' in page and "page facts[" not in page
    nothing = again(client, page).text
    assert "Nothing: every verdict and every criterion stands as before." in nothing
    file = again(client, nothing, f"{HERE}/facts")
    assert file.headers["content-disposition"] == 'attachment; filename="NCT03739814-facts-added.yaml"'
    assert "{kind: lvef, " in file.text and "value: 60 %" in file.text


def test_values_that_became_older_than_advised_are_among_what_changed(client: TestClient) -> None:
    """Registered in November, nine of his values of March are older than advised, and no verdict is another."""
    page = first(client, example="cohort-1-eligible.json").text
    dates = {"on": "2026-11-22", "anchor.therapy_start": "2026-11-24T09:00"}
    later = again(client, page, **dates).text
    rows = [row for row in changed(later) if "older than advised" in row]
    assert "Nothing: every verdict" not in later and len(rows) == 9
    assert all("Not among the values older than advised Older than advised: 2" in row for row in rows)
    back = again(client, later, **{"on": "2026-03-16", "anchor.therapy_start": "2026-03-18T09:00"}).text
    rows = [row for row in changed(back) if "older than advised" in row]
    assert len(rows) == 9 and all(row.endswith(" Not among the values older than advised") for row in rows)


def test_an_answer_dated_after_registration_says_so_on_top_and_where_it_is_listed(client: TestClient) -> None:
    page = first(client, example="data-missing.json").text
    answers = {field_of(page, "lvef", "value"): "60", field_of(page, "lvef", "on"): "2027-01-01"}
    page = again(client, page, **answers).text
    said = "is dated 2027-01-01, after the registration date; only what asks for that time uses it."
    said += " No criterion rests on it."
    top, below = (text(part) for part in page.split("What you added", 1))
    label = "Left ventricular ejection fraction"
    assert f"{label} {said} (answer 1 on the page)" in top and f"(answer 1 on the page) {label} {said}" in below
    page = again(client, page, on="2027-01-02", **{"anchor.therapy_start": "2027-01-04"}).text
    assert "after the registration date" not in text(page)


def test_one_that_completes_a_record_is_refused_there(client: TestClient) -> None:
    record = f"{PATIENT}  - {{kind: myocardial_infarction, id: MI, active: yes}}\n"
    page = first(client, record, "p.yaml").text
    page = again(client, page, **{field_of(page, "myocardial_infarction", "on"): "2026-03-20"}).text
    top = text(page[: page.index("What changed")])
    assert "`on` 2026-03-20 lies after 2026-03-16, and what is on record had been by then: it is not used" in top


def test_the_facts_added_go_back_in_with_add(client: TestClient) -> None:
    """The file that is downloaded gives, with the record, what the page shows."""
    from datetime import date

    from onstudy.record.catalogue import load_catalogue
    from onstudy.screening.answers import with_added

    page = first(client, example="data-missing.json").text
    page = again(client, page, **{field_of(page, "bcr_abl1", "value"): "negative"}).text
    [record] = read_patients("x.json", example("data-missing.json").encode())
    [more] = read_patients("added.yaml", again(client, page, f"{HERE}/facts").content)
    patient = with_added(record, more, "added.yaml", load_catalogue())
    s = screen(load_trial("NCT03739814"), patient, date(2026, 3, 16), therapy_start="2026-03-18T09:00")
    shown = json.loads(again(client, page, f"{HERE}/json").text)
    assert [c["verdict"] for c in shown["cohorts"]] == [c.verdict for c in s.cohorts]


OPEN_RECORDS: list[tuple[str, str, list[str], dict[str, Any], dict[str, str], str, dict[str, str], str]] = [
    ("a component that is lacking", "BASE-1", ["ecg"], {"kind": "ecg", "on": "2026-03-12", "qtcb": "440 ms"}, {},
     "ecg", {"qtcf": "430"}, "S1-36"),
    ("the rate of a tracing", "BASE-1", ["ecg"], {"kind": "ecg", "on": "2026-03-12", "qt": "400 ms"}, {},
     "ecg", {"rate": "60"}, "S1-36"),
    ("a cytospin", "BASE-1", ["csf_examination"],
     {"kind": "csf_examination", "on": "2026-03-12", "wbc": "1 /uL", "rbc": "0 /uL"}, {},
     "csf_examination", {"cytospin": "negative"}, "S1-06"),
    ("a month of birth", "BASE-1", [], {"kind": "body_weight", "on": "2026-03-15", "value": "70 kg"},
     {"born": "1966-03"}, "", {"born": "1966-03-10"}, "C1-01"),
    ("a moment", "BASE-2", ["hematopoietic_transplant"],
     {"kind": "hematopoietic_transplant", "on": "2025-11", "type": "allogeneic"}, {},
     "hematopoietic_transplant", {"on": "2025-11-10"}, "C2-06"),
    ("a date that is a detail", "BASE-1", ["other_malignancy"],
     {"kind": "other_malignancy", "type": "breast", "stage": "III", "state": "complete_remission",
      "disease_free_since": "2024-03"}, {"complete": "all"},
     "other_malignancy", {"disease_free_since": "2024-03-10"}, "S1-27"),
    ("a grade", "BASE-2", ["toxicity"],
     {"kind": "toxicity", "term": "nausea", "grade": "1-2", "acute": "yes", "hematologic": "no", "from": "2026-03-01",
      "active": "yes"}, {"complete": "all"}, "toxicity", {"grade": "1"}, "C2-14"),
    ("a suspected result", "BASE-1", [],
     {"kind": "bcr_abl1", "on": "2026-03-04", "method": "fish", "value": "positive", "suspected": "yes"}, {},
     "bcr_abl1", {"value": "negative"}, "C1-02"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("base", "without", "fact", "person", "kind", "filled_in", "name"),
    [pytest.param(*case[1:], id=case[0]) for case in OPEN_RECORDS],
)
def test_what_the_record_says_in_part_is_completed_on_the_page(
    client: TestClient,
    base: str,
    without: list[str],
    fact: dict[str, Any],
    person: dict[str, str],
    kind: str,
    filled_in: dict[str, str],
    name: str,
) -> None:
    entry = patient_entry(base)
    facts = [one for one in entry["facts"] if one["kind"] not in without]
    page = first(client, json.dumps({**entry, "facts": [*facts, fact], **person}), "record.yaml")
    before = json.loads(again(client, page.text, f"{HERE}/json").text)
    fields = {field_of(page.text, kind, key) if kind else key: value for key, value in filled_in.items()}
    assert all(f'name="{one}"' in page.text for one in fields)
    page = again(client, page.text, **fields)
    after = json.loads(again(client, page.text, f"{HERE}/json").text)
    statuses = [next(row["status"] for row in s["criteria"] if row["id"] == name) for s in (before, after)]
    assert statuses == ["unknown", "met"]
    assert [one for one in after["problems"] if one not in before["problems"]] == []


def added(html: str) -> dict[str, str]:
    """The list of what was added: what each says, and what takes it out."""
    part = html[html.index("What you added") : html.index('id="settings"')]
    rows = re.findall(r'<li>(.*?)<button.*? value="([^"]+)".*?</li>', part, re.DOTALL)
    return {text(said): at for said, at in rows}


def test_an_answer_can_be_taken_out_again(client: TestClient) -> None:
    before = first(client, example="data-missing.json").text
    answers = {
        field_of(before, "bcr_abl1", "value"): "positive",
        field_of(before, "lvef", "value"): "60",
        field_of(before, "lvef", "on"): "2026-03-10",
    }
    page = again(client, before, **answers).text
    wrong, right = added(page)
    assert wrong.startswith("BCR-ABL1: positive") or "positive" in wrong
    assert right == "Left ventricular ejection fraction: 60 %; Date 2026-03-10 (answer 2 on the page)"
    page = again(client, page, out=added(page)[wrong]).text
    assert [said.partition(" (")[0] for said in added(page)] == [
        "Left ventricular ejection fraction: 60 %; Date 2026-03-10"
    ]
    assert "C1-02 Not met Unknown" in changed(page)
    assert "positive" not in again(client, page, f"{HERE}/facts").text
    page = again(client, page, out="facts.0").text
    assert "What you added" not in page
    unadded = json.loads(again(client, before, f"{HERE}/json").text)
    assert json.loads(again(client, page, f"{HERE}/json").text) == unadded


def test_that_there_was_no_other_and_the_date_of_birth_can_be_taken_out(client: TestClient) -> None:
    page = first(client, PATIENT.replace("born: 1955-06-20\n", ""), "p.yaml").text
    page = again(client, page, born="1955-06-20", complete="seizure").text
    assert list(added(page).values()) == ["born", "complete.seizure"]
    page = again(client, page, out="complete.seizure").text
    assert added(page) == {"Date of birth: 1955-06-20": "born"}
    page = again(client, page, out="no.such").text
    assert added(page) == {"Date of birth: 1955-06-20": "born"}
    assert "What you added" not in again(client, page, out="born").text


def test_that_there_was_no_other_is_an_answer(client: TestClient) -> None:
    page = first(client, example="infarction-undated.json").text
    page = again(
        client, page, complete="myocardial_infarction", **{field_of(page, "myocardial_infarction", "on"): "2015-03-01"}
    ).text
    assert any(row.startswith("S1-17 ") and row.endswith(" Met") for row in changed(page))


def test_an_answer_that_cannot_be_read_stays_where_it_was_written(client: TestClient) -> None:
    page = first(client, example="data-missing.json").text
    wrong = {field_of(page, "lvef", "value"): "sixty", field_of(page, "bcr_abl1", "value"): "negative"}
    answer = again(client, page, **wrong)
    assert answer.status_code == 422
    assert 'value="sixty"' in answer.text and "not a number with a unit" in answer.text
    assert "S1-04 Unknown Met" in changed(answer.text)


@pytest.mark.parametrize(("kind", "fields", "says"), [
    ("lvef", {"value": "60", "on": "soon"}, "Date cannot be read: write YYYY"),
    ("creatinine", {"value": "0.9", "uln": "x"}, "Upper limit of normal is not a number with a unit"),
    ("creatinine", {"value": "1,200"}, "Answer is not a number with a unit, as in 1.8 mg/dL"),
    ("creatinine", {"value": "1,200"}, "(write a decimal point, not a comma)"),
    ("ecog", {"value": "7"}, "The value of ECOG performance status lies outside 0 to 5"),
    ("csf_examination", {"wbc": "five"}, "White"),
])  # fmt: skip
def test_what_is_wrong_is_said_in_the_words_of_the_form(
    client: TestClient, kind: str, fields: dict[str, str], says: str
) -> None:
    record = PATIENT.partition("facts:")[0]
    page = first(client, record, "p.yaml").text
    answer = again(client, page, **{field_of(page, kind, key): value for key, value in fields.items()})
    errors = text(answer.text[answer.text.index('id="errors"') : answer.text.index("<h1>")])
    assert answer.status_code == 422 and says in errors
    assert not re.search(r"\b(Uln|On|Value) (is|cannot)|\bfacts\[|_", errors)


def test_a_date_of_birth_that_cannot_be_read_is_said_beside_its_field(client: TestClient) -> None:
    page = first(client, PATIENT.replace("born: 1955-06-20\n", ""), "p.yaml").text
    answer = again(client, page, born="20 June")
    assert answer.status_code == 422 and "Date of birth cannot be read" in text(answer.text)
    assert 'value="20 June"' in answer.text


@pytest.mark.parametrize("written", ["1,2", "< 1,25", "0,9 mg/dL"])
def test_a_comma_that_can_only_be_a_decimal_one_is_taken(client: TestClient, written: str) -> None:
    page = first(client, PATIENT, "p.yaml").text
    page = again(client, page, **{field_of(page, "creatinine", "value"): written}).text
    point = written.replace(",", ".").removesuffix(" mg/dL")
    assert f"Creatinine in serum: {point} mg/dL" in " ".join(added(page))


def test_a_date_that_was_there_already_is_no_answer(client: TestClient) -> None:
    """The day of record stands in the form; without an answer beside it nothing is said, and never a yes."""
    page = first(client, example="eligible-if-confirmed.json").text
    name = field_of(page, "angina", "recorded")
    assert carried(page)[name] == "2026-03-16"
    assert "Nothing: every verdict and every criterion stands as before." in again(client, page).text


def test_a_date_filled_in_without_its_answer_is_told_in_the_words_of_the_form(client: TestClient) -> None:
    page = first(client, example="eligible-if-confirmed.json").text
    answer = again(client, page, **{field_of(page, "angina", "from"): "2026-01-05"})
    assert answer.status_code == 422 and 'value="2026-01-05"' in answer.text
    assert "From is filled in and Answer is left blank" in text(answer.text)
    assert "left blank" not in text(again(client, page, **{field_of(page, "angina", "recorded"): "2026-03-14"}).text)


def test_a_bare_number_has_the_unit_beside_its_field_and_another_may_be_written(client: TestClient) -> None:
    page = first(client, PATIENT, "p.yaml").text
    name = field_of(page, "creatinine", "value")
    assert carried(page)[f"{name}.unit"] == "mg/dL"
    answers = {name: "88.4", f"{name}.unit": "umol/L", field_of(page, "creatinine", "uln"): "1.2 mg/dL"}
    added = again(client, again(client, page, **answers).text, f"{HERE}/facts").text
    assert "value: 88.4 umol/L" in added and "uln: 1.2 mg/dL" in added


# Changing ---------------------------------------------------------------------------------------------------------


def test_another_day_shows_what_it_changes(client: TestClient) -> None:
    """The example says it: four days later it works."""
    page = first(client, example="in-four-days.json").text
    later = again(client, page, on="2026-03-20", **{"anchor.therapy_start": "2026-03-22T09:00"}).text
    assert any("Ineligible Eligible" in row for row in changed(later))


def test_what_is_assumed_absent_is_shown_as_assumed(client: TestClient) -> None:
    page = first(client, example="eligible-if-confirmed.json").text
    sure = again(client, page, assume="all").text
    assert "Cohort C1 Eligible if confirmed Eligible" in changed(sure)
    assert "Absences assumed" in sure


@pytest.mark.parametrize("fields", [
    {"on": "never"}, {"anchor.therapy_start": "never"}, {"until": "2020-01-01"}, {"assume": "lvef"},
    {"on": "1500-01-01"},
])  # fmt: skip
def test_settings_that_cannot_be_leave_the_page_as_it_was(client: TestClient, fields: dict[str, str]) -> None:
    page = first(client, example="cohort-1-eligible.json").text
    answer = again(client, page, **fields)
    assert answer.status_code == 422 and "Please look at this again" in answer.text
    said = text(answer.text)
    assert "Eligible for C1 as recorded." in said
    assert "What was changed could not be used: this is still the worksheet of registration on 2026-03-16." in said
    [field] = fields
    assert f'<a href="#{field}">' in answer.text and f'id="{field}-error"' in answer.text
    assert not re.search(r"--|therapy_start [0-9]", said)


def test_after_an_error_of_a_date_what_was_typed_stays_and_answers_are_kept(client: TestClient) -> None:
    page = first(client, example="data-missing.json").text
    typed = {"on": "2026-04-16", field_of(page, "lvef", "value"): "60"}
    answer = again(client, page, **typed)  # the treatment would now begin before the registration
    assert answer.status_code == 422
    assert carried(answer.text)["on"] == "2026-04-16"
    assert "Start of protocol therapy (inotuzumab ozogamicin, Course IA day 1) 2026-03-18T09:00 lies before" in text(
        answer.text
    )
    assert "Left ventricular ejection fraction: 60 %" in " ".join(added(answer.text))
    right = again(client, answer.text, **{"anchor.therapy_start": "2026-04-18"}).text
    assert "Step 1 registration 2026-04-16" in text(right) and len(added(right)) == 1


# To take away -------------------------------------------------------------------------------------------------------


def test_the_downloads_are_those_of_the_command_line(client: TestClient) -> None:
    page = first(client, example="cohort-1-eligible.json").text
    sheet = again(client, page, f"{HERE}/worksheet")
    assert sheet.headers["content-type"].startswith("text/html")
    assert sheet.headers["content-disposition"].startswith("attachment")
    assert sheet.text.lstrip().startswith("<!doctype html>") and "Content-Security-Policy" in sheet.text
    result = again(client, page, f"{HERE}/json")
    assert json.loads(result.text)["patient"] == "cohort-1-eligible"
    assert hashlib.sha256(result.content).hexdigest() in sheet.text


@pytest.mark.parametrize("path", ["/worksheet", "/json", "/facts"])
def test_nothing_is_downloaded_of_nothing(client: TestClient, path: str) -> None:
    assert client.post(f"{HERE}{path}", data={"trial": "NCT03739814", "on": "2026-03-16"}).status_code == 422


# Safe ----------------------------------------------------------------------------------------------------------------


def test_a_record_is_escaped(client: TestClient) -> None:
    hostile = PATIENT.replace("P1", '"<img src=x onerror=alert(1)></textarea><script>alert(1)</script>"')
    page = first(client, hostile, '"><script>.yaml').text
    assert "<script>alert" not in page and "<img src=x" not in page
    assert carried(page)["record"].replace("\r\n", "\n").strip() == hostile.strip()


@pytest.mark.parametrize("fields", [
    {"was": "[1,2]", "added": "x"}, {"was": '{"anchors": 3, "assume": "x", "added": {"facts": "y"}}'},
    {"added": '{"facts": [{"kind": "<b>"}], "complete": 5}'}, {"who": "99999"}, {"who": "-1"},
    {"e.0.kind": "no_such_kind", "e.0.value": "1"}, {"e.x.kind": "lvef"}, {"e.0": "x"}, {"e.0.value": "1"},
    {"added": "[" * 5000}, {"was": '{"on": "x", "added": null}'},
])  # fmt: skip
def test_hostile_forms_give_a_page(client: TestClient, fields: dict[str, str]) -> None:
    page = client.post(HERE, data={**DATES, "record": PATIENT, "name": "p.yaml", **fields})
    assert page.status_code in (200, 422) and "<b>" not in page.text


def test_the_record_is_in_no_log_no_address_and_no_file(
    client: TestClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*args: object, **kwargs: object) -> None:
        raise AssertionError("a file was made")

    caplog.set_level(logging.DEBUG)
    for name in ("NamedTemporaryFile", "TemporaryFile", "mkstemp"):
        monkeypatch.setattr(tempfile, name, forbidden)
    large = PATIENT.replace("P1", "SECRET7").encode() + b"# " + b"x" * 3_000_000
    page = first(client, large, "p.yaml")
    assert page.status_code == 200 and "SECRET7" not in str(page.url)
    assert again(client, page.text).status_code == 200
    assert all("SECRET7" not in record.getMessage() for record in caplog.records)


def test_only_the_browser_that_asked_may_show_a_page_again(client: TestClient) -> None:
    """On Back it shows the page it has, where `no-store` would have the form sent once more; what is taken away stays
    out of every cache.
    """
    page = first(client, example="cohort-1-eligible.json")
    assert page.headers["cache-control"] == "private, no-cache"
    assert client.get(HERE).headers["cache-control"] == "private, no-cache"
    for path in ("worksheet", "json", "facts"):
        assert again(client, page.text, f"{HERE}/{path}").headers["cache-control"] == "no-store"
