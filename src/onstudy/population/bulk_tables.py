"""Arrays of facts as the tables of a shard, and tables of several shards of the same patients made one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from onstudy.population.bulk_facts import Bases, Components, Facts
from onstudy.population.bulk_moments import from_whens
from onstudy.population.bulk_order import in_order, in_order_of_runs
from onstudy.population.bulk_rows import Ints
from onstudy.population.bulk_same import is_same, same, settled, taken
from onstudy.population.bulk_spans import from_intervals
from onstudy.population.bulk_texts import NOWHERE, Texts
from onstudy.population.numbered import joined_numbered
from onstudy.population.store_shard import DIFFERENT, NUMBERED, Words, arrow_text, each_text, numbered_text
from onstudy.record.patient import Fact
from onstudy.record.shard import (
    EMPTY,
    NO_INSTANT,
    NONE,
    SOURCE,
    Array,
    Column,
    Shard,
    Table,
    Text,
    code_word,
    default_of,
    is_text,
    without_defaults,
)
from onstudy.values.calendar import DAY, When
from onstudy.values.interval import Interval

_LAST = np.iinfo(np.int64).max
#: In place of a kind: a fact that is in no table.
NO_KIND = -1


def tables_of(
    facts: Facts, kind: NDArray[np.int32], kinds: Sequence[str], bases: Bases, parts: Components, names: Sequence[str],
    inner: Ints | None = None, stems: Sequence[str] = (),
) -> dict[str, Table]:  # fmt: skip
    """A table for each kind that has facts. `kind` is the place of each fact's kind in `kinds`; of `NO_KIND` is none.

    `inner` are the places of components that are no facts of their own, `stems` stand before numbers that name records.
    """
    elsewhere, facts = _elsewhere(facts, kind, len(kinds)), facts.compact
    order = _sorted(facts, kind)
    bounds = np.cumsum(np.bincount(kind - NO_KIND, minlength=len(kinds) + 1))
    place = np.empty(len(order), np.int32)  # in the table of its kind
    place[order] = np.arange(len(order), dtype=np.int32)
    place -= bounds.astype(np.int32)[kind]
    said, references = _Said(bases), _references(parts, kind, kinds, names, place)
    facts = facts.take(order)  # column by column: one at a time is near the processor
    texts = {name: _texts_of(getattr(facts, name)) for name in ("shown", "sample")}
    ids = facts.id.numbered().as_numbers(stems)
    others = np.flatnonzero(np.repeat([False, *elsewhere], np.diff(bounds, prepend=0)))  # whose sources are not the ids
    sources = facts.source.take(others).numbered().as_numbers(stems)
    found = {}
    for number, name in enumerate(kinds):
        rows = slice(int(bounds[number]), int(bounds[number + 1]))
        if many := rows.stop - rows.start:
            mine = facts.take(rows)
            columns = _columns(mine, said)
            columns |= {text: Text(taken(index, rows), words) for text, (index, words) in texts.items()}
            for column, (wholes, rows_of_parts) in references.get(name, {}).items():
                values = np.full(many, NONE, np.int32)
                values[wholes] = rows_of_parts
                columns[column] = values
            if inner is not None and len(own := inner[kind[inner] == number]):
                columns["inner"] = np.isin(np.arange(many), place[own])
            stored = without_defaults(columns)
            stored["id"] = each_text(ids.take(rows))
            if elsewhere[number]:
                first = int(np.searchsorted(others, rows.start))
                stored[SOURCE] = each_text(sources.take(slice(first, first + many)))
            found[name] = Table(name, many, stored)
    return dict(sorted(found.items()))


def _elsewhere(facts: Facts, kind: NDArray[np.int32], kinds: int) -> NDArray[np.bool_]:
    """The kinds of which a fact has another source than its id. One fact of a kind mostly tells that; else all do."""
    source, called = facts.source, facts.id
    rows = np.flatnonzero(source.perhaps_apart_from(called) & (kind != NO_KIND))
    one = np.full(kinds, NONE)
    one[kind[rows]] = rows
    found = np.array([row != NONE and source.at(row) != called.at(row) for row in one.tolist()], bool)
    rows = rows[~found[kind[rows]]]
    found[kind[rows[source.take(rows).apart_from(called.take(rows))]]] = True
    return found


def _sorted(facts: Facts, kind: NDArray[np.int32]) -> Ints:
    """The order in which facts lie: by kind, patient, start, end of the start, and id."""
    low, high = facts.start.low, facts.start.high
    dated, day = low != NO_INSTANT, low // DAY
    if not dated.all():  # right before all others, so that few bits hold every day
        day[~dated] = int(day[dated].min()) - 1 if dated.any() else 0
    key = (kind.astype(np.int64) << 46) + (facts.patient << 22) + day  # days have 22 bits, patients of a shard 24
    order = in_order_of_runs(kind, key, low=22)
    if order is None:
        order = in_order(kind, facts.patient, day)
    same = np.diff(key[order]) == 0
    if not same.any():
        return order
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
    run = np.cumsum(np.append(True, ~same))[tied]
    some = np.sort(order[tied])  # runs of equal keys, each in the order in which its facts came
    some = some[np.argsort(key[some], kind="stable")]
    columns = {
        "run": pa.array(run),
        "low": pa.array(low[some]),
        "high": pa.array(np.where(high[some] == NO_INSTANT, _LAST, high[some])),
        "id": facts.id.take(some).array(),
        "place": pa.array(some),
    }
    within = pc.sort_indices(pa.table(columns), sort_keys=[(name, "ascending") for name in columns]).to_numpy()
    order[tied] = some[within]
    return order


def _references(
    parts: Components,
    kind: NDArray[np.int32],
    kinds: Sequence[str],
    names: Sequence[str],
    place: NDArray[np.int32],
) -> dict[str, dict[str, tuple[Array, Array]]]:
    """For each kind of whole its columns of components: the rows of the wholes, and those of the parts."""
    found: dict[str, dict[str, tuple[Array, Array]]] = {}
    key = (kind[parts.wholes].astype(np.int64) * len(kinds) + kind[parts.parts]) * len(names) + parts.names
    order = in_order(key)
    firsts = np.flatnonzero(np.diff(key[order], prepend=-1))
    for some in np.split(order, firsts[1:]) if len(firsts) else ():
        rest, name = divmod(int(key[some[0]]), len(names))
        whole, part = divmod(rest, len(kinds))
        column = f"p.{names[name]}.{kinds[part]}"
        found.setdefault(kinds[whole], {})[column] = (place[parts.wholes[some]], place[parts.parts[some]])
    return found


class _Said:
    """What is the same in all facts of a form, as arrays over the list of forms' facts."""

    def __init__(self, bases: Bases) -> None:
        self.facts = bases.facts
        self._attributes: dict[str, dict[str, Column]] = {}
        flags: dict[str, Column] = {
            name: np.array([says(fact) for fact in self.facts], np.bool_) for name, says in _FLAGS.items()
        }
        words = {name: _coded([says(fact) for fact in self.facts]) for name, says in _WORDS.items()}
        self._of_any = without_defaults(flags | words) | self._opened()

    def columns(self, base: Ints) -> dict[str, Column]:
        """The columns of some facts."""
        used = np.flatnonzero(np.bincount(base))
        of_bases = dict(self._of_any)
        for name in sorted({name for one in used.tolist() for name in self.facts[one].attributes}):
            of_bases |= self._attribute(name)
        return {name: _of_each(column, used, base) for name, column in of_bases.items()}

    def _opened(self) -> dict[str, Column]:
        """How periods were stated that something newer ended."""
        opened = [fact.opened for fact in self.facts]
        if not any(opened):
            return {}
        ends = from_whens([None if one is None else one[0] for one in opened])
        stated = np.array([one is not None for one in opened], bool)
        going = np.array([one is not None and one[1] for one in opened], bool)
        return {"opened.set": stated, "opened.ongoing": going, **ends.columns("opened")}

    def _attribute(self, name: str) -> dict[str, Column]:
        """The columns of one attribute, over the list of forms' facts."""
        if name not in self._attributes:
            having = [place for place, fact in enumerate(self.facts) if name in fact.attributes]
            said = [*(self.facts[place].attributes[name] for place in having), None]  # the last of all others
            row = np.full(len(self.facts), len(having), np.int64)
            row[having] = np.arange(len(having))
            words = _coded([code_word(value) if isinstance(value, frozenset) else None for value in said])
            numbers = from_intervals([value if isinstance(value, Interval) else None for value in said])
            moments = from_whens([value if isinstance(value, When) else None for value in said]).take(row)
            numbers.flags[:-1][[value is None for value in said[:-1]]] = EMPTY
            self._attributes[name] = {
                f"a.{name}.code": Text(words.index[row], words.words),
                **numbers.take(row).columns(f"a.{name}"),
                **moments.columns(f"a.{name}.at"),
            }
        return self._attributes[name]


