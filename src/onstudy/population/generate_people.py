"""Who the generated patients are: what their records follow from. Every share and span here is invented.

docs/generator.md lists the distributions. They are shaped so that each criterion of the shipped leukemia trial is
met, not met and unknown for some; they describe no hospital and no study.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from onstudy.population.generate_draws import Draws, Flags, Floats, Ints

#: The disease a record is of.
B_ALL, T_ALL, MIXED, AML, BURKITT, UNTYPED = range(6)
_DISEASES = (0.80, 0.06, 0.015, 0.035, 0.02, 0.07)
#: Where its course stands.
NEW, REMISSION, RELAPSED, RELAPSED_AGAIN, REFRACTORY = range(5)
_STAGES = (0.30, 0.22, 0.25, 0.11, 0.12)
#: How well the record is kept: from a referral letter to a work-up for a trial.
SPARSE, USUAL, THOROUGH, WORKED_UP = range(4)
_CARE = (0.13, 0.48, 0.22, 0.17)


@dataclass(frozen=True)
class People:
    """What is true of some patients, whatever their records say of it. Days are ordinals."""

    draws: Draws
    today: int
    born: Ints
    female: Flags
    disease: Ints
    stage: Ints
    care: Ints
    diagnosed: Ints
    turned: Ints  # the day of the newest change of stage: remission, relapse, failure
    seen: Ints  # the day of the newest visit
    positive: Flags  # Philadelphia chromosome

    def __len__(self) -> int:
        return len(self.born)

    def of(self, which: Flags | Ints) -> People:
        """Some of them."""
        picked = {name: getattr(self, name)[which] for name in _ARRAYS}
        return replace(self, draws=self.draws.of(which), **picked)

    @cached_property
    def age(self) -> Floats:
        """Years, with their fraction."""
        found: Floats = (self.today - self.born) / 365.25
        return found

    @cached_property
    def all(self) -> Ints:
        """The position of each patient."""
        return np.arange(len(self), dtype=np.int64)

    @property
    def lymphoblastic(self) -> Flags:
        """Whether the disease is a precursor ALL of either lineage."""
        return np.isin(self.disease, (B_ALL, T_ALL, UNTYPED))

    @property
    def returned(self) -> Flags:
        """Whether the disease has come back or never gone."""
        return self.stage >= RELAPSED

    def kept(self, name: str, sparse: float, usual: float, thorough: float, worked_up: float) -> Flags:
        """Whether something is in the record, by how well it is kept."""
        shares = np.asarray((sparse, usual, thorough, worked_up))
        return self.draws.chance(f"{name}, kept", shares[self.care])


_ARRAYS = ("born", "female", "disease", "stage", "care", "diagnosed", "turned", "seen", "positive")


def people(draws: Draws, today: int) -> People:
    """The patients whose chances `draws` are, as they stand on the day `today`."""
    disease, stage = draws.pick("disease", _DISEASES), draws.pick("stage", _STAGES)
    born = today - np.floor(_age(draws, stage) * 365.25).astype(np.int64)
    diagnosed = _diagnosed(draws, today, stage)
    turned = _turned(draws, today, stage, diagnosed)
    care = draws.pick("care", _CARE)
    fresh = np.where(care == WORKED_UP, 3, np.where(care == THOROUGH, 8, 25))
    seen = today - np.minimum(np.floor(-np.log(1 - draws.uniform("seen")) * fresh).astype(np.int64), 700)
    years = (today - born) / 365.25
    share = np.where(years < 40, 0.15, np.where(years < 60, 0.28, 0.38))
    return People(
        draws=draws,
        today=today,
        born=born,
        female=draws.chance("female", 0.46),
        disease=disease,
        stage=stage,
        care=care,
        diagnosed=diagnosed,
        turned=turned,
        seen=np.maximum(seen, turned),
        positive=draws.chance("philadelphia", share) & (disease == B_ALL),
    )


def _age(draws: Draws, stage: Ints) -> Floats:
    """Three humps: children, younger and older adults; newly diagnosed ones are older here."""
    old = np.where(stage == NEW, 0.58, 0.34)
    hump = draws.uniform("age group")
    young = draws.normal("age", 33, 9)
    late = draws.normal("age", 68, 8)
    found = np.where(hump < 0.03, draws.between("childhood", 2, 17) + 0.4, np.where(hump < 1 - old, young, late))
    return np.clip(found, 1.0, 94.0) + draws.uniform("birthday")


def _diagnosed(draws: Draws, today: int, stage: Ints) -> Ints:
    recent = draws.between("diagnosed lately", 2, 40)
    earlier = draws.between("diagnosed earlier", 120, 1900)
    failed = draws.between("diagnosed, failed", 60, 240)
    return today - np.where(stage == NEW, recent, np.where(stage == REFRACTORY, failed, earlier))


def _turned(draws: Draws, today: int, stage: Ints, diagnosed: Ints) -> Ints:
    """When the present stage began."""
    lately = today - np.minimum(draws.between("turned lately", 2, 75), today - diagnosed - 40)
    remission = diagnosed + draws.between("remission after", 28, 60)
    return np.where(stage == NEW, diagnosed, np.where(stage == REMISSION, remission, lately))
