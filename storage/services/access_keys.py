"""S3 access keys: issued, revoked, and the ones that sign the platform's own links."""

from __future__ import annotations

import secrets
import string

from django.db import transaction
from django.utils import timezone

from gateway import crypto
from gateway.errors import Forbidden, Invalid
from gateway.validation import validated
from realtime import services as realtime
from storage.models import AccessKey, access_key_aad
from tenants.permissions import PERMISSIONS
from tenants.principal import Principal
from tenants.services import api_keys, audit, quotas, snapshot

from . import usage

_ID_ALPHABET = string.ascii_uppercase + string.digits
_SECRET_ALPHABET = string.ascii_letters + string.digits


def issue_access_key(name: str, *, actor: Principal) -> tuple[AccessKey, str]:
    """A key of the caller in the caller's tenant, and its secret, which is shown this once.

    It may do what the caller's role may, now and later; made with a narrowed API key, no more than that key.
    Raises Forbidden, Invalid, QuotaExceeded.
    """
    actor.require("storage.access_key.write")
    if api_keys.bounds_of(actor):
        raise Forbidden(
            "An API key that ends or is limited to addresses makes no S3 key, which is neither.",
            code="credential_bounded",
        )
    key, secret = _new(name, actor)
    with transaction.atomic():
        quotas.check(actor.tenant.pk, "access_keys", usage.live_keys(actor.tenant.pk))
        key.save()
        audit.record(
            actor,
            "storage.access_key.create",
            target=key.access_key_id,
            after={"name": name, "permissions": key.permissions},
        )
        snapshot.changed("access_keys")
        realtime.publish(
            actor.tenant.pk,
            "storage.access_key.created",
            subject=key.access_key_id,
            data={"name": name},
            actor=actor,
        )
    return key, secret


def revoke_access_key(key: AccessKey, *, actor: Principal) -> None:
    """End a key for good: one's own, or anybody's with storage.access_key.manage. Again changes nothing."""
    own = actor.user is not None and key.user_id == actor.user.pk
    actor.require("storage.access_key.write" if own else "storage.access_key.manage")
    with transaction.atomic():
        if not AccessKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now()):
            return
        audit.record(actor, "storage.access_key.revoke", target=key.access_key_id)
        snapshot.changed("access_keys")
        realtime.publish(key.tenant_id, "storage.access_key.revoked", subject=key.access_key_id, actor=actor)


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
        key, _ = _new("links of the platform", actor)
        key.is_internal, key.permissions = True, None
        with transaction.atomic():
            key.save()
            snapshot.changed("access_keys")
    return key.access_key_id, secret_of(key)


def secret_of(key: AccessKey) -> str:
    """The secret in clear. Raises crypto.CannotOpen."""
    return crypto.open_sealed(bytes(key.secret_sealed), key.secret_aad).decode()


def _new(name: str, actor: Principal) -> tuple[AccessKey, str]:
    if actor.user is None:
        raise Invalid("A key belongs to a user.")
    key_id = "GH" + "".join(secrets.choice(_ID_ALPHABET) for _ in range(18))
    secret = "".join(secrets.choice(_SECRET_ALPHABET) for _ in range(40))
    narrowed = actor.credential.kind == "api_key"
    key = AccessKey(
        tenant=actor.tenant,
        user=actor.user,
        name=name,
        access_key_id=key_id,
        secret_sealed=crypto.seal(secret.encode(), access_key_aad(key_id)),
        permissions=sorted(actor.permissions & PERMISSIONS.keys()) if narrowed else None,
    )
    validated(key, exclude=("tenant", "user"))
    return key, secret
