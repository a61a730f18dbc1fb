"""Signing in for tokens, renewing them, and what a token means."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import authenticate
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings

from gateway.db.scope import platform_scope
from gateway.errors import DomainError, Unauthenticated
from tenants import resolver
from tenants.models import ApiKey, Membership, Tenant, User
from tenants.tokens import AccessToken, RefreshToken


def tokens(refresh: RefreshToken) -> dict[str, Any]:
    lifetime = api_settings.ACCESS_TOKEN_LIFETIME
    return {
        "access": str(refresh.access_token),
        "refresh": str(refresh),
        "expires_in": int(lifetime.total_seconds()),
        "token_type": "Bearer",
    }


def login(username: str, password: str, *, request: HttpRequest) -> dict[str, Any]:
    """A pair of tokens for a name and password. Raises Unauthenticated, the same for any reason."""
    user = authenticate(request, username=username, password=password)
    if not isinstance(user, User):
        raise Unauthenticated("The username or the password is wrong.", code="login_failed")
    with platform_scope("an account signs in, not yet a tenant"), transaction.atomic():
        User.objects.filter(pk=user.pk).update(last_login=timezone.now())
        return tokens(RefreshToken.for_user(user))


def refresh(text: str) -> dict[str, Any]:
    """A new pair for a refresh token, which is spent by it. Raises Unauthenticated."""
    with platform_scope("a token names an account, not yet a tenant"), transaction.atomic():
        try:
            token = RefreshToken(text)  # type: ignore[arg-type]
            user = User.objects.select_for_update().get(public_id=token["sub"], is_active=True)
            if not resolver.is_password_of(user, str(token[api_settings.REVOKE_TOKEN_CLAIM])):
                raise TokenError("had for another password")
            token.check_blacklist()  # again, now that a second caller with the same token waits for the row
            token.blacklist()
        except (TokenError, KeyError, User.DoesNotExist):
            raise Unauthenticated("The refresh token is not valid, or no longer.") from None
        return tokens(RefreshToken.for_user(user))


def logout(text: str) -> None:
    """Spend a refresh token. One that is not valid is as good as spent."""
    with platform_scope("a token names an account, not yet a tenant"), transaction.atomic():
        try:
            RefreshToken(text).blacklist()  # type: ignore[arg-type]
        except TokenError:
            return


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
