"""What a token means, and where a person may act."""

from __future__ import annotations

from typing import Any

from gateway.db.scope import platform_scope
from gateway.errors import DomainError
from tenants import resolver
from tenants.models import ApiKey, Membership, Tenant, User
from tenants.tokens import AccessToken


def introspect(token: str, at: resolver.Asked) -> dict[str, Any]:
    """What a token of ours means (RFC 7662, section 2.2); `{"active": False}` for anything not valid."""
    try:
        found = resolver.from_token(token, at)
    except DomainError:
        return {"active": False}
    assert found.user is not None
    answer: dict[str, Any] = {
        "active": True,
        "sub": str(found.user.public_id),
        "username": found.user.username,
        "tenant": found.tenant.slug,
        "role": found.role,
        "scope": " ".join(sorted(found.permissions)),
        "token_type": found.credential.kind,
    }
    if found.credential.kind == "jwt":
        answer["exp"] = AccessToken(token)["exp"]  # type: ignore[arg-type]
    else:
        with platform_scope("the key was just verified"):
            expires_at = ApiKey.objects.get(prefix=found.credential.id).expires_at
        if expires_at is not None:
            answer["exp"] = int(expires_at.timestamp())
    return answer


def tenants_of(user: User) -> list[Membership]:
    """The active tenants that a user is an active member of."""
    with platform_scope("which tenants a user is in is asked across tenants"):
        rows = Membership.objects.select_related("tenant", "role").filter(user=user, is_active=True)
        return list(rows.filter(tenant__status=Tenant.Status.ACTIVE).order_by("tenant__slug"))
