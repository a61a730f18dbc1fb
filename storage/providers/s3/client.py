"""boto3 clients of backends: with their own certificates, and connecting only to addresses that were looked at."""

from __future__ import annotations

import hashlib
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import boto3
from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)
from botocore.config import Config

from storage.providers.base import Connection
from storage.providers.dialling import vetted

CONNECT_SECONDS, READ_SECONDS = 5, 20


@lru_cache(maxsize=64)
def client_of(connection: Connection) -> Any:
    """A client of `connection`, shared by all threads; a call that fails is tried once more."""
    made = boto3.session.Session().client(
        "s3",
        endpoint_url=connection.endpoint or None,
        region_name=connection.region or "us-east-1",
        aws_access_key_id=connection.access_key,
        aws_secret_access_key=connection.secret_key,
        verify=str(_kept(connection.ca_bundle)) if connection.ca_bundle else None,
        config=Config(
            signature_version="s3v4",
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": 2},
            s3={"addressing_style": "path" if connection.path_style else "virtual"},
            request_checksum_calculation=connection.checksum_mode,
            response_checksum_validation=connection.checksum_mode,
            proxies=None if connection.may_be_private else {},  # a proxy would look the name up itself
        ),
    )
    if not connection.may_be_private:
        # botocore has no setting for it: its session's pools are the way in.
        made._endpoint.http_session._manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
    return made


class _Pinned:
    """Of a connection: its host's name stays what the certificate is compared with, an address is connected to."""

    _dns_host: str

    def _new_conn(self) -> Any:
        name = self._dns_host
        self._dns_host = vetted(name, may_be_private=False)[0]
        try:
            return super()._new_conn()  # type: ignore[misc]
        finally:
            self._dns_host = name


class _PinnedConnection(_Pinned, AWSHTTPConnection):  # type: ignore[misc]
    pass


class _PinnedSecureConnection(_Pinned, AWSHTTPSConnection):  # type: ignore[misc]
    pass


class _Pool(AWSHTTPConnectionPool):  # type: ignore[misc]
    ConnectionCls = _PinnedConnection


class _SecurePool(AWSHTTPSConnectionPool):  # type: ignore[misc]
    ConnectionCls = _PinnedSecureConnection


@lru_cache(maxsize=64)
def _kept(bundle: str) -> Path:
    """A file with these certificates, which botocore wants; it goes with the process."""
    name = f"gatehouse-ca-{hashlib.sha256(bundle.encode()).hexdigest()[:32]}.pem"
    path = Path(_folder().name) / name
    path.write_text(bundle)
    return path


@lru_cache(maxsize=1)
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="gatehouse-ca-")
