"""Tokens of an external issuer, the NEXUSGATE (docs/operations.md): verified here, never made.

Its tokens are JWTs with its issuer and our audience in them, signed with a key that it publishes (a JSON Web Key Set,
`services.nexusgate_keys`) or with a shared secret. Which account one is for, its subject claim says: the account with
that `nexusgate_user_id`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt
from django.conf import settings

from .services import nexusgate_keys

_SECRET_ALGORITHMS = ("HS256", "HS384", "HS512")
_CLOCK_SECONDS = 10  # how far the issuer's clock may be from ours
_LONGEST_SUBJECT = 255


@dataclass(frozen=True, slots=True)
class ExternalToken:
    """A verified token. `tenant` is the slug that its claim names, None where no claim is configured."""

    subject: str
    tenant: str | None
    email: str
    expires_at: datetime
    claims: dict[str, Any]


def is_theirs(token: str) -> bool:
    """Whether a token says that it is of the external issuer, where there is one. Nothing is verified by this."""
    if not settings.NEXUSGATE_INTEGRATION_ENABLED:
        return False
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return False
    return bool(claims.get("iss") == settings.NEXUSGATE_ISSUER)


def verify(token: str) -> ExternalToken:
    """What a token of the external issuer says. Raises jwt.InvalidTokenError for anything but a valid one."""
    header = jwt.get_unverified_header(token)
    key: Any = settings.NEXUSGATE_JWT_SECRET
    algorithms: tuple[str, ...] = _SECRET_ALGORITHMS
    if settings.NEXUSGATE_JWKS_URL:
        found = nexusgate_keys.verifying(header.get("kid"))
        if found is None:
            raise jwt.InvalidTokenError("signed with a key that the issuer does not publish")
        key, algorithms = found.key, found.algorithms
    claims: dict[str, Any] = jwt.decode(
        token,
        key,
        algorithms=algorithms,
        issuer=settings.NEXUSGATE_ISSUER,
        audience=settings.NEXUSGATE_AUDIENCE,
        leeway=_CLOCK_SECONDS,
        options={"require": ["exp", "iss", "aud"], "verify_sub": False, "verify_iat": False},
    )
    return _read(claims)


def _read(claims: dict[str, Any]) -> ExternalToken:
    subject = claims.get(settings.NEXUSGATE_SUBJECT_CLAIM)
    if isinstance(subject, int) and not isinstance(subject, bool):
        subject = str(subject)
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT or "\0" in subject:
        raise jwt.InvalidTokenError("no subject")
    tenant = None
    if claim := settings.NEXUSGATE_TENANT_CLAIM:
        tenant = claims.get(claim)
        if not isinstance(tenant, str) or not tenant:
            raise jwt.InvalidTokenError("no tenant")
    email = claims.get(settings.NEXUSGATE_EMAIL_CLAIM)
    try:
        expires_at = datetime.fromtimestamp(claims["exp"], UTC)
    except (ValueError, OverflowError, OSError, TypeError):
        raise jwt.InvalidTokenError("no time that it ends at") from None
    return ExternalToken(subject, tenant, email if isinstance(email, str) else "", expires_at, claims)
