"""Expr to its one canonical text: `parse(unparse(e)) == e`."""

from __future__ import annotations

from onstudy.criteria import expr as e
from onstudy.criteria.expr import Expr

# How tightly a form binds; a part that binds less tightly than its place stands in parentheses.
_IF, _OR, _AND, _NOT, _STATEMENT, _SUM, _PRODUCT, _VALUE = range(8)


def unparse(node: Expr) -> str:
    """The canonical text of a node."""
    return _write(node)[0]


def _at(node: Expr, place: int) -> str:
    text, strength = _write(node)
    return text if strength >= place else f"({text})"


def _write(node: Expr) -> tuple[str, int]:
    match node:
        case e.If(condition, then):
            return f"if {_at(condition, _OR)} then {_at(then, _IF)}", _IF
        case e.Or(parts):
            return " or ".join(_at(part, _NOT) for part in parts), _OR  # `and` inside `or` keeps its parentheses
        case e.And(parts):
            return " and ".join(_at(part, _NOT) for part in parts), _AND
        case e.Not(part):
            return _negated(part)
        case e.Compare(op, left, right):
            return f"{_at(left, _SUM)} {op.value} {_at(right, _SUM)}", _STATEMENT
        case e.Member():
            return _member(node, "is", "in"), _STATEMENT
        case e.Timing(event, relation, anchor, span):
            return f"{_at(event, _SUM)} is {_relation(relation, span)} {_anchor(anchor)}", _STATEMENT
        case e.Any(records, closed):
            return f"{'known' if closed else 'any'} {_records(records)}", _STATEMENT
        case e.Every(records, body):
            return f"every {_records(records)} has ({unparse(body)})", _STATEMENT
        case e.Has(pick, body):
            return f"{unparse(pick)} has ({unparse(body)})", _STATEMENT
        case e.Named(name=name):
            return name, _VALUE
    return _value(node)


def _negated(part: Expr) -> tuple[str, int]:
    if isinstance(part, e.Member):
        return _member(part, "is not", "not in"), _STATEMENT
    if isinstance(part, e.Any) and not part.closed:
        return f"no {_records(part.records)}", _STATEMENT
    return f"not {_at(part, _NOT)}", _NOT


def _member(node: e.Member, single: str, several: str) -> str:
    value = _at(node.value, _SUM)
    if len(node.names) == 1:
        return f"{value} {single} {node.names[0]}"
    return f"{value} {several} ({', '.join(node.names)})"


def _value(node: Expr) -> tuple[str, int]:
    match node:
        case e.Number(value, _, written, setting):
            return (f"${setting}" if setting else written or plain(value)), _VALUE
        case e.Limit(factor, limit, _, setting):
            return (f"${setting}" if setting else f"{plain(factor)} {limit}"), _VALUE
        case e.Pick(which, records):
            return f"{which.value} {_records(records)}", _VALUE
        case e.Field(name, of):
            return (name if of is None else f"{name} of {unparse(of)}"), _VALUE
        case e.Count(of, records):
            return f"{of.value} of {_records(records)}", _VALUE
        case e.Age(anchor):
            return f"age at {_anchor(anchor)}", _VALUE
        case e.Anchor(name):
            return name, _VALUE
        case e.Arithmetic(op, left, right):
            strength = _SUM if op in "+-" else _PRODUCT
            return f"{_at(left, strength)} {op} {_at(right, strength + 1)}", strength
    raise AssertionError(f"no text for {type(node).__name__}")


def _records(records: e.Records) -> str:
    text = records.kind
    if records.where is not None:
        text += f" where ({unparse(records.where)})"
    if records.lookback is not None:
        back = records.lookback
        text += f" {_relation(back.relation, back.span)} {_anchor(back.anchor)}"
    return text


def _relation(relation: e.Relation, span: e.Span | None) -> str:
    if span is None:
        return relation.value
    return relation.value.format(f"${span.setting}" if span.setting else span.duration)


def _anchor(anchor: Expr) -> str:
    text = unparse(anchor)
    return text if isinstance(anchor, e.Anchor) or (isinstance(anchor, e.Field) and anchor.of is None) else f"({text})"


def plain(number: float) -> str:
    """A number as a person writes it: 1.5, 10000, never 1e4."""
    return f"{number:.12g}" if abs(number) < 1e12 else f"{number:f}".rstrip("0").rstrip(".")
