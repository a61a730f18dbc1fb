"""Kinds of places for objects. `provider_of(backend)` is the way in; a kind is one class here."""

from .base import (
    BucketNotEmpty,
    BucketTaken,
    Connection,
    ObjectProvider,
    Provider,
    ProviderError,
    Refused,
    RemoteObject,
    Unreachable,
)
from .registry import KINDS, provider_for

__all__ = [
    "KINDS",
    "BucketNotEmpty",
    "BucketTaken",
    "Connection",
    "ObjectProvider",
    "Provider",
    "ProviderError",
    "Refused",
    "RemoteObject",
    "Unreachable",
    "provider_for",
]
