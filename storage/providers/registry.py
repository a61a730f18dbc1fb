"""Which class serves which kind."""

from __future__ import annotations

from typing import Protocol

from .base import Connection, Provider
from .local import LocalProvider
from .s3 import S3Provider


class Kind(Protocol):
    """A provider's class, or whatever makes one."""

    is_remote: bool

    def __call__(self, connection: Connection) -> Provider: ...


KINDS: dict[str, Kind] = {
    LocalProvider.kind: LocalProvider,
    S3Provider.kind: S3Provider,
}


def provider_for(kind: str, connection: Connection) -> Provider:
    """The provider of a backend of that kind. KeyError for a kind that there is not."""
    return KINDS[kind](connection)
