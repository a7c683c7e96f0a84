"""FHIR R4 resources on their way into the store: NDJSON lines and bundles, taken apart into rows.

What cannot be taken apart is kept as it is and read together with all of its patient; what cannot be read at all is
counted. `readers/source.py` and `readers/fhir.py` say what a line or a bundle means; a test holds both to the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import UNSET, Raw

from onstudy.population.bulk_documents import BUNDLE, Part, deleted_in, parts_of, types_in
from onstudy.population.bulk_elements import (
    NOTHING,
    Element,
    Meta,
    Reference,
    Resource,
    Text,
    category_kept,
    decoded,
    encoded,
    labels_kept,
    type_of_line,
)
from onstudy.population.bulk_identified import Identified
from onstudy.population.bulk_lines import Layouts, One
from onstudy.population.bulk_rows import Builder, Ints, join_rows, settled
from onstudy.population.bulk_stamps import BETWEEN, stamp_text
from onstudy.population.bulk_subjects import ELSE, PATIENT, json_of, patient_named, patients_named, subject_of
from onstudy.population.bulk_walk import UPDATED, Taking, counted, walk
from onstudy.readers.fhir import ADMINISTRATIVE, BIRTH_SEX, READ, identifier_pair
from onstudy.readers.fhir_json import is_id, items, resource_type, text
from onstudy.readers.fhir_own import ASSERTED, FACT_ID, FHIR_BASE, PATIENT_ID
from onstudy.readers.source import decode

#: A line longer than this is no resource of a record; it is refused and counted.
LONGEST_LINE = 32 << 20
#: Types that are about nobody and are looked at for the sake of others.
SHARED = frozenset({"Medication"})
#: Why something in a source was left out: what is counted in the report.
DAMAGED = "lines that are no whole JSON"
TOO_LONG = f"lines longer than {LONGEST_LINE >> 20} MiB"
NO_TYPE = "objects without a resourceType"
DELETED = "resources listed as deleted, which count where they are"
NOT_READ = "resources of a type that is not read"
NOBODY = "resources that name no subject"
NO_PATIENT = "resources whose subject is named, but not as a patient"

_TYPE = re.compile(rb'\s*\{\s*"resourceType"\s*:\s*"([A-Za-z]{1,64})"')
_OWN_NAMES = (FACT_ID, PATIENT_ID)
_READ_URLS = (FHIR_BASE, BIRTH_SEX, ASSERTED)
_BOM = b"\xef\xbb\xbf"


@dataclass
class Tally:
    """What was met in a source: resources by type, and what was left out by reason and type."""

    read: Counter[str] = field(default_factory=Counter)
    left: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        """Both together."""
        self.read.update(other.read)
        self.left.update(other.left)


class Intake:
    """Takes resources in, many lines of NDJSON together or one JSON text at a time, and gathers the rows of them."""

    def __init__(self) -> None:
        self.builder, self.tally = Builder(_counts), Tally()
        into = self.builder
        self._hand = Taking(into.names, into.dates, into.numbers, into.links)
        self._together: list[tuple[pa.Table, Ints]] = []  # rows, and the place of each among all lines
        self._places: list[int] = []  # of the rows of the builder
        self._lines = 0

    def rows(self) -> tuple[pa.Table, Tally]:
        """What was taken in, in its order, and the count of it."""
        self._placed()
        tables = [table for table, _ in self._together]
        if len(self.builder) or not tables:
            tables.append(self.builder.table())
        place = np.concatenate([*(places for _, places in self._together), np.array(self._places, np.int64)])
        rows = join_rows(tables)
        if (np.diff(place) < 0).any():
            rows = rows.take(np.argsort(place, kind="stable"))
        return settled(rows), self.tally

    def lines(self, block: bytes, first: int) -> None:
        """Every line of a block of NDJSON; `first` is the number of its first line."""
        if _is_utf8(block):
            found = _LAYOUTS.together(block, first)
            self.tally.add(Tally(found.read, found.left))
            if found.rows.num_rows:
                self._together.append((found.rows, found.line + self._lines))
            lines, others = found.lines, found.others
        else:
            others = list(enumerate(block.split(b"\n")))
            lines = len(others)
        before = self._lines
        for number, line in others:
            self._lines = before + number
            self.alone(line, first + number)
            self._placed()
        self._lines = before + lines

    def _placed(self) -> None:
        self._places += [self._lines] * (len(self.builder) - len(self._places))

    def alone(self, line: bytes, number: int) -> None:
        """One line, which may hold anything; `number` is its place in the source."""
        if not line or line.isspace():
            return
        if len(line) > LONGEST_LINE:
            self.tally.left[TOO_LONG, ""] += 1
        elif _is_utf8(line):
            self.line(line, number)
        else:
            self.tally.left[DAMAGED, ""] += 1

    def line(self, line: bytes, number: int) -> None:
        """One resource; `number` is its place in the source."""
        named = _TYPE.match(line)
        try:
            kind = type_of_line(line) if named is None else named[1].decode()
            resource = decoded(line, kind)
        except (msgspec.MsgspecError, RecursionError):
            self._odd(line, number)
            return
        if resource.resourceType != kind:  # named twice
            self._odd(line, number)
        elif kind in READ or kind == PATIENT or kind in SHARED:
            self._take(resource, kind, line, number)
        elif kind == BUNDLE:
            self.bundle(line, number)
        else:
            self._pass(resource, kind, line, number)

    def _take(self, resource: Resource, kind: str, line: bytes, number: int) -> None:
        """A resource that says something of a patient, or that others refer to."""
        name = resource.id
        self.tally.read[kind] += 1
        key = (name or None) if kind == PATIENT else None if kind in SHARED else subject_of(resource)
        if key == ELSE:
            self.tally.left[NO_PATIENT, kind] += 1
        key = self._followed(key)
        if name is UNSET or not is_id(name):
            self.builder.whole(key, number, line, None if kind == PATIENT else (kind,))
            return
        stamp = None if resource.meta is UNSET else _stamp(resource.meta)
        _trim(resource, kind)
        walk(resource, self._hand)
        if self._hand.results:
            self.builder.members[len(self.builder)] = self._hand.results
            self._hand.results = []
        self.builder.add(key, number, encoded(resource), stamp)

    def _followed(self, key: str | Identified | None) -> str | None:
        """The key of the next row; of somebody named by an identifier it is found later, by what is noted here."""
        if isinstance(key, Identified):
            self.builder.named[len(self.builder)] = key.text
            return None
        return key

    def _pass(self, resource: Resource, kind: str, line: bytes, number: int) -> None:
        """A resource that is not read: what it is about is noted, so that the patient's record can say so."""
        self.tally.read[kind] += 1
        kinds = [kind]
        if resource.contained is not NOTHING:
            kinds += _inner(resource.contained)
        if any(one == PATIENT or one in READ for one in kinds):
            self._odd(line, number)
            return
        about = subject_of(resource)
        for one in kinds:
            if one and one not in ADMINISTRATIVE:
                self.tally.left[NOT_READ, one] += 1
                if about:
                    self.builder.add(self._followed(about), number, b'{"resourceType":"%b"}' % one.encode())

    # What is not as it should be ------------------------------------------------------------------------------

    def _odd(self, line: bytes, number: int) -> None:
        """A line that cannot be taken apart: kept whole where it is a resource, else counted."""
        try:
            node = decode(line.decode("utf-8-sig" if line.startswith(_BOM) else "utf-8"))
        except (ValueError, RecursionError):
            self.tally.left[DAMAGED, ""] += 1
            return
        self.document(node, line, number)

    def document(self, node: Any, data: bytes, number: int) -> None:
        """A resource, a bundle or a list of resources, kept whole for each patient in it."""
        found, gone = list(parts_of(node)), [name.partition("/") for name in deleted_in(node)]
        self.tally.left.update((DELETED, kind if kind.isalpha() else "") for kind, _, _ in gone)
        if not found:
            self.tally.left.update([] if gone else [(NO_TYPE, "")])
            return
        self.tally.read.update(one.type for one in found)
        self.tally.left.update((NOT_READ, one.type) for one in found if one.type not in {*READ, *ADMINISTRATIVE})
        if any(one.type == PATIENT for one in found):
            self._with_people(node, data, number, found)
        else:
            self._without_people(node, data, number, found)

    def _with_people(self, node: Any, data: bytes, number: int, found: Sequence[Part]) -> None:
        """What is read as a whole for each Patient in it: the others in it are about these."""
        people = [one.resource for one in found if one.type == PATIENT]
        keys: dict[str | Identified, None] = {one.about: None for one in found if one.about}
        if resource_type(node) == BUNDLE or isinstance(node, list):
            here = {Identified.of(identifier_pair(one)) for who in people for one in items(who, "identifier")}
            others = [key for key in keys if isinstance(key, Identified) and key not in here]
            keys = dict.fromkeys([*(text(one, "id") for one in people), *others])
        for key in keys:
            types = None if not isinstance(key, Identified) else types_in(one for one in found if one.about == key)
            self.builder.whole(self._followed(key), number, data, types)

    def _without_people(self, node: Any, data: bytes, number: int, found: Sequence[Part]) -> None:
        """What is read for each patient that is named in it; what names nobody is beside that."""
        keys: dict[str | Identified, None] = {one.about: None for one in found if one.about}
        nobodys = [one for one in found if one.about is None and one.type in READ]
        self.tally.left.update((NO_PATIENT, one.type) for one in found if one.about == ELSE and one.type in READ)
        for key in keys:
            types = types_in(one for one in found if one.about == key)
            self.builder.whole(self._followed(key), number, data, types, beside=bool(nobodys))
        if nobodys:
            self.builder.whole(None, number, data, types_in(nobodys))
        elif not keys and len(found) == 1:  # about something else
            self.builder.whole(ELSE, number, data, types_in(found))

    # Bundles -----------------------------------------------------------------------------------------------

    def bundle(self, data: bytes, number: int) -> None:
        """A bundle: its resources one by one, where their references can be told without it."""
        try:
            bundle = _BUNDLES.decode(data)
            parts = list(_parts(bundle))
        except (msgspec.MsgspecError, RecursionError, ValueError):
            self._odd(data, number)
            return
        before = len(self.builder)
        for place, part in enumerate(parts):
            self.line(part, number + place)
        self.builder.scope |= dict.fromkeys(range(before, len(self.builder)), number)


