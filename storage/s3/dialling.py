"""Where requests to a backend are sent: to addresses that were looked at, under the names they are meant for."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from gateway.decision.names import Askers, Names
from storage.providers.dialling import NotDialled, allowed
from storage.s3.errors import S3Error
from storage.s3.signing import Place
from storage.snapshot import BackendInfo

_OF_BACKEND: Final = 4
"""Names of one backend that are looked up at a time: without path style each of its buckets has one."""
_OF_TENANT: Final = 8
"""Names of all the backends that are one tenant's own."""


class Target(NamedTuple):
    """What our own client asks: an origin, and the name that the certificate must bear where that is another."""

    origin: str
    server_hostname: str | None


def streams_here(backend: BackendInfo) -> bool:
    """Whether bytes must pass through this process: the edge knows only certificates that it was started with."""
    return bool(backend.ca_bundle)


async def dial(backend: BackendInfo, where: Place, names: Names) -> str:
    """What the edge dials, host:port.

    Over HTTPS that is the name, for the certificate to be compared with: who points it elsewhere a moment later has
    no certificate there. Raises ServiceUnavailable for an address that may not be dialled.
    """
    if backend.may_be_private:
        return where.dial
    address = (await _addresses(backend, where, names))[0]
    if where.scheme == "https":
        return where.dial
    return f"{_bracketed(address)}:{where.dial.rpartition(':')[2]}"


async def target(backend: BackendInfo, where: Place, names: Names) -> Target:
    """What our own client asks, whose resolver `names` is. Raises as `dial`, and for a name that does not resolve."""
    addresses = await _addresses(backend, where, names)
    if backend.may_be_private:
        return Target(where.origin, None)  # any of its addresses, which are kept now
    address = addresses[0]
    port = where.dial.rpartition(":")[2]
    return Target(f"{where.scheme}://{_bracketed(address)}:{port}", _host(where))


@lru_cache(maxsize=64)
def trust(bundle: str) -> ssl.SSLContext:
    """What the certificates of a backend are compared with; the system's for an empty bundle."""
    return ssl.create_default_context(cadata=bundle or None)


async def _addresses(backend: BackendInfo, where: Place, names: Names) -> Sequence[str]:
    """What may be dialled, at least one: of a name that is slow to be found only this backend's requests wait."""
    host = _host(where)
    found = await names.find(host, _askers(backend))
    try:
        return allowed(host, found, may_be_private=backend.may_be_private)
    except NotDialled as error:
        raise S3Error("ServiceUnavailable", f"The bucket's backend cannot be reached: {error}.") from None


def _askers(backend: BackendInfo) -> Askers:
    # The backend comes first: what waits for one of its places must take none of the tenant's other backends'.
    of_backend = (("backend", backend.id), _OF_BACKEND)
    if backend.tenant_id is None:
        return (of_backend,)
    return (of_backend, (("tenant", backend.tenant_id), _OF_TENANT))


def _host(where: Place) -> str:
    return where.dial.rpartition(":")[0].strip("[]")


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
