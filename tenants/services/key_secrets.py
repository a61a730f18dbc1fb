"""Texts of API keys: made, kept as hashes, and proven when they come back."""

from __future__ import annotations

import re
import secrets
import string
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from threading import Lock

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from django.db.models import Q
from django.utils import timezone

from gateway import crypto
from tenants import networks
from tenants.models import ApiKey, Membership

_FORM = re.compile(r"mcp_(?P<prefix>[a-z0-9]{1,12})_(?P<secret>[A-Za-z0-9]{1,100})")
_ALPHABET = string.ascii_letters + string.digits
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
# Of no secret: what an unknown key is compared with, so that it takes as long as a known one.
_NOBODYS = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5cyBzYWx0IQ$" + "A" * 43
USED_EVERY = timedelta(minutes=5)
USED_ELSEWHERE_EVERY = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class NewSecret:
    prefix: str
    hash: str
    text: str


def new() -> NewSecret:
    """A key's text and what is kept of it."""
    prefix = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(10))
    secret = "".join(secrets.choice(_ALPHABET) for _ in range(40))
    return NewSecret(prefix, _HASHER.hash(secret), f"mcp_{prefix}_{secret}")


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


@dataclass(frozen=True, slots=True)
class Proven:
    """A key that works now. `prefix` is the one that was shown: in a rotation the one before works too."""

    key: ApiKey
    membership: Membership
    prefix: str


def is_one(text: str) -> bool:
    """Whether a text has the form of a key, so that `verify` costs what it does."""
    return _FORM.fullmatch(text) is not None


def verify(text: str, ip: str | None, *, anywhere: bool = False) -> Proven | None:
    """The key with that text, if it works now and from there; its use is noted. Call within platform_scope.

    What has the form of a key costs one Argon2 verification unless it was proven lately, whether there is such a
    key or not. `anywhere` passes the allowlist by and notes no use: for who asks about a key of somebody else's.
    """
    form = _FORM.fullmatch(text)
    if form is None:
        return None
    key = _find(form["prefix"])
    if not _verified.matches(text, form["secret"], _hash_of(key, form["prefix"])) or key is None:
        return None
    found = _standing(key, form["prefix"])
    if found is None or anywhere:
        return found
    if not networks.allow(ip, key.allowed_networks):
        return None
    _note_use(key, ip)
    return found


def live(prefix: str, ip: str | None) -> Proven | None:
    """The key of that prefix, if it works now and from there. Call within platform_scope."""
    key = _find(prefix)
    if key is None or not networks.allow(ip, key.allowed_networks):
        return None
    return _standing(key, prefix)


def _find(prefix: str) -> ApiKey | None:
    rows = ApiKey.objects.select_related("user", "tenant__settings")
    return rows.filter(Q(prefix=prefix) | Q(previous_prefix=prefix)).first()


def _hash_of(key: ApiKey | None, prefix: str) -> str:
    if key is None:
        return _NOBODYS
    return key.secret_hash if key.prefix == prefix else key.previous_hash


def _standing(key: ApiKey, prefix: str) -> Proven | None:
    if not key.is_live or (key.prefix != prefix and not key.in_rotation):
        return None
    rows = Membership.objects.select_related("role").filter(tenant_id=key.tenant_id, user_id=key.user_id)
    membership = rows.filter(is_active=True).first()
    return None if membership is None else Proven(key, membership, prefix)


def _note_use(key: ApiKey, ip: str | None) -> None:
    now, before = timezone.now(), key.last_used_at
    pause = USED_EVERY if key.last_used_ip == ip else USED_ELSEWHERE_EVERY
    if before is None or now - before > pause:
        # Compared, so that of many who note it at once one writes.
        ApiKey.objects.filter(pk=key.pk, last_used_at=before).update(last_used_at=now, last_used_ip=ip)
