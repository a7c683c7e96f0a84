"""A Finding to sentences: read off the tree and its evidence, so nobody writes a message per criterion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from onstudy.criteria import expr as e
from onstudy.criteria.expr import Expr
from onstudy.criteria.finding import Finding, Reason
from onstudy.language.unparse import plain, unparse
from onstudy.record.catalogue import Catalogue
from onstudy.record.patient import Fact, Value
from onstudy.values.calendar import When, show
from onstudy.values.interval import Interval, Op
from onstudy.values.truth import FALSE, TRUE, UNKNOWN, Truth

_NAMING = ("agent", "type", "term")  # attributes that say which record it is, so that their name need not be said
_AT_MOST = 4  # sentences of one criterion before the rest is only counted

PHRASES: Mapping[Reason, str] = {
    Reason.NO_RECORD: "nothing is recorded",
    Reason.STALE: "the record is older than the window allows",
    Reason.LATER: "it is recorded only after the registration date",
    Reason.PENDING_RESULT: "the result is pending",
    Reason.NO_UNIT_OR_LIMIT: "the unit or the limit of normal is lacking",
    Reason.IMPRECISE_DATE: "the date is not precise enough",
    Reason.IMPRECISE_VALUE: "the value recorded leaves it open",
    Reason.NOT_STATED: "a detail is not stated",
    Reason.PENDING_ANCHOR: "the date it is counted from is not set",
    Reason.NOT_ATTESTED: "no investigator has attested it",
    Reason.CONFLICT: "records contradict each other",
    Reason.UNSUPPORTED: "the record is of a form that cannot be judged",
}
_OPS = {
    Op.LE: "at most", Op.LT: "below", Op.GE: "at least", Op.GT: "above", Op.EQ: "exactly", Op.NE: "other than",
}  # fmt: skip


def decisive(finding: Finding) -> tuple[Finding, ...]:
    """The parts that make a finding what it is: under AND the false, else the unknown, else all; mirrored
    under OR. An `if` whose condition fails rests on its condition.
    """
    node, truth, parts = finding.expr, finding.truth, finding.parts
    match node:
        case e.And():
            return _of(parts, truth) if truth is not TRUE else parts
        case e.Or():
            return _of(parts, truth) if truth is not FALSE else parts
        case e.If():
            if truth is FALSE:
                return parts
            if truth is UNKNOWN:
                return _of(parts, UNKNOWN)
            return parts[:1] if parts[0].truth is FALSE else parts[1:]
        case e.Not() | e.Named() | e.Has():
            return _of(parts, UNKNOWN) or parts if truth is UNKNOWN else parts
        case e.Every():
            return _of(parts, truth) if truth is not TRUE else ()
    return ()


def _of(parts: tuple[Finding, ...], truth: Truth) -> tuple[Finding, ...]:
    return tuple(part for part in parts if part.result is truth)


def decisive_leaves(finding: Finding, within_records: bool = False) -> tuple[Finding, ...]:
    """The decisive findings at which no further statement is combined; into records only on request."""
    leaf: tuple[type[Expr], ...] = () if within_records else (e.Has, e.Every)
    parts = () if isinstance(finding.expr, leaf) else decisive(finding)
    if not parts:
        return (finding,)
    return tuple(leaf for part in parts for leaf in decisive_leaves(part, within_records))


def telling_leaves(finding: Finding, within_records: bool = False) -> tuple[Finding, ...]:
    """The decisive leaves and, where they leave it unknown, the comparisons that were settled beside them.

    A bilirubin of 1.9 x ULN is what makes an unrecorded Gilbert syndrome matter.
    """
    leaves = decisive_leaves(finding, within_records)
    if finding.truth is not UNKNOWN:
        return leaves
    beside = (leaf for leaf in _all_leaves(finding) if isinstance(leaf.expr, e.Compare) and leaf.truth is not UNKNOWN)
    return (*leaves, *beside)


def _all_leaves(finding: Finding) -> tuple[Finding, ...]:
    if isinstance(finding.expr, (e.And, e.Or, e.Not, e.If, e.Named)):
        return tuple(leaf for part in finding.parts for leaf in _all_leaves(part))
    return (finding,)


def evidence_of(finding: Finding) -> tuple[Fact, ...]:
    """The facts a finding rests on, each once, in the order of the tree."""
    found: dict[str, Fact] = {}
    for leaf in telling_leaves(finding):
        for fact in leaf.evidence:
            found.setdefault(fact.id, fact)
    return tuple(found.values())


def because(finding: Finding, catalogue: Catalogue) -> str:
    """Why a criterion has its status, in one line: what decides it, with values and dates."""
    said = list(dict.fromkeys(sentence(leaf, catalogue) for leaf in telling_leaves(finding, True)))
    shown = "; ".join(_without_repeats(said[:_AT_MOST]))
    return shown + (f"; and {len(said) - _AT_MOST} more" if len(said) > _AT_MOST else "")


def _without_repeats(sentences: list[str]) -> list[str]:
    """Sentences about the same record, one after the other, name it once."""
    heads = ["", *(text.partition(": ")[0] for text in sentences)]
    return [
        text.removeprefix(f"{head}: ") if head == before and "(" not in head else text
        for text, head, before in zip(sentences, heads[1:], heads, strict=False)
    ]


def near(finding: Finding) -> str | None:
    """How near a limit a value is: "1.8 mg/dL is 1.50 x ULN, limit 1.5 x ULN"; None without a limit."""
    said = []
    for leaf in telling_leaves(finding, True):
        if isinstance(leaf.expr, e.Compare):
            said += [_distance(leaf.expr, part) for part in leaf.parts]
        elif isinstance(leaf.expr, e.Timing) and leaf.expr.span is not None:
            said += [_interval_text(leaf.expr, part) for part in leaf.parts]
    found = list(dict.fromkeys(text for text in said if text))
    return "; ".join(found[:3]) or None


def sentence(finding: Finding, catalogue: Catalogue) -> str:
    """One leaf as a sentence."""
    node = finding.expr
    match node:
        case e.Any(records, _) | e.Every(records, _):
            return _about_records(finding, records, catalogue)
        case e.Compare():
            said = [
                f"{_named(node.left, part, catalogue)}: {text}"
                for part in finding.parts
                if (text := _distance(node, part))
            ]
            return _led(finding, said, catalogue)
        case e.Member():
            known = [part for part in finding.parts if part.result is not None]
            said = [f"{_subject(part, node.value, catalogue)} is {value_text(part, catalogue)}" for part in known]
            wanted = " or ".join(_code_label(name, node.value.type.values, catalogue) for name in node.names)
            return _led(finding, said, catalogue) + ("" if finding.truth is TRUE else f" (asked: {wanted})")
        case e.Timing():
            said = [
                f"{_owner(part, catalogue)}{text}" for part in finding.parts if (text := _interval_text(node, part))
            ]
            return _led(finding, said, catalogue)
    return _led(finding, [], catalogue)


def _led(finding: Finding, said: list[str], catalogue: Catalogue) -> str:
    """What is known, then, where that does not settle it, why not."""
    known = ", or ".join(dict.fromkeys(said))
    if finding.truth is not UNKNOWN:
        return known or _in_words(unparse(finding.expr))
    why = reasons_text(finding)
    return f"{known} - {why}" if known else f"{_asked_label(finding, catalogue)}: {why}"


def reasons_text(finding: Finding) -> str:
    """The causes of an unknown, for people."""
    return ", ".join(PHRASES[reason] for reason in sorted(finding.reasons))


def _asked_label(finding: Finding, catalogue: Catalogue) -> str:
    kinds = list(dict.fromkeys(ask.kind for ask in finding.asks))
    if not kinds:
        return _in_words(unparse(finding.expr))
    fields = {ask.kind: ask.field for ask in finding.asks if ask.field}
    return ", ".join(
        label(kind, catalogue) + (f" ({fields[kind].replace('_', ' ')})" if kind in fields else "") for kind in kinds
    )


def label(kind: str, catalogue: Catalogue) -> str:
    """The name of a kind for people."""
    entry = catalogue.kinds.get(kind)
    if kind == "born":
        return "Date of birth"
    return entry.label if entry is not None else kind.replace("_", " ")


def _about_records(finding: Finding, records: e.Records, catalogue: Catalogue) -> str:
    name = label(records.kind, catalogue)
    if records.where is not None:
        name += f" where {_in_words(unparse(records.where))}"
    if records.lookback is not None:
        back, span = records.lookback, records.lookback.span
        said = back if span is None else replace(back, span=e.Span(span.duration))
        window = unparse(e.Any(e.Records(records.kind, None, said)))
        name += " " + _in_words(window.removeprefix(f"any {records.kind} "))
    facts = [fact_text(fact, catalogue) for fact in finding.evidence if not fact.negative]
    listed = ", ".join(facts[:3]) + (f" and {len(facts) - 3} more" if len(facts) > 3 else "")
    if finding.truth is UNKNOWN:
        return f"{name}: {reasons_text(finding)}" + (f" ({listed})" if listed else "")
    if isinstance(finding.expr, e.Every):
        holds = "each satisfies it" if finding.truth is TRUE else "does not satisfy it"
        return f"{name}: {listed} - {holds}" if listed else _none(finding, name)
    return f"{name}: {listed}" if finding.truth is TRUE else _none(finding, name)


def _none(finding: Finding, name: str) -> str:
    name = name if name[1:2].isupper() else name[:1].lower() + name[1:]
    if finding.assumed:
        return f"no {name}: assumed, not recorded"
    denied = [fact for fact in finding.evidence if fact.negative]
    if denied:
        when = denied[0].end or denied[0].recorded
        return f"no {name}: recorded as none" + (f" on {show(when)}" if when is not None and when.known else "")
    return f"no {name}: none recorded, and the record is complete"


def fact_text(fact: Fact, catalogue: Catalogue) -> str:
    """A fact in a few words: what, value, when."""
    return " ".join(word for word in (label(fact.kind, catalogue), _brief(fact, catalogue), when_text(fact)) if word)


def _brief(fact: Fact, catalogue: Catalogue) -> str:
    """The value, or what names the record among its like: the agent, the type, the term."""
    if fact.negative or (fact.shown and fact.shown not in ("yes", "no")):
        return shown_of(fact, catalogue)
    return ", ".join(
        _stated(fact, n, v, catalogue) for n, v in fact.attributes.items() if n in _NAMING and v is not None
    )


def shown_of(fact: Fact, catalogue: Catalogue) -> str:
    """The value as recorded or, for a record that is itself the fact, what is stated of it."""
    if fact.negative:
        return "none" if fact.narrowed is None else f"none: {_stated(fact, *fact.narrowed, catalogue)}"
    if fact.kind not in catalogue.kinds:  # the date of birth is no kind
        return fact.shown
    if fact.shown and fact.shown not in ("yes", "no"):
        values = catalogue.codes_of(fact.kind)
        member = values.members.get(fact.shown) if values is not None else None
        return fact.shown if member is None else member.label
    said = [_stated(fact, name, value, catalogue) for name, value in fact.attributes.items() if value is not None]
    said += [f"{name.replace('_', ' ')} {part.shown}" for name, part in fact.parts.items() if part.shown]
    return ", ".join(said)


def _stated(fact: Fact, name: str, value: Value, catalogue: Catalogue) -> str:
    """One attribute in words: a member or group by its label, a number with its unit."""
    values, attribute = catalogue.codes_of(fact.kind, name), catalogue.attribute(fact.kind, name)
    named = values.label_of(value) if values is not None and isinstance(value, frozenset) else None
    unit = f" {attribute.unit}" if attribute is not None and attribute.unit and isinstance(value, Interval) else ""
    said = (named or written(value)) + unit
    return said if name in _NAMING else f"{name.replace('_', ' ')} {said}"


def when_text(fact: Fact) -> str:
    """When a fact was, as it is known."""
    if fact.negative:
        return show(fact.end or fact.recorded or fact.start)
    if fact.ongoing:
        return f"{show(fact.start)} and still active" if fact.start.known else "active"
    if fact.end is not None and fact.end != fact.start:
        return f"{show(fact.start)} to {show(fact.end)}"
    return show(fact.start)


# Values and limits --------------------------------------------------------------------------------------


def _subject(part: Finding, value: e.ValueExpr, catalogue: Catalogue) -> str:
    fact = part.about
    if fact is None:
        return unparse(value)
    if isinstance(value, e.Field) and value.name not in ("value", *catalogue.kinds):
        return f"{fact_text(fact, catalogue)}: {value.name.replace('_', ' ')}"
    return f"{label(fact.kind, catalogue)} on {when_text(fact)}" if fact.start.known else label(fact.kind, catalogue)


def _code_label(name: str, values: str, catalogue: Catalogue) -> str:
    member = catalogue.value_sets[values].members.get(name)
    return _in_words(name) if member is None else member.label


def _in_words(text: str) -> str:
    """Rule text for people: names without underscores and signs."""
    return text.replace("_", " ").replace("$", "")


def value_text(part: Finding, catalogue: Catalogue) -> str:
    """The value of a case: as recorded where it is the fact's own value, else written out."""
    fact, value = part.about, part.result
    if fact is not None and value is fact.value and (shown := shown_of(fact, catalogue)):
        return shown
    return written(value)


