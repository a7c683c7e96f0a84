"""What a trial's page is made from: sentences, ages, towns; sites in order; results that are kept; editors' text."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from tests.registry.studies import raw, site, study

from onstudy.criteria.trial import Trial
from onstudy.errors import OnstudyError
from onstudy.language.library import shipped
from onstudy.language.trialfile import load_trial_file
from onstudy.record.catalogue import load_catalogue
from onstudy.registry.editorial import editorial_of
from onstudy.registry.geography import Origin
from onstudy.registry.kept import Kept
from onstudy.registry.page import TrialPage, first_sentence, page_of
from onstudy.registry.places import Places, places_of

TODAY = date(2026, 5, 20)
HERE = Origin("here", "United States", 39.0, -77.0)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("One. Two.", "One."),
        ("Drug A (e.g. Besponsa) is given. Then B.", "Drug A (e.g. Besponsa) is given."),
        ("Drug vs. placebo in the U.S. Army is tested. Next", "Drug vs. placebo in the U.S. Army is tested."),
        ("Does it work? It may.", "Does it work?"),
        ("A dose of 1.5 mg is given.\n\nSecond paragraph.", "A dose of 1.5 mg is given."),
        ("No end", "No end"),
        ("(A.) \"Quoted.\" Next.", "(A.) \"Quoted.\""),
        ("", ""),
    ],
)  # fmt: skip
def test_the_first_sentence_is_as_it_is_written(text: str, first: str) -> None:
    assert first_sentence(text) == first


def page(**given: Any) -> TrialPage:
    return page_of(raw(study(1, **given)), "registry")


@pytest.mark.parametrize(
    ("youngest", "eldest", "said"),
    [
        ("18 Years", "", "18 years and older"),
        ("6 Months", "17 Years", "6 months to 17 years"),
        ("", "65 Years", "up to 65 years"),
        ("", "", "no limit stated"),
    ],
)
def test_ages_are_said_in_words(youngest: str, eldest: str, said: str) -> None:
    assert page(youngest=youngest, eldest=eldest).ages == said


def test_the_first_town_is_the_registrys() -> None:
    sites = [site("Paris", country="France"), site("Mobile", state="Alabama"), site("Birmingham", state="Alabama")]
    assert page(sites=sites).sites_words == "3 sites (Birmingham, Alabama and 2 other locations)"
    assert page(sites=sites[:1]).sites_words == "1 site (Paris, France)"
    assert page(sites=sites[:2]).sites_words == "2 sites (Mobile, Alabama and 1 other location)"
    assert page().sites_words == "no site is listed"


# Sites -------------------------------------------------------------------------------------------------------


def places(sites: list[dict[str, Any]], **asked: Any) -> Places:
    one = page(sites=sites)
    return places_of(one.record, one.sites, one.details.site_contacts, TODAY, 90, **asked)


NEAR, FAR = (39.1, -77.0), (40.5, -77.0)


def test_sites_are_nearest_first_and_those_nobody_can_place_last() -> None:
    found = places([site("far", point=FAR), site("nowhere"), site("near", "COMPLETED", NEAR)], origin=HERE)
    assert [one.city for one in found.chosen] == ["near", "far", "nowhere"]
    assert [one.miles for one in found.chosen] == [pytest.approx(6.9), pytest.approx(103.6), None]
    assert found.nearest is not None and found.nearest.city == "far"
    assert places([site("near", "COMPLETED", NEAR)], origin=HERE).nearest is None
    assert places([site("near", point=NEAR)]).nearest is None


def test_contacts_stay_with_their_sites_whatever_the_order() -> None:
    sites = [site("far", point=FAR), site("near", point=NEAR)]
    sites[0]["contacts"] = [{"name": "Far contact"}]
    found = places(sites, origin=HERE)
    assert [[who.name for who in one.contacts] for one in found.chosen] == [[], ["Far contact"]]


def test_states_are_counted_within_the_country_that_is_chosen() -> None:
    sites = [site("a", state="Maine"), site("b", state="Maine"), site("c", state="Bavaria", country="Germany")]
    found = places(sites, country="United States")
    assert found.countries == (("Germany", 1), ("United States", 2))
    assert found.states == (("Maine", 2),)
    assert (found.listed, len(found.chosen)) == (3, 2)


# What is kept ------------------------------------------------------------------------------------------------


def test_results_are_kept_until_something_is_written_and_few_of_them() -> None:
    kept, made = Kept(2), []

    def make(name: str) -> str:
        made.append(name)
        return name

    for state, name in [(1, "a"), (1, "b"), (1, "a"), (1, "c"), (1, "a"), (1, "b"), (2, "a")]:
        assert kept.get(state, name, lambda name=name: make(name)) == name  # type: ignore[misc]
    assert made == ["a", "b", "c", "b", "a"]


# Editors' text -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def flagship() -> Trial:
    return load_trial_file(shipped()["NCT03739814"], load_catalogue())


def test_every_page_that_ships_can_be_read() -> None:
    for path in shipped().values():
        found = editorial_of(load_trial_file(path, load_catalogue()))
        assert found is None or found.author


def test_a_review_is_outdated_once_the_record_is_newer(flagship: Trial) -> None:
    found = editorial_of(flagship)
    assert found is not None
    assert not found.outdated("2026-05-15")
    assert found.outdated("2026-05-16")
    assert not found.outdated("")


def test_a_file_without_a_page_has_no_editors_text(flagship: Trial) -> None:
    assert editorial_of(replace(flagship, later={})) is None


@pytest.mark.parametrize(
    ("page", "says"),
    [
        ({"author": "A"}, "needs an author and a date"),
        ({"author": "A", "date": "soon"}, "needs an author and a date"),
        ([], "the page is a mapping"),
        ({"autor": "A"}, "the page has no 'autor'; did you mean author?"),
        ({"author": ["A"], "date": "2026-01-01"}, "'author' is text"),
        ({"author": "A", "date": "2026-01-01", "good_fit": "x"}, "'good_fit' is a list"),
        ({"author": "A", "date": "2026-01-01", "good_fit": [{"text": "x", "criteria": ["S1-99"]}]},
         "there is no criterion S1-99; did you mean S1-"),
        ({"author": "A", "date": "2026-01-01", "not_a_fit": [{"text": "x"}]}, "names the criteria it summarises"),
    ],
)  # fmt: skip
def test_a_page_of_another_form_is_refused_with_its_place(flagship: Trial, page: Any, says: str) -> None:
    with pytest.raises(OnstudyError) as error:
        editorial_of(replace(flagship, later={"page": page}))
    assert says in str(error.value)
    assert str(error.value).startswith("NCT03739814.yaml: page")
