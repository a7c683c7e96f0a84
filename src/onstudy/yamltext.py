"""YAML as plain text with places: every scalar stays the string a person wrote (`no` is the word "no").

Anchors, aliases, tags and duplicate keys are refused: they have no use in a trial or patient file, and
they are how a small file becomes a huge one (docs/decisions/0003).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from onstudy.errors import InvalidFile, Problem

_MAX_DEPTH = 60


@dataclass(slots=True)
class Node:
    """A scalar (str), a list or a mapping, with the line and column (from 1) where it starts."""

    value: str | list[Node] | dict[str, Node]
    line: int
    column: int
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def text(self) -> str | None:
        """The scalar's text, or None for a list or mapping."""
        return self.value if isinstance(self.value, str) else None

    @property
    def items(self) -> list[Node]:
        """The parts of a list; empty for anything else."""
        return self.value if isinstance(self.value, list) else []

    @property
    def mapping(self) -> dict[str, Node]:
        """The entries of a mapping; empty for anything else."""
        return self.value if isinstance(self.value, dict) else {}

    def plain(self) -> object:
        """The same as nested str, list and dict, without places."""
        if isinstance(self.value, str):
            return self.value
        if isinstance(self.value, list):
            return [part.plain() for part in self.value]
        return {key: part.plain() for key, part in self.value.items()}


def read_yaml(text: str, name: str) -> list[Node]:
    """The documents of a YAML text. Raises `InvalidFile` with every place that is refused.

    `name` is what problems call the file.
    """
    import yaml

    documents: list[Node] = []
    builder = _Builder(name)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same events, from libyaml where it was built in
    try:
        for event in yaml.parse(text, Loader=loader):
            builder.take(event)
            if builder.finished is not None:
                documents.append(builder.finished)
                builder.finished = None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark is not None else name
        what = getattr(error, "problem", None) or "not YAML"
        raise InvalidFile([*builder.problems, Problem(f"not readable as YAML: {what}", where)]) from None
    except ValueError as error:  # characters YAML does not allow
        raise InvalidFile([Problem(f"not readable as YAML: {error}", name)]) from None
    if builder.problems:
        raise InvalidFile(builder.problems)
    return documents


class _Builder:
    """Events to nodes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.stack: list[tuple[Node, str | None]] = []
        self.problems: list[Problem] = []
        self.finished: Node | None = None

    def take(self, event: object) -> None:
        sort = type(event).__name__
        mark = event.start_mark  # type: ignore[attr-defined]
        line, column = mark.line + 1, mark.column + 1
        if getattr(event, "anchor", None) is not None or sort == "AliasEvent":
            self.refuse("anchors and aliases (& and *) are not allowed; write the value out", line, column)
        if getattr(event, "tag", None) not in (None, "!"):
            self.refuse("tags (!) are not allowed", line, column)
        if sort == "ScalarEvent":
            self.add(Node(str(event.value), line, column))  # type: ignore[attr-defined]
        elif sort == "AliasEvent":
            self.add(Node("", line, column))
        elif sort in ("SequenceStartEvent", "MappingStartEvent"):
            if len(self.stack) >= _MAX_DEPTH:
                raise InvalidFile([Problem("nested too deeply", f"{self.name}:{line}:{column}")])
            self.stack.append((Node([] if sort.startswith("S") else {}, line, column), None))
        elif sort in ("SequenceEndEvent", "MappingEndEvent"):
            node, key = self.stack.pop()
            assert key is None
            self.add(node)

    def refuse(self, what: str, line: int, column: int) -> None:
        self.problems.append(Problem(what, f"{self.name}:{line}:{column}"))

    def add(self, node: Node) -> None:
        if not self.stack:
            self.finished = node
            return
        parent, key = self.stack[-1]
        if isinstance(parent.value, list):
            parent.value.append(node)
        elif key is None:
            self.stack[-1] = (parent, self.key(parent, node))
        else:
            assert isinstance(parent.value, dict)
            parent.value[key] = node
            self.stack[-1] = (parent, None)

    def key(self, parent: Node, node: Node) -> str:
        if node.text is None:
            self.refuse("a key is a word, not a list or mapping", node.line, node.column)
            return ""
        if node.text in parent.keys:
            first = parent.keys[node.text][0]
            self.refuse(f"{node.text!r} is written twice (first in line {first})", node.line, node.column)
        parent.keys.setdefault(node.text, (node.line, node.column))
        return node.text


def place_in(source: str, node: Node, line: int, column: int) -> tuple[int, int]:
    """Where in the file a place in a scalar's text lies: folding moves white space only, so the nth
    other character of the text is the nth of the source.
    """
    text = node.text or ""
    lines = text.splitlines(keepends=True)
    wanted = sum(not c.isspace() for c in "".join(lines[: line - 1]) + "".join(lines[line - 1 : line])[: column - 1])
    rows = source.splitlines()
    row, start = node.line - 1, node.column - 1
    if rows[row][start : start + 1] in ("|", ">"):
        row, start = row + 1, 0
    elif rows[row][start : start + 1] in ("'", '"'):
        start += 1
    total = sum(not c.isspace() for c in text)
    seen = 0
    for number in range(row, len(rows)):
        for position in range(start, len(rows[number])):
            if rows[number][position].isspace():
                continue
            if seen == wanted:
                return number + 1, position + 1
            seen += 1
            if seen == wanted == total:  # just behind the last character
                return number + 1, position + 2
        start = 0
    return node.line, node.column
