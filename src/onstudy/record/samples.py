"""What was taken together stays together: components of one sample as one composite fact, and back.

A composite that a source states owns its parts: their ids begin with its own. One that is put together
here, from results that share a sample or a moment, refers to parts that stay facts of their own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

from onstudy.record.catalogue import Catalogue, Kind
from onstudy.record.formula import parse_formula
from onstudy.record.patient import Fact
from onstudy.values.calendar import When, show
from onstudy.values.interval import Interval, hull

_Key = tuple[str, str, str]

#: Why it is not known whether results were taken together: their dates do not tell.
IMPRECISE_DATE = "imprecise_date"


def explode(facts: Iterable[Fact]) -> list[Fact]:
    """The facts, and each part that a composite states or that follows from it as a fact of its own."""
    found = {fact.id: fact for fact in facts}
    for fact in list(found.values()):
        for name, part in fact.parts.items():
            if part.computed or part.id == f"{fact.id}.{name}":
                found.setdefault(part.id, part)
    return list(found.values())


def restated(facts: Sequence[Fact], catalogue: Catalogue) -> list[Fact]:
    """The facts as sources state them: composites with their own parts, nothing computed, nothing twice.

    A part that was changed or added beside its composite (its id begins with the composite's) goes in.
    """
    known = {fact.id: fact for fact in facts if not fact.computed}
    found: list[Fact] = []
    inside: set[str] = set()
    for fact in known.values():
        components = catalogue.kinds[fact.kind].components if fact.kind in catalogue.kinds else {}
        if not components:
            continue
        parts = _parts(fact, components, known)
        if any(part.id == f"{fact.id}.{name}" for name, part in parts.items()):
            inside.update(part.id for part in parts.values())
            found.append(replace(fact, parts=own_parts(fact, parts)))
        elif not fact.parts:
            found.append(fact)
        inside.add(fact.id)
    return found + [fact for fact in known.values() if fact.id not in inside]


def own_parts(whole: Fact, parts: Mapping[str, Fact]) -> dict[str, Fact]:
    """The parts as the composite's own: under its id, of its day and sample, as certain as it is."""
    return {
        name: replace(part, id=f"{whole.id}.{name}", start=whole.start, sample=whole.sample, certain=whole.certain)
        for name, part in sorted(parts.items())
    }


def _parts(whole: Fact, components: Mapping[str, str], known: Mapping[str, Fact]) -> dict[str, Fact]:
    """The parts of a composite: as they stand beside it now, or as it holds them."""
    parts: dict[str, Fact] = {}
    for name, kind in components.items():
        held = whole.parts.get(name)
        beside = known.get(f"{whole.id}.{name}") or (known.get(held.id) if held is not None else None)
        part = beside if beside is not None and beside.kind == kind else held
        if part is not None and not part.computed:
            parts[name] = part
    return parts


def group(facts: Sequence[Fact], catalogue: Catalogue) -> list[Fact]:
    """The facts with loose components of one sample joined to its composite, or made into one."""
    stated: dict[_Key, list[Fact]] = defaultdict(list)
    loose: dict[_Key, list[tuple[str, Fact]]] = defaultdict(list)
    others: list[Fact] = []
    for fact in facts:
        if fact.parts:
            stated[_key(fact.kind, fact)].append(fact)
            continue
        others.append(fact)
        if not fact.negative:
            home = catalogue.composites.get(fact.kind)
            if home is not None:
                loose[_key(home[0], fact)].append((home[1], fact))
    taken: set[str] = set()
    made: list[Fact] = []
    for key in sorted({*stated, *loose}):
        if key[2] == "day":
            made += _of_one_day(key, stated.get(key, []), loose.get(key, []), catalogue)
            continue
        composites, joined = _joined(stated.get(key, []), loose.get(key, []))
        taken |= joined
        rest = [(name, fact) for name, fact in loose.get(key, []) if fact.id not in joined]
        made.extend(composites)
        if rest and _makes_one(catalogue.kinds[key[0]], rest):
            made.append(_composite(key, rest))
    return [fact for fact in others if fact.id not in taken] + made


def _key(composite: str, fact: Fact) -> _Key:
    """What components of one sample have in common: the sample and its day, or the moment.

    Of results that have a day in common and nothing else it is not known whether they are of one sample; a result
    whose day is not certain, without a sample, is never thought to be of one sample with another.
    """
    day = "" if fact.start.day is None else str(fact.start.day)
    if fact.sample is not None:
        return composite, f"{fact.sample}/{day}", "sample"
    if fact.start.span.exact:
        return composite, show(fact.start), "moment"
    if day:
        return composite, show(fact.start), "day"
    return composite, fact.id, "alone"


def _of_one_day(key: _Key, stated: list[Fact], loose: list[tuple[str, Fact]], catalogue: Catalogue) -> list[Fact]:
    """The composites of one day, and one more for what may or may not have been taken together on it.

    That one is of unknown value, so that no rule trusts it and none overlooks it for an older sample. It is not
    needed where one stated sample holds the same results as all others of the day, or where nothing depends on it.
    """
    names = {name for name, _ in loose}.union(*(fact.parts for fact in stated))
    if any(names <= fact.parts.keys() for fact in stated) and _say_the_same(stated, loose):
        return stated
    kind = catalogue.kinds[key[0]]
    sources = [*(frozenset(fact.parts) for fact in stated), *(frozenset({name}) for name, _ in loose)]
    if not _matters(kind, set(sources), catalogue):
        telling = [(name, fact) for name, fact in loose if name in (kind.identifying or names)]
        return [*stated, _composite(key, telling)] if telling else stated
    rest = [*loose, *((name, part) for fact in stated for name, part in fact.parts.items())]
    return [*stated, replace(_composite(key, rest), lacks=IMPRECISE_DATE)] if _makes_one(kind, rest) else stated


def _matters(kind: Kind, sources: set[frozenset[str]], catalogue: Catalogue) -> bool:
    """Whether it matters that results of several sources may be of one sample: two of them would each make one, and
    hold nothing that the other holds too; or a formula takes from several what nobody reported.
    """
    names = set[str]().union(*sources)
    samples = [source for source in sources if source & set(kind.identifying or names)]
    if not samples:
        return False
    if any(one.isdisjoint(other) for one, other in combinations(samples, 2)):
        return True
    reported = {kind.components[name] for name in names}
    inputs = [
        set(parse_formula(rule.formula).names)
        for entry in catalogue
        for rule in entry.derive
        if rule.of == kind.name and entry.name not in reported
    ]
    return any(taken <= names and not any(taken <= source for source in sources) for taken in inputs)


def _say_the_same(stated: list[Fact], loose: list[tuple[str, Fact]]) -> bool:
    """Whether no two results of a day differ."""
    said = {(name, part.value, part.lacks) for fact in stated for name, part in fact.parts.items()}
    said |= {(name, part.value, part.lacks) for name, part in loose}
    return len(said) == len({name for name, _, _ in said})


def _joined(stated: list[Fact], loose: list[tuple[str, Fact]]) -> tuple[list[Fact], set[str]]:
    """Composites of one sample made one where they do not overlap, with the loose components they lack.

    Returns them and the ids of the loose facts that went into them; two composites that state the same
    component are two samples, and then nothing loose can be told to belong to either.
    """
    names = [name for fact in stated for name in fact.parts]
    if not stated or len(set(names)) < len(names):
        return stated, set()
    first, *rest = sorted(stated, key=lambda fact: fact.id)
    parts = dict(first.parts)
    for fact in rest:
        parts.update(fact.parts)
    counts = Counter(name for name, _ in loose)
    joined: set[str] = set()
    for name, fact in loose:
        if name not in parts and counts[name] == 1:
            parts[name] = fact
            joined.add(fact.id)
    if len(parts) == len(first.parts):
        return [first], joined
    whole = _summed(first, [first, *rest, *(fact for _, fact in loose if fact.id in joined)])
    return [replace(whole, parts=own_parts(whole, parts))], joined


def _summed(whole: Fact, members: Sequence[Fact]) -> Fact:
    """The composite with source, certainty and day of record of all it consists of."""
    sources = dict.fromkeys(fact.source for fact in members)
    return replace(
        whole,
        source=", ".join(sorted(sources)),
        certain=all(fact.certain for fact in members),
        recorded=_latest([fact.recorded for fact in members]),
        attributes={
            name: value
            for fact in reversed(members)
            if fact.kind == whole.kind
            for name, value in fact.attributes.items()
        },
    )


def _latest(recorded: Sequence[When | None]) -> When | None:
    known = [when for when in recorded if when is not None and when.span.high is not None]
    if len(known) < len(recorded):
        return None
    return max(known, key=lambda when: (when.span.high or 0, when.span.low or 0))


def _makes_one(kind: Kind, loose: list[tuple[str, Fact]]) -> bool:
    names = {name for name, _ in loose}
    return bool(names & set(kind.identifying)) if kind.identifying else bool(names)


def _composite(key: _Key, loose: list[tuple[str, Fact]]) -> Fact:
    """A composite of results that share a sample. A component reported twice may be either of the two."""
    by_name: dict[str, list[Fact]] = defaultdict(list)
    for name, fact in loose:
        by_name[name].append(fact)
    parts = {name: _either(by_name[name]) for name in sorted(by_name)}
    members = sorted((fact for _, fact in loose), key=lambda fact: fact.id)
    starts = {fact.start for fact in members}
    first = members[0]
    start = first.start if len(starts) == 1 else When(_whole(hull([when.span for when in starts])))
    whole = Fact(f"{key[0]}@{key[1]}", key[0], start=start, sample=first.sample, parts=parts)
    return _summed(whole, members)


def _whole(span: Interval) -> Interval:
    return Interval(span.low, span.high, span.low_open, span.high_open)


def _either(facts: list[Fact]) -> Fact:
    """One result that may be any of several of the same kind and sample."""
    ordered = sorted(facts, key=lambda fact: fact.id)
    if len(ordered) == 1 or len({(fact.value, fact.lacks) for fact in ordered}) == 1:
        return ordered[0]
    values = [fact.value for fact in ordered]
    ids = "+".join(fact.id for fact in ordered)
    numbers = [value for value in values if isinstance(value, Interval)]
    codes = [value for value in values if isinstance(value, frozenset)]
    first = replace(ordered[0], id=ids, shown=" or ".join(fact.shown for fact in ordered), uln=None, lln=None)
    if len(numbers) == len(values):
        return replace(first, value=hull(numbers), lacks=None)
    if len(codes) == len(values):
        return replace(first, value=frozenset().union(*codes), lacks=None)
    lacks: Mapping[str, None] = dict.fromkeys(fact.lacks for fact in ordered if fact.lacks)
    return replace(first, value=None, lacks=next(iter(lacks), "conflict"))
