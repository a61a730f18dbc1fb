"""S3 access keys: issued, limited, rotated, revoked, and the ones that sign the platform's own links."""

from __future__ import annotations

import secrets
import string
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from gateway import crypto
from gateway.errors import Conflict, Forbidden, Invalid
from gateway.validation import validated
from realtime import services as realtime
from storage.models import AccessKey, access_key_aad
from tenants.models import Membership, User
from tenants.principal import Principal
from tenants.services import audit, key_rotation, quotas, snapshot

from . import access_key_reach, usage

_ID_ALPHABET = string.ascii_uppercase + string.digits
_SECRET_ALPHABET = string.ascii_letters + string.digits


def issue_access_key(
    name: str,
    limits: access_key_reach.Limits | None = None,
    *,
    owner: Membership | None = None,
    actor: Principal,
) -> tuple[AccessKey, str]:
    """A key in the caller's tenant, and its secret, which is shown this once.

    It acts as the caller, or as the service account whose membership `owner` is (service_account.write), and may do
    what that one's role may, now and later, within its limits. Made with an API key it reaches no further than that:
    permissions, addresses and end. Raises Forbidden, Invalid by field, QuotaExceeded.
    """
    actor.require("storage.access_key.write")
    key, secret = _new(name, actor, _user_of(owner, actor))
    access_key_reach.limit(key, limits or access_key_reach.Limits(), owner, actor)
    validated(key, exclude=("tenant", "user"))
    with transaction.atomic():
        quotas.check(actor.tenant.pk, "access_keys", usage.live_keys(actor.tenant.pk))
        key.save()
        _tell(key, "create", "created", actor, after=_plain(key))
    return key, secret


def update_access_key(key: AccessKey, changes: dict[str, Any], *, actor: Principal) -> AccessKey:
    """Rename it, or change what it is limited to: the fields of Limits.

    Who it acts as may widen it, signed in; anybody else who may touch it only narrows. Asking again changes nothing.
    Raises Forbidden, Invalid by field, Conflict for a key that has ended.
    """
    _may_touch(key, actor)
    free = _is_own(key, actor) and actor.credential.kind != "api_key"
    with transaction.atomic():
        key = _locked(key)
        before = _plain(key)
        if "name" in changes:
            key.name = changes["name"]
        access_key_reach.change(key, changes, actor, free=free)
        after = _plain(key)
        changed = [name for name in after if after[name] != before[name]]
        if changed:
            validated(key, exclude=("tenant", "user"))
            key.save(update_fields=changed)
            _tell(
                key,
                "update",
                "updated",
                actor,
                before={name: before[name] for name in changed},
                after={name: after[name] for name in changed},
            )
    return key


def rotate_access_key(key: AccessKey, overlap: timedelta, *, actor: Principal) -> tuple[AccessKey, str]:
    """A new key in place of this one, with its name and limits; this one works for `overlap` more.

    S3 knows a key by its id alone, so both change. Whoever rotates sees the secret: only who it acts as may, or for a
    service account who may write those, and nobody whose own credential reaches less far. Raises Forbidden, Invalid
    as `key_rotation.check`, Conflict for a key that has ended.
    """
    key_rotation.check(overlap)
    actor.require("storage.access_key.write")
    if not _is_own(key, actor):
        if key.user.kind != User.Kind.SERVICE:
            raise Forbidden("Only its owner rotates a key: its secret acts as them.", code="not_the_owner")
        actor.require("service_account.write")
    with transaction.atomic():
        key = _locked(key)
        made, secret = _new(key.name, actor, key.user)
        for field in access_key_reach.FIELDS:
            setattr(made, field, getattr(key, field))
        access_key_reach.check(made, actor)
        made.save()
        now = timezone.now()
        until = now + overlap
        if overlap:
            key.expires_at = until if key.expires_at is None else min(key.expires_at, until)
        else:
            key.revoked_at = now
        key.save(update_fields=["expires_at", "revoked_at"])
        after = {"access_key_id": made.access_key_id, "overlap_seconds": int(overlap.total_seconds())}
        _tell(key, "rotate", "rotated", actor, after=after)
    return made, secret


def revoke_access_key(key: AccessKey, *, actor: Principal) -> None:
    """End a key for good: one's own, a service account's, or anybody's with storage.access_key.manage.

    Again changes nothing.
    """
    _may_touch(key, actor)
    with transaction.atomic():
        if not AccessKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now()):
            return
        _tell(key, "revoke", "revoked", actor)


