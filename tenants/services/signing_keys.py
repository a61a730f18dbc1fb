"""Key pairs that sign the platform's tokens: made, published, put out of use without signing anybody out.

A new key is published PUBLISHED_AHEAD before it signs, so that who verifies tokens elsewhere and keeps our keys for
a while (`/jwks`, RFC 7517) knows it by then. The one before verifies until the last token signed with it has ended.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from gateway import crypto
from gateway.db.scope import platform_scope
from realtime import services as realtime
from tenants.models import PLATFORM_SLUG, SigningKey, Tenant
from tenants.principal import Principal, system

from . import audit, snapshot

ALGORITHM = "RS256"
BITS = 2048
PUBLISHED_AHEAD = timedelta(minutes=5)
KEPT_SECONDS = 1.0
"""How long a process goes on with the keys it read: what is revoked verifies nowhere after as many seconds."""
_WHY = "keys that sign tokens are the platform's"
_LOCK = 0x6A776B73  # "jwks": two rotations at once would make two keys


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A key that verifies now. `private` is None once it signs no more, or while its seal cannot be opened."""

    kid: str
    public: RSAPublicKey
    private: RSAPrivateKey | None = field(repr=False)
    signs_from: datetime
    verifies_until: datetime | None

    @property
    def verifies(self) -> bool:
        return self.verifies_until is None or self.verifies_until > timezone.now()


@dataclass(frozen=True, slots=True)
class _Read:
    at: float
    keys: dict[str, KeyPair]


_read: _Read | None = None


def verifying(kid: str) -> KeyPair | None:
    """The key of that id, if it verifies now; one that this process does not know is looked up."""
    found = _keys().get(kid) or _keys(anew=True).get(kid)
    return found if found is not None and found.verifies else None


def signing() -> KeyPair:
    """The key that signs now; made when there is none yet."""
    for anew in (False, True):
        if found := _youngest(_keys(anew=anew)):
            return found
    rotate(at_once=True)
    found = _youngest(_keys(anew=True))
    assert found is not None
    return found


def published() -> list[KeyPair]:
    """All that verify now or will soon, the youngest first."""
    return sorted((k for k in _keys().values() if k.verifies), key=lambda k: k.signs_from, reverse=True)


def forget() -> None:
    """Read anew, in this process."""
    global _read
    _read = None


def rotate(*, at_once: bool = False, actor: Principal | None = None) -> SigningKey:
    """Make a key that signs after PUBLISHED_AHEAD, or `at_once`. While one waits for its turn, that is the one.

    `actor` is None for the platform itself. Raises Forbidden.
    """
    if actor is not None:
        actor.require("platform.tenants")
    with platform_scope(_WHY), transaction.atomic():
        _lock()
        now = timezone.now()
        live = [key for key in SigningKey.objects.all() if key.is_live]
        waiting = next((key for key in live if key.signs_from > now), None)
        if waiting is not None and not at_once:
            return waiting
        at_once = at_once or not live
        key = waiting or _new()
        key.signs_from = now if at_once else now + PUBLISHED_AHEAD
        key.save()
        ends = key.signs_from + _longest_lifetime()
        for old in live:
            if old.pk != key.pk and (old.verifies_until is None or at_once):
                old.verifies_until = min(old.verifies_until or ends, ends)
                old.save(update_fields=["verifies_until"])
        _tell(key, "rotate", actor)
    return key


def state_of(key: SigningKey) -> str:
    """`waits` for its turn, `signs`, only `verifies`, or `ended`."""
    if not key.is_live:
        return "ended"
    if key.signs_from > timezone.now():
        return "waits"
    younger = SigningKey.objects.filter(signs_from__gt=key.signs_from, signs_from__lte=timezone.now())
    return "verifies" if younger.exclude(verifies_until__lte=timezone.now()).exists() else "signs"


def revoke(key: SigningKey, *, actor: Principal) -> None:
    """End a key now: tokens signed with it are refused within 2 s. Where it signs, another does from now on.

    Asking again changes nothing. Raises Forbidden.
    """
    actor.require("platform.tenants")
    with platform_scope(_WHY), transaction.atomic():
        _lock()
        key = SigningKey.objects.get(pk=key.pk)
        if not key.is_live:
            return
        key.verifies_until, key.private_sealed = timezone.now(), b""
        key.save(update_fields=["verifies_until", "private_sealed"])
        if not SigningKey.objects.filter(signs_from__lte=timezone.now(), verifies_until=None).exists():
            rotate(at_once=True)
        _tell(key, "revoke", actor)


