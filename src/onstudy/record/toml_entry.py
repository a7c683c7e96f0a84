"""One table of a TOML file as an `Entry`: hands out its fields by type and gathers what is wrong in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from onstudy.errors import Problem, nearest


def placed(problems: Sequence[Problem], path: Path, text: str) -> list[Problem]:
    """Problems with file and line before the entry they speak of."""
    return [replace(problem, where=_place(path, text, problem.where)) for problem in problems]


def _place(path: Path, text: str, where: str) -> str:
    """`catalogue.toml:812 kind.qtcf.unit`: the line of the entry's header or of its line in a table."""
    parts = where.split(".")
    header = re.search(rf"^\[+{re.escape('.'.join(parts[:2]))}[\].]", text, re.MULTILINE)
    start = _of_pair(text, parts[0], where.partition(".")[2]) if header is None else header.start()
    if start is None:
        return f"{path} {where}".rstrip()
    if parts[0] == "value_set" and len(parts) > 3:
        line = re.compile(rf"^member\.{re.escape(parts[3])}\b", re.MULTILINE).search(text, start)
        start = line.start() if line is not None else start
    return f"{path}:{text.count(chr(10), 0, start) + 1} {where}"


def _of_pair(text: str, table: str, key: str) -> int | None:
    """Where a key of a table of texts stands, such as `[unit_spellings]`; else where the table begins, if it does."""
    header = re.search(rf"^\[\s*{re.escape(table)}\s*\]", text, re.MULTILINE)
    if header is None:
        return None
    end = re.compile(r"^\[", re.MULTILINE).search(text, header.end())
    written = "|".join(re.escape(f"{mark}{key}{mark}") for mark in ('"', "'", ""))
    pair = re.compile(rf"^[ \t]*(?:{written})[ \t]*=", re.MULTILINE)
    line = pair.search(text, header.end(), len(text) if end is None else end.start())
    return header.start() if line is None else line.start()


class Entry:
    """One table of the file: hands out its fields by type and reports what is missing, wrong or not known."""

    def __init__(self, raw: Any, where: str, problems: list[Problem]) -> None:
        self.where, self.problems = where, problems
        self.raw: Mapping[str, Any] = raw if isinstance(raw, dict) else {}
        self.asked: set[str] = set()
        if not isinstance(raw, dict):
            self.report("is a table of fields")

    def report(self, what: str, name: str = "") -> None:
        """Keep a problem of this table or of one of its fields."""
        place = f"{self.where}.{name}" if self.where and name else self.where or name
        self.problems.append(Problem(what, place))

    def known(self, name: str, names: Mapping[str, Any], what: str) -> bool:
        """Whether the entry names something there is; a problem if not."""
        if name not in names:
            self.report(f"there is no {what} {name!r}{nearest(name, names)}")
            self.asked.update(self.raw)
        return name in names

    def _take(self, name: str, types: type | tuple[type, ...], what: str) -> Any:
        """The field if it is there and of the type; bool is never taken for a number."""
        self.asked.add(name)
        if name not in self.raw:
            return None
        value = self.raw[name]
        if isinstance(value, types) and (types is bool or not isinstance(value, bool)):
            return value
        self.report(f"is {what}, not {value!r:.40}", name)
        return None

    def text(self, name: str, default: str = "", required: bool = False) -> str:
        """A text, or the default; a problem where a required one is missing."""
        value = self._take(name, str, "a text")
        if value is None and required and name not in self.raw:
            self.report("is missing", name)
        return default if value is None else str(value)

    def optional(self, name: str) -> str | None:
        """A text, or None where there is none."""
        value = self._take(name, str, "a text")
        return None if value is None else str(value)

    def flag(self, name: str) -> bool:
        """True or false; false where it is not said."""
        return bool(self._take(name, bool, "true or false"))

    def number(self, name: str) -> float | None:
        """A number, or None where there is none."""
        value = self._take(name, (int, float), "a number")
        return None if value is None else float(value)

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts; empty where there is none."""
        if name not in self.raw:
            return ()
        values = self._take(name, list, "a list of texts") or ()
        if not all(isinstance(value, str) for value in values):
            self.report("is a list of texts", name)
            return ()
        return tuple(values)

    def pair(self, name: str) -> tuple[float, float] | None:
        """Two numbers, the smaller first, or None where there are none."""
        values = self._take(name, list, "a list of two numbers")
        if values is None:
            return None
        numbers = [float(v) for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)]
        if len(values) != 2 or len(numbers) != 2 or not numbers[0] < numbers[1]:
            self.report("is a list of two numbers, the smaller first", name)
            return None
        return numbers[0], numbers[1]

    def mapping(self, name: str) -> dict[str, str]:
        """A table of texts; empty where there is none."""
        values = self._take(name, dict, "a table of texts")
        if values is None:
            return {}
        if not all(isinstance(value, str) for value in values.values()):
            self.report("is a table of texts", name)
            return {}
        return dict(values)

    def items(self, name: str) -> list[Any]:
        """The items of a list, of whatever sort; empty where there is none."""
        return self._take(name, list, "a list") or []

    def entries(self, name: str) -> Iterator[tuple[str, Entry]]:
        """The tables below a field, by name; each is finished after its turn."""
        place = f"{self.where}.{name}" if self.where else name
        for key, raw in (self._take(name, dict, "a table of tables") or {}).items():
            entry = Entry(raw, f"{place}.{key}", self.problems)
            yield key, entry
            entry.finish()

    def finish(self) -> None:
        """Report the fields nobody asked for."""
        for name in sorted(self.raw.keys() - self.asked):
            self.report(f"is no field here{nearest(name, self.asked)}", name)