_FLAGS: dict[str, Callable[[Fact], bool]] = {
    "negative": lambda fact: fact.negative,
    "ongoing": lambda fact: fact.ongoing,
    "suspected": lambda fact: not fact.certain,
    "computed": lambda fact: fact.computed,
}
_WORDS: dict[str, Callable[[Fact], str | None]] = {
    "lacks": lambda fact: fact.lacks,
    "code_status": lambda fact: fact.code_status,
    "narrowed.by": lambda fact: None if fact.narrowed is None else fact.narrowed[0],
    "narrowed.code": lambda fact: None if fact.narrowed is None else code_word(fact.narrowed[1]),
    "value.code": lambda fact: code_word(fact.value) if isinstance(fact.value, frozenset) else None,
}


def _coded(said: Sequence[str | None]) -> Text:
    """Words given one by one, each held once; one that is empty is none."""
    places = {word: place for place, word in enumerate(dict.fromkeys(word for word in said if word))}
    return Text(np.array([places.get(word or "", NONE) for word in said], np.int32), tuple(places))


def _of_each(of_bases: Column, used: Ints, base: Ints) -> Column:
    """What bases say as a column of facts, whose bases are `used`: held once where these say the same."""
    if isinstance(of_bases, Text):
        index = _of_each(of_bases.index, used, base)
        assert not isinstance(index, Text)
        return Text(index, of_bases.words)
    values = settled(of_bases[used])
    alike = len(values) == 1 or is_same(values)
    return same(values[0], len(base), values.dtype) if alike else of_bases.take(base)


