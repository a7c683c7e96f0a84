"""The worksheet says everything there is to say, once, in order, harmlessly and always in the same bytes."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from onstudy.criteria.trial import Criterion, Severity, Trial
from onstudy.errors import Problem
from onstudy.language.trialfile import load_trial_file, read_trial
from onstudy.readers import read_patients
from onstudy.readers.patientfile import patient_from
from onstudy.record.catalogue import load_catalogue
from onstudy.record.patient import Fact, Patient
from onstudy.screening.overview import headline, tasks
from onstudy.screening.rows import STATUS_WORDS, clearing, expiring
from onstudy.screening.screen import Screening, screen
from onstudy.screening.timeline import LEFT, RIGHT, VERDICT_WORDS, WIDTH, timeline
from onstudy.screening.worksheet import MOST_PROBLEMS, blank_worksheet, data_date, digest, worksheet
from onstudy.values.calendar import as_when, between, on_day, show_day

TRIAL = Path(__file__).parents[2] / "src/onstudy/trials/NCT03739814.yaml"
PATIENTS = Path(__file__).with_name("worksheet_patients.yaml")
ON = date(2026, 3, 16)
NAMES = ("ELIGIBLE", "TO-CONFIRM", "UNDECIDED", "INELIGIBLE", "EMPTY")
HOSTILE = "</style></title><script>alert(1)</script><img src=x onerror=alert(2)>\"'&\u202e\x00\ud800"


@cache
def trial() -> Trial:
    return load_trial_file(TRIAL, load_catalogue())


@cache
def patients() -> dict[str, Patient]:
    return {patient.id: patient for patient in read_patients(PATIENTS)}


def screened(patient: Patient, of: Trial | None = None, **options: object) -> Screening:
    anchors = {"therapy_start": as_when("2026-03-18T09:00")}
    return screen(of or trial(), patient, ON, anchors=anchors, **options)  # type: ignore[arg-type]


@cache
def screening(name: str) -> Screening:
    return screened(patients()[name])


@cache
def page(name: str) -> Page:
    return Page.of(worksheet(screening(name)))


@dataclass
class Page(HTMLParser):
    """What a test looks for in a page: its tags, ids, links, and its table rows as text."""

    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    badges: list[tuple[str, str]] = field(default_factory=list)  # icon and word
    _open: list[str] = field(default_factory=list)
    _badge: int = 0
    _icon: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    @staticmethod
    def of(html: str) -> Page:
        made = Page()
        made.feed(html)
        made.close()
        return made

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.tags.append((tag, named))
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self.rows[-1].append("")
        self._open.append(tag)
        if tag == "span" and (named.get("class") or "").startswith("badge "):
            self._badge, self._icon = len(self._open), ""
        if tag == "use" and self._badge:
            self._icon = named["href"] or ""

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass
        if self._badge > len(self._open):
            self._badge = 0

    def handle_data(self, data: str) -> None:
        inside = self._open[-1] if self._open else ""
        if inside == "style":
            return
        self.texts.append(data)
        if any(tag in ("th", "td") for tag in self._open):
            self.rows[-1][-1] += data
        if self._badge and data.strip():
            self.badges.append((self._icon, data))

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def row(self, name: str) -> list[str]:
        """The cells of the criterion's row, which is the last with that heading."""
        return [cell for row in self.rows if row and row[0].strip() == name for cell in row]

    def all(self, attribute: str) -> list[str]:
        return [value for _, attrs in self.tags if (value := attrs.get(attribute)) is not None]


# Complete, in order -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_criterion_has_one_row_with_its_status_in_protocol_order(name: str) -> None:
    ids = [criterion.id for criterion in trial().criteria]
    headings = [row[0] for row in page(name).rows if row and row[0] in ids]
    assert headings == ids
    for result in screening(name).criteria:
        status = " ".join(page(name).row(result.criterion.id)[1].split())
        if result.status == result.if_confirmed:
            assert STATUS_WORDS[result.status] in status
            assert "confirmed" not in status
        else:
            recorded, confirmed = STATUS_WORDS[result.status], STATUS_WORDS[result.if_confirmed]
            assert f"As recorded: {recorded} If confirmed: {confirmed}" in status


@pytest.mark.parametrize("name", NAMES)
def test_the_protocols_words_stand_verbatim_beside_the_reason_and_the_evidence(name: str) -> None:
    for criterion in trial().criteria:
        assert criterion.text in page(name).row(criterion.id)[2]
    if name == "ELIGIBLE":
        why = page(name).row("S1-33")[3]
        for part in ("0.67 x ULN", "Total bilirubin", "0.8 mg/dL", "2026-03-15", "facts[24]"):
            assert part in why


