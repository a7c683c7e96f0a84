"""What a build has to say: what was read, which facts there are, and what could not be used, so that it can be mapped.

It is worked out from the shards themselves. It names codes, units and kinds, and never what a patient's record says.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from onstudy.population.build_unread import Unread
from onstudy.population.bulk_rows import Ints
from onstudy.population.store_shard import arrow_text
from onstudy.readers.reading import clip
from onstudy.record.checks import TEST_DATA
from onstudy.record.shard import NO_DAY, NO_INSTANT, Shard, Table, Text
from onstudy.values.calendar import DAY

#: A reason, and the code, unit or type concerned ("" where there is none).
Left = Counter[tuple[str, str]]

CODES = "records whose code is not in the catalogue"
UNITS = "results without a unit that can be used"
DATES = "dates that cannot be used"
NO_RESULT = "records that say there is no result, or that nothing was done"
DRUGS = "patients with drugs that were not recognised"
DRUG_CODES = "drugs whose code is not known"
UNREAD = "resources of a type that is not read"
IMPLAUSIBLE = "values that lie outside what is possible"
STRANGER = "resources about a patient of whom there is no Patient resource"
SAME_ID = "patients of one id whose Patient resources differ: what names that id was used for none of them"
TOGETHER = "results of one day that may not be of one sample"
OTHERS = "other problems"

_REASONS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"^(?P<item>.*) is not in the catalogue"), CODES),
    (re.compile(r"^(?P<item>.*) is the code of no drug that is known"), DRUG_CODES),
    (re.compile(r"not recognised"), DRUGS),
    (re.compile(r"^several Patient resources of this id differ"), SAME_ID),
    (re.compile(r"^resources of this type are not read"), UNREAD),
    (re.compile(r"^(?P<item>.*lies outside .*?)(?:, where it cannot be)?: "), IMPLAUSIBLE),
    (re.compile(r"^(?P<item>.*): results of one day"), TOGETHER),
    (re.compile(r"^(?P<item>.*\bunit\b.*)"), UNITS),
    (re.compile(r"^(?P<item>.*(?:\bdate\b|ends before it begins|birth date|age that).*)"), DATES),
    (re.compile(r"^(?P<item>its status is .*|there is no result.*|.*no exposure|.*nothing was done.*)"), NO_RESULT),
)
_MORE, _COUNTED = r", and (?P<many>[0-9]+) more$", r"^[A-Za-z]+ \([0-9]+\)$"


def left_in(shard: Shard) -> Left:
    """What of the records of a shard could not be used."""
    found: Left = Counter()
    problems = shard.problems
    if not problems.rows:
        return found
    what, where = problems.text("what"), problems.text("where")
    reasons = {place: _reason(str(what.words[place])) for place in np.unique(what.index[what.index >= 0]).tolist()}
    marks = [place for place in reasons if what.words[place] == TEST_DATA]  # counted by itself
    records = np.where(np.isin(what.index, marks), 0, 1)  # that each problem is told of
    for shared, how_many in ((UNREAD, _not_counted), (CODES, _many), (DRUG_CODES, _many)):
        rows = np.flatnonzero(np.isin(what.index, [place for place, (one, _) in reasons.items() if one == shared]))
        if len(rows):
            records[rows] = how_many(arrow_text(Text(where.index[rows], where.words), pa.string()))
    for place in np.unique(what.index[records > 0]).tolist():
        found[reasons.get(place, (OTHERS, ""))] += int(records[what.index == place].sum())
    return found


def _not_counted(where: pa.Array) -> Ints:
    """Types of which a patient has some records: 0 for those that were counted when they were read."""
    counted = pc.fill_null(pc.match_substring_regex(where, _COUNTED), False)
    return np.where(counted.to_numpy(zero_copy_only=False), 0, 1)


def _many(where: pa.Array) -> Ints:
    """How many records there are, of problems that name the first: a patient has one for all of them."""
    found = np.ones(len(where), np.int64)
    some = np.flatnonzero(pc.fill_null(pc.ends_with(where, " more"), False).to_numpy(zero_copy_only=False))
    more = pc.struct_field(pc.extract_regex(where.take(pa.array(some)), _MORE), "many")
    found[some] += pc.fill_null(more, "0").cast(pa.int64()).to_numpy(zero_copy_only=False)
    return found


def _reason(what: str) -> tuple[str, str]:
    """The reason a problem tells of, and what it is about."""
    for pattern, reason in _REASONS:
        found = pattern.search(what)
        if found is not None:
            return reason, found.groupdict().get("item") or ""
    return OTHERS, what


def latest_day(shard: Shard) -> int | None:
    """The day up to which the records of a shard go; the farthest of one patient in a thousand are not counted.

    So a year that was mistyped is not taken for the day of the data.
    """
    last = np.full(shard.patients.rows, NO_DAY, np.int64)
    for kind in shard.kinds:
        table = shard.table(kind)
        for name in filter(table.owns, ("start", "recorded")):
            np.maximum.at(last, table.get("patient"), _last_days(table, name))
    known = np.sort(last[last != NO_DAY])
    return int(known[-1 - len(known) // 1000]) if len(known) else None


def _last_days(table: Table, name: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The last day of each moment of one calendar day or less; no day of any other."""
    day = table.get(f"{name}.day").astype(np.int64)
    if not table.has(f"{name}.low"):
        return day
    low, high = table.get(f"{name}.low"), table.get(f"{name}.high")
    return np.maximum(day, np.where((low != NO_INSTANT) & (low == high), low // DAY, NO_DAY))


@dataclass
class Report:
    """What came of a build."""

    store: str = ""
    changed: bool = True  # false: nothing had changed, and nothing was written
    read: Counter[str] = field(default_factory=Counter)
    parts: int = 0
    parts_read: int = 0
    patients: int = 0
    patients_built: int = 0
    test_data: int = 0  # patients who are marked as not real
    facts: dict[str, int] = field(default_factory=dict)
    left: Left = field(default_factory=Counter)
    unread: Unread = field(default_factory=dict)  # files that lie there and were not read, and why
    ways: Counter[str] = field(default_factory=Counter)
    damaged: int = 0  # shards of the store as it was that were not as they were written

    def to_dict(self, most: int = 50) -> dict[str, Any]:
        """As `report.json` holds it: of each reason how many there are, and the `most` frequent items."""
        return {
            "parts": self.parts,
            "resources_read": dict(sorted(self.read.items())),
            "patients": self.patients,
            "test_data": self.test_data,
            "facts": self.facts,
            "files_not_read": dict(self.unread),
            "could_not_be_used": {
                reason: {"count": total, "most_frequent": dict(items[:most])} for reason, total, items in self.reasons()
            },
        }

    def reasons(self) -> list[tuple[str, int, list[tuple[str, int]]]]:
        """Every reason with its count and its items, the most frequent first."""
        totals: Counter[str] = Counter()
        items: dict[str, Counter[str]] = {}
        for (reason, item), many in self.left.items():
            totals[reason] += many
            if item:
                items.setdefault(reason, Counter())[item] += many
        ordered = sorted(totals.items(), key=lambda pair: (-pair[1], pair[0]))
        return [
            (reason, total, sorted(items.get(reason, Counter()).items(), key=lambda pair: (-pair[1], pair[0])))
            for reason, total in ordered
        ]

    def to_text(self, most: int = 8) -> str:
        """As a person reads it."""
        if not self.changed:
            said = [f"{self.store}: nothing has changed since the last build; nothing was written"]
            return "\n".join(said + self._unread_lines(len(self.unread))) + "\n"
        lines = [f"{self.store}: {self.patients:,} patients, {sum(self.facts.values()):,} facts"]
        if self.test_data:
            lines.append(f"test data: {self.test_data:,} of the patients are marked so, and are not real")
        kinds = sorted(self.read.items(), key=lambda pair: (-pair[1], pair[0]))
        listed = ", ".join(f"{many:,} {kind}" for kind, many in kinds)
        files = "1 file" if self.parts == 1 else f"{self.parts:,} files"
        lines.append(f"read from {files}: {sum(self.read.values()):,} ({listed})")
        if self.patients_built < self.patients or self.parts_read < self.parts:
            lines.append(
                f"changed: {self.parts_read:,} of them read, {self.patients_built:,} patients put together anew"
            )
        if self.damaged:
            lines.append(f"repaired: {self.damaged:,} of the parts of the store were damaged and are made anew")
        lines.append(f"facts by kind ({len(self.facts)} kinds):")
        most_kinds = sorted(self.facts.items(), key=lambda pair: (-pair[1], pair[0]))
        lines += [f"  {many:>12,}  {kind}" for kind, many in most_kinds[: 2 * most]]
        lines += [f"  {'':>12}  ... all of them in report.json"] if len(most_kinds) > 2 * most else []
        lines += self._left_lines(most)
        lines += self._unread_lines(most)
        return "\n".join(lines) + "\n"

    def _left_lines(self, most: int) -> list[str]:
        reasons = self.reasons()
        if not reasons:
            return ["everything that was read could be used"]
        lines = ["what could not be used:"]
        for reason, total, items in reasons:
            lines.append(f"  {total:>12,}  {reason}")
            lines += [f"  {many:>18,}  {item}" for item, many in items[:most]]
            lines += [f"  {'':>18}  ... and {len(items) - most:,} more"] if len(items) > most else []
        return lines

    def _unread_lines(self, most: int) -> list[str]:
        if not self.unread:
            return []
        named = list(self.unread.items())
        lines = [f"files that were not read ({len(named):,}):"]
        lines += [f"  {clip(name, 200)}: {why}" for name, why in named[:most]]
        return lines + ([f"  ... and {len(named) - most:,} more, in report.json"] if len(named) > most else [])


def report_of(raw: Mapping[str, Any], store: str) -> Report:
    """The report of a build that was made before, from its `report.json`."""
    left: Left = Counter()
    for reason, said in raw["could_not_be_used"].items():
        named = sum(said["most_frequent"].values())
        left.update({(reason, item): many for item, many in said["most_frequent"].items()})
        left[reason, ""] += said["count"] - named
    return Report(
        store,
        changed=False,
        read=Counter(raw["resources_read"]),
        parts=raw["parts"],
        patients=raw["patients"],
        test_data=raw["test_data"],
        facts=dict(raw["facts"]),
        left=left,
    )


def add_left(into: Left, found: Iterable[tuple[str, str, int]]) -> None:
    """Add counts as (reason, item, count)."""
    for reason, item, many in found:
        into[reason, item] += many
