"""A Finding to sentences: read off the tree and its evidence, so nobody writes a message per criterion."""

from __future__ import annotations

from dataclasses import replace

from onstudy.criteria import expr as e
from onstudy.criteria.finding import Ask, Finding, Reason
from onstudy.language.unparse import plain, unparse
from onstudy.record.catalogue import Catalogue
from onstudy.record.patient import Fact
from onstudy.record.unread import is_unread_diagnosis
from onstudy.screening.decisive import decisive_leaves, telling_leaves
from onstudy.screening.screen import CriterionResult
from onstudy.screening.since import sentence as days_since
from onstudy.screening.unread import called
from onstudy.screening.wording import (
    NOTHING_ELSE,
    brief,
    fact_text,
    in_words,
    is_unstated,
    label,
    may_be,
    members,
    moment_text,
    of_codes,
    phrases,
    range_text,
    stated,
    subject,
    terms,
    when_text,
)
from onstudy.values.calendar import When, show
from onstudy.values.interval import Interval, Op, compare, point
from onstudy.values.truth import FALSE, TRUE, UNKNOWN

_AT_MOST = 4  # sentences of one criterion before the rest is only counted
_LISTED = 3  # records of one sentence before the rest is only counted
_FAILS = "not “"  # before the name of a definition
_OPS = {
    Op.LE: "at most", Op.LT: "below", Op.GE: "at least", Op.GT: "above", Op.EQ: "exactly", Op.NE: "other than",
}  # fmt: skip


def reason_of(result: CriterionResult, catalogue: Catalogue) -> str:
    """Why a criterion has its status; of one that only informs, the days it counts, or ""."""
    if result.finding is not None:
        return because(result.finding, catalogue)
    return days_since(result.since, catalogue) if result.since else ""


def because(finding: Finding, catalogue: Catalogue) -> str:
    """Why a criterion has its status, in one line: what decides it, with values and dates."""
    said = list(dict.fromkeys(sentence(leaf, catalogue) for leaf in telling_leaves(finding, True, True)))
    parts = _by_record(said)
    shown = "; ".join(parts[:_AT_MOST])
    return shown + (f"; and {len(parts) - _AT_MOST} more" if len(parts) > _AT_MOST else "")


def _by_record(sentences: list[str]) -> list[str]:
    """Sentences about the same record, one after the other, name it once; records of which the same several things
    are said are named together.
    """
    grouped: list[tuple[str, list[str]]] = []
    for text in sentences:
        head, _, tail = text.partition(": ")
        if not tail or head.endswith("(asked"):  # not a record and what is said of it
            grouped.append(("", [text]))
        elif grouped and grouped[-1][0] == head:
            grouped[-1][1].append(tail)
        else:
            grouped.append((head, [tail]))
    together: dict[tuple[str, ...], list[str]] = {}
    for head, tails in grouped:
        several = len(tails) > 1 or tails[0].startswith(_FAILS)
        alike = ("", *tails) if head and several else (head, *tails)
        together.setdefault(alike, []).append(head)
    return [_said_of(heads, tails) for (_, *tails), heads in together.items()]


def _said_of(heads: list[str], tails: list[str]) -> str:
    if not heads[0]:
        return "; ".join(tails)
    named = ", ".join(heads[:_LISTED]) + (f" and {len(heads) - _LISTED} more" if len(heads) > _LISTED else "")
    return f"{named}: {'; '.join(tails)}"


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
            return _about_codes(finding, node, catalogue)
        case e.Timing():
            said = [
                f"{_owner(part, catalogue)}{text}" for part in finding.parts if (text := _interval_text(node, part))
            ]
            return _led(finding, said, catalogue)
        case e.Named(name):
            return f"{_record_of(finding, catalogue)}{_FAILS}{in_words(name)}”"
    return _led(finding, [], catalogue)


def _record_of(finding: Finding, catalogue: Catalogue) -> str:
    """The record that a definition was asked of, to stand before what is said of it."""
    asked = (part.about for leaf in decisive_leaves(finding, True) for part in leaf.parts)
    return next((f"{fact_text(fact, catalogue)}: " for fact in asked if fact is not None), "")


