"""Who a policy names, and who asks."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

from .errors import PolicyError
from .grammar import Name

if TYPE_CHECKING:
    from .grammar import Policy, Principals

_SLUG: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\Z")
_ARN: Final = re.compile(r"arn:aws:iam::(?P<account>[^:]*):(?:root|user/(?P<user>[^:]+))\Z")


@dataclass(frozen=True, slots=True)
class Scope:
    """What an access key is limited to; empty is no limit. `prefixes` are beginnings of keys.

    `actions` are names of S3 with wildcards (`s3:Get*`).
    """

    buckets: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.buckets or self.prefixes or self.actions)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. Nobody in particular (anonymous) has no `account`.

    `account` is the tenant's slug, `permissions` what the role and the credential hold there together; `own` what
    the credential alone would let through, None for all. `session` narrows temporary credentials.
    """

    account: str = ""
    user: str = ""
    user_id: str = ""
    permissions: frozenset[str] = frozenset()
    own: frozenset[str] | None = None
    is_owner: bool = False
    scope: Scope = field(default_factory=Scope)
    session: Policy | None = None

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.account}:user/{self.user}" if self.account else ""


ANONYMOUS: Final = Caller()


class Grant(Enum):
    """A tenant that is granted something decides by its roles which of its members use it; a person just may."""

    NONE = 0
    TENANT = 1
    PERSON = 2


def read_name(kind: str, text: str, path: str) -> Name | None:
    """Somebody under Principal; None for AWS's own services, which never ask here. Raises PolicyError."""
    if kind == "Service":
        return None
    if kind not in ("AWS", "CanonicalUser"):
        raise PolicyError(f"Invalid principal in policy: {kind[:50]!r} is not known here.", path)
    if kind == "AWS" and text == "*":
        return Name(everybody=True)
    if _SLUG.match(text):
        return Name(account=text)
    found = _ARN.match(text) if kind == "AWS" else None
    if found is None or "*" in text or "?" in text or "$" in text:
        raise PolicyError(
            f"Invalid principal in policy: {text[:200]!r}. Expected *, arn:aws:iam::<tenant>:root or "
            "arn:aws:iam::<tenant>:user/<username>.",
            path,
        )
    account, user = found["account"], found["user"] or ""
    if account and not _SLUG.match(account):
        raise PolicyError(f"Invalid principal in policy: {text[:200]!r} names no tenant.", path)
    return Name(account=account, user=user)


def concerns(principals: Principals, caller: Caller, tenant: str) -> bool:
    """Whether a statement of a bucket of `tenant` is about the caller, in either effect."""
    return any(_names(name, caller, tenant) for name in principals.names) != principals.negated


def grants(principals: Principals, caller: Caller, tenant: str) -> Grant:
    """How an Allow that names these reaches the caller."""
    best = Grant.NONE
    for name in principals.names:
        if not _names(name, caller, tenant):
            continue
        if name.everybody or name.user:
            return Grant.PERSON
        best = Grant.TENANT
    return best


def _names(name: Name, caller: Caller, tenant: str) -> bool:
    if name.everybody:
        return True
    if not caller.account or (name.account or tenant) != caller.account:
        return False
    return not name.user or name.user == caller.user
