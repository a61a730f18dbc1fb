"""A remote backend in memory that misbehaves on demand, for tests of everything above providers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import uuid4

from .base import (
    BucketNotEmpty,
    BucketTaken,
    Connection,
    Findings,
    Locked,
    ProviderError,
    Refused,
    RemoteEntry,
    RemoteObject,
    RemotePage,
    Removed,
)


@dataclass
class FakeBackend:
    """The far side: what it holds, whose names are taken, and how it fails next.

    `failures` are raised one per call, first to last; `fails_after` ones are raised once the call has done its
    work, as when an answer is lost on the way.
    """

    objects: dict[str, dict[str, RemoteObject]] = field(default_factory=dict)
    versioned: dict[str, list[RemoteEntry]] = field(default_factory=dict)
    """Of buckets that keep versions: all of them, oldest first; what the newest are is in `objects` too."""
    locked: set[str] = field(default_factory=set)
    capabilities: dict[str, bool] = field(default_factory=dict)
    page: int = 1000
    foreign: set[str] = field(default_factory=set)
    failures: list[ProviderError] = field(default_factory=list)
    fails_after: list[ProviderError] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def put(self, bucket: str, key: str, body: bytes) -> RemoteObject:
        """As a client whose bytes the edge forwarded."""
        etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        version_id = uuid4().hex if bucket in self.versioned else ""
        stored = RemoteObject(len(body), etag, datetime.now(UTC), version_id)
        self.objects[bucket][key] = stored
        if version_id:
            self.versioned[bucket].append(RemoteEntry(key, len(body), etag, stored.last_modified, version_id))
        return stored

    def mark(self, bucket: str, key: str) -> str:
        """A delete in a bucket that keeps versions; returns the delete marker's id."""
        self.objects[bucket].pop(key, None)
        marker = RemoteEntry(key, 0, "", datetime.now(UTC), uuid4().hex, is_delete_marker=True)
        self.versioned[bucket].append(marker)
        return marker.version_id

    def remove(self, bucket: str, gone: RemoteEntry) -> None:
        """One version for good; the newest that is left is what the key is."""
        self.versioned[bucket].remove(gone)
        left = [entry for entry in self.versioned[bucket] if entry.key == gone.key]
        self.objects[bucket].pop(gone.key, None)
        if left and not left[-1].is_delete_marker:
            now = left[-1]
            self.objects[bucket][gone.key] = RemoteObject(
                now.size, now.etag, now.last_modified, now.version_id
            )

    def entries(self, bucket: str) -> list[RemoteEntry]:
        """As a list of the bucket shows them."""
        if bucket not in self.versioned:
            return [
                RemoteEntry(key, found.size, found.etag, found.last_modified)
                for key, found in sorted(self.objects[bucket].items())
            ]
        shown: list[RemoteEntry] = []
        newest_first = list(reversed(self.versioned[bucket]))
        for entry in sorted(newest_first, key=lambda entry: entry.key):
            newest = not shown or shown[-1].key != entry.key
            shown.append(replace(entry, is_latest=newest))
        return shown


class FakeProvider:
    kind: ClassVar[str] = "fake"
    is_remote: ClassVar[bool] = True

    def __init__(self, connection: Connection, backend: FakeBackend) -> None:
        self._backend = backend

    def check(self) -> None:
        self._begin("check")
        self._end()

    def ensure_bucket(self, name: str) -> None:
        self._begin(f"ensure {name}")
        if name in self._backend.foreign:
            raise BucketTaken(f"The name {name} is taken there.")
        self._backend.objects.setdefault(name, {})
        self._end()

    def remove_bucket(self, name: str) -> None:
        self._begin(f"remove {name}")
        if self._backend.objects.get(name):
            raise BucketNotEmpty(f"The bucket {name} still holds objects there.")
        self._backend.objects.pop(name, None)
        self._end()

    def probe(self) -> Findings:
        self._begin("probe")
        self._end()
        return Findings("generic", self._backend.capabilities)

    def ensure_lockable_bucket(self, name: str) -> None:
        self.ensure_bucket(name)
        self._backend.versioned.setdefault(name, [])

    def set_versioning(self, bucket: str, *, enabled: bool) -> None:
        self._begin(f"versioning {bucket} {enabled}")
        self._backend.versioned.setdefault(bucket, [])
        self._end()

    def set_object_lock(self, bucket: str, default_retention: Mapping[str, Any] | None) -> None:
        self._begin(f"object lock {bucket} {default_retention}")
        self._end()

    def head(self, bucket: str, key: str, version_id: str = "") -> RemoteObject | None:
        self._begin(f"head {bucket}/{key}")
        found = self._backend.objects.get(bucket, {}).get(key)
        if version_id:
            found = next(
                (
                    RemoteObject(entry.size, entry.etag, entry.last_modified, entry.version_id)
                    for entry in self._backend.versioned.get(bucket, [])
                    if (entry.key, entry.version_id) == (key, version_id) and not entry.is_delete_marker
                ),
                None,
            )
        self._end()
        return found

    def list_entries(self, bucket: str, *, after: str = "", versions: bool = False) -> RemotePage:
        self._begin(f"list {bucket} after {after}")
        keys: list[str] = []
        shown: list[RemoteEntry] = []
        for entry in self._backend.entries(bucket):
            if entry.key <= after:
                continue
            if entry.key not in keys:
                if len(keys) == self._backend.page:
                    return RemotePage(shown, keys[-1])
                keys.append(entry.key)
            shown.append(entry)
        self._end()
        return RemotePage(shown, None)

    def versions_of(self, bucket: str, key: str, *, versions: bool) -> list[RemoteEntry]:
        self._begin(f"versions of {bucket}/{key}")
        self._end()
        return [entry for entry in self._backend.entries(bucket) if entry.key == key]

    def delete(self, bucket: str, key: str, version_id: str = "") -> Removed:
        self._begin(f"delete {bucket}/{key}")
        far = self._backend
        if bucket not in far.objects:
            raise Refused(f"There is no bucket {bucket}.")
        removed = Removed()
        if version_id:
            if version_id in far.locked:
                raise Locked("The version is retained.")
            gone = next((entry for entry in far.versioned[bucket] if entry.version_id == version_id), None)
            if gone is not None:
                far.remove(bucket, gone)
                removed = Removed(version_id, gone.is_delete_marker)
        elif bucket in far.versioned:
            removed = Removed(far.mark(bucket, key), delete_marker=True)
        else:
            far.objects[bucket].pop(key, None)
        self._end()
        return removed

    def abort_upload(self, bucket: str, key: str, upload_id: str) -> None:
        self._begin(f"abort {bucket}/{key} {upload_id}")
        self._end()

    def empty_bucket(self, name: str) -> None:
        self._begin(f"empty {name}")
        if name in self._backend.objects:
            self._backend.objects[name].clear()
        if name in self._backend.versioned:
            self._backend.versioned[name].clear()
        self._end()

    def _begin(self, call: str) -> None:
        self._backend.calls.append(call)
        if self._backend.failures:
            raise self._backend.failures.pop(0)

    def _end(self) -> None:
        if self._backend.fails_after:
            raise self._backend.fails_after.pop(0)
