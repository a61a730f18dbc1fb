"""Who is asking: the one answer that sessions, API keys, tokens and S3 keys resolve to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from gateway.errors import Forbidden

from . import features

if TYPE_CHECKING:
    from .models import Tenant, User

CredentialKind = Literal["session", "jwt", "nexusgate", "api_key", "s3_key", "system"]


@dataclass(frozen=True, slots=True)
class Credential:
    """`id` names the credential without revealing it: a key's prefix, a token's jti.

    Tokens end by themselves, and with the password they were had for, whose digest `password` is. Sessions and tokens
    end with their sign-in too: `sign_in` is its public id, `second_factor` the kind that was shown at it, or empty.
    """

    kind: CredentialKind
    id: str = ""
    expires_at: datetime | None = None
    password: str = field(default="", repr=False)
    sign_in: str = ""
    second_factor: str = ""


@dataclass(frozen=True, slots=True)
class Principal:
    """`user` is None for the platform's own work. `tenant` is the one acted in; `permissions` hold there.

    `barred` is the code of what the person must do before anything else there (`second_factor_required`,
    `second_factor_setup_required`), else empty. Who is barred holds no permission.
    """

    user: User | None
    tenant: Tenant
    role: str
    permissions: frozenset[str]
    credential: Credential
    ip: str | None = None
    barred: str = ""

    @property
    def is_staff(self) -> bool:
        """Whether the platform's staff act, with a credential that was not narrowed."""
        return "platform.tenants" in self.permissions

    @property
    def label(self) -> str:
        return self.user.username if self.user else self.role

    def can(self, permission: str) -> bool:
        """Whether the permission is held, and what it is for is not switched off in the tenant."""
        return permission in self.permissions and not features.is_off(self.tenant, permission)

    def require(self, permission: str) -> None:
        """Raises Forbidden where the permission is missing (`permission_missing`) or off (`feature_disabled`)."""
        self.require_entry()
        if permission not in self.permissions:
            raise Forbidden(f"This needs the permission {permission}.", code="permission_missing")
        if features.is_off(self.tenant, permission):
            raise Forbidden("This feature is switched off for the tenant.", code="feature_disabled")

    def require_entry(self) -> None:
        """Raises Forbidden where the tenant requires a second factor and the sign-in showed none."""
        if self.barred:
            raise Forbidden(_BARRED[self.barred], code=self.barred)


_BARRED = {
    "second_factor_required": "The tenant requires a second factor: sign in with yours.",
    "second_factor_setup_required": "The tenant requires a second factor: set one up first.",
}


def system(tenant: Tenant) -> Principal:
    """The platform itself, at work in a tenant (sweeps, first start)."""
    from .permissions import STAFF

    return Principal(None, tenant, "system", STAFF, Credential("system"))
