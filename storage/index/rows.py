"""Object rows kept in memory, least recently used first out, within a number of bytes.

A row that is read goes in unless its key was written while it was read. Whether what is kept may be believed at
all, the lease says.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from .types import BucketInfo, ObjectRow

RowKey = tuple[int, int, str]

# What a row takes beside its texts and body, measured: the dataclass, its dicts, the key and the table's slots.
_OVERHEAD = 1600
# What each of its parts takes, which may be ten thousand: two dicts, a size and a checksum.
_PART = 640


def row_key(bucket: BucketInfo, key: str) -> RowKey:
    return bucket.tenant_id, bucket.id, key


class Reading:
    """A read under way; void once its key is written."""

    __slots__ = ()


class Rows:
    def __init__(self, limit: int) -> None:
        self._limit, self._bytes = limit, 0
        self._rows: OrderedDict[RowKey, tuple[ObjectRow, int]] = OrderedDict()
        self._reading: dict[RowKey, Reading] = {}

    def get(self, key: RowKey) -> ObjectRow | None:
        found = self._rows.get(key)
        if found is None:
            return None
        self._rows.move_to_end(key)
        return found[0]

    def begin_read(self, key: RowKey) -> Reading:
        """Call before the database is asked."""
        reading = self._reading[key] = Reading()
        return reading

    def end_read(self, key: RowKey, reading: Reading, row: ObjectRow | None) -> None:
        """Keep what was read, unless the key was written since, or somebody began to read it later."""
        if self._reading.get(key) is not reading:
            return
        del self._reading[key]
        if row is None:
            return
        size = _size(key, row)
        if size > self._limit // 8:
            return
        self._drop(key)
        self._rows[key] = row, size
        self._bytes += size
        while self._bytes > self._limit:
            _, (_, freed) = self._rows.popitem(last=False)
            self._bytes -= freed

    def forget(self, keys: Iterable[RowKey]) -> None:
        """Drop rows that are about to be written or were just written, and void reads of them under way."""
        for key in keys:
            self._reading.pop(key, None)
            self._drop(key)

    def forget_all(self) -> None:
        self._rows.clear()
        self._reading.clear()
        self._bytes = 0

    def _drop(self, key: RowKey) -> None:
        found = self._rows.pop(key, None)
        if found is not None:
            self._bytes -= found[1]


def _size(key: RowKey, row: ObjectRow) -> int:
    size = _OVERHEAD + len(key[2]) + len(row.inline or b"") + len(row.content_type)
    pairs = (row.metadata, row.headers, row.checksums, row.tags)
    size += sum(len(k) + len(v) for found in pairs for k, v in found.items())
    if row.sse is not None:
        size += sum(len(str(value)) for value in row.sse.values())
    return size + _PART * len(row.parts or ())
