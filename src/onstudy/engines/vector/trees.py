"""Rules as the vector engine walks them: equal parts made one, and what a part's answer can depend on."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import lru_cache
from typing import Any, TypeVar, cast

from onstudy.criteria import expr as e
from onstudy.criteria.by_id import ById
from onstudy.criteria.expr import Expr, Lookback, Records
from onstudy.record.catalogue import Catalogue

Node = Expr | Records | Lookback
_N = TypeVar("_N", bound=Node)


class Forest:
    """Rules of which equal parts are one and the same object, so that each is answered once.

    `shared` gives a rule's tree in this form; the answers about a part hold for this catalogue.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._nodes: dict[tuple[Any, ...], Node] = {}
        self._known: dict[int, tuple[Node, Node]] = {}  # by identity; what is known is kept, so none is given anew
        self._about: dict[int, bool] = {}
        self._assumes: dict[int, bool] = {}

    def shared(self, node: _N) -> _N:
        """The one node that stands for all that equal it."""
        found = self._known.get(id(node))
        if found is None:
            made = self._made(node)
            found = self._known[id(node)] = (node, made)
            self._known[id(made)] = (made, made)
        return cast(_N, found[1])

    def _made(self, node: Node) -> Node:
        changed: dict[str, Any] = {}
        key: list[Any] = [type(node)]
        entry: Any = node  # every node is a dataclass
        for field in fields(entry):
            value = getattr(node, field.name)
            if isinstance(value, (Expr, Records, Lookback)):
                value = changed[field.name] = self.shared(value)
                key.append(id(value))
            elif isinstance(value, tuple) and value and isinstance(value[0], Expr):
                changed[field.name] = tuple(self.shared(part) for part in value)
                key.append(tuple(map(id, changed[field.name])))
            else:
                key.append(value)
        found = self._nodes.get(tuple(key))
        if found is None:
            found = self._nodes[tuple(key)] = replace(entry, **changed) if changed else node
        return found

    def about_record(self, node: Node) -> bool:
        """Whether an answer of a shared node depends on the record a body is about."""
        found = self._about.get(id(node))
        if found is None:
            found = self._about[id(node)] = self._is_about(node)
        return found

    def _is_about(self, node: Node) -> bool:
        match node:
            case e.Field(of=None):
                return True
            case e.Named(expr=expr, of=of):
                return bool(of) and self.about_record(expr)
            case Records(lookback=lookback):  # its `where` is about its own records
                return lookback is not None and self.about_record(lookback)
            case e.Every(records=records):
                return self.about_record(records)
            case e.Has(pick=pick):
                return self.about_record(pick)
        return any(self.about_record(part) for part in e.children(node))

    def assumes(self, node: Node) -> bool:
        """Whether the answer of a shared node may differ where absences are assumed."""
        found = self._assumes.get(id(node))
        if found is None:
            counted = isinstance(node, (e.Every, e.Count)) or (isinstance(node, e.Any) and not node.closed)
            own = counted and self.catalogue.kinds[node.records.kind].assumable  # type: ignore[union-attr]
            found = own or any(self.assumes(part) for part in e.children(node))
            self._assumes[id(node)] = found
        return found


@lru_cache(maxsize=4)
def _forest(catalogue: ById[Catalogue]) -> Forest:
    return Forest(catalogue.it)


def forest_of(catalogue: Catalogue) -> Forest:
    """The rules seen so far under a catalogue."""
    return _forest(ById(catalogue))
