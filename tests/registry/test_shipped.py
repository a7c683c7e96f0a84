"""The trials that ship: the flagship as far as it is known, examples without a single person in them."""

from __future__ import annotations

import gzip
import importlib.util
import json
import re
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from onstudy.language.library import shipped
from onstudy.registry.geography import zip_origin
from onstudy.registry.present import show_text, sites_sentence
from onstudy.registry.record import Record, read_record
from onstudy.registry.search import Query, search
from onstudy.registry.shipped import DATA, TRIALS
from onstudy.registry.store import Store

TODAY = date(2026, 5, 20)
SCRIPT = Path(__file__).parents[2] / "scripts/shipped_trials.py"


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    with gzip.open(TRIALS, "rb") as file:
        return [json.loads(line) for line in file]


@pytest.fixture(scope="module")
def flagship(records: list[dict[str, Any]]) -> Record:
    return read_record(json.dumps(records[0]).encode())


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("shipped_trials", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_record_is_read_without_a_problem(records: list[dict[str, Any]]) -> None:
    for one in records:
        found = read_record(json.dumps(one).encode())
        assert found.problems == ()
        assert found.nct_id in shipped() or any(re.search("leuk", text, re.IGNORECASE) for text in found.conditions)
    assert len(records) > 50
    assert set(shipped()) <= {one["protocolSection"]["identificationModule"]["nctId"] for one in records}
    assert TRIALS.stat().st_size < 1_500_000


def test_the_flagship_says_what_is_known_and_when(flagship: Record) -> None:
    assert flagship.nct_id == "NCT03739814"
    assert (flagship.status, flagship.last_known, flagship.phase) == ("UNKNOWN", "SUSPENDED", "PHASE2")
    assert (flagship.enrollment, flagship.youngest, flagship.eldest) == (84, 18, None)
    assert len(flagship.sites) == 209
    assert sum(site.lat is not None for site in flagship.sites) == 206
    assert {site.status for site in flagship.sites} == {"RECRUITING", "SUSPENDED"}
    assert flagship.compiled is not None
    assert flagship.compiled.sites_total == 274
    assert sites_sentence(flagship) == ("274 sites (page of 2026-05-15); 209 of them listed here, as of about 2021")
    parts = " ".join(part for part, _, _ in flagship.compiled.origins)
    for needed in ("eligibilityCriteria", "locations", "overallStatus", "enrollmentInfo", "briefSummary", "conditions"):
        assert needed in parts
    assert all(source for _, source, _ in flagship.compiled.origins)


def test_a_site_of_the_flagship_reads_ask_the_site(shipped_store: Store) -> None:
    query = Query(words="A041703", origin=zip_origin("20892"), within=20, open_only=True)
    hit = search(shipped_store, query, TODAY).hits[0]
    assert hit.nct_id == "NCT03739814"
    assert hit.status_words == "status not known; last known: suspended, as stated on 2023-04-04"
    assert hit.nearest is not None
    assert hit.nearest.words == "listed as open about 2021, ask the site"


def test_the_flagships_eligibility_is_the_pages_word_for_word(records: list[dict[str, Any]], shared: Path) -> None:
    page = (shared / "reference/seed-find-a-trial-NCT03739814.txt").read_text(encoding="utf-8")
    text = records[0]["protocolSection"]["eligibilityModule"]["eligibilityCriteria"]
    assert text in page
    assert text.startswith("Inclusion Criteria:")
    assert text.endswith("No chronic, strong CYP3A4 inducers")


def test_the_shown_page_tells_where_each_part_comes_from(records: list[dict[str, Any]]) -> None:
    text = show_text(json.dumps(records[0]).encode(), "compiled", TODAY)
    for needed in ("274 sites", "Put together by onstudy", "about 2021", "2026-05-15", "is not that registry's record"):
        assert needed in text
    example = show_text(json.dumps(records[1]).encode(), "shipped", TODAY)
    assert "U.S. National Library of Medicine (NLM)" in example
    assert "Example record that ships" in example


FORBIDDEN = {
    "centralContacts", "overallOfficials", "contacts", "responsibleParty", "investigatorFullName", "email", "phone",
    "phoneExt", "references", "pointOfContact", "locations_nested",
}  # fmt: skip


def _walk(value: Any) -> Any:
    if isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from _walk(one)
    elif isinstance(value, list):
        for one in value:
            yield from _walk(one)
    elif isinstance(value, str):
        yield value


def test_no_contact_ships(records: list[dict[str, Any]]) -> None:
    for one in records:
        protocol = one["protocolSection"]
        assert not FORBIDDEN & set(_walk(one))
        for text in _walk(protocol):
            assert not re.search(r"[\w.+-]+@[\w-]+\.\w", text)
            assert not re.search(r"\+\d{1,3}[ (.-]*\d[\d ().-]{6,}|\(\d{3}\) ?\d{3}-\d{4}|\b\d{3}-\d{3}-\d{4}\b", text)
            assert not re.search(r"\b(?:Prof|Dr)\. ?[A-Z][a-z]+ [A-Z]", text) or re.search(r"Hospital|Kinder", text)


def test_no_person_of_the_sources_ships(records: list[dict[str, Any]], shared: Path) -> None:
    script = _script()
    sources = {script._id(one): one for one in script._studies(shared)}
    for one in records[1:]:
        text = json.dumps(one, ensure_ascii=False).casefold()
        for name in script.persons(sources[script._id(one)]):
            assert name.casefold() not in text, script._id(one)


def test_each_record_is_attributed(records: list[dict[str, Any]]) -> None:
    text = (DATA / "ATTRIBUTION.md").read_text(encoding="utf-8")
    assert "U.S. National Library of Medicine (NLM)" in text
    for one in records:
        assert one["protocolSection"]["identificationModule"]["nctId"] in text


def test_the_script_writes_what_ships(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = _script()
    monkeypatch.setattr(script, "OUT", tmp_path)
    monkeypatch.setattr("sys.argv", ["shipped_trials.py", str(shared)])
    script.main()
    assert gzip.decompress((tmp_path / "trials.jsonl.gz").read_bytes()) == gzip.decompress(TRIALS.read_bytes())
    assert (tmp_path / "ATTRIBUTION.md").read_text() == (DATA / "ATTRIBUTION.md").read_text()


def test_a_site_whose_zip_code_is_of_another_state_lies_in_its_city(flagship: Record) -> None:
    anchorage = {site.name: (site.lat, site.lon) for site in flagship.sites if site.city == "Anchorage"}
    lat, lon = anchorage["Anchorage Associates in Radiation Medicine"]  # ZIP code 98508, which is of Washington
    assert lat is not None and lon is not None
    assert 61.0 < lat < 61.5
    assert -150.2 < lon < -149.5
    assert flagship.compiled is not None
    assert any("98508" in source for _, source, _ in flagship.compiled.origins)
