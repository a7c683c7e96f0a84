"""One patient against the flagship: in a process that is loaded, and as a whole command.

The floors are what cannot be avoided: decoding the same bundle as JSON, and starting Python.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import alternately, commands, median

if TYPE_CHECKING:
    from onstudy.record.patient import Patient

EXAMPLES = Path(__file__).parent.parent / "examples"
ON = date(2026, 3, 16)
THERAPY = "2026-03-18T09:00"


def run() -> list[str]:
    """The lines of the report."""
    return [*_loaded(), *_whole()]


def _loaded() -> list[str]:
    from onstudy import load_trial, read_patients, screen
    from onstudy.engines.memory import Memory
    from onstudy.engines.view import View
    from onstudy.record.catalogue import load_catalogue
    from onstudy.screening.decisive import evidence_of
    from onstudy.screening.prepare import prepared
    from onstudy.values.truth import UNKNOWN

    trial, catalogue = load_trial("NCT03739814"), load_catalogue()
    files = sorted(EXAMPLES.glob("*.json"))
    texts = [path.read_bytes() for path in files]
    patients = [patient for path in files for patient in read_patients(path)]
    sample = screen(trial, patients[0], ON, therapy_start=THERAPY)

    def answers(patient: Patient) -> None:
        ready, _, _ = prepared(patient, ON, catalogue, {})
        view = View(ready, catalogue)
        recorded = Memory(view, sample.anchors)
        confirmed = Memory(view, sample.anchors, frozenset({"all"}))
        for row in trial.criteria:
            if row.rule is not None:
                finding = recorded.evaluate(row.rule)
                evidence_of(finding)
                if finding.truth is UNKNOWN:  # the second answer differs nowhere else
                    evidence_of(confirmed.settled(finding))

    each: dict[str, list[list[float]]] = {"floor": [], "answers": [], "everything": []}
    for text, patient in zip(texts, patients, strict=True):
        sides: dict[str, Callable[[], object]] = {
            "answers": partial(answers, patient),
            "everything": partial(screen, trial, patient, ON, therapy_start=THERAPY),
        }
        for name, work in sides.items():  # each beside the floor alone: one would leave the other cold caches
            times = alternately({"floor": partial(json.loads, text), name: work}, 15)
            for side, seconds in times.items():
                each[side].append([1000 * one for one in seconds])
    rows = (
        ("floor: json.loads of the same bundle", "floor"),
        ("both answers with all evidence (bar 5)", "answers"),
        ("with windows, missing, settled_by (bar 5 + 100)", "everything"),
    )
    p50 = {name: median([one for patient in times for one in patient]) for name, times in each.items()}
    slowest = {name: max(median(patient) for patient in times) for name, times in each.items()}
    return [
        f"one patient, {len(trial.criteria)} criteria, in ms: p50 over {len(patients)} examples, and the slowest one:",
        *(
            f"  {title:<48} {p50[key]:8.2f} {slowest[key]:8.2f}   {p50[key] / p50['floor']:.1f} x floor"
            for title, key in rows
        ),
    ]


def _whole() -> list[str]:
    onstudy = str(Path(sys.executable).with_name("onstudy"))
    bundle = str(next(iter(sorted(EXAMPLES.glob("*.json")))))
    sides = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "onstudy --help (bar 0.3 s CPU)": [onstudy, "--help"],
        "import onstudy (bar 0.3 s CPU)": [sys.executable, "-c", "import onstudy"],
        "onstudy screen, text (bar 0.7 s wall)": [
            onstudy, "screen", "NCT03739814", bundle, "--on", str(ON), "--therapy-start", THERAPY,
        ],
    }  # fmt: skip
    found = commands(sides, 9)
    lines = ["whole commands, median seconds (wall, CPU):"]
    floor = median([wall for wall, _ in found["python -c pass"]])
    for name, times in found.items():
        wall, cpu = median([w for w, _ in times]), median([c for _, c in times])
        lines.append(f"  {name:<40} {wall:6.2f} {cpu:6.2f}   {wall / floor:.1f} x floor")
    return lines
