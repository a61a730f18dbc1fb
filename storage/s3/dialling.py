"""Where requests to a backend are sent: to addresses that were looked at, under the names they are meant for."""

from __future__ import annotations

import asyncio
import ssl
import time
from functools import lru_cache
from typing import Final, NamedTuple

from storage.providers.dialling import NotDialled, vetted
from storage.s3.errors import S3Error
from storage.s3.signing import Place
from storage.snapshot import BackendInfo

_KEEP_SECONDS: Final = 30.0
_KEEP_AT_MOST: Final = 1024

_kept: dict[str, tuple[float, str]] = {}


class Target(NamedTuple):
    """What our own client asks: an origin, and the name that the certificate must bear where that is another."""

    origin: str
    server_hostname: str | None


def streams_here(backend: BackendInfo) -> bool:
    """Whether bytes must pass through this process: the edge knows only certificates that it was started with."""
    return bool(backend.ca_bundle)


async def dial(backend: BackendInfo, where: Place) -> str:
    """What the edge dials, host:port.

    Over HTTPS that is the name, for the certificate to be compared with: who points it elsewhere a moment later has
    no certificate there. Raises ServiceUnavailable for an address that may not be dialled.
    """
    if backend.may_be_private:
        return where.dial
    address = await _address(where)
    if where.scheme == "https":
        return where.dial
    return f"{_bracketed(address)}:{where.dial.rpartition(':')[2]}"


async def target(backend: BackendInfo, where: Place) -> Target:
    """What our own client asks. Raises as `dial`."""
    if backend.may_be_private:
        return Target(where.origin, None)
    address = await _address(where)
    port = where.dial.rpartition(":")[2]
    return Target(f"{where.scheme}://{_bracketed(address)}:{port}", _host(where))


@lru_cache(maxsize=64)
def trust(bundle: str) -> ssl.SSLContext:
    """What the certificates of a backend are compared with; the system's for an empty bundle."""
    return ssl.create_default_context(cadata=bundle or None)


async def _address(where: Place) -> str:
    host, now = _host(where), time.monotonic()
    until, address = _kept.get(host, (0.0, ""))
    if until < now:
        try:
            address = (await asyncio.to_thread(vetted, host, may_be_private=False))[0]
        except NotDialled as error:
            raise S3Error("ServiceUnavailable", f"The bucket's backend cannot be reached: {error}.") from None
        if len(_kept) >= _KEEP_AT_MOST:
            _kept.clear()
        _kept[host] = (now + _KEEP_SECONDS, address)
    return address


def _host(where: Place) -> str:
    return where.dial.rpartition(":")[0].strip("[]")


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