def _about_codes(finding: Finding, node: e.Member, catalogue: Catalogue) -> str:
    """What a value is, and what was asked of it; of a detail nobody stated, what it may be."""
    unstated = [part for part in finding.parts if is_unstated(part, node.value, catalogue)]
    if unstated and finding.reasons == {Reason.NOT_STATED}:
        return ", or ".join(dict.fromkeys(may_be(part, node, catalogue) for part in unstated))
    known = [part for part in finding.parts if part.result is not None and not _lacking(part, node.value)]
    said = [of_codes(part, node, catalogue) for part in known]
    plainly = finding.truth is TRUE or (all(one.asked for one in said) if said else finding.truth is FALSE)
    asked = "" if plainly else f" (asked: {members(node, catalogue)})"
    return _led(finding, [one.text for one in said], catalogue) + asked


def _lacking(part: Finding, value: e.ValueExpr) -> bool:
    """Whether the fact has no value, so that any of its codes is possible; an attribute may be known all the same."""
    fact = part.about
    if fact is None or fact.lacks is None or fact.value is not None:
        return False
    return not (isinstance(value, e.Field) and value.name in fact.attributes)


def _led(finding: Finding, said: list[str], catalogue: Catalogue) -> str:
    """What is known, then, where that does not settle it, why not."""
    known = ", or ".join(dict.fromkeys(said))
    if finding.truth is not UNKNOWN:
        return known or in_words(unparse(finding.expr)) + (": not recorded" if finding.truth is FALSE else "")
    passed = _passed(finding, catalogue)
    better = _known_better(finding)
    why = phrases(finding.reasons, False, _details(finding), _unused(finding), passed, better)
    return f"{known} - {why}" if known else f"{_asked_label(finding, catalogue)}: {why}"


def _passed(finding: Finding, catalogue: Catalogue) -> str:
    """The newest record of those that do not count, and of what it is none; other statements are named before it."""
    records = _records_of(finding.expr)
    if finding.passed is None or records is None or finding.passed.kind not in catalogue.families[records.kind]:
        return ""
    said = fact_text(finding.passed, catalogue, within=records.kind)
    if not isinstance(records.where, e.Named) or Reason.STALE in finding.reasons:
        return said
    return f"{said} is not {terms(records.where, catalogue)}"


def _known_better(finding: Finding) -> dict[Reason, str]:
    """Causes of which the rule and the values that are there tell more than their name does."""
    said: dict[Reason, str] = {}
    node = finding.expr
    records = node.pick.records if isinstance(node, e.Has) else _records_of(node)
    if isinstance(node, e.Compare) and isinstance(node.right, e.Limit):
        if all(isinstance(part.result, Interval) for part in finding.parts):
            said[Reason.NO_UNIT_OR_LIMIT] = "the limit of normal is lacking"
    elif isinstance(node, e.Compare):
        said[Reason.NO_UNIT_OR_LIMIT] = "the unit is lacking"
    if records is not None and records.lookback is not None and records.lookback.span is None:
        said[Reason.STALE] = "it is recorded only outside the time asked for"
    return said


def _details(finding: Finding) -> list[str]:
    """The names of the details that are not stated."""
    unstated = (ask for ask in finding.asks if ask.reason is Reason.NOT_STATED and ask.field)
    return list(dict.fromkeys(ask.field for ask in unstated if not _date_of(ask, finding)))


def _unused(finding: Finding) -> list[str]:
    """The dates that are stated and not used."""
    asks = (ask for ask in finding.asks if ask.reason is Reason.NOT_STATED)
    dated = [(ask.field.replace("_", " "), _date_of(ask, finding)) for ask in asks]
    return list(dict.fromkeys(f"{name} {said}" for name, said in dated if said))


