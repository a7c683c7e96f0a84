"""From facts as read to a patient: what belongs together is put together, what follows is worked out.

Every reader ends here. Composites and their components exist side by side afterwards, derived facts are
added, superseded periods are ended, contradictions are noted. The order of the input never matters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace

from onstudy.errors import Problem
from onstudy.record.catalogue import Catalogue
from onstudy.record.checks import check
from onstudy.record.derived import derive
from onstudy.record.ends import end_superseded, reopened
from onstudy.record.impossible import possible_birth, without_impossible
from onstudy.record.patient import Coverage, Fact, Patient
from onstudy.record.periods import in_itself
from onstudy.record.samples import explode, group, restated
from onstudy.record.sexes import SEX, doubted
from onstudy.values.calendar import EARLIEST_YEAR, When, parse_when
from onstudy.values.interval import Interval


def make_patient(
    patient_id: str,
    born: When,
    sex: str | None,
    facts: Iterable[Fact],
    coverage: Iterable[Coverage],
    problems: Iterable[Problem],
    catalogue: Catalogue,
) -> Patient:
    """The patient of the facts a reader yields; `sex` is a word for male or female, if stated."""
    found, noted = list(facts), list(problems)
    born, wrong = possible_birth(born, found)
    noted += wrong
    if sex:
        stated = _sex(sex, born, catalogue)
        if stated is None:
            noted.append(Problem("sex is neither female nor male here: it is not used", patient_id))
        else:
            found.append(stated)
    assembled, more = assemble(found, catalogue, born)
    return Patient(
        patient_id,
        born,
        tuple(assembled),
        tuple(sorted(set(coverage), key=coverage_key)),
        tuple(dict.fromkeys([*noted, *more])),
    )


def coverage_key(cover: Coverage) -> tuple[str, int, int, str]:
    """What the coverage of a patient is ordered by."""
    return cover.kind, cover.first or 0, cover.last or 0, cover.source


def _sex(word: str, born: When, catalogue: Catalogue) -> Fact | None:
    """Sex as a fact that holds from birth on, or from before any birth where that is not known."""
    values = catalogue.value_sets[SEX]
    found = values.find(word)
    if found is None:
        return None
    start = born if born.known else When(Interval(None, parse_when(f"{EARLIEST_YEAR}-01-01").span.low))
    return Fact(SEX, SEX, start=start, value=values.meaning(found), shown=found, source=SEX)


def assemble(facts: Iterable[Fact], catalogue: Catalogue, born: When) -> tuple[list[Fact], list[Problem]]:
    """Facts as read, brought to the form the engines look at, and what contradicts itself among them.

    Facts that were assembled before are first taken apart again, so assembling twice changes nothing.
    """
    possible, wrong = without_impossible(facts, catalogue)
    single = restated(_distinct(possible), catalogue)
    together = doubted(group(single, catalogue), catalogue)
    derived = derive(together, catalogue, born)
    whole = end_superseded([in_itself(fact) for fact in explode(derived)], catalogue)
    return sorted(whole, key=order), [*dict.fromkeys(wrong), *check(whole, catalogue, born)]


def order(fact: Fact) -> tuple[float, float, str, str]:
    """Facts lie by date, kind and id; undated ones come first."""
    low, high = fact.start.span.low, fact.start.span.high
    return (
        float("-inf") if low is None else low,
        float("inf") if high is None else high,
        fact.kind,
        fact.id,
    )


def _distinct(facts: Iterable[Fact]) -> list[Fact]:
    """Facts under ids of their own: the same fact twice is one, another under the same id gets a suffix."""
    by_id: dict[str, list[Fact]] = {}
    for fact in facts:
        by_id.setdefault(fact.id, []).append(fact)
    found: list[Fact] = []
    for same in by_id.values():
        if len(same) == 1:
            found += same
            continue
        different = {content(fact): fact for fact in same}
        ordered = sorted(different.items(), key=lambda pair: (order(pair[1]), pair[0]))
        for number, (_, fact) in enumerate(ordered, start=1):
            found.append(fact if number == 1 else renamed(fact, _free(f"{fact.id}~{number}", by_id)))
    return sorted(found, key=order)


def _free(name: str, taken: Mapping[str, object]) -> str:
    """The name, lengthened until no fact has it."""
    while name in taken:
        name += "~"
    return name


def content(fact: Fact) -> str:
    """Everything a fact says as one text, the same for equal facts in every run."""
    values = [getattr(fact, name.name) for name in fields(fact)]
    return repr([_sorted(value) for value in values])


def _sorted(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, Fact):
        return content(value)
    if isinstance(value, Mapping):
        return [(key, _sorted(value[key])) for key in sorted(value)]
    return [_sorted(part) for part in value] if isinstance(value, tuple) else value


def renamed(fact: Fact, new_id: str) -> Fact:
    """The fact under another id, with its parts."""
    parts = {name: replace(part, id=f"{new_id}.{name}") for name, part in fact.parts.items()}
    return replace(fact, id=new_id, parts=parts) if parts else replace(fact, id=new_id)


def stated(patient: Patient, catalogue: Catalogue) -> list[Fact]:
    """The facts as they were read, before `assemble` added anything: what a writer writes."""
    return [reopened(fact) for fact in restated(patient.facts, catalogue)]
