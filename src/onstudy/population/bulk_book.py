"""The book of forms: which form each record has, made the first time a record like it is met.

A record like no other, or one whose form cannot be told, is read by itself; one that cannot be told without all of
its patient has no form at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from onstudy.population.bulk_forms import Form, Probe, Read
from onstudy.population.bulk_generalise import constant_form, form_of
from onstudy.record.catalogue import Catalogue

#: Making a form costs three readings: fewer records than this are read one by one.
WORTH_A_FORM = 3
#: A book with more entries is begun anew.
_THICKEST = 200_000

_Cluster = TypeVar("_Cluster", bound=Hashable)
_Read = TypeVar("_Read", bound=Hashable, contravariant=True)


class Reads(Protocol[_Read]):
    """What reads one record: `cluster` is all that is the same in records of its shape, `probe` what is its own."""

    def read(self, cluster: _Read, probe: Probe) -> Read | None:
        """What is made of it; None where that cannot be told without the rest of the patient."""
        ...


@dataclass
class Book(Generic[_Cluster]):
    """Forms of records, by what the records of a form have in common."""

    reader: Reads[_Cluster]
    catalogue: Catalogue
    _known: dict[Hashable, Form | None] = field(default_factory=dict)
    _met: Counter[Hashable] = field(default_factory=Counter)

    def worth(self, key: Hashable, many: int) -> bool:
        """Whether a form is known for records with this key, or they have become many enough to make one."""
        if key in self._known:
            return True
        self._met[key] += many
        return self._met[key] >= WORTH_A_FORM

    def form(
        self,
        key: Hashable,
        cluster: _Cluster,
        example: Probe,
        pinned: frozenset[int] = frozenset(),
        odd: frozenset[int] = frozenset(),
        own: tuple[int, int] | None = None,
    ) -> Form | None:
        """The form of all records with a key, made from one of them; None where there is none."""
        if key not in self._known:
            if len(self._known) + len(self._met) > _THICKEST:
                self._known.clear()
                self._met.clear()
            self._known[key] = form_of(
                lambda probe: self.reader.read(cluster, probe), example, self.catalogue, pinned, odd, own
            )
        return self._known[key]

    def alone(self, cluster: _Cluster, probe: Probe) -> Form | None:
        """The form of one record only; None where it cannot be told without the rest of the patient."""
        found = self.reader.read(cluster, probe)
        return None if found is None else constant_form(found)
