"""Who is asking: the one answer that sessions, API keys, tokens and S3 keys resolve to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from gateway.errors import Forbidden

if TYPE_CHECKING:
    from .models import Tenant, User

CredentialKind = Literal["session", "jwt", "api_key", "s3_key", "system"]


@dataclass(frozen=True, slots=True)
class Credential:
    """`id` names the credential without revealing it: a key's prefix, a token's jti.

    Tokens end by themselves, and with the password they were had for, whose digest `password` is.
    """

    kind: CredentialKind
    id: str = ""
    expires_at: datetime | None = None
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Principal:
    """`user` is None for the platform's own work. `tenant` is the one acted in; `permissions` hold there."""

    user: User | None
    tenant: Tenant
    role: str
    permissions: frozenset[str]
    credential: Credential
    ip: str | None = None

    @property
    def is_staff(self) -> bool:
        """Whether the platform's staff act, with a credential that was not narrowed."""
        return "platform.tenants" in self.permissions

    @property
    def label(self) -> str:
        return self.user.username if self.user else "system"

    def can(self, permission: str) -> bool:
        return permission in self.permissions

    def require(self, permission: str) -> None:
        """Raises Forbidden where the permission is missing."""
        if permission not in self.permissions:
            raise Forbidden(f"This needs the permission {permission}.", code="permission_missing")


def system(tenant: Tenant) -> Principal:
    """The platform itself, at work in a tenant (sweeps, first start)."""
    from .permissions import STAFF

    return Principal(None, tenant, "system", STAFF, Credential("system"))
