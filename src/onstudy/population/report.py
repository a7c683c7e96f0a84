"""The report of a prescreening: one self-contained HTML page, the same bytes for the same results.

What it says of a run is worked out in `report_parts`; here is the page, which is in `templates`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from onstudy.population.report_parts import Report, counted, number
from onstudy.printed import page as printed

if TYPE_CHECKING:
    from jinja2 import Environment

#: The icon of each verdict; the word always stands beside it.
ICONS: Mapping[str, str] = {
    "eligible": "yes", "eligible_if_confirmed": "almost", "undetermined": "open", "ineligible": "no",
}  # fmt: skip
WORDS: Mapping[str, str] = {
    "eligible": "Eligible", "eligible_if_confirmed": "Eligible if confirmed", "undetermined": "Undetermined",
    "ineligible": "Ineligible",
}  # fmt: skip


def page(report: Report) -> str:
    """The page as text."""
    names = [trial.id for trial in report.trials]
    running = f"Prescreening of {', '.join(names[:3])}{' ...' if len(names) > 3 else ''}, {report.on}"
    return printed.page(_templates(), "report.html", "report.css", running, r=report, names=names)


@cache
def _templates() -> Environment:
    made = printed.environment("onstudy.population")
    made.globals.update(words=WORDS, icons=ICONS, number=number, counted=counted)
    return made
