"""Drugs a record holds and nobody here knows by name or code: one treatment of an unknown agent for all of them.

It keeps a screening from saying that nothing of the kind was given, and asks one question a patient instead
of one a drug: `agent: other` answers that none of them is an agent of the catalogue. See docs/decisions/0005.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from onstudy.errors import Problem
from onstudy.readers.drugs import TREATMENT
from onstudy.readers.reading import quoted
from onstudy.readers.timing import Times, place
from onstudy.record.catalogue import Catalogue
from onstudy.record.patient import Fact
from onstudy.values.calendar import UNDATED, When
from onstudy.values.interval import Interval, hull

NAME = "unrecognised drugs"
_NAME, _NAMES = 60, 260  # characters shown of one name, and of all


@dataclass(frozen=True, slots=True)
class Unrecognised:
    """A drug that was given and is no agent known here: what the source calls it, when it was, where it stands."""

    called: str
    times: Times
    where: str


def unrecognised_drugs(found: Sequence[Unrecognised], catalogue: Catalogue) -> tuple[Fact, Problem]:
    """The one fact that stands for drugs that were not recognised, and the problem that names them.

    Its start and end lie anywhere between those of all of them, so what is certain of it is so of each.
    """
    placed = [place(catalogue.kinds[TREATMENT], drug.times) for drug in found]
    ongoing = [one.ongoing for one in placed]
    ends = [When(Interval(one.start.span.low, None)) if one.end is None else one.end for one in placed]
    recorded = [drug.times.recorded for drug in found if drug.times.recorded is not None]
    names = list({drug.called.lower(): quoted(drug.called, _NAME) for drug in reversed(found)}.values())
    shown = f"{len(names)} not recognised: {_listed(names)}"
    fact = Fact(
        id=f"{NAME} {_checksum(found)}",
        kind=TREATMENT,
        start=_between([one.start for one in placed]),
        end=None if all(ongoing) else _between(ends),
        ongoing=all(ongoing),
        recorded=_between(recorded) if len(recorded) == len(found) else None,
        shown=shown,
        source=found[0].where + (f", and {len(found) - 1} more" if len(found) > 1 else ""),
    )
    drugs = "drug was" if len(names) == 1 else "drugs were"
    what = f"{len(names)} {drugs} not recognised, so it is not known which treatment was given: {_listed(names)}"
    return fact, Problem(what, fact.source, fact_kept=True)


def _checksum(found: Sequence[Unrecognised]) -> str:
    """Tells one set of names from another, so that an answer given for some drugs is none for others."""
    names = sorted({drug.called.lower() for drug in found})
    return f"{zlib.crc32(chr(10).join(names).encode('utf-8', 'surrogatepass')):08x}"


def _between(moments: list[When]) -> When:
    """Some moment that may be any of these; undated where they are."""
    if len(set(moments)) == 1:
        return moments[0]
    spans = [moment.span for moment in moments]
    return When(hull(spans)) if hull(spans).known else UNDATED


def _listed(names: list[str]) -> str:
    """As many names as fit, and how many more there are."""
    shown: list[str] = []
    for name in sorted(names, key=str.lower):
        if sum(len(one) + 2 for one in (*shown, name)) > _NAMES:
            break
        shown.append(name)
    more = f" and {len(names) - len(shown)} more" if len(shown) < len(names) else ""
    return ", ".join(shown) + more