def revoke_all(tenant_id: int, user_id: int) -> None:
    """End all keys of somebody who leaves the tenant. Call within the transaction that tells of it."""
    keys = AccessKey.objects.filter(tenant=tenant_id, user=user_id, revoked_at=None)
    keys.update(revoked_at=timezone.now())
    snapshot.changed("access_keys")


def signing_key(*, actor: Principal) -> tuple[str, str]:
    """(id, secret) of the hidden key that signs links handed to the caller; made when there is none yet.

    A link lets its bearer do one thing that the caller may do, so the key itself is not narrowed: it ends with
    the caller's membership like any other.
    """
    assert actor.user is not None
    keys = AccessKey.objects.filter(tenant=actor.tenant, user=actor.user, is_internal=True, revoked_at=None)
    key = keys.first()
    if key is None:
        key, _ = _new("links of the platform", actor, actor.user)
        key.is_internal = True
        with transaction.atomic():
            key.save()
            snapshot.changed("access_keys")
    return key.access_key_id, secret_of(key)


def secret_of(key: AccessKey) -> str:
    """The secret in clear. Raises crypto.CannotOpen."""
    return crypto.open_sealed(bytes(key.secret_sealed), key.secret_aad).decode()


def visible(actor: Principal) -> QuerySet[AccessKey]:
    """Own keys, service accounts' with service_account.write, all of the tenant's with storage.access_key.manage."""
    rows: QuerySet[AccessKey] = AccessKey.objects.visible_to(actor).filter(is_internal=False)
    rows = rows.select_related("user")
    if actor.can("storage.access_key.manage"):
        return rows
    seen = Q(user=actor.user)
    if actor.can("service_account.write"):
        seen |= Q(user__kind=User.Kind.SERVICE)
    return rows.filter(seen)


def may_touch(key: AccessKey, actor: Principal) -> bool:
    """Whether the caller may rename, narrow and revoke it."""
    if actor.can("storage.access_key.write" if _is_own(key, actor) else "storage.access_key.manage"):
        return True
    return key.user.kind == User.Kind.SERVICE and actor.can("service_account.write")


def _may_touch(key: AccessKey, actor: Principal) -> None:
    if not may_touch(key, actor):
        actor.require("storage.access_key.write" if _is_own(key, actor) else "storage.access_key.manage")


def _is_own(key: AccessKey, actor: Principal) -> bool:
    return actor.user is not None and key.user_id == actor.user.pk


def _locked(key: AccessKey) -> AccessKey:
    found: AccessKey = AccessKey.objects.select_for_update(of=("self",)).select_related("user").get(pk=key.pk)
    ended = found.expires_at is not None and found.expires_at <= timezone.now()
    if found.revoked_at is not None or ended:
        raise Conflict("The key has ended.", code="key_ended")
    return found


def _user_of(owner: Membership | None, actor: Principal) -> User:
    """Whom a new key acts as."""
    if owner is None:
        if actor.user is None:
            raise Invalid("A key belongs to a user.")
        return actor.user
    actor.require("service_account.write")
    if owner.tenant_id != actor.tenant.pk or owner.user.kind != User.Kind.SERVICE:
        raise Invalid("Keys are made for oneself and for the tenant's service accounts.")
    if not owner.is_active:
        raise Conflict("The service account is deactivated.")
    return owner.user


def _plain(key: AccessKey) -> dict[str, Any]:
    """A key's name and limits, as the audit log keeps them."""
    found = {"name": key.name, **{field: getattr(key, field) for field in access_key_reach.FIELDS}}
    return found | {"expires_at": key.expires_at.isoformat() if key.expires_at else None}


def _tell(key: AccessKey, verb: str, participle: str, actor: Principal, **states: Any) -> None:
    """The audit entry, the deciders, the event."""
    audit.record(actor, f"storage.access_key.{verb}", target=key.access_key_id, **states)
    snapshot.changed("access_keys")
    realtime.publish(
        key.tenant_id,
        f"storage.access_key.{participle}",
        subject=key.access_key_id,
        data={"name": key.name, "user": key.user.username},
        actor=actor,
    )


def _new(name: str, actor: Principal, user: User) -> tuple[AccessKey, str]:
    key_id = "GH" + "".join(secrets.choice(_ID_ALPHABET) for _ in range(18))
    secret = "".join(secrets.choice(_SECRET_ALPHABET) for _ in range(40))
    sealed = crypto.seal(secret.encode(), access_key_aad(key_id))
    return AccessKey(
        tenant=actor.tenant, user=user, name=name, access_key_id=key_id, secret_sealed=sealed
    ), secret
