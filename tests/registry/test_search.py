"""Searching: against the plainest possible search, and the promises one by one."""

from __future__ import annotations

import logging
import tomllib
from datetime import date
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.registry import reference
from tests.registry.studies import put, site, store_of, study

from onstudy.errors import OnstudyError
from onstudy.record.catalogue import load_catalogue
from onstudy.registry import words
from onstudy.registry.geography import Origin
from onstudy.registry.search import Query, Results, count, search
from onstudy.registry.store import Store

TODAY = date(2026, 5, 20)
HERE = Origin("here", "United States", 39.0, -77.0)


def found(results: Results) -> list[str]:
    return [hit.nct_id for hit in results.hits]


def numbers(store: Store, **asked: Any) -> list[int]:
    return [int(hit.nct_id[3:]) for hit in search(store, Query(**asked), TODAY).hits]


# Against the reference ---------------------------------------------------------------------------------

NAMES = ("zork", "blip", "quux", "frob")
STATUSES = ("RECRUITING", "COMPLETED", "UNKNOWN", "SUSPENDED", "ENROLLING_BY_INVITATION")
POINTS = (None, (39.0, -77.0), (39.3, -77.0), (40.0, -77.0), (10.0, 179.9), (10.0, -179.9), (-60.0, 100.0))
some_names = st.lists(st.sampled_from(NAMES), max_size=2)
some_site = st.builds(
    site,
    city=st.sampled_from(("A", "B")),
    status=st.sampled_from(("RECRUITING", "RECRUITING", *STATUSES, None)),
    point=st.sampled_from(POINTS),
    country=st.sampled_from(("United States", "France")),
)


@st.composite
def some_studies(draw: st.DrawFn) -> list[dict[str, Any]]:
    return [
        study(
            number,
            title=" ".join(["trial", *draw(some_names)]),
            status=draw(st.sampled_from(("RECRUITING", "RECRUITING", "RECRUITING", *STATUSES, None))),
            verified=draw(st.sampled_from(("2026-05", "2026-05", "2026-02", "2026-01"))),
            updated=draw(st.sampled_from(("2026-05-01", "2026-02-19", "2024-01-01"))),
            conditions=draw(some_names),
            keywords=draw(some_names),
            summary=" ".join(draw(some_names)),
            phases=draw(st.lists(st.sampled_from(("PHASE1", "PHASE2")), unique=True, max_size=2)),
            sex=draw(st.sampled_from(("ALL", "FEMALE", "MALE"))),
            youngest=draw(st.sampled_from(("", "18 Years"))),
            eldest=draw(st.sampled_from(("", "65 Years"))),
            sites=draw(st.lists(some_site, max_size=3)),
        )
        for number in range(1, draw(st.integers(4, 14)) + 1)
    ]


@st.composite
def some_query(draw: st.DrawFn) -> Query:
    """Mostly with a place and with few filters, so that there is something to put in order."""
    lines = [Origin("line", "France", 10.0, lon) for lon in (179.95, -179.95)]
    origin = draw(st.sampled_from((None, HERE, HERE, *lines)))
    facets = {}
    if draw(st.integers(0, 2)) == 0:
        facets = {
            "status": draw(st.lists(st.sampled_from(STATUSES), unique=True, max_size=2)),
            "phase": draw(st.lists(st.sampled_from(("PHASE1", "PHASE2", "NOT_STATED")), unique=True, max_size=2)),
            "country": draw(st.lists(st.sampled_from(("United States", "France", "Nowhere")), max_size=1)),
        }
    return Query(
        words=draw(st.sampled_from(("", "", *NAMES, "zork blip"))),
        facets={name: tuple(values) for name, values in facets.items() if values},
        age=draw(st.sampled_from((None, None, 17, 18, 65, 66))),
        sex=draw(st.sampled_from(("", "", "FEMALE"))),
        origin=origin,
        within=draw(st.sampled_from((None, None, 5.0, 30.0, 5000.0))) if origin else None,
        open_only=draw(st.sampled_from((False, False, True))),
        sort=draw(st.sampled_from(("best", "best", "newest", *(["distance"] if origin else [])))),
        size=draw(st.sampled_from((1, 3, 20))),
    )


