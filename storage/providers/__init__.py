"""Kinds of places for objects. `provider_of(backend)` is the way in; a kind is one class here."""

from .base import (
    BucketNotEmpty,
    BucketTaken,
    Connection,
    Findings,
    Locked,
    ObjectProvider,
    Provider,
    ProviderError,
    Refused,
    RemoteEntry,
    RemoteObject,
    RemotePage,
    Removed,
    Unreachable,
)
from .registry import KINDS, provider_for

__all__ = [
    "KINDS",
    "BucketNotEmpty",
    "BucketTaken",
    "Connection",
    "Findings",
    "Locked",
    "ObjectProvider",
    "Provider",
    "ProviderError",
    "Refused",
    "RemoteEntry",
    "RemoteObject",
    "RemotePage",
    "Removed",
    "Unreachable",
    "provider_for",
]
