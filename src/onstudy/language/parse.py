"""Criterion text to Expr: names are looked up, units converted, types checked, every error has its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from lark import Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken

from onstudy.criteria import expr as e
from onstudy.criteria.expr import Expr, Relation, RuleError, TruthExpr, Type, ValueExpr
from onstudy.criteria.trial import Setting
from onstudy.errors import nearest
from onstudy.language.grammar import grammar
from onstudy.record.catalogue import (
    BOOLEAN,
    CODE,
    COUNT,
    DATE,
    NONE,
    ORDERED,
    QUANTITY,
    STATE,
    Attribute,
    Catalogue,
    Kind,
    ValueSet,
)  # fmt: skip
from onstudy.values.calendar import Duration, Unit
from onstudy.values.interval import Op
from onstudy.values.quantity import UnitError, convert

_OPS = {"≤": "<=", "≥": ">=", "=<": "<="}
_UNITS = {word: unit for unit in Unit for word in (unit.value, unit.value[:-1])}
_PLACES = ("start", "end")
_KEYWORDS = (
    "after", "and", "any", "at", "before", "count", "days", "duration", "earliest", "every", "has", "highest", "known",
    "latest", "least", "lowest", "not", "then", "where", "within",
)  # fmt: skip
_FRIENDLY = {
    "LPAR": "(", "RPAR": ")", "COMMA": ",", "NAME": "a name", "QUANTITY": "a number", "$END": "the end",
    "SETTING": "$setting", "COMPARISON": "<= < = != > >=", "SIGN": "+ -", "FACTOR": "* /", "NO": "no",
    "WHICH": "latest/earliest/highest/lowest",
}  # fmt: skip


class RuleErrorAt(RuleError):
    """A rule error with its place in the rule's text (line and column from 1)."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.message, self.line, self.column = message, line, column

    def __str__(self) -> str:
        return f"{self.line}:{self.column} {self.message}"


@dataclass
class Names:
    """What a rule may speak of besides the catalogue. `definition` finds a trial's definition or None."""

    anchors: Iterable[str] = ("registration",)
    settings: Mapping[str, Setting] = field(default_factory=dict)
    definition: Callable[[str], e.Named | None] = lambda _name: None
    definitions: Iterable[str] = ()


def parse(text: str, catalogue: Catalogue, names: Names | None = None, of: str = "") -> TruthExpr:
    """The tree of a rule; `of` is the kind whose records the rule is about (record scope).

    Raises `RuleErrorAt` with line, column, what is wrong and the nearest right word.
    """
    if len(text) > 20_000:
        raise RuleErrorAt("the rule is longer than 20,000 characters", 1, 1)
    try:
        tree = grammar().parse(text)
    except UnexpectedInput as error:
        raise _syntax(error, text) from None
    except RecursionError:
        raise RuleErrorAt("the rule is nested too deeply", 1, 1) from None
    try:
        return _Reader(catalogue, names or Names()).truth(tree, of)
    except RecursionError:
        raise RuleErrorAt("the rule is nested too deeply", 1, 1) from None


def _syntax(error: UnexpectedInput, text: str) -> RuleErrorAt:
    if isinstance(error, UnexpectedToken):
        expected = sorted({_FRIENDLY.get(name, name.lower()) for name in error.accepts or error.expected})
        shown = "the end of the rule" if error.token.type == "$END" else repr(str(error.token))
        line, column = _place(error.token, text)
        hint = _misspelt(error)
        return RuleErrorAt(f"{shown} does not fit here; expected {', '.join(expected)}{hint}", line, column)
    if isinstance(error, UnexpectedCharacters):
        return RuleErrorAt(f"{error.char!r} does not belong here", error.line, error.column)
    assert isinstance(error, UnexpectedEOF)
    return RuleErrorAt("the rule ends too early", 1, len(text))


def _misspelt(error: UnexpectedToken) -> str:
    """The keyword that the word before, or the word itself, may have been meant to be."""
    before = error.token_history or []  # lark puts None there when the first token is the wrong one
    for token in (*before[-1:], error.token):
        if token is not None and token.type == "NAME" and (hint := nearest(str(token), _KEYWORDS)):
            return f"{hint[:-1]} instead of {str(token)!r}?"
    return ""


def _place(token: Token, text: str) -> tuple[int, int]:
    if token.type == "$END" or token.line is None:
        return text.count("\n") + 1, len(text) - text.rfind("\n")
    return token.line, token.column or 1