@pytest.mark.usefixtures("bare")
@settings(suppress_health_check=[], max_examples=150)
@given(some_studies(), st.lists(some_query(), min_size=3, max_size=6))
def test_a_search_finds_what_the_plainest_search_finds(studies: list[dict[str, Any]], queries: list[Query]) -> None:
    store = store_of(*studies)
    trials = [reference.trial(one) for one in studies]
    for query in queries:
        _agree(store, trials, query)
    store.close()


def _agree(store: Store, trials: list[reference.Trial], query: Query) -> None:
    first = search(store, query, TODAY)
    expected = reference.ranked(trials, query)
    assert first.total == count(store, query, TODAY) == len(expected)
    assert first.pages == max(1, -(-len(expected) // query.size))
    by_page: list[str] = []
    for page in range(1, first.pages + 1):
        by_page += found(search(store, Query(**{**_fields(query), "page": page}), TODAY))
    if query.words and query.origin is None and query.sort == "best":
        assert sorted(by_page) == sorted(expected)
    else:
        assert by_page == expected
    for facet in ("status", "phase", "country"):
        assert dict(first.facets[facet]) == reference.counts(trials, query, facet)
    for hit in first.hits:
        _agree_on_nearest(hit, next(one for one in trials if one.nct == hit.nct_id), query)


def _agree_on_nearest(hit: Any, one: reference.Trial, query: Query) -> None:
    if query.origin is None or not one.sites:
        assert hit.nearest is None
        return
    hopes = reference.hopeful(one)
    expected = reference.distance(one, query, hopes or one.sites)
    assert hit.nearest.miles == (None if expected is None else round(expected, 1))
    assert (hit.nearest.openness == "closed") == (not hopes)


def _fields(query: Query) -> dict[str, Any]:
    return {name: getattr(query, name) for name in Query.__dataclass_fields__}


# Words -------------------------------------------------------------------------------------------------


@pytest.fixture
def names(bare: None) -> Store:
    return store_of(
        study(1, title="One", conditions=["Acute Lymphoblastic Leukemia"]),
        study(2, title="Two", conditions=["ALL, Childhood"]),
        study(3, title="A study of all patients", summary="All are welcome to this study of asthma."),
        study(4, title="Four", conditions=["Lymphoblastic Leukaemia, Acute"], interventions=["Besponsa"]),
        study(5, title="Five", interventions=["Inotuzumab Ozogamicin"], summary="leukemia occurs"),
        study(6, title="Six", conditions=["Acute myeloid leukaemia"], sponsor="Leukemia Society",
              interventions=["Imatinib"]),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ALL", {1, 2}),
        ("all", {1, 2}),
        ("acute lymphoblastic leukemia", {1, 2, 4}),
        ("acute lymphocytic leukaemia", {1, 2}),
        ('"acute lymphoblastic leukemia"', {1, 2}),
        ("leukemia", {1, 4, 5, 6}),
        ("leukaemias", {1, 4, 5, 6}),
        ("AML", {6}),
        ("Besponsa", {4, 5}),
        ("Gleevec", {6}),
        ("glivec leukemia", {6}),
        ("inotuzumab", {4, 5}),
        ("INOTUZUMAB ozogamicin leukemia", {4, 5}),
        ("NCT00000003", {3}),
        ("asthma patient", {3}),
        ("nothing of the kind", set()),
    ],
)
def test_words_find_a_thing_under_all_its_names(names: Store, text: str, expected: set[int]) -> None:
    assert set(numbers(names, words=text)) == expected


def test_a_drug_with_names_in_the_catalogue_has_none_beside_it() -> None:
    """Else the names of one place would hide those of the other."""
    with files("onstudy.registry").joinpath("data/synonyms.toml").open("rb") as file:
        beside = {name.casefold() for group in tomllib.load(file)["group"] for name in group["names"]}
    members = load_catalogue().value_sets["agent"].members.values()
    named = {word.casefold() for one in members if one.synonyms for word in (one.label, *one.synonyms)}
    assert not beside & named


def test_what_is_shown_is_what_was_written(names: Store) -> None:
    hit = search(names, Query(words="leukemia", ids=("NCT00000006",)), TODAY).hits[0]
    assert hit.title == "Six"
    assert hit.sponsor == "Leukemia Society"


def test_fields_have_filters_of_their_own(names: Store) -> None:
    assert set(numbers(names, condition="leukemia")) == {1, 4, 6}
    assert set(numbers(names, intervention="Besponsa")) == {4, 5}
    assert set(numbers(names, sponsor="leukemia")) == {6}
    assert numbers(names, ids=("NCT00000002", "NCT99999999")) == [2]


def test_trials_about_the_words_come_before_those_that_mention_them(names: Store) -> None:
    assert numbers(names, words="leukemia")[-1] == 5


@pytest.mark.parametrize("text", ["***", '"', "''", "\x00", "()", "- -", "♥", " \t\n^ ", "_"])
def test_words_without_a_letter_find_nothing_and_say_so(names: Store, text: str) -> None:
    results = search(names, Query(words=text), TODAY)
    if text.strip():
        assert results.total == 0
        assert results.notes
    else:
        assert results.total == 6


@pytest.mark.parametrize(
    "text",
    ['leukemia" OR "', "title:One", "NEAR(acute leukemia)", "leuk*", "acute AND leukemia OR NOT x", "{title}: x",
     "^One", "'; DROP TABLE study; --", "a" * 100_000, "x " * 100_000, '"' * 999, "acute\x00leukemia", "\ud800"],
)  # fmt: skip
def test_nothing_typed_is_syntax(names: Store, text: str) -> None:
    for field in ("words", "condition", "intervention", "sponsor"):
        results = search(names, Query(**{field: text}), TODAY)  # type: ignore[arg-type]
        assert results.total < 6


@given(st.text(max_size=60))
def test_any_text_is_a_question(text: str) -> None:
    question = words.expression(text)
    assert question == "" or question.startswith("{title")
    assert question.count('"') % 2 == 0


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=20), max_size=4))
@settings(max_examples=60)
def test_any_text_can_be_asked(shipped_store: Store, texts: list[str]) -> None:
    for text in texts:
        search(shipped_store, Query(words=text), TODAY)


