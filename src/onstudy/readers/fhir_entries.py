"""The resources of a FHIR source, each at its place, and what their references lead to."""

from __future__ import annotations

import json
import zlib
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from onstudy.errors import Problem
from onstudy.readers.fhir_json import Json, is_id, items, obj, resource_type, text
from onstudy.readers.fhir_versions import Stamp, outdated
from onstudy.readers.reading import clip

_DEEPEST = 16
_GONE = ("DELETE",)
#: What is told of deletions that nothing here carries out.
DELETED_ELSEWHERE = "resources that are listed as deleted and are not in the bundle, so that they count where they are"


@dataclass(eq=False)
class Entry:
    """A resource with the url it has in its bundle and where it stands; `container` holds contained ones.

    What is `beside` is somebody else's, of whom nothing is read here: others refer to it, or it tells how new they are.
    """

    resource: Json
    type: str
    where: str
    url: str = ""
    container: Entry | None = None
    beside: bool = False
    id: str = field(init=False)  # its logical id, or nothing

    def __post_init__(self) -> None:
        self.id = text(self.resource, "id")


@dataclass
class Source:
    """All entries of a source, and what of it could not be read."""

    entries: list[Entry] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def take(self, document: Any, place: str) -> None:
        """Add a bundle, a resource or a list of resources, nested ones included."""
        waiting: deque[tuple[Any, str, str, int]] = deque([(document, place, "", 0)])
        while waiting:
            node, where, url, depth = waiting.popleft()
            if isinstance(node, list):
                parts = [(n, f"{where}[{i}]", "", depth + 1) for i, n in enumerate(node)]
                waiting.extendleft(reversed(parts))
            elif depth > _DEEPEST:
                self.problems.append(Problem("bundles within bundles are nested too deeply", where))
            elif resource_type(node) == "Bundle":
                waiting.extendleft(reversed(self._bundle(node, where, depth)))
            else:
                self._add(node, where, url)

    def _bundle(self, bundle: Json, where: str, depth: int) -> list[tuple[Any, str, str, int]]:
        for link in items(bundle, "link"):
            if text(link, "relation") == "next":
                what = "the bundle goes on in a further page that is not in this file"
                self.problems.append(Problem(what, where))
        if not isinstance(bundle.get("entry", []), list):
            self.problems.append(Problem("the entries of the bundle are no list", where))
        if elsewhere := deleted_elsewhere(bundle):
            self.problems.append(Problem(f"{DELETED_ELSEWHERE}: {len(elsewhere)}", where, fact_kept=True))
        found = []
        for number, entry in present(bundle):
            place = f"entry[{number}]" if where == "" else f"{where}.entry[{number}]"
            found.append((entry.get("resource"), place, text(entry, "fullUrl"), depth + 1))
        return found

    def _add(self, node: Any, where: str, url: str) -> None:
        kind = resource_type(node)
        if not kind:
            self.problems.append(Problem("there is no resource here with a resourceType", where))
            return
        entry = Entry(node, kind, _where(node, kind, where), url)
        self.entries.append(entry)
        for contained in items(node, "contained"):
            inner = resource_type(contained)
            if inner:
                place = f"{entry.where}#{clip(text(contained, 'id'), 64)}"
                self.entries.append(Entry(contained, inner, place, "", entry))

    def newest(self) -> None:
        """Leave out the versions of a resource of which another is known to be newer; equal copies count once."""
        by_key: dict[tuple[str, str], list[Entry]] = defaultdict(list)
        for entry in self.entries:
            if entry.container is None and is_id(entry.id):
                base = entry.url if entry.url.startswith("http") else ""
                by_key[f"{entry.type}/{entry.id}", base].append(entry)
        dropped: set[int] = set()
        for versions in by_key.values():
            if len(versions) < 2:
                continue
            kept: list[Entry] = []
            seen: set[str] = set()
            for entry in versions:
                said = json.dumps(entry.resource, sort_keys=True, default=str)
                if said in seen:
                    dropped.add(id(entry))
                else:
                    seen.add(said)
                    kept.append(entry)
            older = outdated([Stamp.of(entry.resource) for entry in kept])
            dropped |= {id(kept[place]) for place in older}
        self.entries = [e for e in self.entries if id(e) not in dropped and id(e.container) not in dropped]


# What a bundle lists as deleted ---------------------------------------------------------------------------


def present(bundle: Json) -> Iterator[tuple[int, Json]]:
    """The entries of a bundle, each with its number, without deletions and what they delete of the bundle itself."""
    gone = _deleted(bundle)
    for number, entry in enumerate(items(bundle, "entry")):
        if not _is_deletion(entry) and not any(number >= first for first in _deletions_of(entry, gone)):
            yield number, entry


