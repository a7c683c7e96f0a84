"""The settings of a trial file: what the protocol leaves open, with a value that some rule can use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from onstudy.criteria.expr import RuleError
from onstudy.errors import nearest
from onstudy.language.measure import TIME_UNITS, amount_and_unit, duration
from onstudy.record.catalogue import Catalogue
from onstudy.values.quantity import UnitError, dimension
from onstudy.yamltext import Node

_USE = re.compile(r"\$([a-z][a-z0-9_]*)")
_LIMITS = ("ULN", "LLN")


def used(node: Node, everywhere: bool = False) -> Iterator[str]:
    """The names of the settings ($name) that the rules in a part of the file use, or (`everywhere`) all of its text."""
    if everywhere and node.text is not None:
        yield from _USE.findall(node.text)
    for item in node.items:
        yield from used(item, everywhere)
    for key, part in node.mapping.items():
        yield from used(part, everywhere or key == "rule")


def problems(value: Node, catalogue: Catalogue) -> Iterator[tuple[str, Node]]:
    """What keeps a value from being used in any rule, with the place: it is a text, or a list of codes."""
    if value.mapping or (value.text is None and not value.items):
        yield "a setting is a number, a duration, a code or a list of codes", value
    elif value.items:
        yield from _unlike(value.items, catalogue)
    else:
        text = " ".join((value.text or "").split())
        what = _unreadable(text, catalogue)
        if what:
            yield what, value


def _unlike(items: Iterable[Node], catalogue: Catalogue) -> Iterator[tuple[str, Node]]:
    """The codes of a list that belong to no value set, or not to that of the others."""
    named = [(item.text or "", item) for item in items]
    sets = catalogue.value_sets.values()
    best = max(sets, key=lambda values: sum(text in values.members for text, _ in named))
    for text, item in named:
        if text not in best.members:
            yield f"{text!r} is not one of {best.name}{nearest(text, best.members)}", item


def _unreadable(text: str, catalogue: Catalogue) -> str:
    if any(text in values.members for values in catalogue.value_sets.values()):
        return ""
    try:
        _, unit = amount_and_unit(text)
    except RuleError:
        codes = {code for values in catalogue.value_sets.values() for code in values.members}
        return f"{text!r} is no number, duration or code{nearest(text, codes)}"
    if not unit or unit in _LIMITS:
        return ""
    if unit in TIME_UNITS:
        return _said(text)
    try:
        dimension(unit)
    except UnitError as error:
        meant = nearest(unit, TIME_UNITS)
        return f"{text!r}: {unit!r} is no unit{meant}" if meant else f"{text!r}: {error}"
    return ""


def _said(text: str) -> str:
    try:
        duration(text)
    except RuleError as error:
        return str(error)
    return ""