def _date_of(ask: Ask, finding: Finding) -> str:
    """The date that is stated of the record asked about, under the name that is asked for; "" where there is none."""
    facts = [*(part.about for part in finding.parts), *finding.evidence]
    fact = next((fact for fact in facts if fact is not None and fact.id == ask.about), None)
    stated = fact.attributes.get(ask.field) if fact is not None else None
    return show(stated) if isinstance(stated, When) else ""


def _asked_label(finding: Finding, catalogue: Catalogue) -> str:
    kinds = list(dict.fromkeys(ask.kind for ask in finding.asks))
    if not kinds:
        return in_words(unparse(finding.expr))
    records = _records_of(finding.expr)
    if records is not None and records.where is not None and kinds == [records.kind]:
        return _asked_of(records, catalogue)
    fields = {ask.kind: ask.field for ask in finding.asks if ask.field}
    return ", ".join(
        label(kind, catalogue) + (f" ({fields[kind].replace('_', ' ')})" if kind in fields else "") for kind in kinds
    )


def _records_of(node: e.Expr) -> e.Records | None:
    """The records of which one is picked to be compared, or to be placed in time."""
    if isinstance(node, e.Has):
        return node.pick.records
    match node:
        case e.Compare(left=value) | e.Member(value=value) | e.Timing(event=value):
            pass
        case _:
            return None
    pick = value.of if isinstance(value, e.Field) else value
    return pick.records if isinstance(pick, e.Pick) else None


# Records ------------------------------------------------------------------------------------------------


def _about_records(finding: Finding, records: e.Records, catalogue: Catalogue) -> str:
    name = _asked_of(records, catalogue)
    facts = [fact for fact in finding.evidence if not fact.negative]
    listed = _listed(facts, records.kind, catalogue)
    every = isinstance(finding.expr, e.Every)
    if finding.truth is UNKNOWN:
        about = (part.about for part in finding.parts if part.truth is TRUE)
        held = [fact for fact in about if fact is not None and fact not in facts]
        fine = _satisfying(finding, held, records.kind, catalogue) if every else ""
        why = _overtaken(finding, catalogue) or _unknown(finding, listed, others=bool(facts or held))
        why += _reopened(finding, catalogue)
        return f"{name}: {why}" + (f"; {fine}" if fine else "")
    if not listed:
        return _none(finding, name, catalogue)
    if every and finding.truth is TRUE:
        return f"{name}: {_satisfying(finding, facts, records.kind, catalogue)}{_no_other(finding)}"
    return f"{name}: {listed} - does not satisfy it" if every else f"{name}: {listed}"


def _satisfying(finding: Finding, facts: list[Fact], kind: str, catalogue: Catalogue) -> str:
    """The records that satisfy what is asked of each, with what makes it so where they are few; "" for none."""
    if not facts:
        return ""
    listed = _listed(facts, kind, catalogue)
    if len(facts) <= _LISTED:
        of_fact = {part.about.id: part for part in finding.parts if part.about is not None}
        listed = ", ".join(
            fact_text(fact, catalogue, within=kind) + _made_so(of_fact.get(fact.id), catalogue) for fact in facts
        )
    return f"{listed} - each satisfies it"


def _made_so(part: Finding | None, catalogue: Catalogue) -> str:
    """What makes a statement about a record true, in brackets; the record is named before it."""
    said = (sentence(leaf, catalogue) for leaf in (() if part is None else telling_leaves(part, True)))
    tails = dict.fromkeys(tail for text in said if (tail := text.partition(": ")[2]))
    return f" ({'; '.join(tails)})" if tails else ""


def _overtaken(finding: Finding, catalogue: Catalogue) -> str:
    """Of a judgement, that it was given before something it would have to judge; "" where that is not the cause."""
    if finding.passed is None or not finding.evidence:
        return ""
    given = " or ".join(dict.fromkeys(when_text(fact).removeprefix("on ") for fact in finding.evidence))
    rest = phrases(finding.reasons - {Reason.STALE})
    said = f"the judgement of {given} may not have seen {_not_seen(finding.passed, catalogue)}"
    charted = finding.passed.recorded
    if charted is not None and charted != finding.passed.start:
        said += f", charted {show(charted)}"
    return f"{said}, {rest}" if rest else said