def written(value: Truth | Value) -> str:
    """A value for people."""
    if isinstance(value, Interval):
        return _range_text(value)
    if isinstance(value, When):
        return show(value)
    if isinstance(value, frozenset):
        return " or ".join(sorted(code.replace("_", " ") for code in value)[:4]) + (" ..." if len(value) > 4 else "")
    return "not known"


def _range_text(value: Interval) -> str:
    low, high = value.low, value.high
    if low is not None and low == high:
        return plain(float(low))
    if low is None:
        return "not known" if high is None else f"{'below' if value.high_open else 'at most'} {plain(float(high))}"
    if high is None:
        return f"{'above' if value.low_open else 'at least'} {plain(float(low))}"
    return f"{plain(float(low))} to {plain(float(high))}"


def _named(node: e.ValueExpr, part: Finding, catalogue: Catalogue) -> str:
    """What a compared value is a value of."""
    if isinstance(node, e.Age):
        return "age"
    return _in_words(unparse(node)) if isinstance(node, (e.Count, e.Arithmetic)) else _subject(part, node, catalogue)


def _distance(node: e.Compare, part: Finding) -> str:
    """A value beside its limit."""
    if not isinstance(part.result, Interval) or not part.result.known:
        return ""
    fact, shown = part.about, _measured(node.left, part)
    if not isinstance(node.right, e.Limit):
        limit = node.right.written if isinstance(node.right, e.Number) else _in_words(unparse(node.right))
        return f"{shown}, limit {_OPS[node.op]} {limit}{_short_by(node, part.result)}"
    times = f"{plain(node.right.factor)} x {node.right.limit}"
    normal = None if fact is None else (fact.uln if node.right.limit == "ULN" else fact.lln)
    if normal is None or normal.high is None or normal.high <= 0 or part.result.high is None:
        return f"{shown}, limit {times}"
    return f"{shown} is {float(part.result.high) / float(normal.high):.2f} x {node.right.limit}, limit {times}"


