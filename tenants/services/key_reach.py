"""How far a key reaches: never beyond its owner, nor beyond the credential of whoever makes or changes it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.db.models import Q
from django.utils import timezone

from gateway.errors import Forbidden, Invalid
from tenants import networks
from tenants.models import ApiKey, Membership
from tenants.permissions import PERMISSIONS, role_permissions
from tenants.principal import Principal


@dataclass(frozen=True, slots=True)
class Bounds:
    """What limits a caller's own credential beside permissions; nothing they make may reach beyond it."""

    networks: list[str]
    expires_at: datetime | None

    def __bool__(self) -> bool:
        return bool(self.networks) or self.expires_at is not None


class Limited(Protocol):
    """What limits a key of any kind beside its owner's role; None and no addresses are no limit."""

    permissions: list[str] | None
    allowed_networks: list[str]
    expires_at: datetime | None


def bounds_of(actor: Principal) -> Bounds:
    """Empty but for API keys that end or are limited to addresses. Raises Forbidden."""
    key = key_of(actor)
    return Bounds([], None) if key is None else Bounds(key.allowed_networks, key.expires_at)


def key_of(actor: Principal) -> ApiKey | None:
    """The API key that the caller signed in with, if one. Raises Forbidden where it is gone."""
    if actor.credential.kind != "api_key":
        return None
    at = actor.credential.id
    rows = ApiKey.objects.filter(Q(prefix=at) | Q(previous_prefix=at), tenant=actor.tenant)
    key: ApiKey | None = rows.first()
    if key is None:  # it was rotated or removed while its request was under way
        raise Forbidden("The credential is not valid any more.", code="credential_ended")
    return key


def permitted(wanted: list[str] | None, held: frozenset[str], actor: Principal) -> list[str] | None:
    """The permissions that a new key gets. Raises Invalid by field, Forbidden."""
    if wanted is None:
        if beyond := sorted(held - actor.permissions):
            if actor.credential.kind == "api_key":  # a narrowed key makes no wider one
                return sorted(actor.permissions & held)
            raise Forbidden(
                f"Its role holds {beyond[0]}, which is not yours to give.", code="permission_missing"
            )
        # A key's own permissions stay what they are; its owner's may grow.
        return sorted(held) if actor.credential.kind == "api_key" else None
    if unknown := sorted(set(wanted) - PERMISSIONS.keys()):
        raise Invalid(f"Unknown permission {unknown[0]}.", errors={"permissions": [f"Unknown: {unknown[0]}"]})
    if beyond := sorted(set(wanted) - actor.permissions):
        raise Invalid(
            f"You do not hold {beyond[0]}.", errors={"permissions": [f"Not yours to give: {beyond[0]}"]}
        )
    if beyond := sorted(set(wanted) - held):
        raise Invalid(
            f"The owner does not hold {beyond[0]}.", errors={"permissions": [f"Beyond its role: {beyond[0]}"]}
        )
    return sorted(set(wanted))


def bounded(
    allowed: list[str], expires_at: datetime | None, bounds: Bounds
) -> tuple[list[str], datetime | None]:
    """What is not said follows the bounds. Raises Invalid for what goes beyond them."""
    if not networks.within(allowed, bounds.networks):
        if allowed:
            text = "Beyond the addresses of the key that you use."
            raise Invalid(f"allowed_networks: {text}", errors={"allowed_networks": [text]})
        allowed = bounds.networks
    if bounds.expires_at is not None:
        if expires_at is not None and expires_at > bounds.expires_at:
            text = "Later than the key that you use ends."
            raise Invalid(f"expires_at: {text}", errors={"expires_at": [text]})
        expires_at = expires_at or bounds.expires_at
    return allowed, expires_at


def narrowed(key: ApiKey, wanted: list[str] | None) -> list[str]:
    """The fewer permissions that it gets. Raises Invalid by field for any that it does not have."""
    present = PERMISSIONS.keys() if key.permissions is None else key.permissions
    beyond = ["all"] if wanted is None else sorted(set(wanted) - set(present))
    if wanted is None or beyond:
        text = f"A key is only narrowed, make another: {beyond[0]}"
        raise Invalid(f"permissions: {text}", errors={"permissions": [text]})
    return sorted(set(wanted))


def check_sooner(key: ApiKey, wanted: datetime | None) -> None:
    """Raises Invalid by field for an end that is later, or past."""
    text = ""
    if wanted is None or (key.expires_at is not None and wanted > key.expires_at):
        text = "A key's end only comes sooner."
    elif wanted <= timezone.now():
        text = "In the past."
    if text:
        raise Invalid(f"expires_at: {text}", errors={"expires_at": [text]})


def check(key: ApiKey, actor: Principal) -> None:
    """Raises Forbidden where the key reaches further than the caller's own credential."""
    owner = Membership.objects.select_related("role").filter(tenant=key.tenant_id, user=key.user_id).first()
    check_held(role_permissions(owner.role) if owner else frozenset(), key, actor)


def check_held(held: frozenset[str], key: Limited, actor: Principal) -> None:
    """As `check`, for a key of any kind whose owner holds `held`."""
    if key.permissions is not None:
        held &= frozenset(key.permissions)
    bounds = bounds_of(actor)
    ends = bounds.expires_at is not None and (key.expires_at is None or key.expires_at > bounds.expires_at)
    if held - actor.permissions or ends or not networks.within(key.allowed_networks, bounds.networks):
        raise Forbidden(
            "The key reaches further than the credential that you use.", code="permission_missing"
        )


def admitted(wanted: list[str], present: list[str], *, free: bool) -> list[str]:
    """The addresses that a key is let in from, in one form. Raises Invalid by field for more, unless `free`."""
    allowed = networks.normal(wanted)
    if not free and not networks.within(allowed, present):
        text = "Only its owner, signed in, lets it in from more addresses."
        raise Invalid(f"allowed_networks: {text}", errors={"allowed_networks": [text]})
    return allowed
