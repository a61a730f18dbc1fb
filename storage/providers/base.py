"""The contract of a kind of backend. `tests/provider_contract.py` is its meaning, in tests.

All calls are synchronous, take a limited time and may be repeated: each says what shall be, not what to do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Protocol


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach a backend. Hashable, so that clients can be kept by it."""

    endpoint: str = ""
    region: str = ""
    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    path_style: bool = True
    checksum_mode: str = "when_required"


@dataclass(frozen=True, slots=True)
class RemoteObject:
    """What a backend says of an object; `etag` without quotes."""

    size: int
    etag: str
    last_modified: datetime


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

    def head(self, bucket: str, key: str) -> RemoteObject | None:
        """The object, or None. Raises Refused, Unreachable."""

    def delete(self, bucket: str, key: str) -> None:
        """Remove the object; absent is fine. Raises Refused, Unreachable."""

    def empty_bucket(self, name: str) -> None:
        """Remove every object of a bucket of ours, known to the index or not; absent is fine.

        Raises Refused, Unreachable.
        """
