"""Criterion text to Expr: names are looked up, units converted, types checked, every error has its place.

A part that is wrong does not hide what is wrong in the parts beside it: all independent errors are told together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from lark import Token, Tree
from lark.exceptions import UnexpectedInput

from onstudy.criteria import expr as e
from onstudy.criteria.expr import Expr, Relation, TruthExpr, ValueExpr
from onstudy.criteria.trial import Setting
from onstudy.errors import nearest
from onstudy.language.grammar import grammar
from onstudy.language.measure import amount_and_unit, duration, number
from onstudy.language.rule_error import AlreadyTold, Attempts, Part, RuleErrorAt, syntax_error, together
from onstudy.language.vocabulary import Names, Vocabulary
from onstudy.record.catalogue import NONE, STATE, Catalogue, Kind, ValueSet
from onstudy.values.interval import Op

__all__ = ["Names", "RuleErrorAt", "parse"]

_OPS = {"≤": "<=", "≥": ">=", "=<": "<="}
_LONGEST = 20_000


def parse(text: str, catalogue: Catalogue, names: Names | None = None, of: str = "") -> TruthExpr:
    """The tree of a rule; `of` is the kind whose records the rule is about (record scope).

    Raises `RuleErrorAt` with line, column, what is wrong and the nearest right word; its `all` holds every
    independent error. Raises `AlreadyTold` where it only names what `names` knows to be wrong.
    """
    if len(text) > _LONGEST:
        raise RuleErrorAt(f"the rule is longer than {_LONGEST:,} characters", 1, 1)
    try:
        tree = grammar().parse(text)
    except UnexpectedInput as error:
        raise syntax_error(error, text) from None
    except RecursionError:
        raise RuleErrorAt("the rule is nested too deeply", 1, 1) from None
    reader = _Reader(Vocabulary(catalogue, names or Names()))
    try:
        rule = reader.attempt(lambda: reader.truth(tree, of))
    except RecursionError:
        raise RuleErrorAt("the rule is nested too deeply", 1, 1) from None
    if rule is not None:
        return rule
    raise together(reader.errors) if reader.errors else AlreadyTold("what it names is wrong")


class _Reader(Attempts):
    """Walks one parse tree; `scope` is the kind of the record a body is about, or ""."""

    def __init__(self, words: Vocabulary) -> None:
        super().__init__()
        self.words, self.catalogue = words, words.catalogue

    # Words ----------------------------------------------------------------------------------------------

    def kind(self, token: Token) -> Kind:
        kind = self.words.kinds.get(str(token))
        if kind is None:
            self.fail(token, f"there is no kind {str(token)!r}{nearest(str(token), self.words.kinds)}")
        return kind

    def setting(self, token: Token) -> Setting:
        name, settings = str(token)[1:], self.words.names.settings
        if str(token) in self.words.names.wrong:
            raise AlreadyTold(f"{token} is wrong")
        if name not in settings:
            self.fail(token, f"there is no setting {name!r}{nearest(name, settings)}")
        return settings[name]

    def written(self, token: Token) -> tuple[str, str]:
        """The text of a number or duration, through a setting where one is named."""
        if token.type != "SETTING":
            return " ".join(str(token).split()), ""
        setting = self.setting(token)
        if isinstance(setting.value, tuple):
            self.fail(token, f"{token} is a list of codes; a number or duration is needed here")
        return " ".join(setting.value.split()), str(token)[1:]

    # Truths ---------------------------------------------------------------------------------------------

    def truth(self, tree: Part, scope: str) -> TruthExpr:
        node = self.node(tree, scope)
        if isinstance(node, TruthExpr):
            return node
        self.fail(tree, "this is a value; a rule states something that holds or does not")

    def value(self, tree: Part, scope: str) -> ValueExpr:
        node = self.node(tree, scope)
        if isinstance(node, ValueExpr):
            return node
        self.fail(tree, "this is a statement; a value is needed here")

    def node(self, tree: Part, scope: str) -> Expr:
        assert isinstance(tree, Tree)
        reader: Callable[[Tree[Token], str], Expr] = getattr(self, f"_{str(tree.data).strip('_')}")
        return self.made(tree, lambda: reader(tree, scope))

    def truths(self, trees: Sequence[Part], scope: str) -> tuple[TruthExpr, ...]:
        return self.several([partial(self.truth, part, scope) for part in trees])

    def values(self, trees: Sequence[Part], scope: str) -> tuple[ValueExpr, ...]:
        return self.several([partial(self.value, part, scope) for part in trees])

    def _if_then(self, tree: Tree[Token], scope: str) -> Expr:
        return e.If(*self.truths(tree.children, scope))

    def _or(self, tree: Tree[Token], scope: str) -> Expr:
        return e.Or(self.truths(tree.children, scope))

    def _and(self, tree: Tree[Token], scope: str) -> Expr:
        return e.And(self.truths(tree.children, scope))

    def _not(self, tree: Tree[Token], scope: str) -> Expr:
        return e.Not(self.truth(tree.children[0], scope))

    def _compare(self, tree: Tree[Token], scope: str) -> Expr:
        left_tree, sign, right_tree = tree.children
        op = Op(_OPS.get(str(sign), str(sign)))
        left, right = self.pair(left_tree, right_tree, scope)
        return e.Compare(op, left, right)

    def pair(self, left: Part, right: Part, scope: str) -> tuple[ValueExpr, ValueExpr]:
        """Both sides; a number takes its unit from the other side."""
        if _is_number(left):
            if _is_number(right):
                self.fail(left, "two numbers are compared; one side must come from the record")
            other = self.value(right, scope)
            return self.number(left, other), other
        if _is_number(right):
            first = self.value(left, scope)
            return first, self.number(right, first)
        one, another = self.values((left, right), scope)
        return one, another

    def _is(self, tree: Tree[Token], scope: str) -> Expr:
        return self.member(tree, scope)

    def _is_not(self, tree: Tree[Token], scope: str) -> Expr:
        return e.Not(self.member(tree, scope))

    _in, _not_in = _is, _is_not

    def member(self, tree: Tree[Token], scope: str) -> e.Member:
        subject = self.value(tree.children[0], scope)
        if subject.type.base != "code":
            self.fail(tree, f"'is' and 'in' ask for a code; this is {subject.type}")
        values = self.catalogue.value_sets[subject.type.values]
        read = self.several([partial(self.code, word, values) for word in tree.children[1:]])
        members = frozenset[str]().union(*(meaning for _, meaning in read))
        return e.Member(subject, tuple(name for name, _ in read), members)

    def code(self, word: Part, values: ValueSet) -> tuple[str, frozenset[str]]:
        """A word of a value set as written, and the codes it stands for."""
        token = _token(word)
        name = str(token)
        if token.type == "SETTING":
            setting = self.setting(token)
            listed = setting.value if isinstance(setting.value, tuple) else (setting.value,)
            for item in listed:
                if item not in values.members:
                    self.fail(token, f"{token}: {item!r} is not one of {values.name}{nearest(item, values.members)}")
            return name, frozenset[str]().union(*(values.meaning(item) for item in listed))
        if name not in values.members and not (name == "other" and values.open):
            self.fail(token, f"{name!r} is not one of {values.name}{nearest(name, values.members)}")
        return name, values.meaning(name)

    def _timing(self, tree: Tree[Token], scope: str) -> Expr:
        event_tree, how = tree.children
        assert isinstance(how, Tree)
        words = {part.type: part for part in how.children if isinstance(part, Token)}
        side = str(words.get("BEFORE", words.get("AFTER", "")))
        form = {"at_least": f"at least {{}} {side}", "within": f"within {{}} {side}", "on_or": f"on or {side}",
                "plainly": side, "on": "on"}[str(how.data)]  # fmt: skip
        length = words.get("QUANTITY", words.get("SETTING"))
        event, (anchor, span) = self.both(
            lambda: self.value(event_tree, scope), lambda: self.measured(how.children[-1], length, scope)
        )
        return e.Timing(event, Relation(form), anchor, span)

    def measured(self, anchor: Part, length: Token | None, scope: str) -> tuple[ValueExpr, e.Span | None]:
        """An anchor and the duration counted from it, if any."""
        if length is None:
            return self.anchor(anchor, scope), None
        return self.both(lambda: self.anchor(anchor, scope), lambda: self.span(length))

    # Truths about records -------------------------------------------------------------------------------

    def _any(self, tree: Tree[Token], scope: str) -> Expr:
        return e.Any(self.records(tree.children[0], scope))

    def _known(self, tree: Tree[Token], scope: str) -> Expr:
        return e.Any(self.records(tree.children[0], scope), closed=True)

    def _no(self, tree: Tree[Token], scope: str) -> Expr:
        return e.Not(e.Any(self.records(tree.children[1], scope)))

    def _every(self, tree: Tree[Token], scope: str) -> Expr:
        records_tree, body = tree.children
        of = self.kind(_token(records_tree)).name
        return e.Every(*self.both(lambda: self.countable(tree, scope), lambda: self.truth(body, of)))

    def _has(self, tree: Tree[Token], scope: str) -> Expr:
        pick_tree, body = tree.children
        if not isinstance(pick_tree, Tree) or pick_tree.data != "pick":
            self.value(pick_tree, scope)
            self.fail(tree, "'has' follows 'latest ...', 'earliest ...' or 'every ...'")
        of = self.kind(_token(pick_tree.children[1])).name
        return e.Has(*self.both(lambda: self.pick(pick_tree, scope), lambda: self.truth(body, of)))

    def countable(self, tree: Tree[Token], scope: str) -> e.Records:
        """A state has one newest statement: there is nothing to count and no 'every'."""
        records = self.records(tree.children[0], scope)
        if self.words.kinds[records.kind].extent == STATE:
            self.fail(tree, f"{records.kind} is a state: ask 'any', 'no', 'known' or 'latest {records.kind}'")
        return records

    # Records --------------------------------------------------------------------------------------------

    def records(self, tree: Part, scope: str) -> e.Records:
        assert isinstance(tree, Tree)
        bodies = [part for part in tree.children if isinstance(part, Tree) and part.data == "where"]
        windows = [part for part in tree.children if isinstance(part, Tree) and part.data != "where"]
        (kind, where), lookback = self.both(
            lambda: self.kind_where(_token(tree), bodies),
            lambda: [self.lookback(part, scope) for part in windows],
        )
        for one in lookback:
            if kind.extent == STATE and one.relation is not Relation.AFTER:
                self.fail(tree, f"{kind.name} is a state: its newest statement holds; it takes no window")
        return e.Records(kind.name, where, lookback[0] if lookback else None)

    def kind_where(self, token: Token, bodies: Sequence[Tree[Token]]) -> tuple[Kind, TruthExpr | None]:
        kind = self.kind(token)
        return kind, self.truth(bodies[0].children[0], kind.name) if bodies else None

    def lookback(self, tree: Tree[Token], scope: str) -> e.Lookback:
        words = {part.type: part for part in tree.children if isinstance(part, Token)}
        length = words.get("QUANTITY", words.get("SETTING"))
        side = str(words.get("BEFORE", words.get("AFTER", "")))
        forms = {"lookback_at": "at", "lookback_plainly": side, "lookback_within": f"within {{}} {side}"}
        anchor, span = self.measured(tree.children[-1], length, scope)
        return e.Lookback(Relation(forms[str(tree.data)]), anchor, span)

    def anchor(self, tree: Part, scope: str) -> ValueExpr:
        assert isinstance(tree, Tree)
        if tree.data == "anchor_expr":
            found = self.value(tree.children[0], scope)
            if found.type != e.DATE_TYPE:
                self.fail(tree, f"a date is needed here; this is {found.type}")
            return found
        token = _token(tree)
        if str(token) in self.words.anchors:
            return e.Anchor(str(token))
        if scope and (found_field := self.words.field_of(str(token), scope, None)) is not None:
            return found_field
        self.fail(token, f"there is no anchor {str(token)!r}{nearest(str(token), self.words.anchors)}")

    def span(self, token: Token) -> e.Span:
        text, setting = self.written(token)
        return self.made(token, lambda: e.Span(duration(text), setting))

    # Values ---------------------------------------------------------------------------------------------

    def number(self, tree: Part, other: ValueExpr) -> ValueExpr:
        """A written number, in the unit of the side it is compared with."""
        token = _token(tree)
        text, setting = self.written(token)
        wanted = other.type
        return self.made(token, lambda: number(text, setting, wanted, self.words.molar_mass(other)))

    def _quantity(self, tree: Tree[Token], scope: str) -> Expr:
        text = " ".join(str(tree.children[0]).split())
        amount, unit = amount_and_unit(text)
        if unit:
            self.fail(tree, f"{text!r}: a number with a unit is compared with a value; here a plain number is needed")
        return e.Number(float(amount), "", text)

    def _setting(self, tree: Tree[Token], scope: str) -> Expr:
        self.fail(tree, "a $setting stands where a number, a duration or a code is compared")

    def _arithmetic(self, tree: Tree[Token], scope: str) -> Expr:
        left, sign, right = tree.children
        return e.Arithmetic(str(sign), *self.values((left, right), scope))

    def _pick(self, tree: Tree[Token], scope: str) -> Expr:
        return self.pick(tree, scope)

    def pick(self, tree: Tree[Token], scope: str) -> e.Pick:
        which, records_tree = tree.children
        records = self.records(records_tree, scope)
        value_type = self.words.value_type(self.words.kinds[records.kind])
        return self.made(tree, lambda: e.Pick(e.Which(str(which)), records, value_type))

    def _count(self, tree: Tree[Token], scope: str) -> Expr:
        return e.Count(e.CountOf.RECORDS, self.countable(tree, scope))

    def _days(self, tree: Tree[Token], scope: str) -> Expr:
        return e.Count(e.CountOf.DAYS, self.countable(tree, scope))

    def _duration(self, tree: Tree[Token], scope: str) -> Expr:
        return e.Count(e.CountOf.DURATION, self.countable(tree, scope))

    def _age(self, tree: Tree[Token], scope: str) -> Expr:
        return e.Age(self.anchor(tree.children[0], scope))

    def _field(self, tree: Tree[Token], scope: str) -> Expr:
        token, pick_tree = tree.children
        assert isinstance(pick_tree, Tree)
        pick = self.pick(pick_tree, scope)
        kind = pick.records.kind
        found = self.words.field_of(str(token), kind, pick)
        if found is None:
            self.fail(tree, f"{kind} has no {str(token)!r}{nearest(str(token), self.words.fields(kind))}")
        return found

    def _name(self, tree: Tree[Token], scope: str) -> Expr:
        """A bare name: a field of the record in scope, a definition, an anchor, or a kind (`any kind`)."""
        name = str(tree.children[0])
        if scope and (found := self.words.field_of(name, scope, None)) is not None:
            return found
        if (named := self.words.names.definition(name)) is not None:
            return self.scoped(tree, named, scope)
        if name in self.words.names.wrong:
            raise AlreadyTold(f"{name} is wrong")
        if name in self.words.anchors:
            return e.Anchor(name)
        kind = self.words.kinds.get(name)
        if kind is None:
            self.fail(tree, f"{name!r} is neither a definition nor a kind{nearest(name, self.words.words(scope))}")
        if kind.value != NONE:
            self.fail(tree, f"{name} has values: write 'latest {name} ...'")
        return e.Any(e.Records(name))

    def scoped(self, tree: Tree[Token], named: e.Named, scope: str) -> e.Named:
        if named.of and (not scope or named.of not in {scope, *self.catalogue.ancestors(scope)}):
            self.fail(
                tree, f"{named.name} speaks of a {named.of} record; it stands inside 'where' or 'has' of {named.of}"
            )
        return named


def _is_number(tree: Part) -> bool:
    return isinstance(tree, Tree) and tree.data in ("quantity", "setting")


def _token(tree: Part) -> Token:
    """The first word of a part."""
    assert isinstance(tree, Tree)
    token = tree.children[0]
    assert isinstance(token, Token)
    return token
