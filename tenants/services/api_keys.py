"""API keys: made, narrowed, rotated, revoked. How one is proven: `key_secrets`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from gateway.errors import Conflict, Forbidden, Invalid
from gateway.validation import validated
from realtime import services as realtime
from tenants import networks
from tenants.models import ApiKey, Membership, User
from tenants.permissions import role_permissions
from tenants.principal import Principal

from . import audit, key_reach, key_rotation, key_secrets, quotas, snapshot

bounds_of = key_reach.bounds_of


def visible(actor: Principal) -> QuerySet[ApiKey]:
    """Own keys, service accounts' with service_account.write, all of the tenant's with api_key.manage."""
    rows: QuerySet[ApiKey] = ApiKey.objects.visible_to(actor).select_related("user", "tenant")
    if actor.can("api_key.manage"):
        return rows
    seen = Q(user=actor.user)
    if actor.can("service_account.write"):
        seen |= Q(user__kind=User.Kind.SERVICE)
    return rows.filter(seen)


def issue_key(
    name: str,
    *,
    permissions: list[str] | None = None,
    expires_at: datetime | None = None,
    allowed_networks: Sequence[str] = (),
    owner: Membership | None = None,
    actor: Principal,
) -> tuple[ApiKey, str]:
    """A key in the caller's tenant, and its text, which is not kept.

    `owner` is a service account's membership (service_account.write); None is the caller. `permissions` None: all
    that the owner's role holds, now and later. A key made with a key reaches no further than that one: permissions,
    addresses and end. Raises Forbidden, Invalid by field (unknown permission, one that the caller or the owner
    lacks, an address, an end in the past), Conflict where the caller is no member, QuotaExceeded.
    """
    member = _owner(owner, actor)
    permissions = key_reach.permitted(permissions, role_permissions(member.role), actor)
    if expires_at is not None and expires_at <= timezone.now():
        raise Invalid("The expiry is in the past.", errors={"expires_at": ["In the past."]})
    bounds = key_reach.bounds_of(actor)
    allowed, expires_at = key_reach.bounded(networks.normal(allowed_networks), expires_at, bounds)
    secret = key_secrets.new()
    key = ApiKey(
        tenant=actor.tenant, user=member.user, name=name, prefix=secret.prefix, secret_hash=secret.hash,
        permissions=permissions, allowed_networks=allowed, expires_at=expires_at, created_by=actor.label,
    )  # fmt: skip
    validated(key, exclude=("tenant", "user"))
    with transaction.atomic():
        quotas.check(actor.tenant.pk, "api_keys", ApiKey.objects.filter(tenant=actor.tenant, revoked_at=None))
        key.save()
        _tell(key, "create", actor, after={"name": name, "owner": member.user.username, **_limits(key)})
    return key, secret.text


def _owner(owner: Membership | None, actor: Principal) -> Membership:
    """Whose key it becomes."""
    if owner is not None:
        actor.require("service_account.write")
        if owner.tenant_id != actor.tenant.pk or owner.user.kind != User.Kind.SERVICE:
            raise Invalid("Keys are made for oneself and for the tenant's service accounts.")
        if not owner.is_active:
            raise Conflict("The service account is deactivated.")
        return owner
    actor.require("api_key.write")
    own = Membership.objects.select_related("role", "user").filter(tenant=actor.tenant, is_active=True)
    found: Membership | None = own.filter(user=actor.user).first() if actor.user is not None else None
    if found is None:  # staff act in tenants that they are no members of, a key never does
        raise Conflict("Only a member has keys here; make a service account.", code="not_a_member")
    return found


def update_key(key: ApiKey, changes: dict[str, Any], *, actor: Principal) -> ApiKey:
    """Rename and narrow: `name`, `permissions` (fewer), `expires_at` (sooner), `allowed_networks`.

    The owner may also widen the addresses, but not with a key. Asking again changes nothing. Raises Forbidden,
    Conflict for a key that has ended, Invalid by field for what would widen it.
    """
    _may_touch(key, actor)
    with transaction.atomic():
        key = _locked(key)
        wanted = {name: value for name, value in changes.items() if getattr(key, name) != value}
        if "permissions" in wanted:
            wanted["permissions"] = key_reach.narrowed(key, wanted["permissions"])
        if "allowed_networks" in wanted:
            free = _is_own(key, actor) and actor.credential.kind != "api_key"
            wanted["allowed_networks"] = key_reach.admitted(
                wanted["allowed_networks"], key.allowed_networks, free=free
            )
        if "expires_at" in wanted:
            key_reach.check_sooner(key, wanted["expires_at"])
        wanted = {name: value for name, value in wanted.items() if getattr(key, name) != value}
        if not wanted:
            return key
        before = {name: _plain(getattr(key, name)) for name in wanted}
        for name, value in wanted.items():
            setattr(key, name, value)
        validated(key, exclude=("tenant", "user"))
        key.save(update_fields=list(wanted))
        _tell(
            key, "update", actor, before=before, after={name: _plain(value) for name, value in wanted.items()}
        )
    return key


def rotate_key(key: ApiKey, overlap: timedelta, *, actor: Principal) -> tuple[ApiKey, str]:
    """Give a key another prefix and secret; the text, which is not kept. The ones before work for `overlap` more.

    Of two rotations in a row, the secret before the last one works on, older ones end. Whoever rotates sees the
    secret, so only the owner may, or for a service account who may write those; and nobody whose own credential
    reaches less far. Raises Forbidden, Invalid as `key_rotation.check`, Conflict for a key that has ended.
    """
    key_rotation.check(overlap)
    if _is_own(key, actor):
        actor.require("api_key.write")
    elif key.user.kind == User.Kind.SERVICE:
        actor.require("service_account.write")
    else:
        raise Forbidden("Only its owner rotates a key: its secret acts as them.", code="not_the_owner")
    secret = key_secrets.new()
    with transaction.atomic():
        key = _locked(key)
        key_reach.check(key, actor)
        until = timezone.now() + overlap if overlap else None
        key.previous_prefix, key.previous_hash = (key.prefix, key.secret_hash) if until else (None, "")
        key.previous_until = until
        key.prefix, key.secret_hash = secret.prefix, secret.hash
        key.save(
            update_fields=["prefix", "secret_hash", "previous_prefix", "previous_hash", "previous_until"]
        )
        after = {"prefix": key.prefix, "overlap_seconds": int(overlap.total_seconds())}
        _tell(key, "rotate", actor, before={"prefix": key.previous_prefix or ""}, after=after)
    return key, secret.text


def revoke_key(key: ApiKey, *, actor: Principal) -> None:
    """End a key for good, at once, with what a rotation left. Asking again changes nothing. Raises Forbidden."""
    _may_touch(key, actor)
    with transaction.atomic():
        if not ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now()):
            return
        _tell(key, "revoke", actor)


def may_rotate(key: ApiKey, actor: Principal) -> bool:
    """Whether the caller may see a new secret of it: the owner, for a service account who may write those."""
    if _is_own(key, actor):
        return actor.can("api_key.write")
    return key.user.kind == User.Kind.SERVICE and actor.can("service_account.write")


def may_touch(key: ApiKey, actor: Principal) -> bool:
    """Whether the caller may rename, narrow and revoke it: one's own, a service account's, or anybody's."""
    own = "api_key.write" if _is_own(key, actor) else "api_key.manage"
    return actor.can(own) or (key.user.kind == User.Kind.SERVICE and actor.can("service_account.write"))


def _may_touch(key: ApiKey, actor: Principal) -> None:
    if not may_touch(key, actor):
        actor.require("api_key.write" if _is_own(key, actor) else "api_key.manage")


def _is_own(key: ApiKey, actor: Principal) -> bool:
    return actor.user is not None and key.user_id == actor.user.pk


def _locked(key: ApiKey) -> ApiKey:
    found: ApiKey = ApiKey.objects.select_for_update(of=("self",)).select_related("user").get(pk=key.pk)
    if not found.is_live:
        raise Conflict("The key has ended.", code="key_ended")
    return found


def _limits(key: ApiKey) -> dict[str, Any]:
    return {
        "prefix": key.prefix,
        "permissions": key.permissions,
        "allowed_networks": key.allowed_networks,
        "expires_at": _plain(key.expires_at),
    }


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _tell(
    key: ApiKey, verb: str, actor: Principal, *, before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    audit.record(
        actor,
        f"tenants.api_key.{verb}",
        target=key.prefix,
        tenant=key.tenant,
        before=before or {},
        after=after or {},
    )
    snapshot.changed("api_keys")
    realtime.publish(
        key.tenant_id, f"tenants.api_key.{verb}d", subject=key.prefix, data={"name": key.name}, actor=actor
    )
