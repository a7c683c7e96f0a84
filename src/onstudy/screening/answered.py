"""What is wrong with the answers that were added to a record: told on top, where whoever gave them looks."""

from __future__ import annotations

from onstudy.errors import Problem
from onstudy.screening.screen import Screening, old_results


def wrong_answers(s: Screening) -> list[Problem]:
    """The problems of what was added, those first for which nothing of it was used.

    That a result has become old is none: it stands beside the verdict, whoever told of it.
    """
    if not s.patient.answers:
        return []
    old = set(old_results(s.criteria, s.on, s.catalogue))
    found = [one for one in s.problems if not s.patient.answers.isdisjoint(places(one.where)) and one not in old]
    return sorted(found, key=lambda one: one.fact_kept)


def places(source: str) -> list[str]:
    """The places a source names: a fact that was completed has that of the record and that of the answer."""
    return source.split(" + ")