def _columns(facts: Facts, said: _Said) -> dict[str, Column]:
    """The columns of the facts of one kind but for their texts."""
    columns: dict[str, Column] = {"patient": facts.patient.astype(np.int32)}
    for name in ("start", "end", "recorded", "value", "uln", "lln"):
        columns |= getattr(facts, name).columns(name)
    return columns | said.columns(facts.base)


def _texts_of(texts: Texts) -> tuple[NDArray[np.int32], Words]:
    """Texts as a column of a shard, of which parts can be taken; one that is empty is none."""
    texts = texts.plain
    words, place = texts.all_words(), texts.place
    if is_same(place) and place[0] == NOWHERE:
        return same(NONE, len(place), np.int32), Words(words)
    if len(words):
        empty = np.append(pc.equal(pc.binary_length(words), 0).to_numpy(zero_copy_only=False), False)
        place = np.where(empty[place], NONE, place) if empty.any() else place
    return place.astype(np.int32), Words(words)


def text_of(texts: pa.Array) -> Text:
    """A column of texts of which nearly each is another; no text where there is none or it is empty."""
    rows = len(texts)
    if texts.null_count == rows:
        return Text(np.full(rows, NONE, np.int32), ())
    empty = pc.equal(pc.fill_null(texts, ""), "").to_numpy(zero_copy_only=False)
    return Text(np.where(empty, NONE, np.arange(rows)).astype(np.int32), Words(pc.fill_null(texts, "")))


