"""Lines of NDJSON taken apart together, where they differ in what stands in their slots and in nothing else.

What is left of a line without its slots is its *skeleton*. A skeleton is taken apart once by what takes single lines
apart, as it came and with other contents. Where that tells what becomes of each slot, its *layout*, all lines with the
same skeleton go the same way, as arrays; every other line is left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from onstudy.population.bulk_cuts import Cuts, Flags, cut
from onstudy.population.bulk_letters import all_of
from onstudy.population.bulk_rows import DATES, LINKS, NAMES, NUMBERS, Ints
from onstudy.population.bulk_stamps import BETWEEN, parts_of, stamp_text

#: Learning a layout takes a line apart three times: skeletons of fewer lines than this are left.
WORTH_A_LAYOUT = 4
#: With more skeletons than this they are begun anew.
_MOST = 50_000
_NO_SLOT = -1
_LONGEST_ID = 64
_ID = rf"^[A-Za-z0-9\-.]{{1,{_LONGEST_ID}}}$"
_IN_IDS = np.array([chr(byte).isascii() and (chr(byte).isalnum() or chr(byte) in "-.") for byte in range(256)], bool)
#: What stands in the slots of lines that are tried out. One word is told from others where it stands in a category.
_TRIED = (b"Zq", b"vitalZq")


#: What is left of a line without its slots, and the lengths of the pieces of it.
Skeleton = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class One:
    """One line taken apart into one row. `read` and `left` are what is counted of it."""

    shape: bytes
    patient: str | None
    names: Sequence[str]
    dates: Sequence[str]
    numbers: Sequence[str]
    links: Sequence[str]
    stamp: str | None
    read: tuple[str, ...]
    left: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Way:
    """What becomes of the slots of a line, by their numbers; what is in none of these is not kept.

    The patient's key is what stands in the slot (`own`), or whom a reference in it names.
    """

    patient: int
    own: bool
    names: tuple[int, ...]
    dates: tuple[int, ...]
    numbers: tuple[int, ...]
    links: tuple[int, ...]
    updated: int
    version: int


@dataclass(frozen=True, slots=True)
class Layout:
    """What all lines of one skeleton have in common."""

    shape: bytes
    way: Way
    read: tuple[str, ...]
    left: tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class Together:
    """Lines that were taken apart together, as rows, the line of each, and those that were not: (line, text)."""

    rows: pa.Table
    line: Ints
    read: Counter[str]
    left: Counter[tuple[str, str]]
    others: list[tuple[int, bytes]]
    lines: int


@dataclass
class Layouts:
    """The layouts of the skeletons that were met.

    `one` takes a single line apart, `named` tells whom it is about, `all_named` the same of many.
    """

    one: Callable[[bytes], One | None]
    named: Callable[[str], str | None]
    all_named: Callable[[pa.Array], pa.Array]
    _known: dict[Skeleton, Layout | None] = field(default_factory=dict)
    _met: Counter[Skeleton] = field(default_factory=Counter)

    def together(self, block: bytes, first: int) -> Together:
        """The lines of a block of UTF-8; `first` is the number of the first."""
        cuts = cut(block)
        kept, lengths = cuts.kept()
        coded = kept.dictionary_encode()
        skeleton = coded.indices.to_numpy()
        layouts = self._layouts(coded.dictionary.to_pylist(), skeleton, cuts, lengths)
        known = np.array([layout is not None for layout in layouts], bool)[skeleton]
        line = np.flatnonzero(known & _alike(cuts, skeleton, lengths))
        found = _Found(cuts, layouts, line, skeleton[line])
        found = found.those(found.have_ids())
        rows = found.table(self.all_named, first)
        if rows.column("patient").null_count:  # what names another thing where others name a patient
            found = found.those(rows.column("patient").is_valid().to_numpy())
            rows = found.table(self.all_named, first)
        read, left = found.counts()
        others = np.ones(len(skeleton), bool)
        others[found.line] = False
        texts = [(number, b"".join(cuts.pieces_of(number))) for number in np.flatnonzero(others).tolist()]
        return Together(rows, found.line, read, left, texts, len(skeleton))

    def _layouts(
        self, skeletons: Sequence[bytes], skeleton: NDArray[np.int32], cuts: Cuts, lengths: Ints
    ) -> list[Layout | None]:
        """The layouts of skeletons; none of those that are too few to learn one."""
        many = np.bincount(skeleton, minlength=len(skeletons)).tolist()
        found: list[Layout | None] = []
        for text, count, line in zip(skeletons, many, _first_of_each(skeleton).tolist(), strict=True):
            begin, slots = int(cuts.first[line]) // 2, int(cuts.slots[line])
            key = text, lengths[begin : begin + slots + 1].tobytes()
            found.append(self._layout(key, count, cuts, line) if slots else None)
        return found

    def _layout(self, key: Skeleton, many: int, cuts: Cuts, line: int) -> Layout | None:
        if key in self._known:
            return self._known[key]
        if len(self._known) + len(self._met) > _MOST:
            self._known.clear()
            self._met.clear()
        self._met[key] += many
        if self._met[key] < WORTH_A_LAYOUT:
            return None
        del self._met[key]
        self._known[key] = layout_of(cuts.pieces_of(line), self.one, self.named)
        return self._known[key]


# Learning -------------------------------------------------------------------------------------------------


def layout_of(
    pieces: Sequence[bytes], one: Callable[[bytes], One | None], named: Callable[[str], str | None]
) -> Layout | None:
    """The layout of a line in pieces, every other one a slot; None where it is not plain what becomes of each."""
    contents = pieces[1::2]
    layouts = set()
    for word in _TRIED:
        slots = [_other(text, pieces[2 * place], place, word) for place, text in enumerate(contents)]
        row = one(_line(pieces, slots))
        layouts.add(None if row is None else _traced(row, [text.decode() for text in slots], named))
    layout = layouts.pop()
    if layouts or layout is None:
        return None
    return layout if one(b"".join(pieces)) == _filled(layout, [text.decode() for text in contents], named) else None


def _line(pieces: Sequence[bytes], slots: Sequence[bytes]) -> bytes:
    line = list(pieces)
    line[1::2] = slots
    return b"".join(line)


def _other(text: bytes, before: bytes, place: int, word: bytes) -> bytes:
    """Another content of the same sort for a slot, unlike that of every other slot."""
    if text.startswith(b'"'):
        return b'"%b%dz"' % (word, place)
    if not before.endswith(b'"'):
        return b"7%d.25" % (100 + place)
    return text[: text.rfind(b"/") + 1] + b"%b%dz" % (word, place)


def _traced(row: One, slots: Sequence[str], named: Callable[[str], str | None]) -> Layout | None:
    """The layout by which a row follows from the contents of slots, all of which differ."""
    place = {text: number for number, text in enumerate(slots)} | {"": _NO_SLOT}
    if row.patient is None:
        return None
    whose = [number for number, text in enumerate(slots) if row.patient in (text, named(text))]
    texts = (row.names, row.dates, row.numbers, row.links, parts_of(row.stamp))
    if len(whose) != 1 or not all(text in place for some in texts for text in some):
        return None
    names, dates, numbers, links, stamp = (tuple(place[text] for text in some) for some in texts)
    way = Way(whose[0], slots[whose[0]] == row.patient, names, dates, numbers, links, *stamp)
    return Layout(row.shape, way, row.read, row.left)


def _filled(layout: Layout, slots: Sequence[str], named: Callable[[str], str | None]) -> One:
    """The row of a line with these contents."""
    way, texts = layout.way, [*slots, ""]
    patient = texts[way.patient] if way.own else named(texts[way.patient])
    names, dates, numbers, links = (
        tuple(texts[slot] for slot in some) for some in (way.names, way.dates, way.numbers, way.links)
    )
    stamp = stamp_text(texts[way.updated], texts[way.version])
    return One(layout.shape, patient, names, dates, numbers, links, stamp, layout.read, layout.left)


# Many lines ---------------------------------------------------------------------------------------------------


def _first_of_each(skeleton: NDArray[np.int32]) -> Ints:
    """The first line of each skeleton."""
    first = np.zeros(int(skeleton.max()) + 1, np.int64)
    first[skeleton[::-1]] = np.arange(len(skeleton))[::-1]
    return first


def _alike(cuts: Cuts, skeleton: NDArray[np.int32], lengths: Ints) -> Flags:
    """Lines that are cut where the first line of their skeleton is."""
    example = _first_of_each(skeleton)[skeleton]
    same = cuts.slots == cuts.slots[example]
    many = np.where(same, cuts.slots + 1, 0)
    line = np.repeat(np.arange(len(skeleton)), many)
    within = np.arange(len(line)) - np.repeat(np.cumsum(many) - many, many)
    begin = cuts.first // 2
    apart = lengths[begin[line] + within] != lengths[begin[example[line]] + within]
    same[line[apart]] = False
    return np.asarray(same)


class _Found:
    """Lines with a layout, on their way to rows."""

    def __init__(self, cuts: Cuts, layouts: Sequence[Layout | None], line: Ints, layout: NDArray[np.int32]) -> None:
        self.cuts, self.layouts, self.line, self.layout = cuts, layouts, line, layout
        ways = [None if one is None else one.way for one in layouts]
        self.ways = list(dict.fromkeys(way for way in ways if way is not None))
        number = {way: place for place, way in enumerate(self.ways)}
        self.way = np.array([_NO_SLOT if way is None else number[way] for way in ways], np.int64)[layout]

    def those(self, which: Flags) -> _Found:
        """Some of them."""
        return _Found(self.cuts, self.layouts, self.line[which], self.layout[which])

    def counts(self) -> tuple[Counter[str], Counter[tuple[str, str]]]:
        """What is counted of them: what was read, and what was left out."""
        read, left = Counter[str](), Counter[tuple[str, str]]()
        for number, many in enumerate(np.bincount(self.layout).tolist()):
            layout = self.layouts[number]
            for kind in layout.read if layout is not None else ():
                read[kind] += many
            for said in layout.left if layout is not None else ():
                left[said] += many
        return +read, +left

    def have_ids(self) -> Flags:
        """Those whose own name, if they have one, can be an id."""
        good = np.ones(len(self.line), bool)
        own = self._slot([way.names[0] if way.names else _NO_SLOT for way in self.ways])
        some = np.flatnonzero(own >= 0)
        names = self._texts(own[some])
        if all_of(names, _IN_IDS):
            lengths = pc.binary_length(names).to_numpy(zero_copy_only=False)
            good[some] = (lengths > 0) & (lengths <= _LONGEST_ID)
        else:
            good[some] = pc.match_substring_regex(names, _ID).to_numpy(zero_copy_only=False)
        return good

    def table(self, named: Callable[[pa.Array], pa.Array], first: int) -> pa.Table:
        """Their rows, in their order, with the columns that `Builder` gives them."""
        shapes: dict[bytes, int] = {}
        shape = [_NO_SLOT if one is None else shapes.setdefault(one.shape, len(shapes)) for one in self.layouts]
        index = pa.array(np.array(shape, np.int32)[self.layout])
        columns: dict[str, pa.Array] = {
            "patient": self._patients(named),
            "seq": pa.array(self.line + first),
            "shape": pa.DictionaryArray.from_arrays(index, pa.array(list(shapes), pa.binary())),
        }
        if any((way.updated, way.version) != (_NO_SLOT, _NO_SLOT) for way in self.ways):
            columns["stamp"] = self._stamps()
        for sort in (NAMES, DATES, NUMBERS, LINKS):
            if any(getattr(way, sort) for way in self.ways):
                columns[sort] = self._lists([getattr(way, sort) for way in self.ways])
        return pa.table(columns)

    def _patients(self, named: Callable[[pa.Array], pa.Array]) -> pa.Array:
        coded = self._texts(self._slot([way.patient for way in self.ways])).dictionary_encode()
        own = np.array([way.own for way in self.ways], bool)[self.way]
        said = coded.dictionary
        if own.all():
            return said.take(coded.indices)
        keys = pa.concat_arrays([named(said), said])
        return keys.take(pa.array(coded.indices.to_numpy() + len(said) * own))

    def _stamps(self) -> pa.Array:
        slots = [self._slot(some) for some in ([way.updated for way in self.ways], [way.version for way in self.ways])]
        parts = [pc.fill_null(self._texts(one), "") for one in slots]
        joined = pc.binary_join_element_wise(*parts, BETWEEN)
        return pc.if_else(pa.array((slots[0] >= 0) | (slots[1] >= 0)), joined, None)

    def _lists(self, slots: Sequence[tuple[int, ...]]) -> pa.Array:
        """The contents of the slots that each way takes, as a list for each line."""
        many = np.array([len(some) for some in slots], np.int64)
        every = np.array([slot for some in slots for slot in some], np.int64)
        counts = many[self.way]
        ends = np.concatenate([[0], np.cumsum(counts)])
        within = np.arange(ends[-1]) - np.repeat(ends[:-1], counts)
        slot = every[np.repeat((np.cumsum(many) - many)[self.way], counts) + within]
        texts = self._texts(np.repeat(self.cuts.first[self.line], counts) + 2 * slot + 1)
        return pa.ListArray.from_arrays(pa.array(ends.astype(np.int32)), texts)

    def _slot(self, slots: Sequence[int]) -> Ints:
        """The piece in which one slot of each line stands, by the slot of each way; `_NO_SLOT` where it has none."""
        slot = np.array(slots, np.int64)[self.way]
        return np.where(slot < 0, _NO_SLOT, self.cuts.first[self.line] + 2 * slot + 1)

    def _texts(self, pieces: Ints) -> pa.Array:
        return self.cuts.pieces.take(pa.array(pieces, mask=pieces < 0)).view(pa.string())
