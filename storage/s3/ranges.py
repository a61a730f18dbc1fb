"""The Range header, as S3 reads it: one range of bytes, or the whole object."""

import re
from typing import Final, NamedTuple

from storage.s3.errors import S3Error

_ONE_RANGE: Final = re.compile(r"\s*bytes\s*=\s*(\d{0,19})\s*-\s*(\d{0,19})\s*\Z", re.ASCII | re.IGNORECASE)
_EXACT: Final = re.compile(r"bytes=(\d{1,19})-(\d{1,19})\Z", re.ASCII)


class ByteRange(NamedTuple):
    """First and last byte, both included."""

    first: int
    last: int

    @property
    def length(self) -> int:
        return self.last - self.first + 1


def parse(header: str | None, size: int) -> ByteRange | None:
    """The range within an object of `size` bytes.

    None (the whole object) when there is none, when it is malformed, and when it names several, which S3 does
    not serve either. Raises InvalidRange (416) when nothing of it lies within the object.
    """
    found = _ONE_RANGE.match(header) if header else None
    if found is None:
        return None
    first, last = found.groups()
    if first:
        start, end = int(first), min(int(last), size - 1) if last else size - 1
        if last and int(last) < start:
            return None
    elif last:
        start, end = max(size - int(last), 0), size - 1
    else:
        return None
    if start > end:
        raise S3Error(
            "InvalidRange",
            extra={"RangeRequested": (header or "").strip(), "ActualObjectSize": str(size)},
            headers={"Content-Range": f"bytes */{size}"},
        )
    return ByteRange(start, end)


def exact(text: str) -> ByteRange | None:
    """`bytes=first-last` with both of them, as copies of parts want it; None for anything else."""
    found = _EXACT.match(text.strip())
    if found is None:
        return None
    first, last = map(int, found.groups())
    return ByteRange(first, last) if first <= last else None
