"""How often a tenant's people may ask: what its settings say beside the platform's own rates."""

from __future__ import annotations

import time
from dataclasses import dataclass

from gateway.db.scope import platform_scope
from tenants.models import Membership, TenantSettings

KEPT_SECONDS = 5.0
"""How long a process may go on with what it read: a change holds everywhere after as many seconds."""
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Rates:
    """Requests a minute, 0 for no limit; None follows the platform."""

    api: int | None = None
    auth: int | None = None


_NONE = Rates()
_kept: dict[int, tuple[float, Rates]] = {}


def of_tenant(tenant_id: int) -> Rates:
    """The tenant's rates, at most KEPT_SECONDS old: every request asks, and they rarely change."""
    now = time.monotonic()
    kept = _kept.get(tenant_id)
    if kept is not None and now - kept[0] < KEPT_SECONDS:
        return kept[1]
    with platform_scope("rates are asked for before a request has its scope"):
        row = TenantSettings.objects.filter(tenant=tenant_id).values_list("api_rate", "auth_rate").first()
    found = Rates(*row) if row else _NONE
    if len(_kept) >= _MOST:
        _kept.clear()
    _kept[tenant_id] = (now, found)
    return found


def forget() -> None:
    """Read anew, in this process."""
    _kept.clear()


def of_account(username: str, default: int) -> int:
    """Attempts a minute to sign in to an account: the strictest of its active tenants', and 0 for no limit.

    A tenant that says nothing follows `default`, and so does a name that is no account's.
    """
    with platform_scope("who signs in is not known yet"):
        told = Membership.objects.filter(
            user__username__iexact=username, is_active=True, tenant__status="active"
        ).values_list("tenant__settings__auth_rate", flat=True)
        rates = [default if rate is None else rate for rate in told[:100]] or [default]
    return min((rate for rate in rates if rate), default=0)
