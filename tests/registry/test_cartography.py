"""Maps: known towns lie where they do, sites of one place are one mark, and what is elsewhere is shown elsewhere."""

from __future__ import annotations

import pytest

from onstudy.registry.cartography import US, US_SIZE, WORLD, WORLD_SIZE, chart_of, on_us_map, on_world_map
from onstudy.registry.places import Place

SEATTLE, MIAMI, BOSTON, SAN_DIEGO = (47.61, -122.33), (25.76, -80.19), (42.36, -71.06), (32.72, -117.16)
ANCHORAGE, HONOLULU, SAN_JUAN = (61.22, -149.9), (21.31, -157.86), (18.47, -66.11)
BERLIN, SYDNEY, TOKYO = (52.52, 13.4), (-33.87, 151.21), (35.68, 139.69)


def place(point: tuple[float, float] | None, openness: str = "ask") -> Place:
    lat, lon = point or (None, None)
    return Place("A site", "A city", "", "A country", "", lat, lon, None, "RECRUITING", openness, "")


def test_the_united_states_are_in_their_shape() -> None:
    points = {name: on_us_map(*at) for name, at in {
        "seattle": SEATTLE, "miami": MIAMI, "boston": BOSTON, "san diego": SAN_DIEGO}.items()}  # fmt: skip
    (sx, sy), (mx, my), (bx, by), (dx, dy) = (points[n] or (0, 0) for n in ("seattle", "miami", "boston", "san diego"))
    assert sx < dx < mx < bx
    assert sy < by < dy < my
    # Albers keeps areas and, nearly, distances here: Seattle to Miami is 2,734 miles, San Diego to Boston 2,588.
    first, second = ((sx - mx) ** 2 + (sy - my) ** 2) ** 0.5, ((dx - bx) ** 2 + (dy - by) ** 2) ** 0.5
    assert first / second == pytest.approx(2734 / 2588, rel=0.03)
    for point in (SEATTLE, MIAMI, BOSTON, SAN_DIEGO, ANCHORAGE, HONOLULU, SAN_JUAN):
        x, y = on_us_map(*point) or (-1, -1)
        assert 0 < x < US_SIZE[0] and 0 < y < US_SIZE[1]
    assert on_us_map(*BERLIN) is None


def test_the_world_is_in_its_shape() -> None:
    middle = on_world_map(0, 0)
    assert middle[0] == WORLD_SIZE[0] / 2
    assert on_world_map(0, 180)[0] == pytest.approx(WORLD_SIZE[0])
    assert on_world_map(*BERLIN)[1] < middle[1] < on_world_map(*SYDNEY)[1]
    assert on_world_map(*BOSTON)[0] < on_world_map(*BERLIN)[0] < on_world_map(*TOKYO)[0] < on_world_map(*SYDNEY)[0]


def test_sites_of_one_town_are_one_mark_with_the_best_that_can_be_said() -> None:
    chart = chart_of([place(BOSTON, "closed"), place(BOSTON, "open"), place(MIAMI, "closed"), place(None)])
    assert chart is not None
    assert (chart.base, chart.unplaced) == (US, 1)
    assert [(mark.sites, mark.openness) for mark in chart.marks] == [(2, "open"), (1, "closed")]
    assert chart.marks[0].radius > chart.marks[1].radius


def test_a_site_abroad_makes_it_a_map_of_the_world_that_shows_all_of_them() -> None:
    chart = chart_of([place(BERLIN), place(BOSTON)])
    assert chart is not None and chart.base == WORLD and chart.enlarged > 1
    left, top, width, height = chart.view
    assert width / height == pytest.approx(WORLD_SIZE[0] / WORLD_SIZE[1], rel=0.01)
    for mark in chart.marks:
        assert left < mark.x < left + width and top < mark.y < top + height
    assert chart.point(*BERLIN) is not None and chart.point(*SYDNEY) is None


def test_without_coordinates_there_is_no_map() -> None:
    assert chart_of([place(None)]) is None
    assert chart_of([]) is None
