"""The contract of a kind of backend. `tests/provider_contract.py` is its meaning, in tests.

All calls are synchronous, take a limited time and may be repeated: each says what shall be, not what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Protocol


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach a backend. Hashable, so that clients can be kept by it."""

    endpoint: str = ""
    region: str = ""
    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    path_style: bool = True
    checksum_mode: str = "when_required"
    vendor: str = ""
    ca_bundle: str = field(default="", repr=False)
    """PEM certificates to trust instead of the system's."""
    may_be_private: bool = True
    """Whether an address that is not public is dialled too."""


@dataclass(frozen=True, slots=True)
class RemoteObject:
    """What a backend says of an object; `etag` without quotes."""

    size: int
    etag: str
    last_modified: datetime
    version_id: str = ""
    """Empty in a bucket that keeps no versions."""
    content_type: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_size(self.size)


@dataclass(frozen=True, slots=True)
class RemoteEntry:
    """An object, a version or a delete marker as a list shows it. A delete marker has neither size nor ETag."""

    key: str
    size: int
    etag: str
    last_modified: datetime
    version_id: str = ""
    is_latest: bool = True
    is_delete_marker: bool = False

    def __post_init__(self) -> None:
        _check_size(self.size)


@dataclass(frozen=True, slots=True)
class RemotePage:
    """Entries in the order of their keys, a key's versions newest first, never a part of a key's versions.

    `next` is the key to go on after; None = that was all.
    """

    entries: list[RemoteEntry]
    next: str | None


@dataclass(frozen=True, slots=True)
class Removed:
    """What a delete did in a bucket that keeps versions; empty in one that keeps none."""

    version_id: str = ""
    delete_marker: bool = False


@dataclass(frozen=True, slots=True)
class Findings:
    """What a connection test found: whose S3 it is, where that shows, and which of `quirks.CAPABILITIES` it has."""

    vendor: str
    capabilities: Mapping[str, bool]


class ProviderError(Exception):
    """A call that failed; the text is for the person who set the backend up and holds no secret.

    `permanent`: trying again without a change is of no use.
    """

    permanent = False


class Unreachable(ProviderError):
    """No answer, or one that says "later"."""


class Refused(ProviderError):
    """The backend knows us and says no: credentials, rights, an operation that it lacks."""

    permanent = True


class BucketTaken(Refused):
    """The bucket's name belongs to somebody else there."""


class Locked(Refused):
    """The version is retained or held there."""


class BucketNotEmpty(ProviderError):
    """The bucket cannot go while it holds objects."""


class Provider(Protocol):
    """What every kind can do."""

    kind: ClassVar[str]
    is_remote: ClassVar[bool]
    """Whether objects lie with somebody else: buckets are made there, and it is an ObjectProvider."""

    def check(self) -> None:
        """Try the connection as far as it goes without leaving anything. Raises ProviderError, which says why."""

    def ensure_bucket(self, name: str) -> None:
        """Make the bucket unless it is ours already. Raises BucketTaken, Refused, Unreachable."""

    def remove_bucket(self, name: str) -> None:
        """Remove the empty bucket; unfinished uploads go with it, absent is fine.

        Raises BucketNotEmpty, Refused, Unreachable.
        """


class ObjectProvider(Provider, Protocol):
    """A remote kind: our own calls about single objects. Clients' bytes pass by, from the edge straight to it."""

    def probe(self) -> Findings:
        """What the backend can, tried on a bucket of its own that is removed again. Raises Refused, Unreachable."""

    def ensure_lockable_bucket(self, name: str) -> None:
        """As `ensure_bucket`, a bucket that keeps versions which can be locked."""

    def set_versioning(self, bucket: str, *, enabled: bool) -> None:
        """Keep versions from now on, or stop. Raises Refused, Unreachable."""

    def set_object_lock(self, bucket: str, default_retention: Mapping[str, Any] | None) -> None:
        """How new versions are retained: {"mode", "days" or "years"}, None: not at all. Raises Refused, Unreachable."""

    def head(self, bucket: str, key: str, version_id: str = "") -> RemoteObject | None:
        """The object or a version of it, or None; a delete marker is none. Raises Refused, Unreachable."""

    def list_entries(self, bucket: str, *, after: str = "", versions: bool = False) -> RemotePage:
        """About a thousand entries with keys after `after`. Raises Refused, Unreachable."""

    def versions_of(self, bucket: str, key: str, *, versions: bool) -> list[RemoteEntry]:
        """What a list shows of one key now, the newest first. Raises Refused, Unreachable."""

    def delete(self, bucket: str, key: str, version_id: str = "") -> Removed:
        """Remove the object, or a version of it; absent is fine. Raises Locked, Refused, Unreachable."""

    def abort_upload(self, bucket: str, key: str, upload_id: str) -> None:
        """End an unfinished upload; absent is fine. Raises Refused, Unreachable."""

    def empty_bucket(self, name: str) -> None:
        """Remove every object and version of a bucket of ours, known to the index or not; absent is fine.

        Raises Refused, Unreachable.
        """


def _check_size(size: int) -> None:
    """A backend is whoever's a tenant says it is: what it says must not make room in the tenant's quota."""
    if not 0 <= size < 1 << 62:
        raise ProviderError(f"The backend says that an object has {size} bytes.")
