"""A MedicationStatement that a drug is not taken: a "no" narrowed to its agent.

It may be of one product, route or dose of several that the patient has: tablets that are not taken end no injection. So
it contradicts an open order of the agent, which leaves that unknown, and ends none.
"""

from __future__ import annotations

from collections.abc import Iterator

from onstudy.readers.dates import until
from onstudy.readers.drugs import AGENT, TREATMENT
from onstudy.readers.fhir_chart import Chart, named
from onstudy.readers.fhir_entries import Entry
from onstudy.readers.fhir_json import text
from onstudy.readers.fhir_meaning import Meaning
from onstudy.readers.fhir_medication import exposures, medications, read_medication
from onstudy.readers.timing import Times, reversed_period
from onstudy.record.catalogue import Kind
from onstudy.record.patient import Fact

_NOT_TAKEN = "not-taken"


def read_statement(chart: Chart, entry: Entry) -> list[Fact]:
    """The exposures of a MedicationStatement, or that there were none."""
    if text(entry.resource, "status") != _NOT_TAKEN:
        return read_medication(chart, entry)
    found = [meaning for concept in medications(chart, entry) for meaning in exposures(chart, entry, concept).meanings]
    agents = [meaning for meaning in found if meaning.kind.name == TREATMENT]
    one = [meaning for meaning in agents if len(_agents(meaning)) == 1]
    times = _times(chart, entry)
    if times is None or not one or len(one) < len(agents):
        why = "on no day that is known" if times is None else "and which drug that was is not clear"
        return chart.drop(entry, f"its status is {_NOT_TAKEN}, {why}, so that it denies none: that is no exposure")
    facts: list[Fact] = []
    for meaning in one:
        for kind in _kinds(chart, _agents(meaning)):
            facts += chart.negative(entry, Meaning(kind, meaning.code_status, sets={AGENT: _agents(meaning)}), times)
    return named(facts)


def _agents(meaning: Meaning) -> frozenset[str]:
    agents = meaning.sets[AGENT]
    return agents if isinstance(agents, frozenset) else frozenset()


def _kinds(chart: Chart, agents: frozenset[str]) -> Iterator[Kind]:
    """The kinds a drug is recorded as: a treatment, and whatever kind has one of its codes and states the agent."""
    catalogue = chart.catalogue
    values = catalogue.codes_of(TREATMENT, AGENT)
    assert values is not None, "the agents of treatments are a value set"
    codes = [use.code for name in sorted(agents & set(values.members)) for use in values.members[name].codes]
    meant = (name for code in codes for name, _ in catalogue.lookup(code))
    for name in dict.fromkeys((TREATMENT, *meant)):
        if AGENT in catalogue.attributes(name):
            yield catalogue.kinds[name]


def _times(chart: Chart, entry: Entry) -> Times | None:
    """The days a "no" speaks of, None where none is stated: up to the last one stated, from when on is left open."""
    stated, recorded = chart.timing(entry, "effective"), chart.recorded(entry, "dateAsserted")
    begun = stated.on or stated.start or recorded
    if begun is None or not begun.known or reversed_period(stated):
        return None
    return Times(start=until(begun), end=stated.end or begun, recorded=recorded)