def _measured(node: e.ValueExpr, part: Finding) -> str:
    """A number with its unit: as recorded where it was, else as it is compared."""
    fact, unit = part.about, node.type.unit_text
    own = fact is not None and part.result is fact.value
    if own and fact is not None and fact.shown and not fact.computed:
        return fact.shown
    assert isinstance(part.result, Interval)
    number = _rounded(part.result) if own else _range_text(part.result)
    return f"{number} {unit}".strip() + (" (computed)" if own and fact is not None and fact.computed else "")


def _rounded(value: Interval) -> str:
    return f"{float(value.low):.6g}" if value.low is not None and value.exact else _range_text(value)


def _short_by(node: e.Compare, value: Interval) -> str:
    """How far a single value lies on the wrong side of a single limit."""
    if not isinstance(node.right, e.Number) or value.low is None or not value.exact:
        return ""
    gap = float(value.low) - node.right.value
    over = {Op.LE: gap, Op.LT: gap, Op.GE: -gap, Op.GT: -gap}.get(node.op, 0.0)
    if over <= 1e-9 * max(abs(node.right.value), 1e-300):
        return ""
    return f" ({plain(float(f'{over:.4g}'))} {'above' if gap > 0 else 'short'})"


def _interval_text(node: e.Timing, part: Finding) -> str:
    """A date beside the date it is counted from."""
    asked = node.relation.value.format(node.span.duration if node.span else "") + f" {_in_words(unparse(node.anchor))}"
    if not isinstance(part.result, When) or not part.result.known:
        return ""
    return f"{_in_words(unparse(node.event))} {show(part.result)}, asked {asked}"


def _owner(part: Finding, catalogue: Catalogue) -> str:
    fact = part.about
    return (
        ""
        if fact is None or fact.kind not in catalogue.kinds
        else f"{label(fact.kind, catalogue)} {_brief(fact, catalogue)}".strip() + ": "
    )
