"""Patients who are named by an identifier alone: whom a resource names so, and which Patient resources have it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from onstudy.readers.fhir import identifier_pair
from onstudy.readers.fhir_entries import Entry, Source
from onstudy.readers.fhir_json import Json, items
from onstudy.readers.source import decode

_PATIENT = b'"Patient"'


@dataclass(frozen=True, slots=True)
class Identified:
    """A patient who is named by an identifier alone: its system and value, as JSON."""

    text: str

    @classmethod
    def of(cls, pair: tuple[str, str]) -> Identified:
        """The patient with an identifier."""
        return cls(json.dumps(pair))

    @property
    def system(self) -> str:
        """Who gives identifiers of this sort."""
        return str(json.loads(self.text)[0])


def identified_in(texts: Iterable[bytes], systems: frozenset[str]) -> pa.Table:
    """The identifiers of some systems that the Patient resources of JSON texts have, `named`, each with `patient`."""
    source = Source()
    for text in texts:
        if _PATIENT in text:
            try:
                source.take(decode(text.decode("utf-8-sig")), "")
            except (ValueError, RecursionError):  # counted where it is read
                continue
    source.newest()
    found = [pair for entry in source.entries for pair in _pairs(entry, systems)]
    columns: list[list[str]] = [[one[place] for one in found] for place in (0, 1)]
    return pa.table([pa.array(column, pa.string()) for column in columns], names=["named", "patient"])


def _pairs(entry: Entry, systems: frozenset[str]) -> Iterator[tuple[str, str]]:
    if entry.type == "Patient" and entry.container is None and entry.id:
        for pair in map(identifier_pair, items(entry.resource, "identifier")):
            if pair[0] in systems:
                yield Identified.of(pair).text, entry.id


def identify(entries: Iterable[Entry], patient: str, named: str) -> None:
    """Let a patient have an identifier that was left out when the Patient resource was taken apart."""
    system, value = json.loads(named)
    own: Json = {"system": system, "value": value}
    for entry in entries:
        if entry.type == "Patient" and entry.container is None and entry.id == patient:
            entry.resource["identifier"] = [*items(entry.resource, "identifier"), own]
