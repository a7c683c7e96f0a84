"""Distances, boxes, ZIP codes and cities."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.registry.studies import site, store_of, study

from onstudy.registry.geography import (
    CityUnknown,
    Origin,
    ZipMalformed,
    ZipOutsideCoverage,
    ZipUnknown,
    boxes,
    miles,
    state_of_zip,
    zip_origin,
)
from onstudy.registry.nearness import city_origin
from onstudy.registry.store import Store

latitudes = st.floats(-90, 90)
#: Near the date line as often as anywhere else.
longitudes = st.floats(-180, 180) | st.floats(-180, -179) | st.floats(179, 180)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((51.5074, -0.1278), (48.8566, 2.3522), 213.5),  # London, Paris
        ((40.7128, -74.0060), (34.0522, -118.2437), 2445.6),  # New York, Los Angeles
        ((0.0, 179.5), (0.0, -179.5), 69.1),  # across the date line: one degree at the equator
        ((90.0, 0.0), (-90.0, 0.0), 12436.8),  # half the circumference
        ((39.0, -77.1), (39.0, -77.1), 0.0),
    ],
)
def test_distances(one: tuple[float, float], other: tuple[float, float], expected: float) -> None:
    assert miles(*one, *other) == pytest.approx(expected, abs=0.6)
    assert miles(*other, *one) == pytest.approx(miles(*one, *other))


@given(latitudes, longitudes, latitudes, longitudes, st.floats(0.1, 12_400))
def test_a_box_holds_all_that_is_within_the_radius(
    lat: float, lon: float, other_lat: float, other_lon: float, radius: float
) -> None:
    found = boxes(Origin("here", "", lat, lon), radius)
    assert all(box.south <= box.north and -180 <= box.west <= box.east <= 180 for box in found)
    if miles(lat, lon, other_lat, other_lon) > radius:
        return
    assert any(box.south <= other_lat <= box.north and box.west <= other_lon <= box.east for box in found), (
        found,
        other_lat,
        other_lon,
    )


def test_a_zip_code_is_a_place() -> None:
    found = zip_origin(" 20892-1234 ")
    assert found.name == "Bethesda, MD 20892"
    assert found.country == "United States"
    assert miles(found.lat, found.lon, 39.0, -77.1) < 5
    assert zip_origin("00901").country == "Puerto Rico"


def test_a_zip_code_with_the_point_of_its_county_lies_in_its_city() -> None:
    """35294 is the university hospital in Birmingham, 35233 the part of the city around it."""
    hospital, around = zip_origin("35294"), zip_origin("35233")
    assert hospital.name == "Birmingham, AL 35294"
    assert miles(hospital.lat, hospital.lon, around.lat, around.lon) < 2


def test_a_zip_code_with_a_point_of_its_own_keeps_it() -> None:
    """20892 is one receiver too, and lies where it lies: some two miles from the middle of Bethesda."""
    found = zip_origin("20892")
    assert (found.lat, found.lon) == (39.0024, -77.1034)


@pytest.mark.parametrize("code", ["2016", "208922", "999g9", "", "K1A 0B1", "２０８９２", "20892-", "20892;", "-0892"])
def test_a_malformed_zip_code_is_told(code: str) -> None:
    with pytest.raises(ZipMalformed, match="five digits"):
        zip_origin(code)


@pytest.mark.parametrize("code", ["00000", "99999"])
def test_an_unknown_zip_code_is_told(code: str) -> None:
    with pytest.raises(ZipUnknown, match=f"no ZIP code {code}"):
        zip_origin(code)


def test_a_zip_code_outside_coverage_is_told() -> None:
    with pytest.raises(ZipOutsideCoverage, match="09012 exists"):
        zip_origin("09012")


# Cities ------------------------------------------------------------------------------------------------


@pytest.fixture
def cities(bare: None) -> Store:
    return store_of(
        study(1, sites=[site("Springfield", point=(39.8, -89.6), state="Illinois")]),
        study(2, sites=[site("Springfield", point=(42.1, -72.6), state="Massachusetts")]),
        study(3, sites=[site("München", point=(48.14, 11.58), country="Germany")]),
        study(4, sites=[site("München", point=(48.15, 11.57), country="Germany", state="Bavaria")]),
        study(5, sites=[site("Nowhere")]),
    )


@pytest.mark.parametrize("text", ["Springfield, IL", "springfield, illinois", "SPRINGFIELD, Illinois, USA"])
def test_a_city_is_found_by_its_state(cities: Store, text: str) -> None:
    assert city_origin(cities, text).lat == pytest.approx(39.8)


@pytest.mark.parametrize("text", ["Munchen", "münchen, Germany", "München, Bavaria"])
def test_accents_and_spellings_of_a_state_do_not_part_a_city(cities: Store, text: str) -> None:
    assert city_origin(cities, text).country == "Germany"


def test_several_cities_of_a_name_are_named(cities: Store) -> None:
    with pytest.raises(CityUnknown, match=r"2 cities of that name: Springfield, Illinois, .*; Springfield, Mass"):
        city_origin(cities, "Springfield")


def test_a_city_without_a_site_is_found_in_the_united_states(cities: Store) -> None:
    assert city_origin(cities, "Bethesda, MD").name == "Bethesda, MD"


@pytest.mark.parametrize("text", ["Nowhere", "Atlantis, Ohio", ", IL", "x" * 10_000, "'; DROP TABLE place; --"])
def test_a_city_nobody_knows_is_told(cities: Store, text: str) -> None:
    with pytest.raises(CityUnknown):
        city_origin(cities, text)


@pytest.mark.parametrize(("code", "state"), [("98508", "WA"), ("99508-1234", "AK"), ("00000", ""), ("OX1 2JD", "")])
def test_a_zip_code_lies_in_a_state(code: str, state: str) -> None:
    assert state_of_zip(code) == state
