"""A shard: the assembled facts of many patients as sorted arrays, with nothing lost.

One `Table` for each kind of fact, and one each for `patients`, `coverage` and `problems`. The facts of a kind lie
by patient, then by start (without a lower bound first), then by id. A column all of whose rows mean its default is
not stored; `Table.get` and `Table.text` fill it in. The name of a column says what it holds:

============================  =======  ==============================================================================
`patient`                     int32    row in `patients`; always stored (not in `patients` itself)
`id`, `sample`, `lacks`,      text     as in `Fact`; no text is None, or "" where the field is never None
`shown`, `source`,
`code_status`
`order`                       int32    place among the patient's facts, where that is not the usual one (-1)
`inner`                       bool     a row that is only a component of another, no fact of its own
`negative`, `ongoing`,        bool     as in `Fact`; `suspected` is `not certain`
`suspected`, `computed`
`narrowed.by`, `.code`        text     the attribute and the codes a negative is narrowed by
`start`, `end`, `recorded`,   moment   `opened.set` bool, `opened.ongoing` bool: the pair `Fact.opened`
`opened`
`value`                       value    `uln`, `lln`: number
`a.<attribute>`               value    an attribute
`p.<component>.<kind>`        int32    the row of the component in the table of its kind; -1 is none
============================  =======  ==============================================================================

A moment M is `M.day` (int32, proleptic ordinal) where it is one whole calendar day without an offset. Otherwise it is
`M.low`, `M.high` (int64, microseconds; `NO_INSTANT` is no bound), `M.flags` (int8: LOW_OPEN 1, HIGH_OPEN 2,
UNBOUNDED 4: there is a moment, and nothing is known of it) and `M.offset` (int16, minutes; `NO_OFFSET` is none).
Where all are at their default there is no moment; for `start` and `born` that is a date of which nothing is known.

A number N is `N.low`, `N.high` (float64, NaN is no bound) and `N.flags`; UNBOUNDED is a number without any bound, as
against no number. A `.high` that is not stored equals its `.low`, for moments as for numbers.

A fact was mostly read at the place it is named after: a `source` that is not stored is the `id`. In the file of a store
an `id` or `source` that is a number in a pattern is two columns, of numbers and of patterns (`store_shard`).

A value V is a number (`V.low` ...), a set of codes (`V.code`, text: "a|b", sorted) or a moment (`V.at.day` ...); an
attribute that is named without any value has `V.flags` EMPTY 8.

`patients`: `id` text, `born` moment. `coverage`: `patient`, `kind` text, `first`, `last` (int32 days, NO_DAY is no
bound), `source` text. `problems`: `patient`, `what`, `where` text, `fact_kept` bool; both in the patient's order.
"""

from onstudy.record.shard.columns import (
    COVERAGE_COLUMNS,
    EMPTY,
    FACT_COLUMNS,
    HIGH_OPEN,
    ID,
    LOW_OPEN,
    NO_DAY,
    NO_INSTANT,
    NO_OFFSET,
    NONE,
    PATIENT_COLUMNS,
    PROBLEM_COLUMNS,
    SOURCE,
    UNBOUNDED,
    Array,
    Column,
    Shard,
    Table,
    Text,
    default_of,
    is_text,
)
from onstudy.record.shard.editing import join_texts, joined, select
from onstudy.record.shard.reading import codes_of, fact_of, patient_of, rows_of
from onstudy.record.shard.writing import Cells, code_word, shard_of, without_defaults

__all__ = [
    "COVERAGE_COLUMNS",
    "EMPTY",
    "FACT_COLUMNS",
    "HIGH_OPEN",
    "ID",
    "LOW_OPEN",
    "NONE",
    "NO_DAY",
    "NO_INSTANT",
    "NO_OFFSET",
    "PATIENT_COLUMNS",
    "PROBLEM_COLUMNS",
    "SOURCE",
    "UNBOUNDED",
    "Array",
    "Cells",
    "Column",
    "Shard",
    "Table",
    "Text",
    "code_word",
    "codes_of",
    "default_of",
    "fact_of",
    "is_text",
    "join_texts",
    "joined",
    "patient_of",
    "rows_of",
    "select",
    "shard_of",
    "without_defaults",
]