class _Reader:
    """Walks one parse tree; `scope` is the kind of the record a body is about, or ""."""

    def __init__(self, catalogue: Catalogue, names: Names) -> None:
        self.catalogue, self.names = catalogue, names
        self.anchors = set(names.anchors)

    # Errors and small readings ------------------------------------------------------------------------

    def fail(self, at: Tree[Token] | Token, message: str) -> NoReturn:
        meta = at if isinstance(at, Token) else at.meta
        raise RuleErrorAt(message, getattr(meta, "line", 1) or 1, getattr(meta, "column", 1) or 1)

    def made(self, at: Tree[Token] | Token, make: Callable[[], Expr]) -> Expr:
        """Build a node; what it says against itself gets its place here."""
        try:
            return make()
        except RuleErrorAt:
            raise
        except RuleError as error:
            self.fail(at, str(error))

    def kind(self, token: Token) -> Kind:
        kind = self.catalogue.kinds.get(str(token))
        if kind is None:
            self.fail(token, f"there is no kind {str(token)!r}{nearest(str(token), self.catalogue.kinds)}")
        return kind

    # Truths ---------------------------------------------------------------------------------------------

    def truth(self, tree: Tree[Token] | Token, scope: str) -> TruthExpr:
        node = self.node(tree, scope)
        if isinstance(node, TruthExpr):
            return node
        self.fail(tree, "this is a value; a rule states something that holds or does not")

    def value(self, tree: Tree[Token] | Token, scope: str) -> ValueExpr:
        node = self.node(tree, scope)
        if isinstance(node, ValueExpr):
            return node
        self.fail(tree, "this is a statement; a value is needed here")

    def node(self, tree: Tree[Token] | Token, scope: str) -> Expr:
        assert isinstance(tree, Tree)
        reader: Callable[[Tree[Token], str], Expr] = getattr(self, f"_{str(tree.data).strip('_')}")
        return self.made(tree, lambda: reader(tree, scope))

    def only_any(self, tree: Tree[Token], records: e.Records) -> None:
        """A state has one newest statement: there is nothing to count and no 'every'."""
        if self.catalogue.kinds[records.kind].extent == STATE:
            self.fail(tree, f"{records.kind} is a state: ask 'any', 'no', 'known' or 'latest {records.kind}'")

    def _if_then(self, tree: Tree[Token], scope: str) -> Expr:
        condition, then = tree.children
        return e.If(self.truth(condition, scope), self.truth(then, scope))

    def _or(self, tree: Tree[Token], scope: str) -> Expr:
        return e.Or(tuple(self.truth(part, scope) for part in tree.children))

    def _and(self, tree: Tree[Token], scope: str) -> Expr:
        return e.And(tuple(self.truth(part, scope) for part in tree.children))

    def _not(self, tree: Tree[Token], scope: str) -> Expr:
        return e.Not(self.truth(tree.children[0], scope))

    def _any(self, tree: Tree[Token], scope: str) -> Expr:
        return e.Any(self.records(tree.children[0], scope))

    def _known(self, tree: Tree[Token], scope: str) -> Expr:
        return e.Any(self.records(tree.children[0], scope), closed=True)

    def _no(self, tree: Tree[Token], scope: str) -> Expr:
        return e.Not(e.Any(self.records(tree.children[1], scope)))

    def _every(self, tree: Tree[Token], scope: str) -> Expr:
        records = self.records(tree.children[0], scope)
        self.only_any(tree, records)
        return e.Every(records, self.truth(tree.children[1], records.kind))

    def _has(self, tree: Tree[Token], scope: str) -> Expr:
        pick = self.value(tree.children[0], scope)
        if not isinstance(pick, e.Pick):
            self.fail(tree, "'has' follows 'latest ...', 'earliest ...' or 'every ...'")
        return e.Has(pick, self.truth(tree.children[1], pick.records.kind))

    def _compare(self, tree: Tree[Token], scope: str) -> Expr:
        left_tree, sign, right_tree = tree.children
        op = Op(_OPS.get(str(sign), str(sign)))
        left, right = self.pair(left_tree, right_tree, scope)
        return e.Compare(op, left, right)

    def pair(self, left: Tree[Token] | Token, right: Tree[Token] | Token, scope: str) -> tuple[ValueExpr, ValueExpr]:
        """Both sides; a number takes its unit from the other side."""
        if _is_number(left):
            if _is_number(right):
                self.fail(left, "two numbers are compared; one side must come from the record")
            other = self.value(right, scope)
            return self.number(left, other), other
        first = self.value(left, scope)
        return first, (self.number(right, first) if _is_number(right) else self.value(right, scope))

    def _is(self, tree: Tree[Token], scope: str) -> Expr:
        return self.member(tree, tree.children[:1], tree.children[1:], scope)

    _in = _is

    def _is_not(self, tree: Tree[Token], scope: str) -> Expr:
        return e.Not(self.member(tree, tree.children[:1], tree.children[1:], scope))

    _not_in = _is_not

    def member(
        self,
        tree: Tree[Token],
        value: list[Tree[Token] | Token],
        words: list[Tree[Token] | Token],
        scope: str,
    ) -> e.Member:
        subject = self.value(value[0], scope)
        if subject.type.base != "code":
            self.fail(tree, f"'is' and 'in' ask for a code; this is {subject.type}")
        values = self.catalogue.value_sets[subject.type.values]
        written: list[str] = []
        members: frozenset[str] = frozenset()
        for word in words:
            assert isinstance(word, Tree)
            token = word.children[0]
            assert isinstance(token, Token)
            name, meaning = self.code(token, values)
            written.append(name)
            members |= meaning
        return e.Member(subject, tuple(written), members)

    def code(self, token: Token, values: ValueSet) -> tuple[str, frozenset[str]]:
        if token.type == "SETTING":
            setting = self.setting(token)
            listed = setting.value if isinstance(setting.value, tuple) else (setting.value,)
            for item in listed:
                if item not in values.members:
                    self.fail(token, f"{token}: {item!r} is not one of {values.name}{nearest(item, values.members)}")
            return str(token), frozenset().union(*(values.meaning(item) for item in listed))
        name = str(token)
        if name not in values.members and not (name == "other" and values.open):
            self.fail(token, f"{name!r} is not one of {values.name}{nearest(name, values.members)}")
        return name, values.meaning(name)

    def _timing(self, tree: Tree[Token], scope: str) -> Expr:
        event = self.value(tree.children[0], scope)
        how = tree.children[1]
        assert isinstance(how, Tree)
        span = next(
            (self.span(t) for t in how.children if isinstance(t, Token) and t.type in ("QUANTITY", "SETTING")),
            None,
        )
        side = next((str(t) for t in how.children if isinstance(t, Token) and t.type in ("BEFORE", "AFTER")), "")
        form = {"at_least": f"at least {{}} {side}", "within": f"within {{}} {side}", "on_or": f"on or {side}",
                "plainly": side, "on": "on"}[str(how.data)]  # fmt: skip
        return e.Timing(event, Relation(form), self.anchor(how.children[-1], scope), span)

    # Records --------------------------------------------------------------------------------------------

    def records(self, tree: Tree[Token] | Token, scope: str) -> e.Records:
        assert isinstance(tree, Tree)
        token = tree.children[0]
        assert isinstance(token, Token)
        kind = self.kind(token)
        where: TruthExpr | None = None
        lookback: e.Lookback | None = None
        for part in tree.children[1:]:
            assert isinstance(part, Tree)
            if part.data == "where":
                where = self.truth(part.children[0], kind.name)
            else:
                lookback = self.lookback(part, scope)
        if lookback is not None and kind.extent == STATE and lookback.relation is not Relation.AFTER:
            self.fail(tree, f"{kind.name} is a state: its newest statement holds; it takes no window")
        return e.Records(kind.name, where, lookback)

    def lookback(self, tree: Tree[Token], scope: str) -> e.Lookback:
        anchor = self.anchor(tree.children[-1], scope)
        if tree.data == "lookback_at":
            return e.Lookback(Relation.AT, anchor)
        if tree.data == "lookback_plainly":
            return e.Lookback(Relation(str(tree.children[0])), anchor)
        first, side = tree.children[0], tree.children[1]
        assert isinstance(first, Token)
        return e.Lookback(Relation(f"within {{}} {side}"), anchor, self.span(first))

    def anchor(self, tree: Tree[Token] | Token, scope: str) -> ValueExpr:
        assert isinstance(tree, Tree)
        if tree.data == "anchor_expr":
            found = self.value(tree.children[0], scope)
            if found.type != e.DATE_TYPE:
                self.fail(tree, f"a date is needed here; this is {found.type}")
            return found
        token = tree.children[0]
        assert isinstance(token, Token)
        if str(token) in self.anchors:
            return e.Anchor(str(token))
        if scope and (found_field := self.field_of(str(token), scope, None)) is not None:
            return found_field
        self.fail(token, f"there is no anchor {str(token)!r}{nearest(str(token), self.anchors)}")

    def span(self, token: Token) -> e.Span:
        text, setting = self.written(token)
        amount, _, unit = text.partition(" ")
        if unit not in _UNITS or not amount.isdigit():
            self.fail(
                token,
                f"{text!r} is not a duration; write a whole number of hours, days, weeks, months or years",
            )
        if int(amount) > 100_000:
            self.fail(token, f"{text!r} is longer than any record")
        return e.Span(Duration(int(amount), _UNITS[unit]), setting)

    def written(self, token: Token) -> tuple[str, str]:
        """The text of a number or duration, through a setting where one is named."""
        if token.type == "SETTING":
            setting = self.setting(token)
            if isinstance(setting.value, tuple):
                self.fail(token, f"{token} is a list of codes; a number or duration is needed here")
            return " ".join(str(setting.value).split()), str(token)[1:]
        return " ".join(str(token).split()), ""

    def setting(self, token: Token) -> Setting:
        name = str(token)[1:]
        if name not in self.names.settings:
            self.fail(token, f"there is no setting {name!r}{nearest(name, self.names.settings)}")
        return self.names.settings[name]

    # Values ---------------------------------------------------------------------------------------------

    def number(self, tree: Tree[Token] | Token, other: ValueExpr) -> ValueExpr:
        """A written number, in the unit of the side it is compared with."""
        assert isinstance(tree, Tree)
        token = tree.children[0]
        assert isinstance(token, Token)
        text, setting = self.written(token)
        amount, _, unit = text.partition(" ") if " " in text else _split(text)
        unit = unit.removeprefix("x ")
        wanted = other.type
        if wanted.base != "number":
            self.fail(tree, f"a number is compared with {wanted}")
        if unit in ("ULN", "LLN"):
            return e.Limit(float(amount), unit, wanted.unit[0][0] if wanted.unit else "", setting)
        return self.in_unit(token, float(amount), unit, other, text, setting)

    def in_unit(self, token: Token, amount: float, unit: str, other: ValueExpr, text: str, setting: str) -> e.Number:
        wanted = other.type
        canonical = wanted.unit[0][0] if len(wanted.unit) == 1 and wanted.unit[0][1] == 1 else None
        if wanted.unit and canonical is None:
            self.fail(token, f"a product in {wanted.unit_text} cannot be compared with a written number")
        if not canonical:
            if unit:
                self.fail(token, f"{text!r} has a unit; what it is compared with has none")
            return e.Number(amount, "", text, setting)
        if canonical in (e.DAYS, e.YEARS):
            if not unit and canonical == e.DAYS:
                return e.Number(amount, canonical, text, setting)
            if unit == "weeks" and canonical == e.DAYS:
                return e.Number(amount * 7, canonical, text, setting)
            if unit.rstrip("s") != canonical.rstrip("s"):
                self.fail(token, f"{text!r} is compared with {canonical}; write it in {canonical}")
            return e.Number(amount, canonical, text, setting)
        if not unit:
            self.fail(token, f"{text!r} lacks a unit; what it is compared with is measured in {canonical}")
        try:
            value = convert(amount, unit, canonical, self.molar_mass(other))
        except UnitError as error:
            self.fail(token, str(error))
        return e.Number(value, canonical, text, setting)

    def molar_mass(self, node: ValueExpr) -> float | None:
        kind: str | None = None
        if isinstance(node, e.Pick):
            kind = node.records.kind
        elif isinstance(node, e.Field) and node.of is not None:
            kind = self.catalogue.kinds[node.of.records.kind].components.get(node.name)
        return self.catalogue.kinds[kind].molar_mass if kind is not None else None

    def _quantity(self, tree: Tree[Token], scope: str) -> Expr:
        token = tree.children[0]
        assert isinstance(token, Token)
        text = " ".join(str(token).split())
        amount, _, unit = text.partition(" ") if " " in text else _split(text)
        if unit:
            self.fail(
                tree,
                f"{text!r}: a number with a unit is compared with a value; here a plain number is needed",
            )
        return e.Number(float(amount), "", text)

    def _setting(self, tree: Tree[Token], scope: str) -> Expr:
        self.fail(tree, "a $setting stands where a number, a duration or a code is compared")

    def _arithmetic(self, tree: Tree[Token], scope: str) -> Expr:
        left, sign, right = tree.children
        return e.Arithmetic(str(sign), self.value(left, scope), self.value(right, scope))

    def _pick(self, tree: Tree[Token], scope: str) -> Expr:
        which, records_tree = tree.children
        records = self.records(records_tree, scope)
        return e.Pick(e.Which(str(which)), records, self.value_type(self.catalogue.kinds[records.kind]))

    def _count(self, tree: Tree[Token], scope: str) -> Expr:
        return self.counted(e.CountOf.RECORDS, tree, scope)

    def _days(self, tree: Tree[Token], scope: str) -> Expr:
        return self.counted(e.CountOf.DAYS, tree, scope)

    def _duration(self, tree: Tree[Token], scope: str) -> Expr:
        return self.counted(e.CountOf.DURATION, tree, scope)

    def counted(self, of: e.CountOf, tree: Tree[Token], scope: str) -> e.Count:
        records = self.records(tree.children[0], scope)
        self.only_any(tree, records)
        return e.Count(of, records)

    def _age(self, tree: Tree[Token], scope: str) -> Expr:
        return e.Age(self.anchor(tree.children[0], scope))

    def _field(self, tree: Tree[Token], scope: str) -> Expr:
        token, pick_tree = tree.children
        pick = self.value(pick_tree, scope)
        assert isinstance(pick, e.Pick)
        found = self.field_of(str(token), pick.records.kind, pick)
        if found is None:
            self.fail(
                tree,
                f"{pick.records.kind} has no {str(token)!r}{nearest(str(token), self.fields(pick.records.kind))}",
            )
        return found

    def _name(self, tree: Tree[Token], scope: str) -> Expr:
        """A bare name: a field of the record in scope, a definition, an anchor, or a kind (`any kind`)."""
        name = str(tree.children[0])
        if scope and (found := self.field_of(name, scope, None)) is not None:
            return found
        if (named := self.names.definition(name)) is not None:
            return self.scoped(tree, named, scope)
        if name in self.anchors:
            return e.Anchor(name)
        kind = self.catalogue.kinds.get(name)
        if kind is None:
            known = [
                *self.names.definitions,
                *self.anchors,
                *self.catalogue.kinds,
                *(self.fields(scope) if scope else ()),
            ]
            self.fail(tree, f"{name!r} is neither a definition nor a kind{nearest(name, known)}")
        if kind.value != NONE:
            self.fail(tree, f"{name} has values: write 'latest {name} ...'")
        return e.Any(e.Records(name))

    def scoped(self, tree: Tree[Token], named: e.Named, scope: str) -> e.Named:
        if named.of and (not scope or named.of not in {scope, *self.catalogue.ancestors(scope)}):
            self.fail(
                tree,
                f"{named.name} speaks of a {named.of} record; it stands inside 'where' or 'has' of {named.of}",
            )
        return named

    def fields(self, kind: str) -> list[str]:
        entry = self.catalogue.kinds[kind]
        return [
            *self.catalogue.attributes(kind),
            *entry.components,
            *_PLACES,
            *(["value"] if entry.measured else []),
        ]

    def field_of(self, name: str, kind: str, of: e.Pick | None) -> e.Field | None:
        """The field of that name that records of a kind have, or None."""
        entry = self.catalogue.kinds[kind]
        attribute = self.catalogue.attribute(kind, name)
        found: Type | None = None
        if attribute is not None:
            found = self.attribute_type(attribute)
        elif name in entry.components:
            found = self.value_type(self.catalogue.kinds[entry.components[name]])
        elif name in _PLACES:
            found = e.DATE_TYPE
        elif name == "value":
            found = self.value_type(entry)
        return None if found is None else e.Field(name, of, found)

    def value_type(self, kind: Kind) -> Type | None:
        return None if kind.value == NONE else self.typed(kind.value, kind.unit, kind.values)

    def attribute_type(self, attribute: Attribute) -> Type:
        if attribute.type == BOOLEAN:
            return Type("code", values="yes_no")
        return self.typed(attribute.type, attribute.unit, attribute.values)

    def typed(self, sort: str, unit: str, values: str) -> Type:
        if sort in (QUANTITY, COUNT):
            return e.number_in("" if unit in ("1", "{score}") else unit)
        if sort in (CODE, ORDERED):
            return Type("code", values=values, ordered=sort == ORDERED)
        assert sort == DATE
        return e.DATE_TYPE


def _is_number(tree: Tree[Token] | Token) -> bool:
    return isinstance(tree, Tree) and tree.data in ("quantity", "setting")


def _split(text: str) -> tuple[str, str, str]:
    """'5mg' or '7%': the number and the unit written without a space."""
    for position, letter in enumerate(text):
        if not (letter.isdigit() or letter == "."):
            return text[:position], " ", text[position:]
    return text, "", ""
