"""What the rules of a trial ask of a person: which kinds, which medicines and purposes, over which stretch of time.

Read off the trees alone, once for each trial. Nothing is written for a trial: a kind is asked for if its entry of the
catalogue has a question in plain words, and over the longest stretch any rule looks back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache

from onstudy.criteria import expr as e
from onstudy.criteria.by_id import ById
from onstudy.criteria.expr import Expr, Relation, TruthExpr
from onstudy.criteria.trial import Severity, Trial
from onstudy.record.catalogue import Catalogue, Kind
from onstudy.record.plain import NAME, NOTHING_PLAIN, Plain
from onstudy.screening.questionnaire_trees import Mention, asserted, conjuncts, leaves_of, mentions, nodes_of
from onstudy.values.calendar import Duration, Unit, shift_day

BORN = "born"
#: The two attributes by whose values treatments are asked for: what was given, and what for.
AGENT, INTENT = "agent", "intent"
OTHER, DISEASE, START = "other", "disease", "start"


@dataclass(frozen=True, slots=True)
class Root:
    """Something a person may have had or have: a kind, or a kind with one value of an attribute (a medicine)."""

    kind: str
    attribute: str = ""
    member: str = ""

    @property
    def key(self) -> str:
        """The name under which it is asked and answered."""
        return f"{self.kind}.{self.attribute}.{self.member}" if self.attribute else self.kind


@dataclass(slots=True)
class Stretch:
    """The time a question is about: ever, now, or the longest of some stretches before the present day."""

    ever: bool = False
    now: bool = False
    spans: set[Duration] = field(default_factory=set)

    def first(self, on: date) -> int | None:
        """The first day asked about, as an ordinal; None is the whole life."""
        if self.ever or not (self.now or self.spans):
            return None
        return min([on.toordinal()] + [shift_day(on.toordinal(), span, -1) for span in self.spans])

    def longest(self, on: date) -> Duration | None:
        """The stretch in the words of the rules; None is ever, or now."""
        if self.ever or not self.spans:
            return None
        return min(self.spans, key=lambda span: shift_day(on.toordinal(), span, -1))

    @property
    def present(self) -> bool:
        """Whether only the present day matters."""
        return self.now and not self.ever and not self.spans


def plain_of(kind: str, catalogue: Catalogue) -> Plain:
    """The plain words of a kind; none for what is no kind."""
    entry = catalogue.kinds.get(kind)
    return NOTHING_PLAIN if entry is None else entry.plain


def detail_of(kind: str, attribute: str, catalogue: Catalogue) -> Plain:
    """The plain words of an attribute: the kind's own, else those of the groups above it."""
    above = sorted(catalogue.ancestors(kind)) if kind in catalogue.kinds else []
    for name in (kind, *above):
        found = plain_of(name, catalogue).details.get(attribute)
        if found is not None:
            return found
    return NOTHING_PLAIN


def by_member(kind: str, catalogue: Catalogue) -> tuple[str, ...]:
    """The attributes by whose values a kind is asked for, one question each: the medicine, what it was for."""
    return tuple(name for name, part in plain_of(kind, catalogue).details.items() if NAME in part.ask)


def required_rules(trial: Trial) -> tuple[TruthExpr, ...]:
    """The rules that decide."""
    return tuple(c.rule for c in trial.criteria if c.rule is not None and c.severity is Severity.REQUIRED)


