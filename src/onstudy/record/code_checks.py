"""What must hold of the codes and value sets of a catalogue: check digits, groups, and one meaning a code."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from onstudy.errors import OnstudyError, Problem, nearest
from onstudy.record.catalogue import Catalogue, CodeUse, ValueSet, code_key, plain
from onstudy.record.catalogue_file import OWN
from onstudy.values.codes import (
    ATC,
    ICD10CM,
    LOINC,
    ONSTUDY,
    RXNORM,
    SNOMED,
    Code,
    icd10cm_matches,
    loinc_check_digit_ok,
    snomed_check_digit_ok,
)

#: V seen in a public source, C recalled with a valid check digit, M recalled, own the project's or a site's.
STATUSES = ("V", "C", "M", OWN)
NAME = re.compile(r"[a-z][a-z0-9_]*")

_MEMBER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]*")
_ATC = re.compile(r"[A-Z][0-9]{2}[A-Z]{2}[0-9]{2}|[A-Z](?:[0-9]{2}(?:[A-Z]{1,2})?)?-")
_RXNORM = re.compile(r"[1-9][0-9]{0,7}")


# Value sets -----------------------------------------------------------------------------------------


def check_value_set(values: ValueSet) -> Iterator[Problem]:
    """Names, groups, words and codes of one value set; each word and each code means one member."""
    where = f"value_set.{values.name}"
    if not NAME.fullmatch(values.name):
        yield Problem("a value set is named in small letters, digits and underscores", where)
    if not values.members:
        yield Problem("has no members", where)
    meant: dict[str, str] = {}
    for member in values.members.values():
        place = f"{where}.member.{member.name}"
        if not _MEMBER_NAME.fullmatch(member.name) or (values.open and member.name == "other"):
            yield Problem("a member is named in letters, digits and underscores, and not 'other'", place)
        yield from check_names(member.parents, values.members, "member", f"{place}.parents")
        for use in member.codes:
            yield from check_code(use, member.name, place)
            if use.value or use.sets or use.negative or use.history:
                yield Problem(f"{use.code.code} of a member says nothing but the member", place)
        for word in map(plain, (member.name, member.label, *member.synonyms)):
            if meant.setdefault(word, member.name) != member.name:
                yield Problem(f"{word!r} already means {meant[word]}", place)
    parents = {member.name: member.parents for member in values.members.values()}
    for name in parents:
        if name in groups_above(name, parents):
            yield Problem("is a group of itself", f"{where}.member.{name}")
    yield from _repeated_members(values)


def _repeated_members(values: ValueSet) -> Iterator[Problem]:
    meant: dict[Code, str] = {}
    for member in values.members.values():
        for use in member.codes:
            if meant.setdefault(use.code, member.name) != member.name:
                where = f"value_set.{values.name}.member.{member.name}"
                yield Problem(f"{use.code.code} already means {meant[use.code]}", where)


# Codes ----------------------------------------------------------------------------------------------


def check_code(use: CodeUse, name: str, where: str) -> Iterator[Problem]:
    """Form, check digit and status of one code of a kind or member called `name`."""
    code = use.code
    place = f"{where}.codes"
    if use.status not in STATUSES:
        yield Problem(f"{code.code}: the status is V, C or M, not {use.status!r}", place)
    if code.system == ONSTUDY and code.code != name:
        yield Problem(f"{code.code}: codes of {ONSTUDY} are the names of kinds and members", place)
    if not _well_formed(code.system, code.code):
        yield Problem(f"{code.code!r} is no code of {code.system}, or its check digit is wrong", place)


def _well_formed(system: str, code: str) -> bool:
    if system == LOINC:
        return loinc_check_digit_ok(code)
    if system == SNOMED:
        return snomed_check_digit_ok(code)
    if system == RXNORM:
        return bool(_RXNORM.fullmatch(code))
    if system == ATC:
        return bool(_ATC.fullmatch(code))
    if system == ICD10CM:
        try:
            return icd10cm_matches(code, code.rstrip("-").rstrip("."))
        except OnstudyError:
            return False
    return bool(code.strip())


def check_repeated_codes(catalogue: Catalogue) -> Iterator[Problem]:
    """A code names one kind; a second one only where the code says more of it than its name."""
    uses: dict[Code, list[tuple[str, CodeUse]]] = {}
    for kind in catalogue:
        for use in kind.codes:
            uses.setdefault(code_key(use.code), []).append((kind.name, use))
    categories = {key: use for key, found in uses.items() for _, use in found if use.code.code.endswith("-")}
    for key, found in uses.items():
        names = [name for name, _ in found]
        bare = [name for name, use in found if use.value is None and not use.sets]
        above = _category_above(key, categories)
        others = {name for name, use in uses[above] if name not in names} if above is not None else set()
        if len(set(names)) < len(names) or len(bare) > 1 or (bare and others):
            what = f"{found[0][1].code.code} names {' and '.join(sorted({*names, *others}))}"
            yield Problem(f"{what}; it may name one", f"kind.{names[-1]}.codes")


def _category_above(key: Code, categories: Collection[Code]) -> Code | None:
    """The nearest category of the catalogue that a code lies below, itself not counted."""
    shorter = (Code(key.system, key.code[:length]) for length in range(len(key.code) - 1, 0, -1))
    return next((code for code in shorter if code in categories), None)


# Names and values -----------------------------------------------------------------------------------


def check_names(names: Iterable[str], known: Collection[str], what: str, where: str) -> Iterator[Problem]:
    """A problem for each name that is not known, with the nearest one that is."""
    for name in names:
        if name not in known:
            yield Problem(f"there is no {what} {name!r}{nearest(name, known)}", where)


def groups_above(name: str, parents: Mapping[str, tuple[str, ...]]) -> set[str]:
    """The groups above a name as far as they are known; the name itself among them if they form a ring."""
    above: set[str] = set()
    waiting = list(parents.get(name, ()))
    while waiting:
        up = waiting.pop()
        if up not in above:
            above.add(up)
            waiting.extend(parents.get(up, ()))
    return above
