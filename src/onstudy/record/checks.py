"""What cannot be right in a record: shown as problems, while the facts are kept as they were recorded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from onstudy.errors import Problem
from onstudy.record.catalogue import Catalogue
from onstudy.record.derived import CONFLICT, IMPRECISE_DATE
from onstudy.record.impossible import bounds_text, outside
from onstudy.record.patient import Fact
from onstudy.record.sexes import of_another_sex
from onstudy.record.unusable import before_itself, over_and_going_on
from onstudy.values.calendar import UNDATED, When
from onstudy.values.interval import Interval, Op, compare, point, subtract
from onstudy.values.truth import FALSE, TRUE

#: What a reader says where a death is on record; it stands beside the verdict, since no criterion asks for it.
DECEASED = "the patient is recorded as deceased: check this before anything else"
#: What a reader says of a record that a hospital's tests, a generator or an example made up.
TEST_DATA = "the record is marked as test data: it is of no real patient"
#: A reported QTcF further than this (ms) from the one its own QT and rate give is shown.
QTCF_TOLERANCE = 10.0


def is_test_data(problems: Iterable[Problem]) -> bool:
    """Whether a record with these problems is marked as that of nobody real."""
    return any(problem.what == TEST_DATA for problem in problems)


def check(facts: Sequence[Fact], catalogue: Catalogue, born: When = UNDATED) -> list[Problem]:
    """Values outside what is possible, and contradictions; sorted."""
    found = [
        *_implausible(facts, catalogue),
        *_apart(facts, catalogue),
        *_contradictory(facts, catalogue),
        *_qtcf(facts),
        *_menses(facts),
        *_before_itself(facts, catalogue),
        *_before_birth(facts, born),
        *_sexes(facts),
        *_of_another_sex(facts, catalogue),
        *_births(facts, born),
    ]
    return [Problem(what, where, fact_kept=True) for what, where in sorted(set(found))]


def _implausible(facts: Sequence[Fact], catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for fact in facts:
        kind = catalogue.kinds.get(fact.kind)
        if kind is None or not isinstance(fact.value, Interval) or not outside(fact.value, kind):
            continue
        whose = "computed " if fact.computed else ""
        yield f"the {whose}value of {fact.kind} lies {bounds_text(kind)}: check it", fact.source


def _apart(facts: Sequence[Fact], catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for fact in facts:
        if fact.parts and fact.lacks == IMPRECISE_DATE:
            label = catalogue.kinds[fact.kind].label
            yield (
                f"{label}: results of one day, not known whether they were taken together; "
                "give them one `sample`, or the time",
                fact.source,
            )


def _contradictory(facts: Sequence[Fact], catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for fact in facts:
        if fact.computed and fact.lacks == CONFLICT:
            label = catalogue.kinds[fact.kind].label
            yield f"{label}: the values of one sample contradict each other, so it is not computed", fact.source


def _qtcf(facts: Sequence[Fact]) -> Iterator[tuple[str, str]]:
    for fact in facts:
        reported, qt = fact.parts.get("qtcf"), fact.parts.get("qt")
        if fact.kind != "ecg" or reported is None or reported.computed or qt is None:
            continue
        computed = _fridericia(fact)
        if computed is None or not isinstance(reported.value, Interval):
            continue
        apart = subtract(reported.value, computed)
        limit = point(QTCF_TOLERANCE)
        if compare(Op.GT, apart, limit) is TRUE or compare(Op.LT, apart, point(-QTCF_TOLERANCE)) is TRUE:
            yield (
                "the reported QTcF is more than 10 ms from the one that QT and rate of the same tracing give",
                fact.source,
            )


def _fridericia(ecg: Fact) -> Interval | None:
    """QT / RR^(1/3), in ms, RR in seconds or as 60 / rate, where QT and one of the two are exact."""
    numbers = {
        name: part.value.low
        for name, part in ecg.parts.items()
        if isinstance(part.value, Interval) and part.value.exact and part.value.low
    }
    qt = numbers.get("qt")
    rr = numbers["rr"] / 1000 if "rr" in numbers else 60 / numbers["rate"] if "rate" in numbers else None
    if not qt or rr is None or rr <= 0:
        return None
    return point(qt / rr ** (1 / 3))


def _menses(facts: Sequence[Fact]) -> Iterator[tuple[str, str]]:
    removed = [
        (fact.start.days.high, fact.source)
        for fact in facts
        if fact.kind == "hysterectomy" and not fact.negative and fact.lacks is None and fact.start.days.high is not None
    ]
    first, where = min(removed, default=(None, ""))
    for fact in facts:
        if first is None or fact.kind != "menses" or fact.negative:
            continue
        if compare(Op.GT, fact.start.days, point(first)) is TRUE:
            what = "a menstrual period is recorded after a hysterectomy, where none can be: check both"
            yield what, ", ".join(dict.fromkeys((fact.source, where)))


def _before_itself(facts: Sequence[Fact], catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    """A date stated of a record (free of the disease since) that cannot be: `record/unusable.py`."""
    for fact in facts:
        for name, _ in catalogue.in_order(fact.kind, fact.attributes):
            if before_itself(fact, name):
                what = f"{name} lies before the start of the {fact.kind} itself: it is not used, check both"
                yield what, fact.source
            if over_and_going_on(fact, name, catalogue):
                what = f"the {fact.kind} is recorded as going on, and {name} says that it is over: it is not used"
                yield f"{what}, check both", fact.source


def _before_birth(facts: Sequence[Fact], born: When) -> Iterator[tuple[str, str]]:
    """One problem for all facts that certainly lie before the birth; a "no" may speak of a time before it."""
    early = (fact for fact in facts if not fact.negative and compare(Op.LT, fact.start.days, born.days) is TRUE)
    places = list(dict.fromkeys(fact.source for fact in early))
    if places:
        more = f", and {len(places) - 1} more" if len(places) > 1 else ""
        yield "is dated before the date of birth: check both", places[0] + more


def _sexes(facts: Sequence[Fact]) -> Iterator[tuple[str, str]]:
    """Statements of the sex that no one sex fulfils."""
    stated = [(fact.value, fact.source) for fact in facts if fact.kind == "sex" and isinstance(fact.value, frozenset)]
    if stated and not frozenset.intersection(*(codes for codes, _ in stated)):
        yield "the sex is not recorded as the same everywhere: check both", _places((source for _, source in stated), 2)


def _of_another_sex(facts: Sequence[Fact], catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for fact, sex in of_another_sex(facts, catalogue):
        kind = catalogue.kinds[fact.kind]
        said = f"positive {kind.label.lower()}" if kind.measured else kind.label.lower()
        yield f"a {said} is recorded, and the sex is {' or '.join(sorted(sex))}: check both", fact.source


def _births(facts: Sequence[Fact], born: When) -> Iterator[tuple[str, str]]:
    """Dates of birth that cannot be the same: the patient's own, and those recorded as facts."""
    stated = [(born, "born")] if born.known else []
    recorded = [(one.value, one.source) for one in facts if one.kind == "birth_date" and isinstance(one.value, When)]
    stated += sorted(recorded, key=lambda pair: pair[1])
    differing = [place for when, place in stated[1:] if compare(Op.EQ, when.days, stated[0][0].days) is FALSE]
    if differing:
        places = f"{stated[0][1]}, {_places(differing, 1)}"
        yield "the date of birth is not recorded as the same everywhere: check both", places


def _places(sources: Iterable[str], shown: int) -> str:
    """So many of the places, whatever order they were found in, and how many more there are."""
    places = sorted(set(sources))
    return ", ".join(places[:shown]) + (f", and {len(places) - shown} more" if len(places) > shown else "")
