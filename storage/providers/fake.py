"""A remote backend in memory that misbehaves on demand, for tests of everything above providers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar

from .base import BucketNotEmpty, BucketTaken, Connection, ProviderError, Refused, RemoteObject


@dataclass
class FakeBackend:
    """The far side: what it holds, whose names are taken, and how it fails next.

    `failures` are raised one per call, first to last; `fails_after` ones are raised once the call has done its
    work, as when an answer is lost on the way.
    """

    objects: dict[str, dict[str, RemoteObject]] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)
    failures: list[ProviderError] = field(default_factory=list)
    fails_after: list[ProviderError] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def put(self, bucket: str, key: str, body: bytes) -> RemoteObject:
        """As a client whose bytes the edge forwarded."""
        stored = RemoteObject(
            len(body), hashlib.md5(body, usedforsecurity=False).hexdigest(), datetime.now(UTC)
        )
        self.objects[bucket][key] = stored
        return stored


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

    def head(self, bucket: str, key: str) -> RemoteObject | None:
        self._begin(f"head {bucket}/{key}")
        found = self._backend.objects.get(bucket, {}).get(key)
        self._end()
        return found

    def delete(self, bucket: str, key: str) -> None:
        self._begin(f"delete {bucket}/{key}")
        if bucket not in self._backend.objects:
            raise Refused(f"There is no bucket {bucket}.")
        self._backend.objects[bucket].pop(key, None)
        self._end()

    def empty_bucket(self, name: str) -> None:
        self._begin(f"empty {name}")
        if name in self._backend.objects:
            self._backend.objects[name].clear()
        self._end()

    def _begin(self, call: str) -> None:
        self._backend.calls.append(call)
        if self._backend.failures:
            raise self._backend.failures.pop(0)

    def _end(self) -> None:
        if self._backend.fails_after:
            raise self._backend.fails_after.pop(0)