def _not_seen(fact: Fact, catalogue: Catalogue) -> str:
    if not is_unread_diagnosis(fact, catalogue):
        return fact_text(fact, catalogue)
    return f"a diagnosis that could not be read, {called(fact)} {when_text(fact)}"


def _reopened(finding: Finding, catalogue: Catalogue) -> str:
    """Since when, of what nobody recorded, though an earlier day is: the record that opened the question anew."""
    if finding.passed is None or finding.evidence:
        return ""
    return f' since {fact_text(finding.passed, catalogue)}; a "no" on record is older'


def _unknown(finding: Finding, listed: str, others: bool) -> str:
    """Why it is unknown, with the records that may be meant; then whether there may be others."""
    of_those = finding.reasons - {Reason.NO_RECORD} if others else finding.reasons
    why = phrases(of_those, details=_details(finding), wrong=_unused(finding))
    said = [why + (f" ({listed})" if listed else "")] if of_those else []
    return ", ".join([*said, NOTHING_ELSE] if of_those != finding.reasons else said)


def _asked_of(records: e.Records, catalogue: Catalogue) -> str:
    """A kind with what is asked of its records, and in which window."""
    name = label(records.kind, catalogue)
    if records.where is not None:
        name += f" where {terms(records.where, catalogue)}"
    if records.lookback is not None:
        back, span = records.lookback, records.lookback.span
        said = back if span is None else replace(back, span=e.Span(span.duration))
        window = unparse(e.Any(e.Records(records.kind, None, said)))
        name += " " + in_words(window.removeprefix(f"any {records.kind} "))
    return name


def _listed(facts: list[Fact], kind: str, catalogue: Catalogue) -> str:
    shown = ", ".join(fact_text(fact, catalogue, within=kind) for fact in facts[:_LISTED])
    return shown + (f" and {len(facts) - _LISTED} more" if len(facts) > _LISTED else "")


def _no_other(finding: Finding) -> str:
    """On what it rests that there is no other record than those listed."""
    if finding.assumed:
        return "; that there is no other is assumed, not recorded"
    return "; no other by record" if any(fact.negative for fact in finding.evidence) else ""


def _none(finding: Finding, name: str, catalogue: Catalogue) -> str:
    """That there is nothing of a kind, and how that is known."""
    denied = [fact for fact in finding.evidence if fact.negative]
    if finding.assumed:
        how = "assumed absent, not recorded"
    elif denied:
        how = f"recorded as none{_denied(denied, catalogue)}"
    elif isinstance(finding.expr, e.Any) and finding.expr.closed:
        how = "none on record"
    else:
        how = "none recorded, and the record is complete"
    return f"{name}: {how}"


def _denied(denials: list[Fact], catalogue: Catalogue) -> str:
    """The day of the recorded "no" of the whole kind, else the days of the narrower ones and what they deny."""
    whole = next((fact for fact in denials if fact.narrowed is None), None)
    if whole is not None:
        return _day_of(whole)
    by_day: dict[str, list[str]] = {}
    for fact in denials:
        if fact.narrowed is not None:
            by_day.setdefault(_day_of(fact), []).append(stated(fact, *fact.narrowed, catalogue))
    return ",".join(f"{day} ({', '.join(dict.fromkeys(parts))})" for day, parts in by_day.items())


def _day_of(denial: Fact) -> str:
    when = denial.end or denial.recorded
    return f" on {show(when)}" if when is not None and when.known else ""


# Values and limits --------------------------------------------------------------------------------------


def _named(node: e.ValueExpr, part: Finding, catalogue: Catalogue) -> str:
    """What a compared value is a value of."""
    if isinstance(node, e.Age):
        return "age"
    return in_words(unparse(node)) if isinstance(node, (e.Count, e.Arithmetic)) else subject(part, node, catalogue)


