"""How long the next attempt to guess a password or a code must wait: longer with each one that failed.

Attempts are counted in Valkey, and so over all processes, before what was shown is looked at: a hundred at once are no
better than a hundred in a row. Three counts stand beside the rates per minute (`gateway.api.ratelimit`):

- of an account, tried from addresses where nobody ever signed in to it;
- of an account and one address where somebody did in the last 90 days. So guesses from elsewhere do not shut out its
  owner, and nobody can lock an account for ever: the longest wait is `_LONGEST`;
- of an address (of IPv6 a /64), whatever the accounts.

Without Valkey nothing can be counted, and attempts pass: an outage of the cache is not one of the platform.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from django.core.cache import cache
from django.utils import timezone
from redis.exceptions import RedisError

from gateway.db.scope import platform_scope
from gateway.errors import RateLimited
from tenants.models import SignIn

log = logging.getLogger(__name__)
Purpose = Literal["password", "second_factor"]

PREFIX = "sign-in-attempts"
FREE_OF_ACCOUNT, FREE_OF_ADDRESS = 5, 50
_LONGEST = 300
_REMEMBERED = 24 * 3600
_KNOWN_FOR = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt that was let through. It counts as failed until `succeeded` says otherwise."""

    account: str
    address: str

    def succeeded(self) -> None:
        """Forget the account's failures. An address's stay, or one good account would buy guesses at others."""
        try:
            cache.delete(self.account)
            if self.address:
                cache.decr(self.address)
        except (RedisError, ValueError):
            log.warning("an attempt to sign in stays counted")


def attempt(purpose: Purpose, account: str, ip: str | None) -> Attempt:
    """Count one attempt at an account, by its name, from an address. Raises RateLimited with the seconds to wait."""
    name = account.strip().lower()
    known = ip is not None and _is_known(name, ip)
    of_account = _key(purpose, "account", f"{name}\0{ip if known else ''}")
    of_address = _key(purpose, "address", _network(ip)) if ip is not None else ""
    try:
        if of_address:
            _take(of_address, FREE_OF_ADDRESS)
        _take(of_account, FREE_OF_ACCOUNT)
    except (RedisError, ValueError) as error:  # ValueError: forgotten between two steps
        log.warning("attempts to sign in are not counted: %s", error)
    return Attempt(of_account, of_address)


def _is_known(name: str, ip: str) -> bool:
    with platform_scope("who signs in is not known yet"):
        since = timezone.now() - _KNOWN_FOR
        return SignIn.objects.filter(user__username__iexact=name, ip=ip, created_at__gt=since).exists()


def _take(key: str, free: int) -> None:
    """Count, or refuse: past the free attempts each one opens a window in which there is no other."""
    cache.add(key, 0, timeout=_REMEMBERED)
    count = cache.incr(key)
    if count <= free:
        return
    wait = min(2 ** min(count - free, 16), _LONGEST)
    ends = time.time() + wait
    if cache.add(f"{key}:wait", ends, timeout=wait):
        cache.touch(key, _REMEMBERED)
        return
    cache.decr(key)  # an attempt that was not made lengthens nothing
    left = float(cache.get(f"{key}:wait", 0)) - time.time()
    raise RateLimited("Too many attempts; wait before the next one.", retry_after=max(1, round(left)))


def _key(purpose: str, kind: str, who: str) -> str:
    return f"{PREFIX}:{purpose}:{kind}:{hashlib.sha256(who.encode()).hexdigest()[:32]}"


def _network(ip: str) -> str:
    address = ipaddress.ip_address(ip)
    if address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