def sweep() -> None:
    """Rotate by age, forget private keys that sign no more, remove keys a day after they have ended."""
    with platform_scope(_WHY), transaction.atomic():
        _lock()
        now = timezone.now()
        signs = SigningKey.objects.filter(signs_from__lte=now, verifies_until=None).first()
        aged = settings.JWT_SIGNING_KEY_DAYS and signs is not None
        if aged and signs and now - signs.signs_from > timedelta(days=settings.JWT_SIGNING_KEY_DAYS):
            rotate()
        current = _youngest({k.kid: k for k in map(_opened, SigningKey.objects.all()) if k})
        for key in SigningKey.objects.exclude(private_sealed=b""):
            if current is not None and key.signs_from < current.signs_from - timedelta(minutes=1):
                key.private_sealed = b""
                key.save(update_fields=["private_sealed"])
        SigningKey.objects.filter(verifies_until__lt=now - timedelta(days=1)).delete()


def _tell(key: SigningKey, verb: str, actor: Principal | None) -> None:
    tenant = Tenant.objects.get(slug=PLATFORM_SLUG)
    by = actor or system(tenant)
    after = {"signs_from": key.signs_from.isoformat(), "algorithm": key.algorithm}
    audit.record(by, f"tenants.signing_key.{verb}", target=key.kid, tenant=tenant, after=after)
    snapshot.changed("signing_keys")
    realtime.publish(tenant.pk, f"system.signing_key.{verb}d", subject=key.kid, actor=by)


def _lock() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def _new() -> SigningKey:
    private = generate_private_key(public_exponent=65537, key_size=BITS)
    key = SigningKey(kid="rs-" + secrets.token_hex(8), algorithm=ALGORITHM)
    key.public_pem = (
        private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
    der = private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key.private_sealed = crypto.seal(der, key.aad)
    return key


def _longest_lifetime() -> timedelta:
    """Of a token that is signed at the last moment; a process signs with what it read KEPT_SECONDS ago."""
    lifetimes: list[timedelta] = [
        settings.SIMPLE_JWT[name]  # type: ignore[misc]
        for name in ("ACCESS_TOKEN_LIFETIME", "REFRESH_TOKEN_LIFETIME")
    ]
    return max(lifetimes) + timedelta(seconds=2 * KEPT_SECONDS)


def _youngest(keys: dict[str, KeyPair]) -> KeyPair | None:
    now = timezone.now()
    able = [k for k in keys.values() if k.private is not None and k.signs_from <= now and k.verifies]
    return max(able, key=lambda k: k.signs_from, default=None)


def _keys(*, anew: bool = False) -> dict[str, KeyPair]:
    global _read
    now = time.monotonic()
    known = _read
    if not anew and known is not None and now - known.at < KEPT_SECONDS:
        return known.keys
    with platform_scope(_WHY):
        rows = list(SigningKey.objects.all())
    before = known.keys if known else {}
    keys = {row.kid: pair for row in rows if (pair := _opened(row, before.get(row.kid)))}
    _read = _Read(now, keys)
    return keys


def _opened(row: SigningKey, known: KeyPair | None = None) -> KeyPair | None:
    """The row's keys ready for use; what was read before is not parsed again."""
    if not row.is_live:
        return None
    private: RSAPrivateKey | None = None
    if row.private_sealed:
        private = known.private if known and known.private else _private(row)
    public = known.public if known else serialization.load_pem_public_key(row.public_pem.encode())
    assert isinstance(public, RSAPublicKey)
    return KeyPair(row.kid, public, private, row.signs_from, row.verifies_until)


def _private(row: SigningKey) -> RSAPrivateKey | None:
    try:
        opened = serialization.load_der_private_key(
            crypto.open_sealed(bytes(row.private_sealed), row.aad), None
        )
    except crypto.CannotOpen:
        return None  # it still verifies; another is made to sign
    assert isinstance(opened, RSAPrivateKey)
    return opened
