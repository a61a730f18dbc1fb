"""Looking for the proof that a tenant controls a host name: a TXT record, or a file on its web server.

Both look-ups go to systems that the claimant names, so they are bounded in time and size, follow no redirect, and
connect to public addresses only: what the name resolves to is what is connected to, so it cannot change in between.
"""

from __future__ import annotations

import asyncio

import aiohttp
import dns.exception
import dns.nameserver
import dns.rdatatype
import dns.resolver
from django.conf import settings

from gateway.outside import Pinned, is_public

LABEL = "_gatehouse-challenge"
PATH = "/.well-known/gatehouse-challenge/"
PORT = 80
PATIENCE_SECONDS = 5.0
_LONGEST = 1024


class NoProof(Exception):
    """The text says, for the claimant, what was found instead."""


def record_name(hostname: str) -> str:
    return f"{LABEL}.{hostname}"


def address(hostname: str, token: str) -> str:
    return f"http://{hostname}{PATH}{token}"


def look(hostname: str, token: str) -> str:
    """The method, `dns` or `http`, by which the name shows the token. Takes seconds. Raises NoProof."""
    try:
        _look_in_dns(hostname, token)
    except NoProof as of_dns:
        try:
            asyncio.run(_look_over_http(hostname, token))
        except NoProof as of_http:
            raise NoProof(f"DNS: {of_dns} HTTP: {of_http}") from None
        return "http"
    return "dns"


def _resolver() -> dns.resolver.Resolver:
    """The system's, or the servers that DNS_RESOLVERS names (`address` or `address:port`)."""
    named = settings.DNS_RESOLVERS
    resolver = dns.resolver.Resolver(configure=not named)
    if named:
        resolver.nameservers = [dns.nameserver.Do53Nameserver(*_endpoint(text)) for text in named]
    resolver.lifetime = PATIENCE_SECONDS
    resolver.cache = None
    return resolver


def _endpoint(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if colon and (host.startswith("[") or ":" not in host):
        return host.strip("[]"), int(port)
    return text.strip("[]"), 53


def _look_in_dns(hostname: str, token: str) -> None:
    name = record_name(hostname)
    try:
        answer = _resolver().resolve(name, dns.rdatatype.TXT, search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        raise NoProof(f"{name} has no TXT record.") from None
    except (dns.exception.DNSException, OSError, ValueError):
        raise NoProof(f"{name} could not be looked up.") from None
    texts = [b"".join(record.strings).decode("ascii", "replace") for record in answer]
    if token not in texts:
        raise NoProof(f"{name} has another text.")


def _addresses(hostname: str) -> list[str]:
    """What may be connected to. Raises NoProof where any address is not public."""
    resolver, found = _resolver(), []
    for kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
        try:
            found += [record.address for record in resolver.resolve(hostname, kind, search=False)]
        except (dns.exception.DNSException, OSError, ValueError):
            continue
    if not found:
        raise NoProof(f"{hostname} has no address.")
    if not settings.DOMAIN_CHECK_PRIVATE and not all(map(is_public, found)):
        raise NoProof(f"{hostname} has an address that is not public.")
    return found


async def _look_over_http(hostname: str, token: str) -> None:
    connector = aiohttp.TCPConnector(resolver=Pinned(_addresses(hostname)), use_dns_cache=False)
    timeout = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
    port = "" if PORT == 80 else f":{PORT}"
    try:
        async with (
            aiohttp.ClientSession(
                connector=connector, timeout=timeout, auto_decompress=False, trust_env=False
            ) as session,
            session.get(f"http://{hostname}{port}{PATH}{token}", allow_redirects=False) as answer,
        ):
            if answer.status != 200:
                raise NoProof(f"the web server answers {answer.status}.")
            body = await answer.content.read(_LONGEST)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        raise NoProof("the web server does not answer as it should.") from None
    if body.decode("ascii", "replace").strip() != token:
        raise NoProof("the web server shows another text.")
