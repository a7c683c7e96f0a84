"""What tells a record that is in the store already: a checksum of its JSON but for the date of the data.

A record whose checksum is known is not read any further; of two that differ only what they say is compared.
"""

from __future__ import annotations

from hashlib import sha256

import msgspec

from onstudy.registry.plain import one_line
from onstudy.registry.record import WORD

#: Bytes of a digest, of SHA-256: processors have instructions for it.
DIGEST = 16
_VERSION_KEY = b'"versionHolder"'
_SPACE = b" \t\n\r\x0b\x0c"


def digest_of(raw: bytes | msgspec.Raw) -> bytes:
    """A checksum of a record's JSON but for the date of the data."""
    text = bytes(raw)
    begin, end = _inner(text)
    start = _last(text, _VERSION_KEY)
    first = text.find(b'"', start + len(_VERSION_KEY)) + 1 if start >= 0 else 0
    last = text.find(b'"', first) if first else -1
    whole = memoryview(text)
    if last < 0:
        return sha256(whole[begin:end], usedforsecurity=False).digest()[:DIGEST]
    found = sha256(whole[begin:first], usedforsecurity=False)
    found.update(whole[last:end])
    return found.digest()[:DIGEST]


def _last(text: bytes, key: bytes) -> int:
    """Where a key stands last, below zero where it does not; looking from the front is several times as fast."""
    found = -1
    while (further := text.find(key, found + 1)) >= 0:
        found = further
    return found


def _inner(text: bytes) -> tuple[int, int]:
    """Where a text begins and ends without the space around it, which is not copied to find that out."""
    begin, end = 0, len(text)
    while begin < end and text[begin] in _SPACE:
        begin += 1
    while begin < end and text[end - 1] in _SPACE:
        end -= 1
    return begin, end


class Same(msgspec.Struct, array_like=True, tag=True, gc=False):
    """A record that is in the store already, but for the date of its data (`version`)."""

    nct_id: str
    version: str
    digest: bytes


def same_as_before(raw: bytes | msgspec.Raw, digest: bytes) -> Same | None:
    """What there is to tell of a record whose digest is known; None where it must be read as any other."""
    try:
        brief = _brief.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    version = one_line(brief.derivedSection.miscInfoModule.versionHolder, WORD)
    return Same(brief.protocolSection.identificationModule.nctId.strip(), version, digest)


class _Named(msgspec.Struct, frozen=True, gc=False):
    nctId: str = ""


class _Protocol(msgspec.Struct, frozen=True, gc=False):
    identificationModule: _Named = _Named()


class _Dated(msgspec.Struct, frozen=True, gc=False):
    versionHolder: str = ""


class _Derived(msgspec.Struct, frozen=True, gc=False):
    miscInfoModule: _Dated = _Dated()


class _Brief(msgspec.Struct, frozen=True, gc=False):
    protocolSection: _Protocol = _Protocol()
    derivedSection: _Derived = _Derived()


_brief = msgspec.json.Decoder(_Brief)
