"""The concepts of a database: looked up by their ids, and told which of them results are read of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from onstudy.population.omop_cdm import Cdm, read_table
from onstudy.population.omop_columns import Ints, cast, wholes
from onstudy.population.omop_rows import Known
from onstudy.readers.omop import SOURCE_VALUE, Concept
from onstudy.record.catalogue import Catalogue
from onstudy.values.codes import ONSTUDY

_COLUMNS = ("concept_id", "concept_name", "vocabulary_id", "concept_code")


@dataclass(frozen=True, eq=False)
class Concepts:
    """All concepts: `rows` as they were read, their ids in order, and in which row each stands.

    `known` is what a catalogue, whose codes are `codes`, says of them; `nameless` is how many have no id.
    """

    rows: pa.Table
    ids: Ints
    row: Ints
    codes: pa.Table
    known: Known
    nameless: int

    def named(self, numbers: Iterable[int]) -> Iterator[tuple[int, Concept]]:
        """Those of these ids that there are, with their ids."""
        if not len(self.ids):
            return
        wanted = np.array(sorted(numbers), np.int64)
        place = np.searchsorted(self.ids, wanted, side="right") - 1  # of several with one id the last counts
        found = np.flatnonzero((place >= 0) & (self.ids[place] == wanted))
        for number, row in zip(wanted[found].tolist(), self.row[place[found]].tolist(), strict=True):
            name, vocabulary, code = (self.rows.column(part)[row].as_py() or "" for part in range(3))
            yield number, Concept(vocabulary, code, name)

    def of(self, catalogue: Catalogue) -> Concepts:
        """The same as another catalogue knows them."""
        codes = codes_of(catalogue)
        if codes.equals(self.codes):
            return self
        ids = np.empty(len(self.ids), np.int64)
        ids[self.row] = self.ids
        return Concepts(self.rows, self.ids, self.row, codes, _known(self.rows, ids, codes), self.nameless)


def read_concepts(cdm: Cdm, catalogue: Catalogue) -> Concepts:
    """All concepts of a database."""
    batches, numbers, nameless = [_NONE], [np.zeros(0, np.int64)], 0
    for batch in read_table(cdm, "concept", _COLUMNS):
        own = cast(batch.column(0), pa.int64(), "BIGINT")
        nameless += own.null_count
        numbers.append(wholes(own))
        batches.append(pa.record_batch([batch.column(part).cast(pa.string()) for part in (1, 2, 3)], _NONE.schema))
    rows, ids, codes = pa.Table.from_batches(batches), np.concatenate(numbers), codes_of(catalogue)
    order = np.argsort(ids, kind="stable")
    return Concepts(rows, ids[order], order, codes, _known(rows, ids, codes), nameless)


_NONE = pa.record_batch({name: pa.array([], pa.string()) for name in _COLUMNS[1:]})


def codes_of(catalogue: Catalogue) -> pa.Table:
    """The codes that name a kind: (system, code, whether all codes below it do)."""
    uses = [use.code for kind in catalogue for use in kind.codes]
    return pa.table(
        {
            "system": [code.system for code in uses],
            "code": [code.code.rstrip("-").rstrip(".") if code.code.endswith("-") else code.code for code in uses],
            "below": [code.code.endswith("-") for code in uses],
        }
    )


def _known(rows: pa.Table, ids: Ints, codes: pa.Table) -> Known:
    """Which concepts results are read of, which are the project's own, and the source values that are codes."""
    used, own, first = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], 0
    for batch in rows.to_batches():
        vocabulary = batch.column(1).dictionary_encode()
        which = vocabulary.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        for number, name in enumerate(vocabulary.dictionary.to_pylist()):
            system = Concept(name, "", "").system
            of_it = codes.filter(pc.equal(codes.column("system"), system))
            if of_it.num_rows or system == ONSTUDY:
                places = np.flatnonzero(which == number)
                read = _are_read(batch.column(2).take(pa.array(places)), of_it)
                used.append(ids[first + places[read]])
                own.append(ids[first + places] if system == ONSTUDY else own[0])
        first += batch.num_rows
    values = codes.filter(pc.equal(codes.column("system"), SOURCE_VALUE)).column("code").combine_chunks()
    return Known(_distinct(used), _distinct(own), values.cast(pa.string()))


def _are_read(written: pa.Array, codes: pa.Table) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which of the codes of a system are among these, or below one of them of which all are that lie below."""
    found = pc.is_in(written, value_set=codes.column("code").combine_chunks().cast(pa.string()))
    above = codes.filter(codes.column("below")).column("code").to_pylist()
    bare = pc.replace_substring(written, ".", "") if above else written
    for code in above:
        found = pc.or_(found, pc.fill_null(pc.starts_with(bare, code.replace(".", "")), False))
    return np.asarray(found.to_numpy(zero_copy_only=False))


def _distinct(ids: list[Ints]) -> pa.Array:
    """Each of some ids once; 0 is no id."""
    found = np.unique(np.concatenate(ids))
    return pa.array(found[found != 0])
