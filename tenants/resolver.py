"""From a credential to the principal behind it: the one place where identity is established."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import import_module
from typing import Literal

import jwt
from django.conf import settings
from django.contrib.auth import get_user, logout
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.utils import get_md5_hash_password

from gateway.db.scope import platform_scope
from gateway.errors import Forbidden, NotFound, Unauthenticated

from . import nexusgate
from .models import PLATFORM_SLUG, SLUG_FORM, Domain, Membership, SecondFactor, Tenant, TenantSettings, User
from .permissions import STAFF, role_permissions
from .principal import Credential, Principal
from .services import external_accounts, key_secrets, principals, sign_ins
from .tokens import AccessToken

_REFUSED = "The credential is not valid, or no longer."
_SIGNED_IN = ("session", "jwt")  # a person, here and now; keys are for programs


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


def from_session(request: HttpRequest, at: Asked | None = None) -> Principal | None:
    """The signed-in user, acting in the tenant that the session chose, else (it may be suspended) in another of theirs.

    None when signed out or without a tenant. Raises NotFound for a tenant that the request names and is not theirs.
    What the request says of that and of its origin is in `at` where somebody has read it already.
    """
    user = request.user if hasattr(request, "user") else get_user(request)
    if not isinstance(user, User) or not user.is_active:
        return None
    at = at or asked(request)
    sign_in = sign_ins.of_session(request.session, user, at.ip, request.headers.get("User-Agent", ""))
    if sign_in is None:  # ended, or not used for too long
        with platform_scope("a session is an account's, not a tenant's"):
            logout(request)
        return None
    chosen = at.slug or request.session.get("tenant")
    credential = Credential(
        "session",
        _name(request.session.session_key or ""),
        sign_in=str(sign_in.public_id),
        second_factor=sign_in.second_factor,
    )
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
    """An API key (`mcp_…`) or a JWT. Raises Unauthenticated, NotFound for a tenant that is not the caller's.

    What was established a moment ago is not looked up again (`services.principals`).
    """
    return principals.cache.get(_question("token", token, at), lambda: _established(token, at))


def kept(kind: Literal["token", "session"], text: str, at: Asked) -> Principal | None:
    """What `from_token` or `from_cookie` established a moment ago; to be read alone, for it is shared."""
    return principals.cache.kept(_question(kind, text, at))


def _question(kind: str, text: str, at: Asked) -> str:
    return f"{kind}|{at.slug}|{at.host}|{at.ip}|{text}"


def from_cookie(session_key: str, at: Asked, *, user_agent: str = "") -> Principal:
    """`from_session` of a session's key alone, for who has no request of Django's. Raises Unauthenticated too."""
    question = _question("session", session_key, at)
    return principals.cache.get(question, lambda: _of_cookie(session_key, at, user_agent))


def _of_cookie(session_key: str, at: Asked, user_agent: str) -> Principal:
    request = HttpRequest()
    request.META = {"HTTP_HOST": at.host, "HTTP_USER_AGENT": user_agent}
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    found = from_session(request, at)
    if found is None:
        raise Unauthenticated(_REFUSED)
    return found


def _established(token: str, at: Asked) -> Principal:
    if token.startswith("mcp_"):
        return _from_api_key(token, at)
    return _from_nexusgate(token, at) if nexusgate.is_theirs(token) else _from_jwt(token, at)


def _from_api_key(text: str, at: Asked) -> Principal:
    with platform_scope("a key names its tenant"):
        found = key_secrets.verify(text, at.ip)
    return of_key(found, at.ip)


def of_key(found: key_secrets.Proven | None, ip: str | None) -> Principal:
    """The principal of a proven key, which holds what its owner's role holds now, narrowed. Raises Unauthenticated."""
    if found is None:
        raise Unauthenticated(_REFUSED)
    key, role = found.key, found.membership.role
    if not key.user.is_active or key.tenant.status != Tenant.Status.ACTIVE:
        raise Unauthenticated(_REFUSED)
    held = role_permissions(role)
    narrowed = held if key.permissions is None else held & frozenset(key.permissions)
    credential = Credential("api_key", found.prefix, key.expires_at)
    return Principal(key.user, key.tenant, role.slug, narrowed, credential, ip)


def _from_jwt(text: str, at: Asked) -> Principal:
    try:
        token = AccessToken(text)  # type: ignore[arg-type]
        subject, jti = str(token["sub"]), str(token["jti"])
        expires_at = datetime.fromtimestamp(token["exp"], UTC)
        password, sid = str(token[api_settings.REVOKE_TOKEN_CLAIM]), str(token["sid"])
    except (TokenError, KeyError):
        raise Unauthenticated(_REFUSED) from None
    sign_in = sign_ins.live(sid, seen=True)
    if sign_in is None or str(sign_in.user.public_id) != subject:
        raise Unauthenticated(_REFUSED)
    if not is_password_of(sign_in.user, password):
        raise Unauthenticated(_REFUSED)
    credential = Credential("jwt", jti, expires_at, password, sid, sign_in.second_factor)
    return _in_tenant(sign_in.user, at, credential)


