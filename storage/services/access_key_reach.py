"""How far an access key reaches: never beyond its owner, nor beyond the credential of whoever makes or changes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from gateway.errors import Invalid
from storage.models import AccessKey
from tenants import networks
from tenants.models import Membership
from tenants.permissions import PERMISSIONS, role_permissions
from tenants.principal import Principal
from tenants.services import key_reach

from . import key_limits

FIELDS = ("permissions", "buckets", "prefixes", "actions", "allowed_networks", "expires_at")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a key is limited to beside its owner's role. None and empty are no limit.

    `permissions` are ours, `actions` S3's names with wildcards; `prefixes` are beginnings of keys.
    """

    permissions: list[str] | None = None
    buckets: list[str] | None = None
    prefixes: list[str] | None = None
    actions: list[str] | None = None
    allowed_networks: Sequence[str] = ()
    expires_at: datetime | None = None


def limit(key: AccessKey, limits: Limits, owner: Membership | None, actor: Principal) -> None:
    """Set what is asked for, within what the caller's own credential is limited to.

    Raises Forbidden, Invalid by field.
    """
    held = role_permissions(owner.role) if owner else actor.permissions & PERMISSIONS.keys()
    if limits.expires_at is not None and limits.expires_at <= timezone.now():
        raise Invalid("The expiry is in the past.", errors={"expires_at": ["In the past."]})
    allowed, ends = key_reach.bounded(
        networks.normal(limits.allowed_networks), limits.expires_at, key_reach.bounds_of(actor)
    )
    key.permissions = key_reach.permitted(limits.permissions, held, actor)
    key.buckets = key_limits.buckets(limits.buckets)
    key.prefixes = key_limits.prefixes(limits.prefixes)
    key.actions = key_limits.actions(limits.actions)
    key.allowed_networks, key.expires_at = allowed, ends


def change(key: AccessKey, changes: dict[str, Any], actor: Principal, *, free: bool) -> None:
    """Set those of the limits that `changes` names; who is not `free` only narrows.

    Raises Forbidden, Invalid by field.
    """
    for field, check in (
        ("buckets", key_limits.buckets),
        ("prefixes", key_limits.prefixes),
        ("actions", key_limits.actions),
    ):
        if field in changes:
            wanted = check(changes[field])
            if not free:
                key_limits.within(wanted, getattr(key, field), field)
            setattr(key, field, wanted)
    if "permissions" in changes:
        key.permissions = _permissions(changes["permissions"], key.permissions, actor, free=free)
    if "allowed_networks" in changes:
        key.allowed_networks = key_reach.admitted(
            changes["allowed_networks"], key.allowed_networks, free=free
        )
    if "expires_at" in changes:
        key.expires_at = _end(changes["expires_at"], key.expires_at, free=free)


def check(key: AccessKey, actor: Principal) -> None:
    """Raises Forbidden where a key reaches further than the caller's own credential."""
    owner = Membership.objects.select_related("role").filter(tenant=key.tenant_id, user=key.user_id).first()
    if owner is not None:
        held = role_permissions(owner.role)
    else:  # staff act in tenants that they are no members of
        held = actor.permissions & PERMISSIONS.keys()
    key_reach.check_held(held, key, actor)


def _permissions(
    wanted: list[str] | None, present: list[str] | None, actor: Principal, *, free: bool
) -> list[str] | None:
    if free:
        return key_reach.permitted(wanted, actor.permissions & PERMISSIONS.keys(), actor)
    beyond = wanted is None or set(wanted) - set(PERMISSIONS if present is None else present)
    if wanted is None or beyond:
        text = "A key is only narrowed, make another."
        raise Invalid(f"permissions: {text}", errors={"permissions": [text]})
    return sorted(set(wanted))


def _end(wanted: datetime | None, present: datetime | None, *, free: bool) -> datetime | None:
    text = ""
    if wanted is not None and wanted <= timezone.now():
        text = "In the past."
    elif not free and (wanted is None or (present is not None and wanted > present)):
        text = "A key's end only comes sooner."
    if text:
        raise Invalid(f"expires_at: {text}", errors={"expires_at": [text]})
    return wanted