def _inner(contained: Raw) -> list[str]:
    """The types of contained resources."""
    return [resource_type(one) for one in items({"contained": json_of(contained)}, "contained")]


def _counts(shape: bytes) -> tuple[int, int, int, int]:
    found = counted(shape)
    return found.names, found.dates, found.numbers, found.links


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _trim(resource: Any, kind: str) -> None:
    """Leave out what no reader looks at: others' extensions and identifiers, categories, when a server changed it."""
    if kind == "Observation":
        resource.category = category_kept(resource.category)
    if resource.identifier is not UNSET:
        own = [one for one in resource.identifier if one.system is not UNSET and one.system.strip() in _OWN_NAMES]
        resource.identifier = own or UNSET
    if resource.extension is not UNSET:
        kept = [one for one in resource.extension if one.url is not UNSET and one.url.strip().startswith(_READ_URLS)]
        resource.extension = kept or UNSET
    if resource.meta is not UNSET:
        resource.meta.versionId = UNSET
        if kind == PATIENT:
            resource.meta = labels_kept(resource.meta)
        elif kind in UPDATED:
            resource.meta.security = resource.meta.tag = NOTHING
        else:
            resource.meta = UNSET


def _stamp(meta: Meta) -> str | None:
    """When a resource was changed last and its version, as far as it says so."""
    return stamp_text(meta.lastUpdated or "", (meta.versionId or "").replace(BETWEEN, " "))