def test_no_word_searched_for_is_logged(names: Store, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    search(names, Query(words="secretdisease", condition="secretdisease"), TODAY)
    assert "secretdisease" not in caplog.text


# Places and statuses -----------------------------------------------------------------------------------

NEAR, FAR, FARTHER = (39.1, -77.0), (40.5, -77.0), (45.0, -77.0)


def test_the_nearest_such_site_is_shown_also_outside_the_radius(bare: None) -> None:
    store = store_of(study(1, sites=[site("near", "COMPLETED", NEAR), site("far", "RECRUITING", FAR)]))
    results = search(store, Query(origin=HERE, within=20), TODAY)
    near = results.hits[0].nearest
    assert near is not None
    assert (near.city, near.openness, round(near.miles or 0)) == ("far", "open", 104)
    assert search(store, Query(origin=HERE, within=20, open_only=True), TODAY).total == 0


def test_of_sites_equally_near_one_that_is_open_comes_before_one_to_ask(bare: None) -> None:
    town = (39.01, -77.1)
    sites = [
        site("town", "COMPLETED", town, name="closed"),
        site("town", None, town, name="not stated"),
        site("town", "RECRUITING", town, name="open"),
        site("town", "RECRUITING", town, name="open too"),
    ]
    near = search(store_of(study(1, sites=sites)), Query(origin=HERE), TODAY).hits[0].nearest
    assert near is not None and (near.name, near.openness) == ("open", "open")


def test_where_the_distance_keeps_out_all_the_nearest_beyond_is_told(bare: None) -> None:
    store = store_of(
        study(1, status="COMPLETED", sites=[site("a", "COMPLETED", FAR)]),
        study(2, sites=[site("b", "RECRUITING", FARTHER)]),
    )
    results = search(store, Query(origin=HERE, within=20), TODAY)
    assert results.total == 0
    assert results.beyond is not None
    assert results.beyond.nct_id == "NCT00000002"


def test_sites_without_coordinates_stay_and_come_last(bare: None) -> None:
    store = store_of(
        study(1, updated="2026-05-20", sites=[site("unplaced")]),
        study(2, sites=[site("far", point=FAR), site("unplaced")]),
        study(3, sites=[site("near", point=NEAR)]),
        study(4, sites=[site("abroad", country="France")]),
        study(5),
    )
    assert numbers(store, origin=HERE) == [3, 2, 1, 4, 5]
    assert numbers(store, origin=HERE, within=20) == [3, 2, 1]
    nearest = search(store, Query(origin=HERE, within=20), TODAY).hits[-1].nearest
    assert nearest is not None
    assert (nearest.city, nearest.miles) == ("unplaced", None)


def test_open_near_me_keeps_open_sites_without_coordinates(bare: None) -> None:
    """Such a site may be near; one that is closed, or in another country, is not."""
    store = store_of(
        study(1, sites=[site("unplaced")]),
        study(2, sites=[site("unplaced", "COMPLETED"), site("far", point=FAR)]),
        study(3, sites=[site("unplaced", country="France")]),
        study(4, sites=[site("near", "COMPLETED", NEAR)]),
    )
    assert numbers(store, origin=HERE, within=20, open_only=True) == [1]


def test_a_trial_open_only_where_nobody_can_measure_is_measured_to_its_other_sites(bare: None) -> None:
    store = store_of(
        study(1, updated="2026-05-01", sites=[site("unplaced"), site("near", "COMPLETED", NEAR)]),
        study(2, updated="2026-05-09", sites=[site("far", point=FAR)]),
    )
    assert numbers(store, origin=HERE) == [1, 2]


def test_trials_at_the_same_distance_are_in_order_across_places(bare: None) -> None:
    """Several places may have the same coordinates; the newest trial of all of them is first."""
    store = store_of(
        study(1, updated="2026-05-01", sites=[site("a", point=NEAR)]),
        study(2, updated="2026-05-02", sites=[site("b", point=NEAR)]),
        study(3, updated="2026-05-03", sites=[site("c", point=NEAR)]),
    )
    pages = [search(store, Query(origin=HERE, size=1, page=page), TODAY) for page in (1, 2, 3)]
    assert [found(page) for page in pages] == [["NCT00000003"], ["NCT00000002"], ["NCT00000001"]]


def test_an_old_or_unknown_status_is_never_hidden(bare: None) -> None:
    store = store_of(
        study(1, verified="2020-01", updated="2020-01-05", sites=[site("a", point=NEAR)]),
        study(2, status=None, sites=[site("b", point=NEAR)]),
        study(3, sites=[site("c", None, NEAR)]),
        study(4, status="COMPLETED", sites=[site("d", "RECRUITING", NEAR)]),
    )
    hits = search(store, Query(origin=HERE, within=20, open_only=True), TODAY).hits
    assert {hit.nct_id[-1]: hit.nearest.words for hit in hits if hit.nearest} == {
        "1": "listed as open on 2020-01-05, ask the site",
        "2": "listed as open on 2026-05-10, ask the site",
        "3": "study listed as open on 2026-05-10; the status of this site is not stated, ask the site",
    }
    strict = search(store, Query(origin=HERE, ids=("NCT00000001",)), TODAY, max_age=10_000).hits[0].nearest
    assert strict is not None
    assert strict.words == "open, as stated on 2020-01-05"


def test_without_a_filter_every_status_is_listed_those_that_can_enrol_first(bare: None) -> None:
    order = ["RECRUITING", "ENROLLING_BY_INVITATION", "NOT_YET_RECRUITING", None, "COMPLETED", "WITHDRAWN"]
    store = store_of(*(study(number, status=status) for number, status in enumerate(reversed(order), start=1)))
    assert sorted(numbers(store)[:2], reverse=True) == [6, 5]
    assert len(numbers(store)) == 6
    assert sorted(numbers(store)[4:]) == [1, 2]


def test_facets_join_within_and_meet_between_and_leave_themselves_out(bare: None) -> None:
    store = store_of(
        study(1, phases=["PHASE1"]),
        study(2, phases=["PHASE2"]),
        study(3, phases=["PHASE1", "PHASE2"], status="COMPLETED"),
        study(4, phases=["PHASE3"]),
    )
    query = Query(facets={"phase": ("PHASE1", "PHASE2"), "status": ("RECRUITING",)})
    results = search(store, query, TODAY)
    assert sorted(found(results)) == ["NCT00000001", "NCT00000002"]
    assert dict(results.facets["phase"]) == {"PHASE1": 1, "PHASE2": 1, "PHASE3": 1}
    assert dict(results.facets["status"]) == {"RECRUITING": 2, "COMPLETED": 1}


def test_pages_are_stable_and_without_overlap(shipped_store: Store) -> None:
    for asked in ({}, {"words": "leukemia"}, {"words": "ALL", "origin": HERE}, {"sort": "newest"}):
        whole = found(search(shipped_store, Query(**asked, size=1000), TODAY))
        pages = [
            found(search(shipped_store, Query(**asked, size=7, page=page), TODAY))
            for page in range(1, len(whole) // 7 + 3)
        ]
        assert [one for page in pages for one in page] == whole
        assert len(set(whole)) == len(whole)


def test_the_order_does_not_depend_on_the_order_of_import(bare: None) -> None:
    studies = [study(n, conditions=["asthma"], sites=[site("x", point=NEAR)]) for n in range(1, 9)]
    for asked in ({"words": "asthma"}, {"origin": HERE}, {}):
        assert numbers(store_of(*studies), **asked) == numbers(store_of(*reversed(studies)), **asked)


def test_a_changed_trial_is_found_by_its_new_words_alone(bare: None) -> None:
    store = store_of(study(1, conditions=["asthma"]))
    put(store, study(1, conditions=["gout"]))
    assert numbers(store, words="asthma") == []
    assert numbers(store, words="gout") == [1]


@pytest.mark.parametrize(
    "asked",
    [
        {"within": 20.0}, {"sort": "distance"}, {"sort": "x"}, {"age": -1}, {"age": 200}, {"page": 0}, {"size": 0},
        {"size": 5000}, {"facets": {"nonsense": ("x",)}}, {"ids": ("NCT1",)}, {"origin": HERE, "within": 0.0},
        {"origin": HERE, "within": float("nan")},
    ],
)  # fmt: skip
def test_a_question_that_makes_no_sense_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(OnstudyError):
        Query(**asked)


def test_the_ranking_is_said_in_words(shipped_store: Store) -> None:
    for asked in ({}, {"words": "x"}, {"origin": HERE}, {"words": "x", "origin": HERE}, {"sort": "newest"}):
        said = search(shipped_store, Query(**asked), TODAY).ranking
        assert said.startswith("trials that can enrol first")
        assert said.endswith("then by trial id")
        assert ("distance" in said) == ("origin" in asked)
