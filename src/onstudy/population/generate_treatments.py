"""Treatments of generated patients: before registration, induction, salvage, long-term medicines. Invented."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from onstudy.population.generate_draws import Flags, Ints
from onstudy.population.generate_leukemia import blurred, words
from onstudy.population.generate_people import NEW, REFRACTORY, RELAPSED_AGAIN, REMISSION, People
from onstudy.population.generate_rows import DAY, MINUTE, OPEN, UNSAID, Book, Dates, Words, dates

Said = Mapping[str, Words | str]
_FOR_ALL = {"intent": "ALL", "route": "intravenous"}
_DEFINITIVE = {**_FOR_ALL, "purpose": "definitive"}
_ORAL = {"route": "oral"}
_BY_MOUTH = {**_ORAL, "intent": "ALL"}


@dataclass(frozen=True)
class Course:
    """A treatment of some patients: from when, for how many days, and what is said of it.

    `exact` is the share of starts known to the day; `timed` that of ends with a time of day; `lost` that of ends
    nobody recorded.
    """

    name: str
    given: Flags
    start: Ints
    days: Ints | int
    said: Said = field(default_factory=dict)
    exact: float = 0.85
    timed: float = 0.0
    lost: float = 0.05


def give(people: People, book: Book, course: Course) -> None:
    """Write the treatment down; one that would go on past today is open."""
    at = course.given & (course.start < people.today)
    draws, begin = people.draws.of(at), course.start[at]
    last = begin + np.broadcast_to(np.asarray(course.days), course.start.shape)[at]
    going, timed = last >= people.today, draws.chance(f"{course.name}, timed", course.timed)
    lost = draws.chance(f"{course.name}, end lost", course.lost)
    grain = np.where(going, OPEN, np.where(lost, UNSAID, np.where(timed, MINUTE, DAY)))
    minute = np.where(grain == MINUTE, draws.between(f"{course.name}, minute", 360, 1320), 0)
    ends = dates(np.minimum(last, people.today), grain, minute)
    begins = _not_crossed(blurred(draws, f"{course.name}, start", begin, course.exact, 1 - course.exact), ends)
    said = {key: word.of(at) if isinstance(word, Words) else word for key, word in course.said.items()}
    book.say("treatment", people.all[at], begins, ends, np.maximum(people.seen[at], begin), **said)


def _not_crossed(start: Dates, end: Dates) -> Dates:
    """Starts that say the day wherever less could lie after the end."""
    near = np.isin(end.grain, (DAY, MINUTE)) & (end.day - start.day < 40)
    return Dates(start.day, np.where(near, DAY, start.grain).astype(np.int8), start.minute)


def say_treatments(people: People, book: Book) -> None:
    """Everything that was given."""
    _before_registration(people, book)
    _intrathecal(people, book)
    _first_line(people, book)
    _later_lines(people, book)
    _antibodies(people, book)
    _other_medicines(people, book)


def _before_registration(people: People, book: Book) -> None:
    """Lowering the blast count of somebody newly diagnosed, or of a relapse."""
    draws, ill = people.draws, people.lymphoblastic & ((people.stage == NEW) | people.returned)
    begin = people.turned + draws.between("prephase after", 0, 4)
    room = people.today - begin
    ill &= room > 0
    length = np.minimum(draws.between("prephase days", 2, 17), room + 5)
    steroid = words(draws, "steroid", dexamethasone=0.5, prednisone=0.38, prednisolone=0.1, corticosteroid=0.02)
    often = words(draws, "steroid often", daily=0.7, unsaid=0.3)
    kinase = words(draws, "first kinase inhibitor", dasatinib=0.45, imatinib=0.3, ponatinib=0.25)
    fresh = ill & (people.stage == NEW) & people.positive & draws.chance("kinase inhibitor", 0.4)
    taken = ill & draws.chance("steroid given", np.where(people.stage == NEW, 0.42, 0.18))
    shortened: tuple[tuple[str, Flags, Ints, Ints, Said], ...] = (
        ("steroid", taken, begin, length, {**_BY_MOUTH, "agent": steroid, "frequency": often}),
        ("hydroxyurea", ill & draws.chance("hydroxyurea given", 0.1), begin, length - 1, {**_BY_MOUTH}),
        ("leukapheresis", ill & draws.chance("leukapheresis done", 0.02), begin, 0 * length, {"intent": "ALL"}),
        ("kinase inhibitor", fresh, begin + 1, length + 2, {**_BY_MOUTH, "agent": kinase}),
    )
    for name, given, start, days, said in shortened:
        whole: Said = {"agent": name, **said}
        give(people, book, Course(name, given, start, days, whole, exact=1.0, timed=0.15, lost=0.02))


def _intrathecal(people: People, book: Book) -> None:
    """One or two doses about the time of the newest change; a few are the dose of Course IA day 1, given early."""
    draws, begin = people.draws, people.turned + people.draws.between("prephase after", 0, 4)
    given = people.lymphoblastic & ((people.stage == NEW) | people.returned) & draws.chance("intrathecal", 0.22)
    agent = words(draws, "intrathecal agent", methotrexate=0.66, cytarabine=0.18, triple_intrathecal=0.16)
    purpose = words(draws, "intrathecal purpose", unsaid=0.35, prophylaxis=0.57, active_cns_disease=0.08)
    first = given & draws.chance("course IA day 1", 0.06) & (people.stage == NEW)
    for number in range(2):
        at = given & (begin < people.today)
        at &= (number == 0) | draws.chance("intrathecal again", 0.25)
        day = np.minimum(begin + 1 + 4 * number, people.today)[at]
        early = first[at] & (number == 0)
        said = {
            "agent": Words(np.where(early, 0, agent.index[at]), agent.words),
            "cns_purpose": purpose.of(at),
            "course_ia_day_1": Words(early.astype(np.int64), ("", "yes")),
        }
        recorded = np.maximum(people.seen[at], day)
        book.say("treatment", people.all[at], day, day, recorded, route="intrathecal", intent="ALL", **said)


def _first_line(people: People, book: Book) -> None:
    """Induction and what follows, for those whose diagnosis is older than their newest stage, and some new ones."""
    draws, late = people.draws, people.stage != NEW
    begin = people.diagnosed + draws.between("induction after", 1, 12)
    started = people.kept("induction", 0.65, 0.85, 0.95, 0.99) & (late | draws.chance("induction begun", 0.22))
    started &= begin < people.today
    span = np.where(people.stage == REFRACTORY, 45, draws.between("induction days", 60, 260))
    span = np.where(late, np.minimum(span, np.maximum(people.turned - begin - 5, 20)), span)
    agent = words(draws, "induction", multiagent_chemotherapy=0.62, vincristine=0.2, cyclophosphamide=0.18)
    purpose = words(draws, "induction purpose", definitive=0.8, unsaid=0.2)
    give(people, book, Course("induction", started, begin, span, {**_FOR_ALL, "agent": agent, "purpose": purpose}, 0.7))
    for name, share in (("vincristine", 0.3), ("pegaspargase", 0.25), ("doxorubicin", 0.3)):
        more = started & late & draws.chance(f"{name} too", share)
        give(people, book, Course(name, more, begin, span // 2, {**_DEFINITIVE, "agent": name}, 0.8))
    given = started & late & draws.chance("intrathecal prophylaxis", 0.35)
    said = {"agent": "methotrexate", "route": "intrathecal", "intent": "ALL", "purpose": "prophylaxis"}
    said["cns_purpose"] = "prophylaxis"
    give(people, book, Course("intrathecal prophylaxis", given, begin + 7, 0, said, 1.0))
    _upkeep(people, book, started, begin, span)


def _upkeep(people: People, book: Book, started: Flags, begin: Ints, span: Ints) -> None:
    """Maintenance, and kinase inhibitors over a long time."""
    draws = people.draws
    given = started & (people.stage == REMISSION) & draws.chance("maintenance", 0.6)
    agent = words(draws, "maintenance agent", mercaptopurine=0.6, methotrexate=0.4)
    said: Said = {**_BY_MOUTH, "agent": agent, "purpose": "maintenance"}
    give(people, book, Course("maintenance", given, begin + span, 700, said, 0.8))
    given = started & people.positive & (people.stage != NEW) & draws.chance("kinase inhibitor later", 0.85)
    agent = words(draws, "later kinase inhibitor", dasatinib=0.4, imatinib=0.3, ponatinib=0.25, nilotinib=0.05)
    give(
        people, book, Course("later kinase inhibitor", given, begin + 10, 3 * span, {**_BY_MOUTH, "agent": agent}, 0.8)
    )


def _later_lines(people: People, book: Book) -> None:
    """Salvage: antibodies, cells and chemotherapy, mostly of those who relapsed more than once."""
    draws, room = people.draws, people.turned - people.diagnosed
    again = np.where(people.stage == RELAPSED_AGAIN, 1.0, np.where(people.returned, 0.28, 0.12))
    for agent, share, longest in (
        ("blinatumomab", 0.33, 70),
        ("inotuzumab_ozogamicin", 0.2, 60),
        ("brexucabtagene_autoleucel", 0.05, 0),
        ("immunotherapy", 0.02, 60),
    ):
        given = people.lymphoblastic & (room > 90) & draws.chance(agent, share * again)
        start = people.diagnosed + 30 + (draws.uniform(f"{agent}, when") * (room - 60)).astype(np.int64)
        days = draws.between(f"{agent}, days", min(20, longest), longest)
        give(people, book, Course(agent, given, start, days, {**_DEFINITIVE, "agent": agent}, 0.8))
    given = people.lymphoblastic & (people.stage == RELAPSED_AGAIN) & draws.chance("salvage chemotherapy", 0.5)
    start = people.turned - draws.between("salvage chemotherapy, before", 60, 200)
    chemotherapy = words(draws, "salvage agent", multiagent_chemotherapy=0.5, clofarabine=0.2, cytarabine=0.3)
    start = np.maximum(start, people.diagnosed + 30)
    give(people, book, Course("salvage chemotherapy", given, start, 40, {**_DEFINITIVE, "agent": chemotherapy}, 0.8))


def _antibodies(people: People, book: Book) -> None:
    """Rituximab for the leukemia, denosumab for the bones."""
    draws = people.draws
    start = np.maximum(people.today - draws.days("rituximab, when", 60, 700) - 1, people.diagnosed + 1)
    given = people.lymphoblastic & draws.chance("rituximab", np.where(people.stage == NEW, 0.03, 0.16))
    given &= start < people.today
    days = np.minimum(draws.between("rituximab, days", 0, 60), people.today - start)
    give(people, book, Course("rituximab", given, start, days, {**_DEFINITIVE, "agent": "rituximab"}, 0.9))
    start = people.today - draws.between("denosumab, when", 5, 200)
    said = {"agent": "denosumab", "route": "subcutaneous"}
    give(people, book, Course("denosumab", draws.chance("denosumab", 0.012), start, 0, said, 0.9))


def _other_medicines(people: People, book: Book) -> None:
    """Inducers of CYP3A4 taken for long, replaced hormones, growth factors."""
    draws, lasting = people.draws, words(people.draws, "taken for long", yes=0.85, unsaid=0.15)
    for agent, share in (
        ("phenytoin", 0.008),
        ("carbamazepine", 0.01),
        ("rifampicin", 0.003),
        ("st_johns_wort", 0.004),
        ("phenobarbital", 0.004),
    ):
        start = people.today - draws.between(f"{agent}, since", 60, 1500)
        days = np.where(draws.chance(f"{agent}, over", 0.3), 50, 4000)
        said: Said = {**_ORAL, "agent": agent, "chronic": lasting}
        give(people, book, Course(agent, draws.chance(agent, share), start, days, said, 0.5))
    start = people.today - draws.between("hydrocortisone, since", 100, 900)
    said = {**_ORAL, "agent": "hydrocortisone", "intent": "physiologic_replacement"}
    give(people, book, Course("hydrocortisone", draws.chance("hydrocortisone", 0.008), start, 4000, said, 0.6))
    start = people.today - draws.between("filgrastim, when", 10, 120)
    given = people.returned & draws.chance("filgrastim", 0.12)
    said = {"agent": "filgrastim", "route": "subcutaneous"}
    give(people, book, Course("filgrastim", given, start, 5, said, 0.9))