class _Request(Element):
    method: Text = UNSET


class _Entry(Element):
    fullUrl: Text = UNSET
    resource: Raw = Raw(b"")
    request: _Request | msgspec.UnsetType = UNSET


class _Bundle(Element):
    resourceType: str
    entry: list[_Entry] | msgspec.UnsetType = UNSET


class _Named(Element):
    resourceType: str
    id: str
    subject: Reference | msgspec.UnsetType = UNSET
    patient: Reference | msgspec.UnsetType = UNSET


_BUNDLES = msgspec.json.Decoder(_Bundle)
_NAMED = msgspec.json.Decoder(_Named)
_REFERENCE = re.compile(rb'("reference"\s*:\s*")((?:urn:|https?:)[^"\\]*)(")')


def _parts(bundle: _Bundle) -> Iterator[bytes]:
    """The resources of a bundle as lines of their own, referring to each other by type and id.

    Raises `ValueError` where that could change what a reference leads to.
    """
    entries = [] if bundle.entry is UNSET else bundle.entry
    names: dict[bytes, bytes] = {}
    taken: set[bytes] = set()
    resources = [_NAMED.decode(entry.resource) for entry in entries]
    people = any(named.resourceType == PATIENT for named in resources)  # whose is what names nobody
    for entry, named in zip(entries, resources, strict=True):
        name = f"{named.resourceType}/{named.id}".encode()
        deleted = entry.request is not UNSET and (entry.request.method or "").upper() == "DELETE"
        about = named.subject or named.patient
        alone = people and named.resourceType in READ and (about is UNSET or about.reference is UNSET)
        if not is_id(named.id) or name in taken or named.resourceType == BUNDLE or deleted or alone:
            raise ValueError("the bundle is read as a whole")
        taken.add(name)
        if entry.fullUrl is not UNSET and names.setdefault(entry.fullUrl.encode(), name) != name:
            raise ValueError("two resources have one url")

    def renamed(found: re.Match[bytes]) -> bytes:
        return found[1] + names.get(found[2], found[2]) + found[3]

    for entry in entries:
        yield _REFERENCE.sub(renamed, bytes(entry.resource)).replace(b"\n", b" ")


