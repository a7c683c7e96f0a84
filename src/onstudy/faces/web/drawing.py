"""The marks of a small map, as SVG. A circle and a cross differ in shape, so colour alone says nothing."""

from __future__ import annotations

from markupsafe import Markup

from onstudy.registry.cartography import Chart, Mark
from onstudy.registry.status import CLOSED

_PIN = "M0 0c-2-7-8-9-8-15a8 8 0 0 1 16 0c0 6-6 8-8 15z"


def marks(chart: Chart) -> Markup:
    """The marks of a chart; they keep their size where the map is enlarged. Only numbers and words of ours go in."""
    return Markup("".join(_mark(one, one.radius / chart.enlarged) for one in chart.marks))


def _mark(mark: Mark, r: float) -> str:
    if mark.openness != CLOSED:
        return f'<circle class="mark mark--{mark.openness}" cx="{mark.x:g}" cy="{mark.y:g}" r="{r:.3g}"/>'
    wide = f"{1.6 * r:.2f}"
    corner = f"{mark.x - 0.8 * r:.2f} {mark.y - 0.8 * r:.2f}"
    return f'<path class="mark mark--closed" d="M{corner}l{wide} {wide}m0-{wide}l-{wide} {wide}"/>'


def pin(chart: Chart, lat: float, lon: float) -> Markup:
    """The pin of a place; nothing where it lies outside the map."""
    point = chart.point(lat, lon)
    if point is None:
        return Markup("")
    place = f"translate({point[0]:.1f} {point[1]:.1f}) scale({1 / chart.enlarged:.3f})"
    return Markup(f'<path class="mark--here" transform="{place}" d="{_PIN}"/>')
