"""The questionnaire's pages without a browser: the form carries everything, nothing stands in an address or is kept."""

from __future__ import annotations

import json
import logging
import re
from html import unescape

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response
from tests.screening.test_questionnaire import NEW
from tests.screening.test_questionnaire_reading import HIGHEST, grade
from tests.web.conftest import TODAY
from tests.web.pages import headings, text

from onstudy import load_trial, read_patients, screen
from onstudy.faces.web.questionnaire_state import FIELD

HERE = "/trials/NCT03739814/questions"
ONLY_LIMITS = "/trials/NCT01949129/questions"


def hidden(html: str) -> dict[str, str]:
    """The hidden fields of a page's form."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', html)
    return {name: unescape(value) for name, value in found}


def asked(html: str) -> list[str]:
    """The keys of the questions on a page."""
    return hidden(html).get("page", "").split(",")


def filled(html: str) -> dict[str, str]:
    """The answers that a page shows as given."""
    boxes = re.findall(r'<input class="usa-radio__input[^>]*name="([^"]+)" value="([^"]*)" checked', html)
    texts = re.findall(r'<input class="usa-input[^>]*name="([^"]+)" value="([^"]+)"', html)
    months = re.findall(r'name="([^"]+\.month)">(?:(?!</select>).)*?value="(\d+)" selected', html, re.DOTALL)
    return {name: unescape(value) for name, value in (*boxes, *texts, *months)}


def send(client: TestClient, html: str, go: str, answers: dict[str, str] | None = None, to: str = HERE) -> Response:
    given = {f"{FIELD}{name}": value for name, value in (answers or {}).items()}
    return client.post(to, data={**hidden(html), **filled(html), **given, "go": go})


def walk(client: TestClient, answers: dict[str, str], to: str = HERE) -> str:
    """Answer page after page, "no" to what is not among the answers, up to the result."""
    html = send(client, client.get(to).text, "next", to=to).text
    for _ in range(60):
        if "How this trial looks for you" in html:
            return html
        yes_or_no = dict.fromkeys(re.findall(rf'name="{FIELD}([^"]+)" value="no"', html), "no")
        mine = {name: value for name, value in answers.items() if f'name="{FIELD}{name}"' in html}
        html = send(client, html, "next", {**yes_or_no, **mine}, to=to).text
    raise AssertionError("it does not come to an end")


def test_it_begins_with_what_it_is(client: TestClient) -> None:
    page = client.get(HERE)
    assert page.status_code == 200 and headings(page.text, 1) == ["Could this trial be for me?"]
    assert "is not kept" in text(page.text)
    assert hidden(page.text) == {"trail": ""}


def test_the_first_page_asks_about_the_person(client: TestClient) -> None:
    page = send(client, client.get(HERE).text, "next")
    assert asked(page.text) == ["born", "sex"]
    assert "checked" not in page.text and " selected" not in page.text
    assert page.text.count("I don&#39;t know") == 2


def test_it_goes_to_the_result_and_the_page_for_the_doctor(client: TestClient) -> None:
    result = walk(client, NEW)
    assert [text(found) for found in headings(result)][:3] == ["Likely", "Unlikely", "Unlikely"]
    assert "Group C1: Newly diagnosed, 60 years or older" in text(result)
    assert "Only the doctors of the trial decide that" in text(result)
    doctor = send(client, result, "", to=f"{HERE}/doctor")
    assert headings(doctor.text, 1) == ["For the doctor: NCT03739814"]
    said = text(doctor.text)
    assert "Do your leukemia cells have the Philadelphia chromosome? No (Ph-negative)" in said
    assert "May 20, 2026" in said and "Relapsed or refractory disease in salvage 1 or 2" in said
    assert send(client, doctor.text, "result").text == result


@pytest.mark.parametrize("word", ["eligible", "you qualify", "please wait"])
def test_no_page_says_more_than_it_can(client: TestClient, word: str) -> None:
    result = walk(client, NEW)
    assert word not in re.sub(r"<q>.*?</q>", "", result, flags=re.DOTALL).lower()


def test_the_result_is_easy_to_read(client: TestClient) -> None:
    """All its own sentences; the words of the study plan are quoted, and the titles of groups and trial are its."""
    page = re.sub(
        r"<(q|ul|dl|h[1-6]|nav|header|footer)\b.*?</\1>|<p class=\"lead\">.*?</p>",
        "",
        walk(client, NEW),
        flags=re.DOTALL,
    )
    sentences = [text(found) for found in re.findall(r"<p\b[^>]*>(.*?)</p>", page, re.DOTALL)]
    start = re.findall(r"<(?:p|li)\b[^>]*>(.*?)</(?:p|li)>", client.get(HERE).text.split("<main")[1], re.DOTALL)
    plain = [one for one in (*sentences, *map(text, start[2:])) if one and "endorse" not in one]
    assert len(plain) > 10
    assert {one: round(grade(one), 1) for one in plain if grade(one) > HIGHEST} == {}


def test_what_is_wrong_stands_beside_its_question_and_keeps_what_was_written(client: TestClient) -> None:
    first = send(client, client.get(HERE).text, "next").text
    page = send(client, first, "next", {"born.year": "59", "sex": "male"})
    assert page.status_code == 422
    assert '<a href="#born">When were you born? Write the year with four digits' in page.text
    assert 'id="born-error"' in page.text and 'value="59"' in page.text
    assert re.search(r'value="male" checked', page.text)
    assert "Error:" in headings(page.text, 0) or "<title>Error: " in page.text


def test_back_and_change_keep_every_answer(client: TestClient) -> None:
    first = send(client, client.get(HERE).text, "next").text
    second = send(client, first, "next", {"born.year": "1959", "born.month": "3", "sex": "male"}).text
    assert "leukemia_diagnosis" in asked(second)
    back = send(client, second, "back", {"bcr_abl1": "negative"}).text
    assert asked(back) == ["born", "sex"] and 'value="1959"' in back and re.search(r'value="male" checked', back)
    again = send(client, back, "next", {"born.year": "1959", "born.month": "3", "sex": "female"}).text
    assert "leukemia_diagnosis" in asked(again) and re.search(r'value="negative" checked', again)
    start = send(client, back, "back").text
    assert headings(start, 1) == ["Could this trial be for me?"] and "Go on" in start
    assert asked(send(client, start, "change-0").text) == ["born", "sex"]


def test_a_changed_answer_leads_back_to_the_result_or_to_what_is_newly_open(client: TestClient) -> None:
    result = walk(client, NEW)
    place = re.search(r'value="(change-\d+)">Change<span class="usa-sr-only">: What type of leukemia', result)
    assert place is not None
    page = send(client, result, place[1]).text
    assert "leukemia_diagnosis" in asked(page)
    same = send(client, page, "next", {"leukemia_diagnosis": "precursor_b_all"}).text
    assert headings(same, 1) == ["How this trial looks for you"]
    other = send(client, page, "next", {"all_disease_status": "relapsed"}).text
    assert "treatment.agent.cd19_directed" in asked(other)


def test_one_may_stop_and_go_on(client: TestClient) -> None:
    first = send(client, client.get(HERE).text, "next").text
    second = send(client, first, "next", {"born.year": "1959"}).text
    so_far = send(client, second, "result").text
    assert "You have not seen all questions yet" in so_far
    assert asked(send(client, so_far, "next").text) != [""]


def test_without_a_trial_file_it_compares_age_and_sex_and_says_so(client: TestClient) -> None:
    start = client.get(ONLY_LIMITS)
    assert "Only age and sex are compared" in start.text
    first = send(client, start.text, "next", to=ONLY_LIMITS).text
    assert "born" in asked(first) and set(asked(first)) <= {"born", "sex"}
    result = send(client, first, "next", {"born.year": "1980", "sex": "female"}, to=ONLY_LIMITS).text
    assert "Only age and sex were compared" in result
    assert headings(result)[:1] == ["Only age and sex were compared"]
    assert "Likely" not in text(result)


def test_unknown_trials_are_not_there(client: TestClient) -> None:
    assert client.get("/trials/NCT99999999/questions").status_code == 404
    assert client.post("/trials/NCT99999999/questions").status_code == 404


# The trial -----------------------------------------------------------------------------------------------------


def test_its_title_and_status_stand_on_the_first_page_the_result_and_the_printout(client: TestClient) -> None:
    title = headings(client.get("/trials/NCT03739814").text, 1)[0]
    result = walk(client, NEW)
    for page in (client.get(HERE).text, result, send(client, result, "", to=f"{HERE}/doctor").text):
        said = text(page)
        assert title in said
        assert "This trial: status not known; last known: suspended, as stated on 2023-04-04" in said


@pytest.mark.parametrize("zip", ["35294", " 35294 "])
def test_a_zip_code_names_the_nearest_site_to_the_doctor(client: TestClient, zip: str) -> None:
    start = client.get(f"{HERE}?zip={zip}").text
    assert hidden(start)["zip"] == "35294"
    result = send(client, start, "result").text
    assert re.search(r'name="zip"[^>]*value="35294"', result)
    said = text(client.post(f"{HERE}/doctor", data={"zip": zip}).text)
    assert (
        "Nearest site that may be open: University of Alabama at Birmingham" in said
        and "mile from Birmingham, AL 35294" in said
    )
    assert "Nearest site" not in text(client.post(f"{HERE}/doctor").text)
    assert "Nearest site: " in text(client.post(f"{HERE}/doctor", data={"zip": "3529"}).text)


def test_a_trial_that_takes_nobody_says_so_instead_of_sending_people_there(client: TestClient) -> None:
    """NCT05923112 is active and not recruiting."""
    here = "/trials/NCT05923112/questions"
    assert "This trial: active, not recruiting" in text(client.get(here).text)
    said = text(client.post(here, data={"go": "result"}).text)
    assert "this trial takes no new people now" in said and "they can call the trial" not in said


def test_the_place_of_the_search_goes_back_to_the_trial_and_one_typed_here_does_not(client: TestClient) -> None:
    back, where = 'href="/trials/NCT03739814?zip=35294"', 'href="/trials/NCT03739814?zip=35294#where"'
    start = client.get(f"{HERE}?zip=35294").text
    first = send(client, start, "next").text
    result = send(client, first, "result").text
    assert back in start and back in first and back in result and where in result
    doctor = client.post(f"{HERE}/doctor", data={**hidden(result), "zip": "10001"}).text
    result = send(client, doctor, "result").text
    assert back in result and where in result and "?zip=10001" not in result
    typed = send(client, client.post(f"{HERE}/doctor", data={"zip": "10001"}).text, "result").text
    assert "?zip" not in typed and 'value="10001"' in typed


def test_without_sites_nobody_is_sent_to_call_one(client: TestClient) -> None:
    result = client.post("/trials/NCT06480136/questions", data={"go": "result"}).text
    assert "they can call the trial" not in text(result) and "Where the trial runs" not in result


# What is compared and said --------------------------------------------------------------------------------------


def test_where_nothing_was_asked_nothing_is_said_to_fit(client: TestClient) -> None:
    none = client.get("/trials/NCT05923112/questions").text
    assert "There is nothing to ask for this trial yet" in text(none) and 'value="next"' not in none
    result = text(client.post("/trials/NCT05923112/questions", data={"go": "result"}).text)
    assert "fit" not in result.partition("What to do now")[0] and "nothing was compared" in result


@pytest.mark.parametrize(("answers", "says"), [
    ({}, "We were not told the age, so nothing was compared."),
    ({"born.year": "2012"}, "The age fits the limits in the record. Nothing else was compared."),
])  # fmt: skip
def test_of_limits_it_says_what_was_compared(client: TestClient, answers: dict[str, str], says: str) -> None:
    first = send(client, client.get(ONLY_LIMITS).text, "next", to=ONLY_LIMITS).text
    assert says in text(send(client, first, "next", answers, to=ONLY_LIMITS).text)


def test_an_undated_yes_gives_no_day(client: TestClient) -> None:
    result = text(walk(client, {**NEW, "myocardial_infarction": "yes"}))
    assert "The first day it would allow depends on a date that is not known here." in result
    assert not re.search(r"first day it would allow is", result)


def test_a_first_day_that_rests_on_a_month_is_told_as_that_and_the_day_is_asked_for(client: TestClient) -> None:
    """S1-17: longer ago than six months. Those of April 30 reach to October 31, as April has no 31st."""
    dated = {"myocardial_infarction.on.month": "4", "myocardial_infarction.on.year": "2026"}
    html = walk(client, {**NEW, "myocardial_infarction": "yes", **dated})
    said = "It does not allow a day before October 2, 2026. The first day may be as late as November 1, 2026."
    assert said in text(html) and "first day it would allow is" not in text(html)
    assert "You said April 2026. Which day was it?" in text(html.split("What you could find out")[1])
    assert grade(f"{said} It depends on a date of which we do not know the day. You said April 2026.") <= HIGHEST
    html = walk(client, {**NEW, "myocardial_infarction": "yes", **dated, "myocardial_infarction.on.day": "9"})
    assert "The first day it would allow is October 10, 2026." in text(html)


@pytest.mark.parametrize(("month", "day"), [("2", "31"), ("4", "xx"), ("13", ""), ("abc", "")])
def test_a_date_there_is_not_that_came_past_its_page_counts_as_none(client: TestClient, month: str, day: str) -> None:
    """Written on a page that was left by its Back button, it is not checked before the result."""
    on = {"month": month, "day": day, "year": "2026"}
    answers = {f"{FIELD}myocardial_infarction.on.{name}": value for name, value in on.items()}
    trail = {"trail": "myocardial_infarction;myocardial_infarction.on", f"{FIELD}myocardial_infarction": "yes"}
    for page in ("", "/doctor", "/response", "/facts"):
        answer = client.post(HERE + page, data={"go": "result", **trail, **answers})
        assert answer.status_code == 200
        assert page or "depends on a date that is not known here" in text(answer.text)


def test_what_is_open_in_several_groups_is_said_once(client: TestClient) -> None:
    result = client.post(HERE, data={"go": "result"}).text
    assert len(headings(result, 2)) == len(set(headings(result, 2))) + 2  # "Possible" for each of three groups
    items = re.findall(r"<li>(.*?)</li>", result.split("What you could find out")[1], re.DOTALL)
    assert len(items) > 30 and len(items) == len(set(items))


def test_what_is_open_in_one_group_names_it(client: TestClient) -> None:
    assert "(group C2)" in text(client.post(HERE, data={"go": "result"}).text)


def test_the_printout_speaks_to_the_doctor(client: TestClient) -> None:
    said = text(send(client, walk(client, NEW), "", to=f"{HERE}/doctor").text)
    assert not re.search(r"you could find out|you told us|they would still", said, re.IGNORECASE)
    assert "a test for CD22, a marker on the leukemia cells S1-03" in said
    assert "To judge" in said


def test_how_somebody_does_is_judged_and_not_done(client: TestClient) -> None:
    judged = client.post(HERE, data={"go": "result"}).text.split("They would still judge")[1]
    assert "how active you are" in text(judged.split("<h3>")[0])


def test_groups_that_look_alike_have_names_of_their_own(client: TestClient) -> None:
    names = re.findall(r'<section class="panel[^>]*aria-labelledby="([^"]+)"', walk(client, NEW))
    assert len(names) == 3 and all(len(name.split()) == 2 for name in names)


def test_change_leads_to_the_question(client: TestClient) -> None:
    result = walk(client, NEW)
    button = re.search(
        r'formaction="[^"]+#(q\d+)" name="go" value="(change-\d+)">Change<[^>]+>: Which of these fits you', result
    )
    assert button is not None
    page = send(client, result, button[2]).text
    asked_there = page.split(f'id="{button[1]}"')[1].split('id="q')[0]
    assert "Which of these fits you" in asked_there


def test_a_topic_of_several_pages_says_which_page_it_is(client: TestClient) -> None:
    pages = []
    html = send(client, client.get(HERE).text, "next").text
    while "How this trial looks for you" not in html:
        pages.append(headings(html, 1)[0])
        html = send(client, html, "next").text
    assert len(pages) == len(set(pages)) > 5
    assert any(re.search(r", page 2$", page) for page in pages)


def test_a_blank_is_no_i_dont_know(client: TestClient) -> None:
    first = send(client, client.get(HERE).text, "next").text
    result = text(send(client, first, "result", {"born.unknown": "unknown"}).text)
    assert "When were you born? I don't know" in result
    assert "Left blank" in result


# To take away ---------------------------------------------------------------------------------------------------


def test_the_patient_file_can_be_screened_with(client: TestClient) -> None:
    answer = send(client, walk(client, NEW), "", to=f"{HERE}/facts")
    assert answer.headers["content-disposition"] == 'attachment; filename="NCT03739814-answers.yaml"'
    [patient] = read_patients("answers.yaml", answer.content)
    assert patient.problems == ()
    found = screen(load_trial("NCT03739814"), patient, TODAY)
    assert [cohort.verdict for cohort in found.cohorts] == ["undetermined", "ineligible", "ineligible"]


def test_the_response_is_fhir(client: TestClient) -> None:
    model = pytest.importorskip("fhir.resources.R4B.questionnaireresponse").QuestionnaireResponse
    answer = send(client, walk(client, NEW), "", to=f"{HERE}/response")
    assert answer.headers["content-type"].startswith("application/fhir+json")
    model.model_validate(json.loads(answer.text))


# Safe ---------------------------------------------------------------------------------------------------------------


def test_no_answer_stands_in_an_address_a_cookie_or_a_log(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="onstudy.web")
    first = send(client, client.get(HERE).text, "next")
    page = send(client, first.text, "next", {"born.year": "1959", "sex": "male", "ecog": "1"})
    assert 'method="get"' not in page.text.lower() and "1959" not in str(page.url)
    assert "set-cookie" not in page.headers
    assert all("1959" not in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("data", [
    {"trail": ";;,,;" * 500, "page": "x" * 5000, "at": "99999", "go": "next"},
    {"trail": "born,sex;<script>", "page": "born,<b>", "at": "-1", "go": "back"},
    {"go": "change-99"}, {"go": "change-x"}, {"go": "\x00"},
    {"q.born.year": "9" * 10_000, "page": "born", "go": "next"},
    {"q.sex": "<script>alert(1)</script>", "go": "next"}, {"q.__class__": "x", "q..": "y", "q.": "z", "go": "result"},
    {"trail": "treatment.intent.ALL.which.chemotherapy.end", "q.treatment.intent.ALL": "yes", "go": "change-0"},
])  # fmt: skip
def test_hostile_forms_give_a_page(client: TestClient, data: dict[str, str]) -> None:
    page = client.post(HERE, data=data)
    assert page.status_code in (200, 422)
    assert "<script>alert" not in page.text and "<b>" not in page.text


@pytest.mark.parametrize("path", ["", "/doctor", "/response", "/facts"])
def test_an_empty_form_is_an_empty_questionnaire(client: TestClient, path: str) -> None:
    assert client.post(f"{HERE}{path}").status_code == 200
