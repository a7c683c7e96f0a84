"""Brief findings, as for the days of a window: the same truth, the same causes and questions, less to look at."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from onstudy.engines.combining import Depth
from onstudy.engines.memory import Memory
from onstudy.engines.view import View
from onstudy.language.library import load_trials
from onstudy.readers import read_patients
from onstudy.record.catalogue import load_catalogue
from onstudy.screening.prepare import prepared
from onstudy.values.calendar import as_when, on_day

CATALOGUE = load_catalogue()
TRIALS = load_trials("all", CATALOGUE)
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.json"))
ON = date(2026, 3, 16)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_brief_findings_say_the_same(path: Path) -> None:
    (patient,) = read_patients(path)
    view = View(prepared(patient, ON, CATALOGUE, {})[0], CATALOGUE)
    for trial in TRIALS:
        anchors = dict.fromkeys(trial.anchors) | {"registration": on_day(ON)}
        if "therapy_start" in anchors:
            anchors["therapy_start"] = as_when("2026-03-18T09:00")
        for assumed in (frozenset[str](), frozenset({"all"})):
            whole, brief = Memory(view, anchors, assumed), Memory(view, anchors, assumed, depth=Depth.BRIEF)
            for row in trial.criteria:
                if row.rule is not None:
                    one, other = whole.evaluate(row.rule), brief.evaluate(row.rule)
                    found = [(finding.truth, finding.reasons, finding.asks) for finding in (one, other)]
                    assert found[0] == found[1], row.id