def test_the_patients_have_the_verdicts_they_stand_for() -> None:
    assert {name: screening(name)["C1"].verdict for name in NAMES} == {
        "ELIGIBLE": "eligible",
        "TO-CONFIRM": "eligible_if_confirmed",
        "UNDECIDED": "undetermined",
        "INELIGIBLE": "ineligible",
        "EMPTY": "undetermined",
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_status_and_verdict_is_an_icon_and_a_word(name: str) -> None:
    badges = page(name).badges
    assert len(badges) >= len(trial().criteria)
    words = {*STATUS_WORDS.values(), *VERDICT_WORDS.values()}
    icons = {symbol["id"] for tag, symbol in page(name).tags if tag == "symbol"}
    for icon, word in badges:
        assert word in words
        assert icon.removeprefix("#") in icons
    by_word = dict[str, str]()
    for icon, word in badges:
        assert by_word.setdefault(word, icon) == icon
    statuses = [by_word[word] for word in STATUS_WORDS.values() if word in by_word]
    assert len(set(statuses)) == len(statuses)


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere_and_ids_are_unique(name: str) -> None:
    ids = page(name).all("id")
    assert len(ids) == len(set(ids))
    assert {href.removeprefix("#") for href in page(name).all("href")} <= set(ids)
    assert all(href.startswith("#") for href in page(name).all("href"))


def test_warnings_and_information_are_marked_as_such() -> None:
    assert "Warning only" in page("ELIGIBLE").row("S0-02")[1]
    assert "Information only" in page("ELIGIBLE").row("S0-03")[1]
    assert "only" not in page("ELIGIBLE").row("S0-01")[1]


def test_an_open_warning_is_to_be_looked_at_though_it_decides_nothing() -> None:
    assert "To look at" not in page("ELIGIBLE").text
    assert re.search(r"To look at 1 These rows warn and decide nothing\. S1-11", page("UNDECIDED").text)


# On top -----------------------------------------------------------------------------------------------------


def test_the_headline_answers_in_one_sentence() -> None:
    assert headline(screening("ELIGIBLE")) == "Eligible for C1 as recorded."
    assert headline(screening("TO-CONFIRM")) == "Eligible for C1 once the absences listed below are confirmed."
    assert headline(screening("UNDECIDED")) == "Not yet decided for C1; what is open is listed below."
    assert headline(screening("EMPTY")) == "Not yet decided for C1, C2 and C3; what is open is listed below."
    opens = "Ineligible for every cohort on 2026-03-16; C2 opens on 2026-03-22, if nothing new is recorded"
    assert headline(screening("INELIGIBLE")) == f"{opens}; what is open until then is listed below."


def test_tasks_stand_in_the_order_of_the_work_and_once_for_all_cohorts() -> None:
    lists = tasks(screening("EMPTY"))
    assert [one.title for one in lists] == ["To obtain", "To do", "To confirm"]
    burkitt = [task for task in lists[2].tasks if task.kind == "Burkitt lymphoma or leukemia"]
    assert [task.cohorts for task in burkitt] == [("C1", "C2", "C3")]
    assert [name for name, _ in burkitt[0].criteria] == ["S1-02"]
    for one in lists:
        assert len({task.kind for task in one.tasks}) == len(one.tasks)


def test_what_a_closed_cohort_needs_until_it_opens_is_a_task_too() -> None:
    obtain, confirm = tasks(screening("INELIGIBLE"))
    assert [(task.kind, task.cohorts) for task in obtain.tasks] == [
        ("Pregnancy test", ("C2 from 2026-03-22",)),
        ("Left ventricular ejection fraction", ("C2 from 2026-03-22",)),
    ]
    (transplant,) = confirm.tasks
    assert transplant.why == "whether there was another is not recorded"
    assert "C2 from 2026-03-22" in page("INELIGIBLE").text


def test_nothing_to_do_leaves_the_section_out() -> None:
    """His heart's result of February is 34 days old; with one of March nothing is left to do."""
    patient = patients()["ELIGIBLE"]
    newer = tuple(
        replace(fact, start=on_day(ON.toordinal())) if fact.kind == "lvef" else fact for fact in patient.facts
    )
    s = screened(replace(patient, facts=newer))
    assert tasks(s) == []
    assert "What to do next" not in Page.of(worksheet(s)).text
    assert "What to do next" in page("ELIGIBLE").text


def test_what_expires_and_what_clears_stand_soonest_first() -> None:
    s = screening("INELIGIBLE")
    assert [(change.day, change.id) for change in expiring(s)] == [("2026-03-19", "S1-15"), ("2026-04-20", "S1-20")]
    cleared = [(change.day, change.id) for change in clearing(s)]
    assert cleared[:2] == [("2026-03-17", "C2-11"), ("2026-03-19", "C2-10")]
    assert cleared == sorted(cleared, key=lambda pair: pair[0])
    for result in s.criteria:
        if result.holds_until is not None:
            assert (show_day(result.holds_until), result.criterion.id) in [(c.day, c.id) for c in expiring(s)]
        if result.clears_on is not None:
            assert (show_day(result.clears_on), result.criterion.id) in cleared


def test_what_is_better_later_without_being_met_is_said_as_it_is() -> None:
    """A transplant long enough ago, while others may be unrecorded: unknown as recorded, met if confirmed."""
    change = next(change for change in clearing(screening("INELIGIBLE")) if change.id == "C2-06")
    assert (change.now, change.then) == (("not_met", "not_met"), ("unknown", "met"))
    assert "So until 2026-03-19, then unknown (if confirmed: met)" in " ".join(
        page("INELIGIBLE").row("C2-06")[3].split()
    )


def test_both_answers_are_given_where_they_differ() -> None:
    s = screening("TO-CONFIRM")
    assert (s.criterion("S1-30").status, s.criterion("S1-30").if_confirmed) == ("unknown", "met")
    assert "As recorded: Unknown" in " ".join(page("TO-CONFIRM").row("S1-30")[1].split())


# What it rests on -------------------------------------------------------------------------------------------


def test_assumed_absences_are_stated_on_top_and_in_the_row() -> None:
    s = screened(patients()["TO-CONFIRM"], assume_complete=["sos_vod"])
    html = Page.of(worksheet(s))
    assert "Absences assumed" in html.text
    assert "Sinusoidal obstruction syndrome" in html.text.partition("Verdict for each cohort")[2][:600]
    assert "Rests on an assumed absence" in html.row("S1-30")[3]
    assert "Rests on an assumed absence" not in html.row("S1-31")[3]
    assert "Absences assumed" not in page("TO-CONFIRM").text
    assert "everything whose absence may be assumed" in worksheet(
        screened(patients()["EMPTY"], assume_complete=["all"])
    )


def test_default_limits_are_stated_on_top_and_in_the_row() -> None:
    bare = replace(
        patients()["ELIGIBLE"], facts=tuple(replace(fact, uln=None) for fact in patients()["ELIGIBLE"].facts)
    )
    html = Page.of(worksheet(screened(bare, default_limits={"ast": 40.0, "alt": 40.0})))
    assert "Default limits of normal used" in html.text
    assert "default limit of normal was given for Aspartate aminotransferase" in html.row("S1-34")[3]
    assert "default limit" not in html.row("S1-33")[3]


@pytest.mark.parametrize("status", ["C", "M"])
def test_evidence_that_rests_on_an_unconfirmed_code_is_named(status: str) -> None:
    patient = patients()["ELIGIBLE"]
    facts = tuple(replace(f, code_status=status) if f.kind == "bilirubin_total" else f for f in patient.facts)
    html = Page.of(worksheet(screened(replace(patient, facts=facts))))
    why = " ".join(html.row("S1-33")[3].split())
    assert "Check the code of this record: Total bilirubin, 2026-03-15 (worksheet_patients.yaml:" in why
    assert f"The code is not confirmed (status {status}: recalled" in why
    assert "Codes not confirmed. Records that rest on such codes: 1;" in html.text
    assert "not confirmed" not in page("ELIGIBLE").text


DOUBTED = """
id: T1
version: "1"
title: A small trial
anchors: {registration: {label: Registration}, therapy_start: {label: Start, not_before: registration}}
steps:
  - id: "1"
    title: All
    criteria:
      - {id: A, text: fit where operated, rule: if known hysterectomy then latest ecog <= 2}
      - {id: B, text: fit, rule: latest ecog <= 2}
cohorts: [{id: C, title: adults, criteria: []}]
"""


def test_evidence_that_the_record_contradicts_is_named_with_the_reason() -> None:
    record = {
        "patient": "P",
        "born": "1985-01-01",
        "sex": "female",
        "facts": [{"kind": "hysterectomy", "on": "2020-05-04"}, {"kind": "menses", "on": "2026-03-01"}],
    }
    of = read_trial(DOUBTED.encode(), "t.yaml", load_catalogue())
    assert "fit where operated" in blank_worksheet(of, load_catalogue())
    html = Page.of(worksheet(screened(patient_from(record, "p.yaml", load_catalogue()), of)))
    why = " ".join(html.row("A")[3].split())
    assert "Check this record: Hysterectomy, 2020-05-04. A menstrual period is recorded after a hysterectomy" in why
    assert "(p.yaml facts[1], p.yaml facts[0])" in why
    assert "Check this record" not in " ".join(html.row("B")[3].split())
    assert "Check this record" not in page("ELIGIBLE").text


def test_a_result_older_than_advised_is_said_in_its_row() -> None:
    assert "34 days old; advised are at most 28 days" in page("ELIGIBLE").row("S1-18")[3]


def test_problems_stand_at_the_end_and_those_that_cost_a_fact_come_first() -> None:
    rows = page("UNDECIDED").rows
    found = [row for row in rows if row[0].startswith("worksheet_patients.yaml")]
    assert [row[2] for row in found] == sorted(row[2] for row in found)
    assert {row[2] for row in found} == {"Not used", "Used as recorded"}
    assert any("there is no kind 'nonsense'" in row[1] and row[2] == "Not used" for row in found)
    assert "None: everything in the record could be read." in page("EMPTY").text


def test_what_was_not_used_is_said_before_the_verdicts_and_leads_to_the_list() -> None:
    lost = sum(not problem.fact_kept for problem in screening("UNDECIDED").problems)
    top = worksheet(screening("UNDECIDED")).partition('class="cards"')[0]
    assert f"{lost} entr{'ies' if lost > 1 else 'y'} of the record could not be used." in top
    assert '<a href="#problems">Which, and why</a>' in top
    assert "could not be used" not in page("ELIGIBLE").text


def test_many_problems_are_cut_off_and_counted() -> None:
    many = tuple(Problem(f"number {n}", f"line {n}", fact_kept=True) for n in range(MOST_PROBLEMS + 7))
    html = Page.of(worksheet(replace(screening("EMPTY"), problems=many)))
    assert "7 more; the command onstudy facts lists them all" in html.text
    assert len([row for row in html.rows if row[0].startswith("line ")]) == MOST_PROBLEMS


def test_the_page_names_version_data_date_and_hashes() -> None:
    s = screening("ELIGIBLE")
    text = page("ELIGIBLE").text
    assert hashlib.sha256(f"{s.to_json()}\n".encode()).hexdigest() == digest(s)
    for part in (digest(s), hashlib.sha256(TRIAL.read_bytes()).hexdigest(), s.catalogue.version):
        assert part in text
    assert f"trial file version {s.trial.version}" in text
    assert data_date(s) == "2026-03-16"
    assert "Newest record used 2026-03-16" in text
    assert "Not medical advice" in text


def _dated(*facts: Fact) -> str | None:
    return data_date(replace(screening("EMPTY"), patient=Patient("x", facts=facts)))


def test_the_data_date_is_the_newest_day_anything_is_known_of() -> None:
    assert _dated() is None
    assert _dated(Fact("1", "ecog")) is None
    assert (
        _dated(Fact("1", "ecog", on_day(date(2026, 3, 1))), Fact("2", "ecog", on_day(date(2026, 2, 1)))) == "2026-03-01"
    )
    # the day it was recorded, where that is known; of a rough date the earliest day
    late = Fact("1", "ecog", on_day(date(2026, 3, 1)), recorded=on_day(date(2026, 3, 4)))
    assert _dated(late) == "2026-03-04"
    assert _dated(Fact("1", "ecog", between(date(2026, 2, 1), date(2026, 2, 28)))) == "2026-02-01"
    # neither what lies after the index date nor an undated "no" nor what was worked out makes a record newer
    assert _dated(late, Fact("2", "ecog", on_day(date(2026, 3, 17)))) == "2026-03-04"
    assert _dated(late, Fact("2", "seizure", negative=True, end=on_day(ON))) == "2026-03-04"
    assert _dated(late, Fact("2", "qtcf", on_day(date(2026, 3, 10)), computed=True)) == "2026-03-04"
    assert _dated(late, Fact("2", "seizure", negative=True, end=on_day(date(2026, 3, 10)))) == "2026-03-10"


# Harmless and always the same -------------------------------------------------------------------------------


def hostile(of: Trial) -> Trial:
    """A trial with markup in every text a person reads."""

    def row(criterion: Criterion) -> Criterion:
        return replace(criterion, text=criterion.text + HOSTILE, note=HOSTILE)

    steps = tuple(replace(step, title=HOSTILE, criteria=tuple(map(row, step.criteria))) for step in of.steps)
    cohorts = tuple(replace(part, title=HOSTILE, criteria=tuple(map(row, part.criteria))) for part in of.cohorts)
    identity = {**of.identity, "protocol_version": HOSTILE}
    return replace(of, title=HOSTILE, version=HOSTILE, steps=steps, cohorts=cohorts, identity=identity)


def test_markup_in_names_values_and_trial_texts_stays_text() -> None:
    patient = patients()["UNDECIDED"]
    facts = tuple(replace(fact, shown=HOSTILE, source=HOSTILE) for fact in patient.facts)
    problems = (Problem(HOSTILE, HOSTILE),)
    s = screened(replace(patient, id=HOSTILE, facts=facts, problems=problems), hostile(trial()))
    for html in (worksheet(s), blank_worksheet(hostile(trial()), load_catalogue())):
        html.encode()  # no half of a character is left
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", html)
        found = Page.of(html)
        tags = {tag for tag, _ in found.tags}
        assert tags <= {tag for tag, _ in (*page("INELIGIBLE").tags, *blank().tags)} | {"p", "li"}
        assert not [name for _, attrs in found.tags for name in attrs if name.startswith("on") or name == "style"]
        assert "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&" in found.text
        assert html.count("</style>") == 1
        assert _style_hash(html) in html


def _style_hash(html: str) -> str:
    style = re.search("<style>(.*?)</style>", html, re.DOTALL)
    assert style is not None
    return "'sha256-" + base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode() + "'"


@pytest.mark.parametrize("name", NAMES)
def test_the_page_needs_nothing_from_outside(name: str) -> None:
    html = worksheet(screening(name))
    policy = f"default-src 'none'; style-src {_style_hash(html)}; base-uri 'none'; form-action 'none'"
    assert policy in page(name).all("content")
    tags = {tag for tag, _ in page(name).tags}
    assert not tags & {"script", "link", "img", "iframe", "object", "form", "input", "button"}
    assert not page(name).all("src")
    assert "@import" not in html
    assert set(re.findall(r"url\(([^)]*)\)", html)) <= {"#fill-yes", "#fill-almost", "#fill-open", "#fill-no"}


def test_the_running_line_of_the_print_is_one_css_string_whatever_the_patient_is_called() -> None:
    s = replace(screening("EMPTY"), patient=replace(screening("EMPTY").patient, id='a"; } * { display: none } \\'))
    line = re.search(r'@bottom-left \{ content: "([^"]*)"', worksheet(s))
    assert line is not None
    assert re.fullmatch(r"(?:[A-Za-z0-9]|\\[0-9a-f]{6})*", line[1])
    assert re.sub(r"\\([0-9a-f]{6})", lambda code: chr(int(code[1], 16)), line[1]) == (
        'NCT03739814, patient a"; } * { display: none } \\, registration 2026-03-16'
    )


def test_the_same_screening_gives_the_same_bytes_in_any_process() -> None:
    assert worksheet(screening("EMPTY")) == worksheet(screened(patients()["EMPTY"]))
    code = f"""
import sys
from datetime import date
from pathlib import Path
from onstudy.language.trialfile import load_trial_file, read_trial
from onstudy.readers import read_patients
from onstudy.readers.patientfile import patient_from
from onstudy.record.catalogue import load_catalogue
from onstudy.screening.screen import screen
from onstudy.screening.worksheet import worksheet
from onstudy.values.calendar import as_when
trial = load_trial_file(Path({str(TRIAL)!r}), load_catalogue())
for patient in read_patients(Path({str(PATIENTS)!r})):
    s = screen(trial, patient, date(2026, 3, 16), anchors={{"therapy_start": as_when("2026-03-18T09:00")}})
    sys.stdout.write(worksheet(s))
"""
    said = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert said[0] == said[1] == "".join(worksheet(screening(name)) for name in NAMES).encode()


# The time line ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("days", [0, 1, 90, 3650])
def test_the_bars_cover_the_horizon_without_a_gap(name: str, days: int) -> None:
    s = screened(patients()[name], until=date.fromordinal(ON.toordinal() + days))
    line = timeline(s)
    numbers = [stretch.number for stretch in line.stretches]
    assert numbers == list(range(1, len(numbers) + 1))
    for lane, cohort in zip(line.lanes, s.cohorts, strict=True):
        assert (lane.cohort, len(lane.stretches)) == (cohort.id, len(cohort.windows))
        assert lane.stretches[0].x == LEFT
        last = lane.stretches[-1]
        assert last.x + last.width == pytest.approx(WIDTH - RIGHT, abs=0.02)
        for one, following in pairwise(lane.stretches):
            assert one.x + one.width == pytest.approx(following.x, abs=0.02)
        assert sum(stretch.days for stretch in lane.stretches) == days + 1
    labels = [tick.x for tick in line.ticks if tick.label]
    assert all(b - a >= 75 for a, b in pairwise(labels))
    assert all(tick.x <= WIDTH for tick in line.ticks)


def test_a_bar_has_its_word_where_it_fits_and_its_number_where_there_is_room() -> None:
    s = screened(patients()["INELIGIBLE"], until=date(2031, 3, 16))
    first, second = timeline(s).lanes[1].stretches
    assert (first.days, first.word, first.numbered) == (6, "", True)
    assert (second.word, second.numbered) == ("Undetermined", True)


def test_a_long_cohort_name_is_cut_in_the_drawing_alone() -> None:
    s = screening("EMPTY")
    named = replace(s, cohorts=tuple(replace(part, id=f"{part.id} dose expansion") for part in s.cohorts))
    assert [lane.label for lane in timeline(named).lanes] == ["C1 do…", "C2 do…", "C3 do…"]
    assert timeline(named).stretches[0].cohort == "C1 dose expansion"


def test_the_drawing_the_description_and_the_table_say_the_same() -> None:
    s = screening("INELIGIBLE")
    line = timeline(s)
    assert "C2: ineligible from 2026-03-16 to 2026-03-21, then undetermined from 2026-03-22 to 2026-06-14." in (
        line.description
    )
    assert line.description in page("INELIGIBLE").text
    for stretch in line.stretches:
        cells = [
            [" ".join(cell.split()) for cell in row] for row in page("INELIGIBLE").rows if row[0] == str(stretch.number)
        ]
        word = VERDICT_WORDS[stretch.verdict]
        confirmed = VERDICT_WORDS[stretch.if_confirmed]
        days = [stretch.first, stretch.last, str(stretch.days)]
        assert [str(stretch.number), stretch.cohort, *days, word, confirmed] in cells


# The blank worksheet ----------------------------------------------------------------------------------------


@cache
def blank() -> Page:
    return Page.of(blank_worksheet(trial(), load_catalogue()))


def test_the_blank_worksheet_has_every_row_with_room_for_value_date_and_initials() -> None:
    ids = [criterion.id for criterion in trial().criteria]
    assert [row[0] for row in blank().rows if row and row[0] in ids] == ids
    heads = [row for row in blank().rows if row[0] == "Row"]
    assert heads == [["Row", "The protocol’s words", "Answer", "Value", "Date", "Initials"]] * 5
    for criterion in trial().criteria:
        cells = blank().row(criterion.id)
        assert criterion.text in cells[1]
        if criterion.severity is Severity.INFORMATION:
            assert cells[2].split() == ["Information", "only"]
            assert cells[3:] == ["" if criterion.days_since else "–"] * 3
        else:
            assert [word for word in ("met", "not met", "unknown") if word not in cells[2]] == []
            assert ("not applicable" in cells[2]) == (criterion.conditional is not None)
            assert cells[3:] == ["", "", ""]


def test_the_blank_worksheet_says_what_to_look_up_and_in_which_unit() -> None:
    assert "Look up: Total bilirubin (mg/dL, with its limit of normal); Gilbert syndrome" in blank().row("S1-33")[1]
    assert "Look up: Date of birth" in blank().row("C1-01")[1]
    assert trial().anchors["therapy_start"].label in blank().row("C1-05")[1]


def test_the_blank_worksheet_is_as_harmless_and_lasting_as_the_other() -> None:
    html = blank_worksheet(trial(), load_catalogue())
    assert html == blank_worksheet(trial(), load_catalogue())
    assert _style_hash(html) in html
    assert trial().digest in html
    assert "Not medical advice" in html
    assert {href.removeprefix("#") for href in blank().all("href")} <= set(blank().all("id"))
