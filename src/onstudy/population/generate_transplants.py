"""Transplants of generated patients and what comes with them: conditioning, GVHD, side effects. Invented."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onstudy.population.generate_draws import Draws, Flags, Ints
from onstudy.population.generate_leukemia import blurred, words
from onstudy.population.generate_people import NEW, People
from onstudy.population.generate_rows import DAY, OPEN, Book, Dates, Words, dates
from onstudy.population.generate_treatments import Course, give


@dataclass(frozen=True)
class Transplants:
    """Who had a transplant, on which day (meaningless for the others), and whether from a donor."""

    done: Flags
    day: Ints
    allogeneic: Flags


def say_transplants(people: People, book: Book) -> None:
    """Transplants, plans for one, GVHD and the toxicities of treatment."""
    found = _transplants(people, book)
    _around(people, book, found)
    _gvhd(people, book, found)
    planned = people.lymphoblastic & ~found.done & (people.age < 72)
    planned &= people.kept("transplant plan", 0.02, 0.08, 0.12, 0.1)
    book.say("hct_planned", people.all[planned], on=people.seen[planned])
    _toxicities(people, book)


def _transplants(people: People, book: Book) -> Transplants:
    draws, room = people.draws, people.today - people.diagnosed
    done = people.lymphoblastic & (room > 150) & (people.age < 74) & draws.chance("transplant", 0.27)
    day = people.diagnosed + 90 + (draws.uniform("transplant, when") * np.maximum(room - 100, 0)).astype(np.int64)
    kind = words(draws, "transplant type", allogeneic=0.85, autologous=0.08, unsaid=0.07)
    when = blurred(draws.of(done), "transplant", day[done], 0.86, 0.1)
    recorded = np.maximum(people.seen, day)[done]
    book.say("hematopoietic_transplant", people.all[done], on=when, recorded=recorded, type=kind.of(done))
    return Transplants(done, day, done & (kind.index == 0))


def _around(people: People, book: Book, found: Transplants) -> None:
    """Conditioning before it, immunosuppression after it."""
    draws = people.draws
    agent = words(draws, "conditioning", conditioning=0.5, busulfan=0.25, total_body_irradiation=0.25)
    said: dict[str, Words | str] = {"agent": agent, "intent": "transplant", "purpose": "conditioning"}
    give(people, book, Course("conditioning", found.done, found.day - 7, 5, said, 0.9, lost=0.0))
    given = found.allogeneic & draws.chance("immunosuppression", 0.8)
    agent = words(draws, "immunosuppressant", tacrolimus=0.55, ciclosporin=0.25, mycophenolic_acid=0.2)
    days = draws.between("immunosuppression days", 80, 420)
    said = {"agent": agent, "intent": "gvhd", "route": "oral"}
    give(people, book, Course("immunosuppression", given, found.day - 1, days, said, 0.9))


def _gvhd(people: People, book: Book, found: Transplants) -> None:
    draws, ill = people.draws, found.allogeneic & people.draws.chance("gvhd", 0.33)
    start = np.minimum(found.day + draws.between("gvhd after", 14, 200), people.today - 1)
    last = start + draws.between("gvhd days", 20, 400)
    end = ended(np.minimum(last, people.today), last < people.today)
    recorded = np.maximum(people.seen, start)
    book.say("gvhd", people.all[ill], on=start[ill], to=end.of(ill), recorded=recorded[ill])
    given = ill & draws.chance("gvhd steroid", 0.6)
    said = {"agent": "prednisone", "intent": "gvhd", "route": "oral"}
    give(people, book, Course("gvhd steroid", given, start, (last - start) // 2, said, 0.9))
    clear = found.allogeneic & ~(ill & (last >= people.today)) & people.kept("gvhd asked", 0.1, 0.35, 0.7, 0.99)
    book.say("gvhd", people.all[clear], on=people.seen[clear], value="no")


def ended(day: Ints, over: Flags) -> Dates:
    """Ends that have come, and those that have not."""
    return dates(day, np.where(over, DAY, OPEN))


def _toxicities(people: People, book: Book) -> None:
    """Side effects that are graded, some twice: the newer grade ends the earlier one."""
    draws = people.draws
    ill = (people.stage != NEW) & draws.chance("toxicity at all", 0.2)
    start = people.seen - draws.between("toxicity before", 20, 160)
    grade, term = draws.between("grade", 1, 3), _terms(draws)
    lasting = np.isin(term.index, (0, 4)) & draws.chance("toxicity lasts", 0.7)
    acute = Words(np.where(lasting, 1, np.where(draws.chance("acute unsaid", 0.1), 2, 0)), ("yes", "no", ""))
    for number in range(2):
        at = ill & ((number == 0) | draws.chance("graded again", 0.12))
        begin = (start + 12 * number)[at]
        graded = Words(np.maximum(grade - number, 0)[at], ("0", "1", "2", "3"))
        end = ended(begin + 9, draws.of(at).chance(f"toxicity over {number}", 0.3))
        said = {"term": term.of(at), "grade": graded, "acute": acute.of(at)}
        book.say("toxicity", people.all[at], begin, end, begin, hematologic="no", **said)
    none = (people.stage != NEW) & ~ill & people.kept("toxicity asked", 0.02, 0.15, 0.45, 0.985)
    book.say("toxicity", people.all[none], on=people.seen[none], value="no", acute="yes")


def _terms(draws: Draws) -> Words:
    shares = {"peripheral_neuropathy": 0.3, "mucositis_oral": 0.2, "fatigue": 0.2, "nausea": 0.12, "alopecia": 0.1}
    return words(draws, "toxicity", **shares, encephalopathy=0.08)
