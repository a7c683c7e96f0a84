"""Results written out: the fixed JSON, a table no spreadsheet runs, text for a terminal."""

from __future__ import annotations

import csv
import io
import json
from datetime import date

import pytest
from tests.registry.studies import site, store_of, study

from onstudy.registry.geography import Origin
from onstudy.registry.results import COLUMNS, to_csv, to_json, to_text
from onstudy.registry.search import Query, search
from onstudy.registry.store import Store

TODAY = date(2026, 5, 20)
HERE = Origin("here", "United States", 39.0, -77.0)


@pytest.fixture
def store(bare: None) -> Store:
    return store_of(
        study(1, title="=HYPERLINK(1)", phases=["PHASE1", "PHASE2"], sponsor="@evil",
              sites=[site("+city", point=(39.1, -77.0), name="-2+3 Clinic")]),
        study(2, title='A "quoted", title', status=None),
    )  # fmt: skip


def test_the_json_has_the_shape_that_is_fixed(store: Store) -> None:
    query = Query(origin=HERE)
    line = to_json(search(store, query, TODAY))
    assert json.loads(line) == {
        "total": 2,
        "trials": [
            {
                "nct_id": "NCT00000001",
                "title": "=HYPERLINK(1)",
                "status": "RECRUITING",
                "status_date": "2026-05-10",
                "phase": "PHASE1/PHASE2",
                "nearest_site": {
                    "name": "-2+3 Clinic",
                    "city": "+city",
                    "miles": 6.9,
                    "status": "RECRUITING",
                    "status_date": "2026-05-10",
                },
            },
            {
                "nct_id": "NCT00000002",
                "title": 'A "quoted", title',
                "status": "UNKNOWN",
                "status_date": "2026-05-10",
                "phase": None,
                "nearest_site": None,
            },
        ],
    }
    assert "\n" not in line
    assert list(json.loads(line)) == ["total", "trials"]
    assert "facets" in json.loads(to_json(search(store, query, TODAY), facets=True))
    assert json.loads(to_json(search(store, Query(), TODAY)))["trials"][0]["nearest_site"] is None


def test_no_cell_is_a_formula(store: Store) -> None:
    rows = list(csv.reader(io.StringIO(to_csv(search(store, Query(origin=HERE), TODAY)))))
    assert tuple(rows[0]) == COLUMNS
    first = dict(zip(rows[0], rows[1], strict=True))
    assert first["title"] == "'=HYPERLINK(1)"
    assert first["sponsor"] == "'@evil"
    assert first["nearest_site"] == "'-2+3 Clinic"
    assert first["city"] == "'+city"
    assert first["miles"] == "6.9"
    assert (first["last_known_status"], first["last_known_status_date"]) == ("", "")
    assert dict(zip(rows[0], rows[2], strict=True))["title"] == 'A "quoted", title'


def test_the_text_says_the_order_and_to_ask(store: Store) -> None:
    query = Query(origin=HERE)
    text = to_text(search(store, query, TODAY), query, facets=True)
    assert text.startswith("2 trials, 1 listed as enrolling\n")
    assert "nearest: -2+3 Clinic, +city, United States (7 miles): open, as stated on 2026-05-10" in text
    assert "Order: trials that can enrol first" in text
    assert "ask the site" in text
    assert "Phase: not stated 1; phase 1 1; phase 2 1" in text


def test_nothing_found_is_said(store: Store) -> None:
    query = Query(words="nothing", origin=HERE, within=10)
    assert to_text(search(store, query, TODAY), query) == "0 trials\n"
    beyond = Query(origin=HERE, within=1)
    assert "none within 1 miles; the nearest beyond:\nNCT00000001" in to_text(search(store, beyond, TODAY), beyond)
