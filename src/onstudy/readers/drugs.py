"""The drug that words name: agents of the catalogue by their exact names, with dose, form and route left out.

Only whole names count. "Rituximab 375 mg/m2 IV" is rituximab, "10 ML rituximab 10 MG/ML Injection [Rituxan]"
too; "study drug (rituximab arm)" is not. Nothing is matched by likeness: a name that is not known is asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from onstudy.record.catalogue import Catalogue, plain

TREATMENT, AGENT, ROUTE = "treatment", "agent", "route"
#: Medicines that are none of the agents, nor of their groups: known, and nothing a rule asks about.
ORDINARY = "ordinary_medicine"

_LONGEST, _MOST_WORDS = 300, 12
_NUMBER = r"\d[\d.,]*"
_UNIT = r"(?:mg|mcg|ug|µg|g|kg|ml|l|iu|unt|units?|meq|mmol|mci|gy|hr?|hours?|actuat|m2|min|cells?|d|days?|wk|weeks?|%)"
_STRENGTH = re.compile(rf"(?<![\w-]){_NUMBER}\s*(?:-\s*{_NUMBER}\s*)?{_UNIT}(?:\s*/\s*(?:{_NUMBER}\s*)?{_UNIT})*(?!\w)")
_ASIDE = re.compile(r"\[[^\]]*\]|\([^)]*\)")
_BETWEEN = re.compile(r"\s*(?:[/+,;&]|\band\b|\bwith\b|\bplus\b)\s*")
#: The four letters that tell biosimilars of one antibody or growth factor apart.
_SUFFIX = re.compile(r"(.*(?:mab|grastim|aspargase|tesirine|deruxtecan|govitecan|ozogamicin))-[a-z]{4}")
#: Numbers, intervals such as q8h, and the number under which a product was approved.
_FIGURES = re.compile(r"\d[\d.,]*|q\d+[hdw]?|nda\d+")

#: What stands around a name and is none: dose forms, ways and times of giving, salts.
_AROUND = frozenset(
    "tablet tablets tab tabs capsule capsules cap caps caplet pill pills solution suspension syrup elixir drops "
    "injection injections injectable inj infusion infusions infused powder concentrate cream ointment gel lotion patch "
    "spray inhaler inhalant inhalation metered dry prefilled syringe pen auto injector autoinjector vial vials ampule "
    "kit pack extended release er xr sr xl cr delayed dr immediate ir disintegrating chewable film coated enteric "
    "system mucosal transdermal nasal rectal vaginal otic product drug medication medicine therapy treatment given "
    "continuous push bolus premix daily weekly monthly once twice times time per each every day days week weeks month "
    "months morning night bid tid qid qd qhs qod qam qpm prn stat as needed by mouth or for of in the a x dose doses "
    "course courses cycle cycles single two three four five six mg mcg ug g kg ml l unt unit units iu meq mmol m2 "
    "hr actuat sodium disodium potassium calcium hydrochloride hcl sulfate sulphate phosphate diphosphate acetate "
    "systemic combined concurrent concomitant adjuvant neoadjuvant "
    "succinate tartrate bitartrate maleate mesylate mesilate besylate tosylate citrate bromide hydrobromide fumarate "
    "monohydrate dihydrate trihydrate anhydrous propionate".split()
)


@dataclass(frozen=True, slots=True)
class NamedDrug:
    """What a text says was given. `agents`: what each of the agents it names may be; `whole`: nothing else is
    named that is not known; `route`: the way of giving that it states, if it states one.
    """

    agents: tuple[frozenset[str], ...] = ()
    whole: bool = False
    route: frozenset[str] = frozenset()


class DrugNames:
    """The names of a catalogue's agents and ordinary medicines, looked for in texts; each text is read once."""

    def __init__(self, catalogue: Catalogue) -> None:
        agents, routes = (catalogue.codes_of(TREATMENT, name) for name in (AGENT, ROUTE))
        assert agents is not None, "the agents of treatments are a value set"
        assert routes is not None, "the routes of treatments are a value set"
        self._agents, self._routes = agents, routes
        self._ordinary = catalogue.value_sets.get(ORDINARY)
        self.read = lru_cache(maxsize=4096)(self._read)

    def _read(self, text: str) -> NamedDrug:
        """The drug that a text names."""
        if len(text) > _LONGEST:
            return NamedDrug()
        found = self._find(text)
        if found is not None:
            return _named([found], frozenset())
        bare = _STRENGTH.sub(" ", _ASIDE.sub(" ", text.lower()))
        around: set[str] = set()
        whole = self._part(bare, around)
        parts: list[frozenset[str] | None] = [whole] if whole is not None else self._parts(bare, around)
        routes = {name for word in around if (name := self._routes.find(word)) and name != "other"}
        route = self._routes.meaning(routes.pop()) if len(routes) == 1 else frozenset[str]()
        return _named(parts, route)

    def _parts(self, text: str, around: set[str]) -> list[frozenset[str] | None]:
        """What each of several names means; stretches that name nothing are left out."""
        pieces = [_words(piece) for piece in _BETWEEN.split(text)]
        naming = [words for words in pieces if not all(map(self._is_around, words))]
        around.update(word for words in pieces if words not in naming for word in words)
        return [self._part(" ".join(words), around) for words in naming]

    def _part(self, text: str, around: set[str]) -> frozenset[str] | None:
        """What one name means, once what stands around it is left out and put into `around`; None: not known."""
        words = _words(text)
        while words:
            found = self._find(" ".join(words)) if len(words) <= _MOST_WORDS else None
            if found is not None:
                return found
            outer = -1 if self._is_around(words[-1]) else 0
            if outer == 0 and not self._is_around(words[0]):
                return None
            around.add(words.pop(outer))
        return None

    def _is_around(self, word: str) -> bool:
        pieces = plain(word).split()
        known = all(piece in _AROUND or _FIGURES.fullmatch(piece) for piece in pieces)
        return known or self._routes.find(word) is not None

    def _find(self, name: str) -> frozenset[str] | None:
        """The agents a name may mean; none for an ordinary medicine; None where it is not known."""
        suffixed = _SUFFIX.fullmatch(name.lower())
        for form in (name, suffixed[1]) if suffixed else (name,):
            agent = self._agents.find(form)
            if agent is not None and agent != "other":
                return self._agents.meaning(agent)
            if self._ordinary is not None and self._ordinary.find(form) is not None:
                return frozenset()
        return None


def _words(text: str) -> list[str]:
    return [word for part in text.split() if (word := part.strip(".:"))]


def _named(parts: list[frozenset[str] | None], route: frozenset[str]) -> NamedDrug:
    agents = tuple(dict.fromkeys(part for part in parts if part))
    return NamedDrug(agents, bool(parts) and None not in parts, route)
