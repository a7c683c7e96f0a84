"""Each row of a shard matched with its form: by what records of its class have in common, or by reading it alone."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from onstudy.population.bulk_ages import Lies, births_like, lying
from onstudy.population.bulk_book import Book
from onstudy.population.bulk_classes import Classes, Contents, factorised
from onstudy.population.bulk_fhir_reading import Cluster, ClusterReader
from onstudy.population.bulk_forms import CONSTANT, Form, Probe
from onstudy.population.bulk_moments import Moments
from onstudy.population.bulk_numbers import IRREGULAR
from onstudy.population.bulk_order import in_order
from onstudy.population.bulk_related import Clusters
from onstudy.population.bulk_rows import Ints
from onstudy.population.bulk_same import taken
from onstudy.readers.fhir_range import for_ages
from onstudy.values.calendar import UNDATED, When

#: A row without a form: its patient is read as a whole.
NO_FORM = -1
#: Rows of one class of which each has its own form.
_EACH = -2


@dataclass
class Matched:
    """The form of each row by its number among `forms`, and whose names stand in the slots of each form."""

    form: NDArray[np.int32]
    forms: list[Form] = field(default_factory=list)
    #: For each form, of its names: (place in the cluster, slot); place -1 is a name that leads nowhere.
    names: list[tuple[tuple[int, int], ...]] = field(default_factory=list)

    def add(self, form: Form | None, names: tuple[tuple[int, int], ...]) -> int:
        """The number of a form; `NO_FORM` for none."""
        if form is None:
            return NO_FORM
        self.forms.append(form)
        self.names.append(names)
        return len(self.forms) - 1


class Matcher:
    """Finds the forms of the rows of a shard. `about` tells when a patient was born and the sex, by number."""

    def __init__(
        self, contents: Contents, classes: Classes, clusters: Clusters, book: Book[Cluster], reader: ClusterReader
    ) -> None:
        self.contents, self.classes, self.clusters, self.book, self.reader = contents, classes, clusters, book, reader
        self.found = Matched(np.full(len(clusters.number), NO_FORM, np.int32))
        self.patient = np.zeros(0, np.int64)
        self.about: Callable[[int], tuple[When, str]] = lambda patient: (UNDATED, "")

    def match(self, rows: Ints) -> None:
        """Find the forms of some rows; those of `strange` have none."""
        if self.clusters.strange:
            rows = rows[~np.isin(rows, list(self.clusters.strange))]
        if not len(rows):
            return
        alike = _Alike(rows, factorised(self.clusters.number.take(rows), taken(self.classes.code, rows)))
        alone = alike.having(self.classes.alone)
        forms = np.array([self._one_class(alike, group, alone[group]) for group in range(alike.groups)], np.int32)
        found = forms.take(alike.group)
        if forms.min() == _EACH:
            found = np.where(found == _EACH, self.found.form.take(rows), found)
        self.found.form[rows] = found

    def _one_class(self, alike: _Alike, group: int, alone: bool) -> int:
        """The form of all rows of one cluster and class; `_EACH` where each has been given its own."""
        first = int(alike.first[group])
        cluster = self.clusters.clusters[int(self.clusters.number[first])]
        key = (cluster, self._class_of(first))
        if not alone and self.book.worth(key, int(alike.many[group])):
            form = self.book.form(key, cluster, self.probe(first), odd=self._odd(first), own=self._own(first))
            if form is not None:
                return self.found.add(form, self._layout(cluster))
            self._by_sex(alike.rows_of(group), cluster, key)
            return _EACH
        for row in alike.rows_of(group).tolist():
            self._alone(row, cluster)
        return _EACH

    def _by_sex(self, rows: Ints, cluster: Cluster, key: Hashable) -> None:
        """Rows of which something may follow from the sex of the patient: those of one sex are alike."""
        groups: dict[str, list[int]] = {}
        for row in rows.tolist():
            groups.setdefault(self.about(int(self.patient[row]))[1], []).append(row)
        for sex, some in groups.items():
            first, exact, form = some[0], (key, sex), None
            if sex and self.book.worth(exact, len(some)):
                probe = replace(self.probe(first), sex=sex)
                form = self.book.form(exact, cluster, probe, odd=self._odd(first), own=self._own(first))
            if form is not None:
                self.found.form[some] = self.found.add(form, self._layout(cluster))
            elif for_ages(self.reader.resource(cluster)):
                self._by_age(some, cluster, exact, sex)
            else:
                self._by_numbers(some, cluster, key)

    def _by_age(self, rows: Sequence[int], cluster: Cluster, key: Hashable, sex: str) -> None:
        """Rows of one sex, of which something follows from how old the patient was: see `bulk_ages`."""
        resource, groups = self.reader.resource(cluster), dict[Lies | None, list[int]]()
        births = [self.about(int(self.patient[row]))[0] for row in rows]
        for row, lies in zip(rows, lying(resource, births, self._dates(rows)), strict=True):
            groups.setdefault(lies, []).append(row)
        for lies, some in groups.items():
            first, exact, form = some[0], (key, lies), None
            if lies is not None and self.book.worth(exact, len(some)):
                example = replace(self.probe(first), born=self.about(int(self.patient[first]))[0], sex=sex)
                example = replace(example, births=births_like(resource, example, lies))
                if example.births:
                    form = self.book.form(exact, cluster, example, odd=self._odd(first), own=self._own(first))
            if form is not None and _moves(form):
                self.found.form[some] = self.found.add(form, self._layout(cluster))
            else:
                self._by_numbers(some, cluster, exact)

    def _dates(self, rows: Sequence[int]) -> list[Moments]:
        """The dates of rows of one class and of those they are read with: all first ones, all second ones, ..."""
        dates, found = self.contents.dates, []
        for own in zip(*map(self._rows, rows), strict=True):
            codes = [dates.codes(slot)[np.array(own, np.int64)] for slot in range(int(dates.slots.count[own[0]]))]
            found += [self.contents.moments.take(one) for one in codes]
        return found

    def _by_numbers(self, rows: Sequence[int], cluster: Cluster, key: Hashable) -> None:
        """Rows whose numbers, or words in their place, are more than amounts: those with the same ones are alike."""
        groups: dict[tuple[str, ...], list[int]] = {}
        for row in rows:
            groups.setdefault(self.contents.numbers.slots.texts(row), []).append(row)
        for numbers, some in groups.items():
            exact = (key, numbers)
            form = None
            if numbers and self.book.worth(exact, len(some)):
                pinned, own = frozenset(range(len(numbers))), self._own(some[0])
                form = self.book.form(exact, cluster, self.probe(some[0]), pinned, self._odd(some[0]) - pinned, own)
            if form is not None:
                self.found.form[some] = self.found.add(form, self._layout(cluster))
            else:
                for row in some:
                    self._alone(row, cluster)

    def _alone(self, row: int, cluster: Cluster) -> None:
        born, sex = self.about(int(self.patient[row]))
        probe = replace(self.probe(row), born=born, sex=sex)
        self.found.form[row] = self.found.add(self.book.alone(cluster, probe), ())

    # What stands in a row -------------------------------------------------------------------------------------

    def _rows(self, row: int) -> tuple[int, ...]:
        """The row and those of the resources it is read with."""
        return (row, *self.clusters.related.get(row, ()))

    def _own(self, row: int) -> tuple[int, int]:
        """How many dates and numbers the row itself has."""
        return int(self.contents.dates.slots.count[row]), int(self.contents.numbers.slots.count[row])

    def probe(self, row: int) -> Probe:
        """What stands in the slots of a row and of the resources it is read with."""
        rows = self._rows(row)
        names, dates, numbers = (
            tuple(text for one in rows for text in slots.texts(one))
            for slots in (self.contents.names, self.contents.dates.slots, self.contents.numbers.slots)
        )
        return Probe((*names, *self.clusters.out.get(row, ())), dates, numbers)

    def _class_of(self, row: int) -> tuple[int, ...]:
        """What the classes of the row's dates and numbers are, by themselves: the same in every shard."""
        return self.classes.signature(row)

    def _odd(self, row: int) -> frozenset[int]:
        """The numbers of the cluster that are no plain amounts; those of related resources among them."""
        numbers = self.contents.numbers
        codes, count = numbers.of_row(row), int(numbers.slots.count[row])
        own = {slot for slot, code in enumerate(codes) if self.contents.sorts[code] == IRREGULAR}
        others = sum(int(numbers.slots.count[one]) for one in self._rows(row)[1:])
        return frozenset(own | set(range(count, count + others)))

    def _layout(self, cluster: Cluster) -> tuple[tuple[int, int], ...]:
        return tuple(self.reader.names(cluster))


@dataclass(frozen=True, eq=False)
class _Alike:
    """Rows in groups by number: how many there are of each, and the first of them."""

    rows: Ints
    group: Ints

    @cached_property
    def many(self) -> Ints:
        """How many rows each group has."""
        return np.bincount(self.group)

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return len(self.many)

    @cached_property
    def first(self) -> Ints:
        """The first row of each group."""
        found = np.empty(self.groups, np.int64)
        found[self.group[::-1]] = self.rows[::-1]  # what is set last stays
        return found

    def having(self, flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The groups of which any row is marked."""
        found = np.zeros(self.groups, bool)
        if flags.any():
            found[self.group[flags.take(self.rows)]] = True
        return found

    def rows_of(self, group: int) -> Ints:
        """The rows of one group, in their order."""
        end = int(self._ends[group])
        return self.rows[self._order[end - int(self.many[group]) : end]]

    @cached_property
    def _order(self) -> Ints:
        return in_order(self.group)

    @cached_property
    def _ends(self) -> Ints:
        return np.cumsum(self.many)


def _moves(form: Form) -> bool:
    """Whether the facts of a form are dated by slots of their records: then these tell how old the patient was."""
    return bool(form.facts) and all(fact.start.how != CONSTANT for fact in form.facts)