# Several shards of the same patients ---------------------------------------------------------------------------


def merged(shards: Sequence[Shard], patients: Sequence[Ints]) -> Shard:
    """One shard of several, `patients` being the row each patient of them has in it; -1 is one who is left out.

    Nobody is in two of them.
    """
    places: dict[str, list[Ints]] = {}
    tables = {}
    for kind in sorted({kind for shard in shards for kind in shard.kinds}):
        parts = [shard.table(kind) for shard in shards]
        order = _order([part.get("patient") for part in parts], patients)
        places[kind] = _new_places(parts, order)
        tables[kind] = (parts, order)
    beside = []
    for name in ("patients", "coverage", "problems"):
        parts = [getattr(shard, name) for shard in shards]
        whose = [np.arange(part.rows) for part in parts] if name == "patients" else [p.get("patient") for p in parts]
        beside.append(_together(parts, _order(whose, patients), patients, {}))
    people, coverage, problems = beside
    kinds = {kind: _together(parts, order, patients, places) for kind, (parts, order) in tables.items() if len(order)}
    return Shard(people, coverage, problems, kinds)


def _order(whose: Sequence[Array], patients: Sequence[Ints]) -> Ints:
    """The order of the rows of several tables that puts patients in theirs; rows of one stay as they lie."""
    row = np.concatenate([new[old] for old, new in zip(whose, patients, strict=True)])
    order = np.argsort(row, kind="stable")
    return np.asarray(order[row[order] >= 0])


def _new_places(parts: Sequence[Table], order: Ints) -> list[Ints]:
    """Where each row of each table comes to lie; the last entry of each is for no row."""
    ends = np.cumsum([part.rows for part in parts])
    place = np.full(ends[-1], NONE, np.int64)
    place[order] = np.arange(len(order))
    return [np.append(one, NONE) for one in np.split(place, ends[:-1])]


def _together(
    parts: Sequence[Table], order: Ints, patients: Sequence[Ints], places: Mapping[str, Sequence[Ints]]
) -> Table:
    names = {name for part in parts for name in part.columns()}
    names |= {name.removesuffix("low") + "high" for name in names if name.endswith(".low")}
    columns: dict[str, Column] = {}
    for name in sorted(names):
        if is_text(name):
            columns[name] = _texts(parts, name, order)
            continue
        arrays = [part.get(name) for part in parts]
        if name == "patient":
            arrays = [new[old].astype(np.int32) for old, new in zip(arrays, patients, strict=True)]
        elif name.startswith("p."):
            moved = places[name.split(".")[2]]
            arrays = [new[old].astype(np.int32) for old, new in zip(arrays, moved, strict=True)]
        columns[name] = np.concatenate(arrays)[order] if arrays else np.empty(0, default_of(name).dtype)
    return Table(parts[0].name, len(order), without_defaults(columns))


def _texts(parts: Sequence[Table], name: str, order: Ints) -> Text:
    if name in NUMBERED:
        return each_text(joined_numbered([numbered_text(part.text(name)) for part in parts]).take(order))
    kind = pa.string()
    arrays = [arrow_text(part.text(name), kind) for part in parts]
    joined = pa.concat_arrays(arrays).take(pa.array(order))
    if name in DIFFERENT:
        return text_of(joined)
    coded = joined.dictionary_encode()
    index = coded.indices.fill_null(NONE).to_numpy(zero_copy_only=False).astype(np.int32)
    return Text(index, tuple(coded.dictionary.to_pylist()))