def _distance(node: e.Compare, part: Finding) -> str:
    """A value beside its limit."""
    if not isinstance(part.result, Interval) or not part.result.known:
        return ""
    fact, shown = part.about, _measured(node.left, part)
    if not isinstance(node.right, e.Limit):
        limit = node.right.written if isinstance(node.right, e.Number) else in_words(unparse(node.right))
        return f"{shown}, limit {_OPS[node.op]} {limit}{_short_by(node, part.result)}"
    times = f"{plain(node.right.factor)} x {node.right.limit}"
    normal = None if fact is None else (fact.uln if node.right.limit == "ULN" else fact.lln)
    if normal is None or normal.high is None or normal.high <= 0 or part.result.high is None:
        return f"{shown}, limit {times}"
    below = "" if part.result.low is not None else "below "
    ratio = _told_apart(float(part.result.high) / float(normal.high), node.right.factor)
    return f"{shown} is {below}{ratio} x {node.right.limit}, limit {times}"


def _told_apart(ratio: float, factor: float) -> str:
    """A ratio with two places, or as many as tell it from a limit that it is not (as `compare` sees it)."""
    same = compare(Op.EQ, point(ratio), point(factor)) is TRUE
    found = (f"{ratio:.{places}f}" for places in range(2, 10))
    return next((text for text in found if same or float(text) != factor), f"{ratio:.10g}")


def _measured(node: e.ValueExpr, part: Finding) -> str:
    """A number with its unit: as recorded where it was, else as it is compared."""
    fact, unit = part.about, node.type.unit_text
    own = fact is not None and part.result is fact.value
    if own and fact is not None and fact.shown and not fact.computed:
        return fact.shown
    assert isinstance(part.result, Interval)
    number = _rounded(part.result) if own else range_text(part.result)
    if number == "1" and unit in (e.DAYS, e.YEARS):
        unit = unit.removesuffix("s")
    return f"{number} {unit}".strip() + (" (computed)" if own and fact is not None and fact.computed else "")


def _rounded(value: Interval) -> str:
    return f"{float(value.low):.6g}" if value.low is not None and value.exact else range_text(value)


def _short_by(node: e.Compare, value: Interval) -> str:
    """How far a single value lies on the wrong side of a single limit, in the unit in which the limit is written."""
    if not isinstance(node.right, e.Number) or value.low is None or not value.exact:
        return ""
    gap = float(value.low) - node.right.value
    over = {Op.LE: gap, Op.LT: gap, Op.GE: -gap, Op.GT: -gap}.get(node.op, 0.0)
    if over <= 1e-9 * max(abs(node.right.value), 1e-300):
        return ""
    number, _, unit = node.right.written.partition(" ")
    scale = float(number) / node.right.value if _is_number(number) and node.right.value else 1.0
    named = "" if abs(scale - 1) < 1e-9 else f" {unit}"
    return f" ({plain(float(f'{over * scale:.4g}'))}{named} {'above' if gap > 0 else 'short'})"


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal()


def _interval_text(node: e.Timing, part: Finding) -> str:
    """A date beside the date it is counted from."""
    span = node.span.duration if node.span else ""
    asked = in_words(f"{node.relation.value.format(span)} {unparse(node.anchor)}")
    if not isinstance(part.result, When) or not part.result.known:
        return ""
    when = moment_text(part.result)
    named = _dated(node.event, part)
    when = f"some day {when} on" if when.startswith("from ") and named.endswith("since ") else when
    return f"{named}{when}, asked {asked}"


def _dated(event: e.ValueExpr, part: Finding) -> str:
    """Which date of a record it is; nothing where it has only one."""
    if not isinstance(event, e.Field):
        return f"{in_words(unparse(event))} "
    fact = part.about
    moment = fact is not None and fact.end is None and not fact.ongoing
    return "" if moment and event.name in ("start", "end") else f"{event.name.replace('_', ' ')} "


def _owner(part: Finding, catalogue: Catalogue) -> str:
    fact = part.about
    return (
        ""
        if fact is None or fact.kind not in catalogue.kinds
        else f"{label(fact.kind, catalogue)} {brief(fact, catalogue)}".strip() + ": "
    )
