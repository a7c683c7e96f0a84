"""Which questions can still change the answer, and which of them are asked first.

A finding is a tree of truths. A question matters if some answer to it can be seen at the root of a rule, whatever the
other open questions come to: nothing that a person cannot know (a blood test) stands in between and hides it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date

from onstudy.criteria import expr as e
from onstudy.criteria.finding import Ask, Finding, Reason
from onstudy.record.catalogue import Catalogue
from onstudy.screening.decisive import decisive_leaves
from onstudy.screening.plain import NO, YES
from onstudy.screening.questionnaire_answers import Told, given
from onstudy.screening.questionnaire_questions import AGAIN, END, ON, STILL, WHICH, Form, Known
from onstudy.screening.questionnaire_rules import BORN, INTENT, START, Asked, Root, plain_of
from onstudy.screening.questionnaire_trees import leaves
from onstudy.screening.screen import CriterionResult
from onstudy.values.calendar import age, on_day
from onstudy.values.truth import FALSE, TRUE, UNKNOWN, Truth, negate

#: The attribute by which the days of what was given are counted.
FREQUENCY = "frequency"
WHOLE_DATE = len("2026-05-20")
_ANY = frozenset({FALSE, UNKNOWN, TRUE})
_Truths = frozenset[Truth]


@dataclass
class Openness:
    """The open questions of a person's findings. `seen`: questions already put to the person, answered or not."""

    asked: Asked
    told: Told
    on: date
    seen: frozenset[str] = frozenset()
    _at: dict[int, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._known = {known.key: known for known in self.told.known}
        self._agents = [(known.kind, known.agent) for known in self.told.known if known.agent]
        born = self.told.patient.born
        self.age = age(born.days, on_day(self.on).days).low if born.known else None

    @property
    def catalogue(self) -> Catalogue:
        """The kinds of fact."""
        return self.asked.catalogue

    # At one leaf ----------------------------------------------------------------------------------------------

    def at(self, leaf: Finding) -> tuple[str, ...]:
        """The questions without an answer that bear on one leaf."""
        found = self._at.get(id(leaf))
        if found is None:
            bearing = dict.fromkeys(self._bearing(leaf))
            found = self._at[id(leaf)] = (*bearing, *self._again(leaf, bearing.keys() - self.seen))
        return found

    def _bearing(self, leaf: Finding) -> Iterator[str]:
        closed = isinstance(leaf.expr, e.Any) and leaf.expr.closed
        if leaf.truth is UNKNOWN or (closed and leaf.truth is FALSE):
            for root in self.asked.roots(leaf.expr):
                yield from self._root(root)
        if leaf.truth is UNKNOWN:
            for ask in self._asks(leaf):
                yield from self._details(ask, leaf)
            if self.asked.counts(leaf.expr):
                yield from self._lengths(leaf)
        yield from self._silent(leaf)

    def _again(self, leaf: Finding, open_: Collection[str]) -> Iterator[str]:
        """Whether there was another one, once nothing is to be asked of the one that was told and that settles
        nothing: a record that a rule excepts says nothing of the next.
        """
        if not self._unsettled(leaf):
            return
        roots = tuple(root.key for root in self.asked.roots(leaf.expr))
        for known in self.told.known:
            mine = known.key in roots or known.key.startswith(tuple(f"{key}." for key in roots))
            if mine and not any(key.startswith(f"{known.key}.") for key in open_):
                yield from self._unanswered(f"{known.key}.{AGAIN}")

    def _unsettled(self, leaf: Finding) -> bool:
        """Whether one more record may change a leaf."""
        if isinstance(leaf.expr, e.Any):
            return leaf.truth is not TRUE
        return self.asked.counts(leaf.expr) or (isinstance(leaf.expr, e.Every) and leaf.truth is not FALSE)

    def _root(self, root: Root) -> Iterator[str]:
        """The question for a root, or for the group of medicines above it; none where it is answered."""
        if not self._follows(root):
            return
        for one in (*self.asked.above(root), root):
            if self.answered(one) or not self._of_age(one):
                continue
            if one == root or (one.key in self.told.roots and one.key not in self.seen):
                yield one.key
                return

    def answered(self, root: Root) -> bool:
        """Whether a person has answered, or has named a medicine of it elsewhere."""
        if root.kind == BORN:
            return not any(self._unanswered(BORN))
        if self.told.answered(root.key):
            return True
        values = self.catalogue.codes_of(root.kind, root.attribute) if root.attribute else None
        if values is None or root.attribute == INTENT or root.member not in values.members:
            return False
        meant = values.meaning(root.member)
        return any(kind == root.kind and values.meaning(agent) <= meant for kind, agent in self._agents)

    def _follows(self, root: Root) -> bool:
        """Whether what must be asked before it was, and was not denied."""
        before = plain_of(root.kind, self.catalogue).after
        if not before or before not in self.told.roots:
            return True
        return before in self.seen and self.told.answers.get(before) != NO

    def _of_age(self, root: Root) -> bool:
        limit = plain_of(root.kind, self.catalogue).until_age
        return limit is None or self.age is None or self.age < limit

    def _details(self, ask: Ask, leaf: Finding) -> Iterator[str]:
        """The questions that would fill what a finding lacks of something the person has told."""
        known = self._known.get(ask.about)
        if known is None:
            return
        if unnamed := self._unnamed(known):
            yield unnamed
            return
        yield from self._unanswered(f"{known.key}.{ask.field}")
        if ask.field in ("start", "end") or (not ask.field and ask.reason is Reason.IMPRECISE_DATE):
            yield from self._dates(known, leaf)

    def _unnamed(self, known: Known) -> str:
        """The question for the medicines a person has had for a purpose, until it has been put."""
        which = f"{known.key}.{WHICH}"
        return which if which in self.told.questions and which not in self.seen else ""

    def _dates(self, known: Known, leaf: Finding) -> Iterator[str]:
        """When it was: one date of a moment; of what lasts, whether it goes on and its end, and its beginning
        where that matters.
        """
        if unnamed := self._unnamed(known):
            yield unnamed
            return
        yield from self._unanswered(f"{known.key}.{ON}")
        if not self.told.answered(f"{known.key}.{END}"):
            yield from self._unanswered(f"{known.key}.{STILL}")
        if self.told.answers.get(f"{known.key}.{STILL}") != YES:
            yield from self._unanswered(f"{known.key}.{END}")
        if self.asked.asks_beginning(leaf.expr):
            yield from self._unanswered(f"{known.key}.{START}")

    def _lengths(self, leaf: Finding) -> Iterator[str]:
        """From when to when, and then how often, for what a rule counts the days of."""
        counted = {part.about.id for part in leaf.parts if part.about is not None}
        for key in sorted(counted & self._known.keys()):
            dates = list(self._dates(self._known[key], leaf))
            yield from dates or self._unanswered(f"{key}.{FREQUENCY}")

    def _silent(self, leaf: Finding) -> Iterator[str]:
        """Details a rule asks about though silence means something."""
        about = {fact.id for fact in leaf.evidence} | {ask.about for ask in leaf.asks}
        for key in sorted(about & self._known.keys()):
            known = self._known[key]
            for name in self._tested(leaf, known):
                attribute = self.catalogue.attribute(known.kind, name)
                if attribute is not None and attribute.silence is not None:
                    yield from self._unanswered(f"{key}.{name}")

    def _tested(self, leaf: Finding, known: Known) -> Iterator[str]:
        for mention in self.asked.mentions(leaf.expr):
            if known.kind in self.catalogue.families[mention.records.kind]:
                for part in (mention.records.where, mention.body):
                    nodes = e.walk(part) if part is not None else []
                    yield from (node.name for node in nodes if isinstance(node, e.Field) and node.of is None)

    def _unanswered(self, key: str) -> Iterator[str]:
        """The question, where it has no answer, or only the month or year of a date that is asked for."""
        question = self.told.questions.get(key)
        if question is not None:
            said = given(question, self.told.answers)
            if not said or (question.form is Form.DATE and len(said) < WHOLE_DATE):
                yield key

    def _asks(self, leaf: Finding) -> Iterator[Ask]:
        """What a leaf lacks; of several ways to satisfy a statement about one record, the first that can be told."""
        of_parts = {ask for part in leaf.parts if isinstance(part.result, Truth) for ask in part.asks}
        yield from (ask for ask in leaf.asks if ask not in of_parts)
        for part in leaf.parts:
            if isinstance(part.result, Truth) and part.truth is UNKNOWN:
                yield from self._first(part, leaf)

    def _first(self, finding: Finding, leaf: Finding) -> tuple[Ask, ...]:
        """What the first part lacks that a person can tell and was not asked yet; else all that a person can tell."""
        if not isinstance(finding.expr, (e.And, e.Or, e.Not, e.If, e.Named)):
            return finding.asks
        ways = [self._first(part, leaf) for part in finding.parts if part.result is UNKNOWN]
        keys = [{key for ask in asks for key in self._details(ask, leaf)} for asks in ways]
        fresh = (asks for asks, mine in zip(ways, keys, strict=True) if mine - self.seen)
        return next(fresh, tuple(ask for asks, mine in zip(ways, keys, strict=True) if mine for ask in asks))

    # In a whole rule --------------------------------------------------------------------------------------------

    def mattering(self, finding: Finding) -> frozenset[str]:
        """The questions some answer to which would show at the root of a rule, or say until when it fails."""
        names = {key for leaf in leaves(finding) for key in self.at(leaf)}
        return frozenset(key for key in names if len(self._seen_at(finding, key) or ()) > 1) | self._until(finding)

    def _until(self, finding: Finding) -> frozenset[str]:
        """Of a rule that fails: when that was which it fails for, where it looks at dates."""
        if finding.truth is not FALSE:
            return frozenset()
        return frozenset(
            key
            for leaf in decisive_leaves(finding)
            if self.asked.timed(leaf.expr)
            for fact in leaf.evidence
            if fact.id in self._known
            for key in self._dates(self._known[fact.id], leaf)
        )

    def _reach(self, finding: Finding) -> _Truths:
        """The truths a finding may come to by a person's answers."""
        parts = finding.parts
        match finding.expr:
            case e.And():
                return _folded([self._reach(part) for part in parts], min)
            case e.Or():
                return _folded([self._reach(part) for part in parts], max)
            case e.If():
                return _folded([_mirrored(self._reach(parts[0])), self._reach(parts[1])], max)
            case e.Not():
                return _mirrored(self._reach(parts[0]))
            case e.Named():
                return self._reach(parts[0])
        return _ANY if self.at(finding) else frozenset({finding.truth})

    def _seen_at(self, finding: Finding, key: str) -> _Truths | None:
        """The truths that answers to one question can show at a finding; None where it does not bear on it."""
        parts = finding.parts
        match finding.expr:
            case e.And():
                return self._joined([(self._seen_at(p, key), self._reach(p)) for p in parts], lowest=True)
            case e.Or():
                return self._joined([(self._seen_at(p, key), self._reach(p)) for p in parts], lowest=False)
            case e.If():
                condition = self._seen_at(parts[0], key)
                mirrored = None if condition is None else _mirrored(condition)
                sides = [(mirrored, _mirrored(self._reach(parts[0])))]
                sides.append((self._seen_at(parts[1], key), self._reach(parts[1])))
                return self._joined(sides, lowest=False)
            case e.Not():
                inner = self._seen_at(parts[0], key)
                return None if inner is None else _mirrored(inner)
            case e.Named():
                return self._seen_at(parts[0], key)
        return _ANY if key in self.at(finding) else None

    def _joined(self, sides: list[tuple[_Truths | None, _Truths]], lowest: bool) -> _Truths | None:
        """What is seen of one part beside the others at their best: the highest they may reach under "and"."""
        best: _Truths | None = None
        for place, (seen, _) in enumerate(sides):
            if seen is None:
                continue
            others = [reach for number, (_, reach) in enumerate(sides) if number != place]
            if lowest:
                beside = min((max(reach) for reach in others), default=TRUE)
                through = frozenset(min(truth, beside) for truth in seen)
            else:
                beside = max((min(reach) for reach in others), default=FALSE)
                through = frozenset(max(truth, beside) for truth in seen)
            if best is None or len(through) > len(best):
                best = through
        return best

    # The order ----------------------------------------------------------------------------------------------------

    def first(self, rows: Iterable[CriterionResult], wanted: frozenset[str]) -> frozenset[str]:
        """Those of the wanted questions that come first: conditions before what they decide, and of several ways
        to satisfy a rule the first, unless another one is asked about anyway.
        """
        findings = [row.finding for row in rows if row.finding is not None]
        base = frozenset(key for finding in findings for key in self._order(finding, wanted, None))
        base |= wanted & frozenset(key for finding in findings for key in self._until(finding))
        return base | {key for finding in findings for key in self._order(finding, wanted, base)}

    def _order(self, finding: Finding, wanted: frozenset[str], base: frozenset[str] | None) -> tuple[str, ...]:
        def below(part: Finding) -> tuple[str, ...]:
            return self._order(part, wanted, base)

        match finding.expr:
            case e.If():
                undecided = self._any(finding.parts[0], wanted)
                return below(finding.parts[0]) if undecided else below(finding.parts[1])
            case e.Or():
                ways = list(dict.fromkeys(keys for part in finding.parts if (keys := below(part))))
                if len(ways) < 2:
                    return ways[0] if ways else ()
                if base is None or any(base & set(keys) for keys in ways):
                    return ()
                return ways[0]
            case e.And() | e.Not() | e.Named():
                return tuple(key for part in finding.parts for key in below(part))
        return tuple(key for key in self.at(finding) if key in wanted)

    def _any(self, finding: Finding, wanted: frozenset[str]) -> bool:
        """Whether a wanted question bears on any leaf of a finding."""
        return any(not wanted.isdisjoint(self.at(leaf)) for leaf in leaves(finding))


def _folded(parts: list[_Truths], fold: Callable[[Truth, Truth], Truth]) -> _Truths:
    found = parts[0]
    for part in parts[1:]:
        found = frozenset(fold(a, b) for a in found for b in part)
    return found


def _mirrored(truths: _Truths) -> _Truths:
    return frozenset(negate(truth) for truth in truths)
