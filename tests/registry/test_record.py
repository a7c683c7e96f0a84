"""Reading a record: what it says, and every way in which one may be odd."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.registry.studies import raw, site, study

from onstudy.registry.details import read_details
from onstudy.registry.plain import lines, one_line, unescaped
from onstudy.registry.record import Record, read_record
from onstudy.registry.v2 import Refused


def read(**parts: Any) -> Record:
    return read_record(raw(study(**parts)), "f.json")


def test_a_record_says_what_it_says() -> None:
    found = read(
        title="Blinatumomab in ALL", conditions=["ALL"], interventions=["Blinatumomab"], phases=["PHASE1", "PHASE2"],
        youngest="18 Years", eldest="75 Years", sex="FEMALE", sites=[site("Bethesda", point=(39.0, -77.1))],
    )  # fmt: skip
    assert (found.nct_id, found.title, found.phase) == ("NCT00000001", "Blinatumomab in ALL", "PHASE1/PHASE2")
    assert (found.youngest, found.eldest, found.sex) == (18, 75, "FEMALE")
    assert found.age_groups == ("ADULT", "OLDER_ADULT")
    assert (found.sites[0].city, found.sites[0].lat, found.sites[0].status) == ("Bethesda", 39.0, "RECRUITING")
    assert found.version == "2026-05-15"
    assert found.problems == ()


@pytest.mark.parametrize(
    ("youngest", "eldest", "years"),
    [
        ("18 Years", "", (18, None)),
        ("6 Months", "18 Months", (0, 1)),
        ("", "30 Days", (None, 0)),
        ("N/A", "N/A", (None, None)),
        ("0 Years", "99999 Years", (0, 130)),
        ("52 Weeks", "1 Year", (1, 1)),
    ],
)
def test_ages_are_completed_years(youngest: str, eldest: str, years: tuple[int | None, int | None]) -> None:
    found = read(youngest=youngest, eldest=eldest)
    assert (found.youngest, found.eldest) == years
    assert not found.problems


@pytest.mark.parametrize(
    ("verified", "updated", "stated"),
    [
        ("2023-10", "2023-10-12", "2023-10-12"),  # the month of verification may still run when it is posted
        ("2022-05", "2023-04-30", "2022-05"),  # posted again without being verified again
        ("", "2023-04-30", "2023-04-30"),
        ("2022-05", "", "2022-05"),
        ("whenever", "", ""),
    ],
)
def test_a_status_is_as_old_as_its_verification_or_its_posting(verified: str, updated: str, stated: str) -> None:
    assert read(verified=verified, updated=updated).stated == stated


def test_a_status_that_is_missing_is_unknown() -> None:
    assert read(status=None).status == "UNKNOWN"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "not whole JSON"),
        (b"{", "not whole JSON"),
        (b"[]", "no protocolSection"),
        (b"17", "no protocolSection"),
        (b"null", "no protocolSection"),
        (b'{"protocolSection": []}', "no protocolSection"),
        (b'{"protocolSection": {}}', "no trial id"),
        (b'{"protocolSection": {"identificationModule": {"nctId": 5}}}', "no trial id"),
        (b'{"protocolSection": {"identificationModule": {"nctId": "NCT1"}}}', "no trial id"),
        (b'{"protocolSection": {"identificationModule": {"nctId": "../../NCT00000001"}}}', "no trial id"),
        (b'{"protocolSection": {"identificationModule": {"nctId": "NCT00000001", "briefTitle": "\\ud800"}}}', "JSON"),
        (b'{"protocolSection": {"identificationModule": {"nctId": "NCT00000001", "briefTitle": "\xff"}}}', "JSON"),
        (b'{"protocolSection": ' + b"[" * 100_000, "nested"),
        (b'{"protocolSection": {"x": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}}", "deep"),
    ],
)
def test_what_is_no_record_is_refused(text: bytes, why: str) -> None:
    with pytest.raises(Refused, match=why) as refusal:
        read_record(text)
    assert len(str(refusal.value)) < 120


ODD: list[Any] = [None, True, -1, 1e300, "", "x" * 50, [], [None, 3, {}], {}, {"date": 7}, [[[]]], {"nctId": []}]


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_any_part_may_be_of_any_type(odd: Any) -> None:
    """Every value of a whole record in turn is replaced; it is still read, or refused as no record."""
    whole = study(
        conditions=["a"], keywords=["b"], interventions=["c"], phases=["PHASE1"], youngest="1 Year",
        sites=[site("d", point=(1.0, 2.0))],
    )  # fmt: skip
    for path in _paths(whole):
        changed = json.loads(json.dumps(whole))
        holder = changed
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = odd
        text = raw(changed)
        try:
            record = read_record(text, "f.json")
        except Refused:
            assert path in [("protocolSection",), (*HERE,), (*HERE, "nctId")]
            continue
        assert record.nct_id == "NCT00000001"
        assert all(one.fact_kept and "f.json NCT00000001" in one.where for one in record.problems)
        assert isinstance(record.sites, tuple)
        read_details(text)


HERE = ("protocolSection", "identificationModule")


def _paths(value: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path for key, one in inner for path in [(*before, key), *_paths(one, (*before, key))]]


def test_a_part_of_another_type_is_told_and_the_rest_is_read() -> None:
    odd = study(title="Kept", conditions=["kept"])
    odd["protocolSection"]["designModule"] = "a string"
    odd["protocolSection"]["contactsLocationsModule"]["locations"] = [site("Kept"), 7, {"geoPoint": {"lat": "x"}}]
    found = read_record(raw(odd), "f.json")
    assert (found.title, found.conditions, found.sites[0].city) == ("Kept", ("kept",), "Kept")
    assert [str(problem) for problem in found.problems] == [
        "f.json NCT00000001 designModule: is text, not an object",
        "f.json NCT00000001 locations: is a number, not an object",
        "f.json NCT00000001 lat: is text, not a number",
    ]


def test_a_text_of_five_megabytes_is_cut_and_told() -> None:
    found = read(title="x" * 5_000_000, conditions=["y" * 5_000_000], summary="z " * 2_500_000)
    assert len(found.title) == 600
    assert len(found.conditions[0]) == 300
    assert len(found.summary) <= 20_000
    assert {problem.where.split()[-1] for problem in found.problems} == {"briefTitle", "conditions", "briefSummary"}


def test_lists_without_end_are_cut_and_told() -> None:
    found = read(conditions=[f"c{n}" for n in range(50_000)])
    assert len(found.conditions) == 2000
    assert "50000 entries" in found.problems[0].what


@pytest.mark.parametrize("point", [(91.0, 0.0), (0.0, 181.0), (0.0, 0.0), (float(10**300), 1.0)])
def test_a_point_off_the_earth_is_none(point: tuple[float, float]) -> None:
    assert read(sites=[site("x", point=point)]).sites[0].lat is None


def test_text_is_made_harmless_and_html_stays_text() -> None:
    found = read(title="<b>Trial</b>\u202e\u200b\x00 of\n\n  ALL", summary="one\r\ntwo\n\n\n\nthree\x07")
    assert found.title == "<b>Trial</b> of ALL"
    assert found.summary == "one\ntwo\n\nthree"


@given(st.text(max_size=200))
def test_one_line_is_one_line_of_visible_text(text: str) -> None:
    found = one_line(text, 100)
    assert len(found) <= 100
    assert found == found.strip()
    assert not any(letter in found for letter in "\n\r\t\x00\x1b\u202e\u2066\u200f\ufeff\ud800")
    assert one_line(found, 100) == found
    assert lines(lines(text, 100), 100) == lines(text, 100)


def test_markdown_backslashes_are_taken_out() -> None:
    assert unescaped(r"\>= 20% \* a\_b \\ c:\temp") == r">= 20% * a_b \ c:\temp"


def test_details_are_read() -> None:
    one = study()
    one["protocolSection"]["eligibilityModule"]["eligibilityCriteria"] = "Inclusion:\n\n* Age \\>= 18"
    one["protocolSection"]["outcomesModule"] = {"primaryOutcomes": [{"measure": "EFS", "timeFrame": "1 year"}]}
    found = read_details(raw(one))
    assert found.eligibility == "Inclusion:\n\n* Age >= 18"
    assert (found.primary_outcomes[0].measure, found.primary_outcomes[0].time_frame) == ("EFS", "1 year")


def test_every_real_record_is_read_without_a_problem(shared: Path) -> None:
    with gzip.open(shared / "data/ctgov_v2/studies.jsonl.gz", "rb") as file:
        for line in file:
            found = read_record(line)
            assert found.problems == ()
            assert found.title
            written = json.loads(line)["protocolSection"]
            assert len(found.sites) == len(written.get("contactsLocationsModule", {}).get("locations", []))
            assert found.conditions