# Blocks of lines -------------------------------------------------------------------------------------------


def blocks(read: Callable[[int], bytes], size: int, tally: Tally) -> Iterator[tuple[bytes, int]]:
    """Whole lines of a file, about `size` bytes at a time, with the number of the first. Lines too long are left out.

    `read` gives the next bytes, none at the end.
    """
    rest, number, skipping = b"", 1, False
    while piece := read(size):
        if skipping:
            _, newline, piece = piece.partition(b"\n")
            if not newline:
                continue
            skipping, number = False, number + 1
        head, newline, rest = (rest + piece).rpartition(b"\n")
        if newline:
            yield head, number
            number += head.count(b"\n") + 1
        elif len(rest) > LONGEST_LINE:
            tally.left[TOO_LONG, ""] += 1
            rest, skipping = b"", True
    if rest:
        yield rest, number


def _one(line: bytes) -> One | None:
    """What becomes of a line that is one row; None where it is none, or more."""
    intake = Intake()
    intake.line(line, 0)
    into, tally = intake.builder, intake.tally
    if len(into) != 1 or into.payload or into.members or into.named:
        return None
    (shape,), (patient,), (stamp,) = into.shapes, into.patient, into.stamp
    names, dates, links = (tuple(some) for some in (into.names, into.dates, into.links))
    numbers = tuple(number.decode() for number in into.numbers)
    return One(
        shape, patient, names, dates, numbers, links, stamp, tuple(tally.read.elements()), tuple(tally.left.elements())
    )


#: What was learned of lines holds for all sources.
_LAYOUTS = Layouts(_one, patient_named, patients_named)


def rows_of(lines: Iterable[tuple[bytes, int]]) -> tuple[pa.Table, Tally]:
    """The rows of blocks of lines."""
    intake = Intake()
    for block, first in lines:
        intake.lines(block, first)
    return intake.rows()
