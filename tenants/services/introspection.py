"""What a credential means, for services that are handed one (RFC 7662)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from jwt import InvalidTokenError
from rest_framework_simplejwt.exceptions import TokenError

from gateway.db.scope import platform_scope
from gateway.errors import DomainError
from tenants import nexusgate, resolver
from tenants.models import ApiKey
from tenants.permissions import PERMISSIONS
from tenants.principal import Principal
from tenants.tokens import AccessToken

from . import key_secrets

INACTIVE = {"active": False}


def introspect(token: str, *, caller: Principal | None) -> dict[str, Any]:
    """The claims of section 2.2 of an API key or access token that holds now, else `{"active": false}`.

    `caller` is None for the holder of the shared secret. A tenant's caller learns of what holds in that tenant;
    platform staff and the shared secret of anything. Where a key may be used from is told, not judged: the request
    that the token came with came from somewhere else than this one.
    """
    everywhere = caller is None or caller.is_staff
    try:
        if token.startswith("mcp_"):
            answer, tenant_id = _of_key(token)
        else:
            slug = None if everywhere or caller is None else caller.tenant.slug
            answer, tenant_id = _of_token(token, slug)
    except (
        DomainError,
        TokenError,
        InvalidTokenError,
    ):  # the latter where it ends just now, between two looks
        return INACTIVE
    if not everywhere and caller is not None:
        if tenant_id != caller.tenant.pk:
            return INACTIVE
        # What the platform's staff may do elsewhere is no tenant's affair.
        answer["scope"] = " ".join(p for p in answer["scope"].split() if p in PERMISSIONS)
    return answer


def _of_key(token: str) -> tuple[dict[str, Any], int]:
    with platform_scope("a key names its tenant"):
        proven = key_secrets.verify(token, None, anywhere=True)
    found = resolver.of_key(proven, None)
    assert proven is not None
    key: ApiKey = proven.key
    answer = _about(found) | {
        "client_id": f"mcp_{proven.prefix}",
        "iat": int(key.created_at.timestamp()),
        "aud": settings.JWT_AUDIENCE,
        "iss": settings.JWT_ISSUER,
        "jti": str(key.public_id),
    }
    ends = [at for at in (key.expires_at, key.previous_until if proven.prefix != key.prefix else None) if at]
    if ends:
        answer["exp"] = int(min(ends).timestamp())
    if key.allowed_networks:
        answer["allowed_networks"] = key.allowed_networks
    return answer, key.tenant_id


def _of_token(token: str, slug: str | None) -> tuple[dict[str, Any], int]:
    found = resolver.from_token(token, resolver.Asked(slug, "", None))
    if found.credential.kind == "nexusgate":
        claims = nexusgate.verify(token).claims
    else:
        claims = AccessToken(token).payload  # type: ignore[arg-type]
    told = ("client_id", "exp", "iat", "nbf", "aud", "iss", "jti")
    return _about(found) | {name: claims[name] for name in told if name in claims}, found.tenant.pk


def _about(found: Principal) -> dict[str, Any]:
    assert found.user is not None
    return {
        "active": True,
        "scope": " ".join(sorted(found.permissions)),
        "sub": str(found.user.public_id),
        "username": found.user.username,
        "token_type": "Bearer",
        "credential": found.credential.kind,
        "tenant": found.tenant.slug,
        "role": found.role,
    }