def deleted_elsewhere(bundle: Json) -> list[str]:
    """What a bundle lists as deleted and does not hold, as TYPE/ID: as a bulk export lists it."""
    gone = _deleted(bundle)
    held = {_name(entry) for entry in items(bundle, "entry") if _deletions_of(entry, gone)}
    return [name for name in gone if name not in held]


def _deleted(bundle: Json) -> dict[str, list[tuple[str, int]]]:
    """What a bundle lists as deleted: by type and id, under which address, and from which entry on. A history
    begins with what is newest: what stands before the deletion was made after it.
    """
    history = text(bundle, "type").lower() == "history"
    found: dict[str, list[tuple[str, int]]] = {}
    for number, entry in enumerate(items(bundle, "entry")):
        if _is_deletion(entry):
            address = _address(text(obj(entry, "request"), "url"))
            found.setdefault("/".join(address.split("/")[-2:]), []).append((address, number if history else 0))
    return found


def _is_deletion(entry: Json) -> bool:
    return text(obj(entry, "request"), "method").upper() in _GONE


def _deletions_of(entry: Json, gone: dict[str, list[tuple[str, int]]]) -> list[int]:
    """From where on an entry is deleted: named by type and id, and where both state a server, on the same one."""
    url = _address(text(entry, "fullUrl"))
    other = url if url.startswith("http") else ""
    return [
        first
        for address, first in gone.get(_name(entry), ())
        if not (other and address.startswith("http")) or address == other
    ]


def _name(entry: Json) -> str:
    resource = obj(entry, "resource")
    return f"{resource_type(resource)}/{text(resource, 'id')}"


def _address(url: str) -> str:
    return url.partition("/_history/")[0].rstrip("/").removeprefix("/")


def _where(node: Json, kind: str, place: str) -> str:
    name = text(node, "id")
    if is_id(name):
        return f"{kind}/{name}"
    return f"{kind} at {place}" if place else kind


def fallback_id(entry: Entry) -> str:
    """An id for a resource without one: its type and a checksum of what it says."""
    return f"{entry.type}#{zlib.crc32(repr(entry.resource).encode('utf-8', 'surrogatepass')):08x}"


# References ---------------------------------------------------------------------------------------------


class Index:
    """Where references lead: by full url, by type and id, by urn:uuid, and into contained resources."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._by_url: dict[str, Entry] = {}
        self._by_name: dict[str, list[Entry]] = defaultdict(list)
        self._by_id: dict[str, list[Entry]] = defaultdict(list)
        self._contained: dict[tuple[int, str], Entry] = {}
        self._known: dict[tuple[str, str], Entry | None] = {}
        for entry in entries:
            if entry.container is not None:
                self._contained.setdefault((id(entry.container), entry.id), entry)
                continue
            if entry.url:
                self._by_url.setdefault(entry.url, entry)
            if entry.id:
                self._by_name[f"{entry.type}/{entry.id}"].append(entry)
                self._by_id[entry.id].append(entry)

    def find(self, reference: str, within: Entry) -> Entry | None:
        """The entry a reference in `within` means; None where it leads out of the source."""
        if reference.startswith("#"):
            holder = within.container or within
            return holder if reference == "#" else self._contained.get((id(holder), reference[1:]))
        key = reference, _base((within.container or within).url)
        if key not in self._known:
            self._known[key] = self._find(*key)
        return self._known[key]

    def _find(self, reference: str, base: str) -> Entry | None:
        reference = reference.partition("/_history/")[0].rstrip("/")
        found = self._by_url.get(reference)
        if found is not None:
            return found
        if reference.lower().startswith("urn:uuid:"):
            named = self._by_id.get(reference[9:], [])
            return named[0] if len(named) == 1 else None
        name = "/".join(reference.split("/")[-2:])
        absolute = "://" in reference
        if not absolute and base and (found := self._by_url.get(f"{base}/{name}")) is not None:
            return found
        named = self._by_name.get(name, [])
        if absolute:
            named = [entry for entry in named if not entry.url.startswith("http")]
        return named[0] if len(named) == 1 else None

    def all(self, found: Iterable[str], within: Entry) -> Iterator[Entry]:
        """The entries of several references, those that lead somewhere."""
        for reference in found:
            entry = self.find(reference, within)
            if entry is not None:
                yield entry


def _base(url: str) -> str:
    """The server part of a full url: without type and id."""
    return url.rsplit("/", 2)[0] if url.startswith("http") and url.count("/") >= 4 else ""
