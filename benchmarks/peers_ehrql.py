"""The peers' question asked with ehrQL, in an environment of its own: `python peers_ehrql.py CDM PEOPLE OUT.csv`.

ehrQL reasons in three values too: a result that is not there is null. It has no coverage and no "if confirmed", so
both answers are asked. On the newest day all results must agree, as in `latest`. Run by `peers.py`; imports nothing
of this project.
"""

from __future__ import annotations

import csv
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

ON = date(2026, 3, 16)
_FIRST = 2_000_000_001
_ORDER = (
    "b_all infarction angina pregnancy cns_disease seizure vincristine methotrexate doxorubicin prednisone bilirubin "
    "creatinine ast platelets ecog cd22"
).split()
CODES = {name: str(_FIRST + place) for place, name in enumerate(_ORDER)}


def database(folder: Path, people: int, path: Path) -> None:
    """The people up to a number as SQLite tables of the shape that the definitions below name."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    def rows(table: str, *columns: str) -> list[tuple[object, ...]]:
        read = pq.read_table(folder / f"{table}.parquet", columns=["person_id", *columns])
        read = read.filter(pc.less_equal(read["person_id"], people))
        return list(zip(*(column.to_pylist() for column in read.columns), strict=True))

    base = sqlite3.connect(path)
    base.execute("CREATE TABLE people (patient_id INTEGER PRIMARY KEY, date_of_birth TEXT)")
    base.execute("CREATE TABLE results (patient_id INTEGER, code TEXT, day TEXT, value REAL, high REAL)")
    base.execute("CREATE TABLE events (patient_id INTEGER, code TEXT, day TEXT, last_day TEXT)")
    born = rows("person", "year_of_birth", "month_of_birth", "day_of_birth")
    base.executemany("INSERT INTO people VALUES (?, ?)", [(p, f"{y:04}-{m:02}-{d:02}") for p, y, m, d in born])
    found = rows("measurement", "measurement_concept_id", "measurement_date", "value_as_number", "range_high")
    base.executemany(
        "INSERT INTO results VALUES (?, ?, ?, ?, ?)", [(p, str(c), str(d), v, h) for p, c, d, v, h in found]
    )
    for table, stem, start in (
        ("condition_occurrence", "condition", "condition_start_date"),
        ("drug_exposure", "drug", "drug_exposure_start_date"),
    ):
        found = rows(table, f"{stem}_concept_id", start)
        base.executemany("INSERT INTO events VALUES (?, ?, ?, ?)", [(p, str(c), str(d), str(d)) for p, c, d in found])
    base.commit()
    base.close()


def asked() -> Any:
    """The question as an ehrQL dataset."""
    from ehrql import case, create_dataset, when
    from ehrql.tables import EventFrame, PatientFrame, Series, table

    @table
    class people(PatientFrame):
        date_of_birth = Series(date)

    @table
    class results(EventFrame):
        code = Series(str)
        day = Series(date)
        value = Series(float)
        high = Series(float)

    @table
    class events(EventFrame):
        code = Series(str)
        day = Series(date)
        last_day = Series(date)

    def newest(name: str, days: int, good: Callable[[Any], Any]) -> Any:
        mine = results.where(results.code == CODES[name])
        mine = mine.where(mine.day.is_on_or_between(ON - timedelta(days=days), ON))
        last = mine.where(mine.day == mine.day.maximum_for_patient())
        yes, no = (last.where(one).exists_for_patient() for one in (good(last), ~good(last)))
        return case(when(yes & ~no).then(True), when(no & ~yes).then(False))

    def event(names: Sequence[str], first: date = date(1900, 1, 1)) -> Any:
        mine = events.where(events.code.is_in([CODES[name] for name in names]))
        return mine.where((mine.day <= ON) & (mine.last_day >= first)).exists_for_patient()

    def ratio(limit: float) -> Callable[[Any], Any]:
        return lambda rows: rows.value <= rows.high * (limit * (1 + 1e-9))

    dataset = create_dataset()
    dataset.define_population(people.exists_for_patient())
    age = people.date_of_birth
    years = (date(ON.year - 18, ON.month, ON.day), date(ON.year - 76, ON.month, ON.day))
    known = (
        (age <= years[0]) & (age > years[1])
        & case(when(event(["b_all"])).then(True))
        & newest("cd22", 90, lambda rows: rows.value >= 20)
        & newest("bilirubin", 28, ratio(1.5)) & newest("creatinine", 28, ratio(1.5)) & newest("ast", 28, ratio(3))
        & newest("platelets", 14, lambda rows: rows.value >= 50) & newest("ecog", 28, lambda rows: rows.value <= 2)
    )  # fmt: skip
    forbidden = (
        event(["vincristine", "methotrexate", "doxorubicin"], ON - timedelta(days=14))
        | event(["cns_disease"]) | event(["infarction", "angina"], date(2025, 9, 16)) | event(["pregnancy"])
    )  # fmt: skip
    dataset.recorded = known & case(when(forbidden).then(False))
    dataset.if_confirmed = known & ~forbidden
    return dataset


def main(folder: Path, people: int, out: Path) -> None:
    from ehrql.query_engines.sqlite import SQLiteQueryEngine

    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "people.sqlite"
        database(folder, people, path)
        engine = SQLiteQueryEngine(f"sqlite:///{path}")
        truth = {None: 1, False: 0, True: 2}
        with open(out, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("person_id", "recorded", "if_confirmed"))
            for row in engine.get_results(asked()._compile()):
                writer.writerow((row.patient_id, truth[row.recorded], truth[row.if_confirmed]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
