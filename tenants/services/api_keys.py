"""API keys: made, verified, revoked."""

from __future__ import annotations

import re
import secrets
import string
from collections import OrderedDict
from datetime import datetime, timedelta
from threading import Lock

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from django.db import transaction
from django.utils import timezone

from gateway import crypto
from gateway.errors import Invalid
from gateway.validation import validated
from realtime import services as realtime
from tenants.models import ApiKey, Membership
from tenants.permissions import PERMISSIONS
from tenants.principal import Principal

from . import audit, quotas, snapshot

_FORM = re.compile(r"mcp_(?P<prefix>[a-z0-9]{1,12})_(?P<secret>[A-Za-z0-9]{1,100})")
_ALPHABET = string.ascii_letters + string.digits
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
USED_EVERY = timedelta(minutes=5)


def issue_key(
    name: str, *, permissions: list[str] | None = None, expires_at: datetime | None = None, actor: Principal
) -> tuple[ApiKey, str]:
    """A key of the caller in the caller's tenant, and its text, which is not kept.

    `permissions` None: all that the caller's role holds, now and later. Raises Forbidden, Invalid (unknown
    permission, one that the caller lacks, expiry in the past), QuotaExceeded.
    """
    actor.require("api_key.write")
    if actor.user is None:
        raise Invalid("A key belongs to a user.")
    if permissions is not None:
        if unknown := sorted(set(permissions) - PERMISSIONS.keys()):
            raise Invalid(
                f"Unknown permission {unknown[0]}.", errors={"permissions": [f"Unknown: {unknown[0]}"]}
            )
        if beyond := sorted(set(permissions) - actor.permissions):
            raise Invalid(
                f"You do not hold {beyond[0]}.", errors={"permissions": [f"Not yours to give: {beyond[0]}"]}
            )
    if expires_at is not None and expires_at <= timezone.now():
        raise Invalid("The expiry is in the past.", errors={"expires_at": ["In the past."]})
    if actor.credential.kind == "api_key" and permissions is None:
        # A narrowed key must not make a wider one.
        permissions = sorted(actor.permissions & PERMISSIONS.keys())
    prefix = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(10))
    secret = "".join(secrets.choice(_ALPHABET) for _ in range(40))
    key = ApiKey(
        tenant=actor.tenant, user=actor.user, name=name, prefix=prefix, secret_hash=_HASHER.hash(secret),
        permissions=permissions, expires_at=expires_at,
    )  # fmt: skip
    validated(key, exclude=("tenant", "user"))
    with transaction.atomic():
        live = ApiKey.objects.filter(tenant=actor.tenant, revoked_at=None)
        quotas.check(actor.tenant.pk, "api_keys", live)
        key.save()
        after = {"name": name, "prefix": prefix, "permissions": permissions}
        audit.record(actor, "tenants.api_key.create", target=prefix, after=after)
        snapshot.changed("api_keys")
        realtime.publish(
            actor.tenant.pk, "tenants.api_key.created", subject=prefix, data={"name": name}, actor=actor
        )
    return key, f"mcp_{prefix}_{secret}"


def revoke_key(key: ApiKey, *, actor: Principal) -> None:
    """End a key for good: one's own, or anybody's with api_key.manage. Asking again changes nothing."""
    actor.require("api_key.write" if actor.user and key.user_id == actor.user.pk else "api_key.manage")
    with transaction.atomic():
        if not ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now()):
            return
        audit.record(actor, "tenants.api_key.revoke", target=key.prefix, tenant=key.tenant)
        snapshot.changed("api_keys")
        realtime.publish(key.tenant_id, "tenants.api_key.revoked", subject=key.prefix, actor=actor)


class _Verified:
    """Which secret texts matched which stored hash lately, so that Argon2 runs once per key and process.

    Keyed by a keyed digest, so that a dump of the process holds no key. The row is read on every use, so what was
    revoked or changed is refused at once, in every process.
    """

    def __init__(self, size: int = 4096) -> None:
        self._seen: OrderedDict[bytes, str] = OrderedDict()
        self._lock = Lock()
        self._size = size

    def matches(self, text: str, secret: str, secret_hash: str) -> bool:
        digest = crypto.keyed_digest("api-key", text)
        with self._lock:
            if self._seen.get(digest) == secret_hash:
                self._seen.move_to_end(digest)
                return True
        try:
            _HASHER.verify(secret_hash, secret)
        except (VerifyMismatchError, InvalidHashError):
            return False
        with self._lock:
            self._seen[digest] = secret_hash
            while len(self._seen) > self._size:
                self._seen.popitem(last=False)
        return True


_verified = _Verified()


def verify(text: str) -> tuple[ApiKey, Membership] | None:
    """The live key with that text and its owner's active membership. Call within platform_scope."""
    form = _FORM.fullmatch(text)
    if form is None:
        return None
    found = live(form["prefix"])
    if found is None or not _verified.matches(text, form["secret"], found[0].secret_hash):
        return None
    key, now = found[0], timezone.now()
    if key.last_used_at is None or now - key.last_used_at > USED_EVERY:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
    return found


def live(prefix: str) -> tuple[ApiKey, Membership] | None:
    """The live key of that prefix and its owner's active membership. Call within platform_scope."""
    key = ApiKey.objects.select_related("user", "tenant").filter(prefix=prefix).first()
    if key is None or not key.is_live:
        return None
    rows = Membership.objects.select_related("role").filter(tenant_id=key.tenant_id, user_id=key.user_id)
    membership = rows.filter(is_active=True).first()
    return None if membership is None else (key, membership)