def _from_nexusgate(text: str, at: Asked) -> Principal:
    """A token of the external issuer, whose word on a second factor is taken with it."""
    try:
        token = nexusgate.verify(text)
    except jwt.InvalidTokenError:
        raise Unauthenticated(_REFUSED) from None
    user = external_accounts.account_of(token)
    if token.tenant is not None:
        if at.slug and at.slug != token.tenant:
            raise NotFound("No such tenant.", code="tenant_not_found")
        at = Asked(token.tenant, "", at.ip)
    return _in_tenant(user, at, Credential("nexusgate", _subject_id(token.subject), token.expires_at))


def _subject_id(subject: str) -> str:
    """How an external account is named in the audit log, which may be short of room for the whole."""
    return hashlib.sha256(subject.encode()).hexdigest()[:16]


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
            found = key_secrets.live(credential.id, ip)
        return of_key(found, ip)
    with platform_scope("an account is known platform-wide"):
        user = User.objects.filter(pk=user_id, is_active=True).first()
        slug = Tenant.objects.values_list("slug", flat=True).get(pk=tenant_id)
    if user is None or (credential.expires_at is not None and credential.expires_at <= datetime.now(UTC)):
        raise Unauthenticated(_REFUSED)
    if credential.kind == "nexusgate" and credential.id != _subject_id(user.nexusgate_user_id or ""):
        raise Unauthenticated(_REFUSED)
    if credential.kind == "jwt" and not is_password_of(user, credential.password):
        raise Unauthenticated(_REFUSED)
    if credential.kind in _SIGNED_IN:
        sign_in = sign_ins.live(credential.sign_in)
        if sign_in is None or sign_in.user_id != user_id:
            raise Unauthenticated(_REFUSED)
        credential = replace(credential, second_factor=sign_in.second_factor)
    return _in_tenant(user, Asked(slug, "", ip), credential)


def _in_tenant(user: User, at: Asked, credential: Credential) -> Principal:
    """The header's tenant, else the domain's, else the user's default or only one; staff have the platform's.

    Raises NotFound for a tenant the user is not in, Forbidden for a user without any.
    """
    with platform_scope("which tenants a user is in is asked across tenants"):
        wanted = _wanted_tenant(at)
        memberships = Membership.objects.select_related("role", "tenant__settings").filter(
            user=user, is_active=True
        )
        if wanted is not None:
            membership = memberships.filter(tenant=wanted).first()
        else:
            membership = (
                memberships.filter(tenant__status=Tenant.Status.ACTIVE).order_by("-is_default", "pk").first()
            )
        if user.is_staff:
            tenant = wanted or Tenant.objects.select_related("settings").get(slug=PLATFORM_SLUG)
            return _admitted(Principal(user, tenant, "staff", STAFF, credential, at.ip))
        is_suspended = (
            membership is None and memberships.filter(tenant__status=Tenant.Status.SUSPENDED).exists()
        )
    if membership is None:
        if wanted is not None:
            raise NotFound("No such tenant.", code="tenant_not_found")
        if is_suspended:
            raise Forbidden("The tenant is suspended.", code="tenant_suspended")
        raise Forbidden("The account is in no tenant.", code="no_tenant")
    if membership.tenant.status != Tenant.Status.ACTIVE:
        raise Forbidden("The tenant is suspended.", code="tenant_suspended")
    role = membership.role
    return _admitted(Principal(user, membership.tenant, role.slug, role_permissions(role), credential, at.ip))


def _admitted(found: Principal) -> Principal:
    """Without permissions where the tenant requires a second factor and the sign-in showed none."""
    assert found.user is not None
    if found.credential.kind not in _SIGNED_IN or found.credential.second_factor:
        return found
    with platform_scope("an account's second factors are no tenant's"):
        if not _requires_second_factor(found):
            return found
        has_one = SecondFactor.objects.filter(user=found.user, confirmed_at__isnull=False).exists()
    code = "second_factor_required" if has_one else "second_factor_setup_required"
    return replace(found, permissions=frozenset(), barred=code)


def _requires_second_factor(found: Principal) -> bool:
    """Whether the tenant does; of staff also whether the platform's own does, wherever they act."""
    own = getattr(found.tenant, "settings", None)
    if own is not None and own.require_second_factor:
        return True
    platforms = TenantSettings.objects.filter(tenant__slug=PLATFORM_SLUG, require_second_factor=True)
    return found.is_staff and platforms.exists()


def _wanted_tenant(at: Asked) -> Tenant | None:
    if at.slug:
        present = Tenant.objects.present().select_related("settings").filter(slug=at.slug)
        tenant = present.first() if re.fullmatch(SLUG_FORM, at.slug) else None
        if tenant is None:
            raise NotFound("No such tenant.", code="tenant_not_found")
        return tenant
    if at.host and at.host not in (settings.PUBLIC_HOST, "localhost", "127.0.0.1"):
        domain = Domain.objects.routing().select_related("tenant__settings").filter(hostname=at.host).first()
        return domain.tenant if domain else None
    return None
