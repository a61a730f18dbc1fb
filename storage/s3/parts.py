"""The parts that an object was made of, as its row keeps them and reads show them.

A row has [{"size", "checksums"}] in order, and "number" where a part's number is not its place; None for an object
that was made in one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from storage.index import ObjectRow, PartRow
from storage.s3.errors import S3Error
from storage.s3.ranges import ByteRange


class Part(NamedTuple):
    """One part of an object: `span` is None when it is empty, `of` how many there are (0: made in one)."""

    span: ByteRange | None
    checksums: Mapping[str, str]
    of: int


def kept(parts: Sequence[PartRow]) -> list[dict[str, Any]]:
    """The parts of a completed upload as the object's row keeps them."""
    return [
        {
            "size": part.size,
            "checksums": dict(part.checksums),
            **({} if part.number == place else {"number": part.number}),
        }
        for place, part in enumerate(parts, 1)
    ]


def numbered(row: ObjectRow) -> list[tuple[int, Mapping[str, Any]]]:
    """An object's parts with their numbers, in order; none when it was made in one."""
    return [(part.get("number", place), part) for place, part in enumerate(row.parts or (), 1)]


def find(row: ObjectRow, number: int) -> Part:
    """The part with that number; an object that was made in one is its own first part. Raises InvalidPart."""
    if row.parts is None:
        if number == 1:
            return Part(_span(0, row.size), row.checksums, 0)
        raise _no_such_part(number)
    start = 0
    for found, part in numbered(row):
        if found == number:
            return Part(_span(start, part["size"]), part.get("checksums", {}), len(row.parts))
        start += part["size"]
    raise _no_such_part(number)


def _span(start: int, size: int) -> ByteRange | None:
    return ByteRange(start, start + size - 1) if size else None


def _no_such_part(number: int) -> S3Error:
    return S3Error(
        "InvalidPart", "The requested partnumber is not satisfiable", extra={"PartNumber": str(number)}
    )
