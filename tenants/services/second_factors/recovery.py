"""Recovery codes, for when the factors are lost. Each works once. Call within platform_scope and a transaction."""

from __future__ import annotations

import hashlib
import secrets

from django.utils import timezone

from tenants.models import RecoveryCode, User

COUNT = 10
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's 32, without letters that look like others
_ALIKE = str.maketrans("oil", "011")
_LENGTH = 16


def issue(user: User) -> list[str]:
    """New codes in place of all before; they are not kept."""
    RecoveryCode.objects.filter(user=user).delete()
    codes = ["".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH)) for _ in range(COUNT)]
    RecoveryCode.objects.bulk_create(RecoveryCode(user=user, digest=_digest(code)) for code in codes)
    return ["-".join(code[at : at + 4] for at in range(0, _LENGTH, 4)) for code in codes]


def spend(user: User, code: str) -> bool:
    """Use a code up. Whether there was such a one."""
    found = RecoveryCode.objects.filter(user=user, digest=_digest(code), used_at=None)
    return bool(found.update(used_at=timezone.now()))


def left(user: User) -> int:
    return RecoveryCode.objects.filter(user=user, used_at=None).count()


def _digest(code: str) -> bytes:
    plain = "".join(c for c in code.lower() if c.isalnum()).translate(_ALIKE)
    return hashlib.sha256(b"gatehouse/recovery:" + plain.encode()).digest()
