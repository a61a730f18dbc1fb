"""From a credential to the principal behind it: the one place where identity is established."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.utils import get_md5_hash_password

from gateway.db.scope import platform_scope
from gateway.errors import Forbidden, NotFound, Unauthenticated

from .models import PLATFORM_SLUG, SLUG_FORM, ApiKey, Domain, Membership, Tenant, User
from .permissions import STAFF, role_permissions
from .principal import Credential, Principal
from .services import api_keys
from .tokens import AccessToken

_REFUSED = "The credential is not valid, or no longer."


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request says about the tenant it is for, and where it came from."""

    slug: str | None = None
    host: str = ""
    ip: str | None = None


def asked(request: HttpRequest) -> Asked:
    host = request.get_host().rsplit(":", 1)[0].lower()
    return Asked(request.headers.get("X-Tenant") or None, host, client_ip(request))


def client_ip(request: HttpRequest) -> str | None:
    """The caller's address as the edge, which alone sets the header, found it with the trusted proxies' help."""
    given = request.headers.get("X-Real-IP", "") or request.META.get("REMOTE_ADDR", "")
    try:
        return str(ipaddress.ip_address(given))
    except ValueError:
        return None


def from_session(request: HttpRequest) -> Principal | None:
    """The signed-in user, acting in the tenant that the session chose, else (it may be suspended) in another of theirs.

    None when signed out or without a tenant. Raises NotFound for a tenant that the request names and is not theirs.
    """
    user = request.user
    if not isinstance(user, User) or not user.is_active:
        return None
    at = asked(request)
    chosen = at.slug or request.session.get("tenant")
    credential = Credential("session", _name(request.session.session_key or ""))
    try:
        return _in_tenant(user, Asked(chosen, at.host, at.ip), credential)
    except NotFound:
        if at.slug:
            raise
    except Forbidden:
        if at.slug:
            return None
    try:
        return _in_tenant(user, Asked(None, "", at.ip), credential)
    except Forbidden:
        return None


def _name(session_key: str) -> str:
    """A session told apart from others in the audit log without a part of what opens it."""
    return hashlib.sha256(session_key.encode()).hexdigest()[:8]


def from_token(token: str, at: Asked) -> Principal:
    """An API key (`mcp_…`) or a JWT. Raises Unauthenticated, NotFound for a tenant that is not the caller's."""
    if token.startswith("mcp_"):
        return _from_api_key(token, at)
    return _from_jwt(token, at)


def _from_api_key(text: str, at: Asked) -> Principal:
    with platform_scope("a key names its tenant"):
        found = api_keys.verify(text)
    return _of_key(found, at.ip)


def _of_key(found: tuple[ApiKey, Membership] | None, ip: str | None) -> Principal:
    if found is None:
        raise Unauthenticated(_REFUSED)
    key, membership = found
    if not key.user.is_active or key.tenant.status != Tenant.Status.ACTIVE:
        raise Unauthenticated(_REFUSED)
    held = role_permissions(membership.role)
    narrowed = held if key.permissions is None else held & frozenset(key.permissions)
    credential = Credential("api_key", key.prefix)
    return Principal(key.user, key.tenant, membership.role.slug, narrowed, credential, ip)


def _from_jwt(text: str, at: Asked) -> Principal:
    try:
        token = AccessToken(text)  # type: ignore[arg-type]
        subject, jti = str(token["sub"]), str(token["jti"])
        expires_at = datetime.fromtimestamp(token["exp"], UTC)
        password = str(token[api_settings.REVOKE_TOKEN_CLAIM])
    except (TokenError, KeyError):
        raise Unauthenticated(_REFUSED) from None
    with platform_scope("a token names an account, not yet a tenant"):
        user = User.objects.filter(public_id=subject, is_active=True).first()
    if user is None or not is_password_of(user, password):
        raise Unauthenticated(_REFUSED)
    return _in_tenant(user, at, Credential("jwt", jti, expires_at, password))


def is_password_of(user: User, digest: str) -> bool:
    """Whether a token's claim is about the account's present password."""
    return constant_time_compare(digest, get_md5_hash_password(user.password))


def renewed(user_id: int, tenant_id: int, credential: Credential, ip: str | None) -> Principal:
    """The principal of a credential that was accepted before, as of now: what long connections ask.

    It needs no secret, so none is kept. Whether a session is still signed in, `services.standing` says.
    Raises as the credential would.
    """
    if credential.kind == "api_key":
        with platform_scope("a key names its tenant"):
            found = api_keys.live(credential.id)
        return _of_key(found, ip)
    with platform_scope("an account is known platform-wide"):
        user = User.objects.filter(pk=user_id, is_active=True).first()
        slug = Tenant.objects.values_list("slug", flat=True).get(pk=tenant_id)
    if user is None or (credential.expires_at is not None and credential.expires_at <= datetime.now(UTC)):
        raise Unauthenticated(_REFUSED)
    if credential.kind == "jwt" and not is_password_of(user, credential.password):
        raise Unauthenticated(_REFUSED)
    return _in_tenant(user, Asked(slug, "", ip), credential)


def _in_tenant(user: User, at: Asked, credential: Credential) -> Principal:
    """The header's tenant, else the domain's, else the user's default or only one; staff have the platform's.

    Raises NotFound for a tenant the user is not in, Forbidden for a user without any.
    """
    with platform_scope("which tenants a user is in is asked across tenants"):
        wanted = _wanted_tenant(at)
        memberships = Membership.objects.select_related("role", "tenant").filter(user=user, is_active=True)
        if wanted is not None:
            membership = memberships.filter(tenant=wanted).first()
        else:
            membership = (
                memberships.filter(tenant__status=Tenant.Status.ACTIVE).order_by("-is_default", "pk").first()
            )
        if user.is_staff:
            tenant = wanted or Tenant.objects.get(slug=PLATFORM_SLUG)
            return Principal(user, tenant, "staff", STAFF, credential, at.ip)
    if membership is None:
        if wanted is not None:
            raise NotFound("No such tenant.", code="tenant_not_found")
        raise Forbidden("The account is in no tenant.", code="no_tenant")
    if membership.tenant.status != Tenant.Status.ACTIVE:
        raise Forbidden("The tenant is suspended.", code="tenant_suspended")
    role = membership.role
    return Principal(user, membership.tenant, role.slug, role_permissions(role), credential, at.ip)


def _wanted_tenant(at: Asked) -> Tenant | None:
    if at.slug:
        tenant = Tenant.objects.filter(slug=at.slug).first() if re.fullmatch(SLUG_FORM, at.slug) else None
        if tenant is None:
            raise NotFound("No such tenant.", code="tenant_not_found")
        return tenant
    if at.host and at.host not in (settings.PUBLIC_HOST, "localhost", "127.0.0.1"):
        domain = Domain.objects.select_related("tenant").filter(hostname=at.host).first()
        return domain.tenant if domain else None
    return None
