"""How a backend is reached: its row as a provider that talks to it."""

from __future__ import annotations

from typing import Any

from gateway import crypto
from storage import providers
from storage.models import Backend

CONNECTION_FIELDS = (
    "endpoint",
    "region",
    "access_key",
    "path_style",
    "checksum_mode",
    "vendor",
    "ca_bundle",
)


def secret_of(backend: Backend) -> str:
    """The secret key in clear; empty where there is none. Raises crypto.CannotOpen."""
    if not backend.secret_sealed:
        return ""
    return crypto.open_sealed(bytes(backend.secret_sealed), backend.secret_aad).decode()


def provider_of(backend: Backend) -> providers.Provider:
    """The way to talk to a backend."""
    connection = providers.Connection(
        endpoint=backend.endpoint,
        region=backend.region,
        access_key=backend.access_key,
        secret_key=secret_of(backend),
        path_style=backend.path_style,
        checksum_mode=backend.checksum_mode,
        vendor=backend.vendor,
        ca_bundle=backend.ca_bundle,
        may_be_private=backend.may_be_private,
    )
    return providers.provider_for(backend.kind, connection)


def is_remote(backend: Backend) -> bool:
    """Whether objects on it lie with somebody else."""
    return providers.KINDS[backend.kind].is_remote


def connection_of(backend: Backend) -> list[Any]:
    """What a connection test is of: how the backend is reached, and as whom."""
    return [*(getattr(backend, field) for field in CONNECTION_FIELDS), bytes(backend.secret_sealed)]