class Asked:
    """What a trial asks of persons: the roots of every leaf of its rules, and the time each is about."""

    def __init__(self, trial: Trial, catalogue: Catalogue) -> None:
        self.trial, self.catalogue = trial, catalogue
        self._of: dict[int, tuple[Root, ...]] = {}
        self._mentions: dict[int, tuple[Mention, ...]] = {}
        self.stretches: dict[str, Stretch] = {}
        self.begun: set[str] = set()  # kinds of which it matters when they began
        self.agents: set[str] = set()  # medicines and purposes the rules name
        self.purposes: set[str] = set()
        self._offered: dict[str, dict[str, None]] = {}  # for a purpose: the medicines rules name beside it
        for rule in required_rules(trial):
            for leaf in leaves_of(rule):
                self._take(leaf)

    def roots(self, leaf: Expr) -> tuple[Root, ...]:
        """What may be asked for the sake of one leaf."""
        return self._of.get(id(leaf), ())

    def mentions(self, leaf: Expr) -> tuple[Mention, ...]:
        """The records a leaf looks at."""
        return self._mentions.get(id(leaf), ())

    def all_roots(self) -> Iterator[Root]:
        """Everything that may be asked, each once, in the order of the catalogue."""
        found = {root.key: root for roots in self._of.values() for root in roots}
        order = {name: place for place, name in enumerate([BORN, *self.catalogue.kinds])}
        yield from sorted(found.values(), key=lambda root: (order[root.kind], root.attribute, self._place(root)))

    def _place(self, root: Root) -> int:
        options = list(detail_of(root.kind, root.attribute, self.catalogue).options)
        return options.index(root.member) if root.member in options else -1

    def above(self, root: Root) -> tuple[Root, ...]:
        """The groups of medicines that are asked for before a member of theirs."""
        if not root.attribute:
            return ()
        values = self.catalogue.codes_of(root.kind, root.attribute)
        options = detail_of(root.kind, root.attribute, self.catalogue).options
        if values is None:
            return ()
        return tuple(
            Root(root.kind, root.attribute, name)
            for name in options
            if name != root.member and name in values.members and root.member in values.meaning(name)
        )

    def offered(self, root: Root) -> tuple[str, ...]:
        """The medicines a person may have had for a purpose: those the rules name, several of a group by the group."""
        named = {name: self._widest(root.kind, name) for name in self._offered.get(root.key, {})}
        grouped = {group for group in named.values() if sum(group == other for other in named.values()) > 1}
        chosen = {group if group in grouped else name for name, group in named.items()} | {OTHER}
        return tuple(name for name in detail_of(root.kind, AGENT, self.catalogue).options if name in chosen)

    def _widest(self, kind: str, agent: str) -> str:
        root = Root(kind, AGENT, agent)
        return (*self.above(root), root)[0].member

    def timed(self, leaf: Expr) -> bool:
        """Whether a leaf looks at dates, so that when something was may change it."""
        return self.counts(leaf) or any(isinstance(node, (e.Timing, e.Lookback)) for node in e.walk(leaf))

    def counts(self, leaf: Expr) -> bool:
        """Whether a leaf counts days."""
        return any(isinstance(node, e.Count) and node.of is not e.CountOf.RECORDS for node in e.walk(leaf))

    def asks_beginning(self, leaf: Expr) -> bool:
        """Whether it matters to a leaf when something began."""
        return self.counts(leaf) or any(isinstance(node, e.Field) and node.name == START for node in e.walk(leaf))

    # Reading the rules --------------------------------------------------------------------------------------

    def _take(self, leaf: Expr) -> None:
        found: dict[Root, None] = {}
        kept = tuple(mention for mention in mentions(leaf) if self._knowable(mention) and self._asks(leaf, mention))
        for mention in kept:
            for root in self._roots(mention):
                found[root] = None
                self._stretch(root.key, mention.records.lookback)
        for node in e.walk(leaf):
            if isinstance(node, e.Age):
                found[Root(BORN)] = None
            if isinstance(node, e.Count) and node.of is not e.CountOf.RECORDS:
                self.begun.add(node.records.kind)
            if isinstance(node, e.Field) and node.name == START and node.of is not None:
                self.begun.add(node.of.records.kind)
        self._of[id(leaf)] = tuple(found)
        self._mentions[id(leaf)] = kept

    def _knowable(self, mention: Mention) -> bool:
        """Not where the time is counted from a test no person knows of, nor where only the study records it."""
        back = mention.records.lookback
        if back is not None and not isinstance(back.anchor, e.Anchor):
            kinds = {node.kind for node in e.walk(back) if isinstance(node, e.Records)}
            if not all(self._askable(kind) for kind in kinds):
                return False
        return not any(self._by_the_study(mention.records.kind, node) for node in conjuncts(mention.records.where))

    def _asks(self, leaf: Expr, mention: Mention) -> bool:
        """Not for a "known" disease or result: such a rule looks at what a record may hold beside the disease."""
        if not (isinstance(leaf, e.Any) and leaf.closed):
            return True
        kind = self.catalogue.kinds[mention.records.kind]
        return not kind.measured and kind.topic != DISEASE

    def _askable(self, kind: str) -> bool:
        return bool(plain_of(kind, self.catalogue).ask or by_member(kind, self.catalogue))

    def _by_the_study(self, kind: str, node: TruthExpr) -> bool:
        """Whether a record must state something that silence denies and that no person is asked for."""
        if not isinstance(node, e.Member) or not isinstance(node.value, e.Field) or node.value.of is not None:
            return False
        attribute = self.catalogue.attribute(kind, node.value.name)
        silent = attribute is not None and attribute.silence is not None and attribute.silence not in node.members
        return silent and not detail_of(kind, node.value.name, self.catalogue).ask

    def _roots(self, mention: Mention) -> Iterator[Root]:
        kind = mention.records.kind
        attributes = by_member(kind, self.catalogue)
        if not attributes:
            if plain_of(kind, self.catalogue).ask:
                yield Root(kind)
            return
        named = {name: tuple(self._named(mention, name)) for name in attributes}
        self.agents.update(named.get(AGENT, ()))
        agents, purposes = self._plainly(kind, AGENT, named), self._plainly(kind, INTENT, named)
        if named.get(INTENT):
            for purpose in purposes:
                root = Root(kind, INTENT, purpose)
                self._offered.setdefault(root.key, {}).update(dict.fromkeys((*agents, *self._excepted(mention))))
                yield root
            self.purposes.update(purposes)
        else:
            yield from (Root(kind, AGENT, agent) for agent in agents)

    def _excepted(self, mention: Mention) -> Iterator[str]:
        """Medicines a rule excepts by name."""
        for node in (*nodes_of(mention.records.where), *nodes_of(mention.body)):
            if isinstance(node, e.Member) and isinstance(node.value, e.Field) and node.value.name == AGENT:
                yield from (name for name in node.names if not name.startswith("$"))

    def _plainly(self, kind: str, attribute: str, named: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
        """Those named that have plain names."""
        options = detail_of(kind, attribute, self.catalogue).options
        return tuple(name for name in named.get(attribute, ()) if name in options)

    def _named(self, mention: Mention, attribute: str) -> Iterator[str]:
        """The values of an attribute that a rule names, and not those it excepts."""
        for statement in (mention.records.where, mention.body):
            for node in asserted(statement):
                if isinstance(node, e.Member) and isinstance(node.value, e.Field) and node.value.name == attribute:
                    for name in node.names:
                        yield from self._expanded(name)

    def _expanded(self, name: str) -> Iterable[str]:
        if not name.startswith("$"):
            return (name,)
        value = self.trial.settings[name[1:]].value
        return (value,) if isinstance(value, str) else value

    def _stretch(self, key: str, back: e.Lookback | None) -> None:
        stretch = self.stretches.setdefault(key, Stretch())
        if back is not None and back.relation is Relation.AT:
            stretch.now = True
        elif (
            back is not None
            and back.relation is Relation.WITHIN_BEFORE
            and isinstance(back.anchor, e.Anchor)
            and back.span is not None
            and back.span.duration.unit is not Unit.HOURS
        ):
            stretch.spans.add(back.span.duration)
        else:
            stretch.ever = True


def kinds_asked(trial: Trial, catalogue: Catalogue) -> Mapping[str, Kind]:
    """The kinds that a trial's deciding rules may ask for, for which plain words are due."""
    names = {
        mention.records.kind
        for rule in required_rules(trial)
        for leaf in leaves_of(rule)
        if not (isinstance(leaf, e.Any) and leaf.closed)
        for mention in mentions(leaf)
    }
    return {name: catalogue.kinds[name] for name in sorted(names)}


@lru_cache(maxsize=64)
def _asked(trial: ById[Trial], catalogue: ById[Catalogue]) -> Asked:
    return Asked(trial.it, catalogue.it)


def asked_of(trial: Trial, catalogue: Catalogue) -> Asked:
    """What a trial asks of persons; read once for each trial."""
    return _asked(ById(trial), ById(catalogue))
