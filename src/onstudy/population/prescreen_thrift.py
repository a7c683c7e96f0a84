"""The compact protocol of Apache Thrift, as much of it as the headers and the footer of a Parquet file take.

A structure is a list of (field id, type, value); format: https://github.com/apache/thrift, compact protocol.
"""

from __future__ import annotations

from collections.abc import Sequence

#: Types as the protocol numbers them.
BYTE, I16, I32, I64, BINARY, LIST, STRUCT, BOOL = 3, 4, 5, 6, 8, 9, 12, 1
_FALSE = 2

#: A field: its id, its type, its value. A list's value is (type of its items, items); a structure's its fields.
Field = tuple[int, int, object]


def structure(fields: Sequence[Field]) -> bytes:
    """A structure; its fields must be in the order of their ids."""
    out = bytearray()
    before = 0
    for number, kind, value in fields:
        written = _FALSE if kind == BOOL and not value else kind
        assert before < number <= before + 15, "field ids rise, by 15 at most"
        out.append((number - before) << 4 | written)
        if kind != BOOL:
            out += _value(kind, value)
        before = number
    out.append(0)
    return bytes(out)


def varint(number: int) -> bytes:
    """A number of at least zero, seven bits a byte, the lowest first."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _zigzag(number: int) -> bytes:
    return varint(number << 1 if number >= 0 else (-number << 1) - 1)


def _value(kind: int, value: object) -> bytes:
    if kind == STRUCT:
        return value if isinstance(value, bytes) else structure(value)  # type: ignore[arg-type]
    if kind == LIST:
        assert isinstance(value, tuple)
        of, items = value
        head = bytes([len(items) << 4 | of]) if len(items) < 15 else bytes([0xF0 | of]) + varint(len(items))
        return head + b"".join(_value(of, item) for item in items)
    if kind == BINARY:
        data = value.encode() if isinstance(value, str) else value
        assert isinstance(data, bytes)
        return varint(len(data)) + data
    assert isinstance(value, int)
    return bytes([value & 0xFF]) if kind == BYTE else _zigzag(value)
