"""Whether a credential that was accepted earlier still holds: for connections that outlive a request.

`STATE` is cheap and asks for many at once; when what it answers for a holder changes, `renew` decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.utils.crypto import constant_time_compare

from gateway.db.scope import platform_scope
from gateway.errors import Unauthenticated
from tenants import resolver
from tenants.models import User
from tenants.principal import Credential, Principal


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom a long connection serves. Equal ones share a check.

    `session_key` is empty but for sessions; `ip` is where the connection comes from, for API keys, which may be
    limited to addresses.
    """

    tenant_id: int
    user_id: int
    credential: Credential
    session_key: str = field(default="", repr=False)
    ip: str | None = None

    def at(self, ip: str | None) -> Holder:
        """The same holder, connecting from there."""
        return replace(self, ip=ip if self.credential.kind == "api_key" else None)


def holder_of(principal: Principal, session_key: str | None) -> Holder:
    """`session_key` is of the request's session and counts for a session's principal only."""
    assert principal.user is not None
    own = session_key or "" if principal.credential.kind == "session" else ""
    return Holder(principal.tenant.pk, principal.user.pk, principal.credential, own).at(principal.ip)


# Rows: a holder's position, from 1, and a text that changes whenever what `renew` looks at does, but for a
# token's end, which the holder knows. Runs in the wide role.
STATE = """
SELECT asked.n, row(
    tenant.status, account.is_active, account.is_staff, md5(account.password), member.is_active,
    role.slug, role.base, role.granted, key.revoked_at, key.expires_at <= now(),
    key.permissions IS NULL, key.permissions, key.allowed_networks, key.prefix = asked.credential_id,
    key.previous_until <= now(), account.nexusgate_user_id, session.expire_date <= now(), md5(session.session_data),
    sign_in.ended_at, sign_in.second_factor, settings.require_second_factor,
    settings.disabled_features, platforms.require_second_factor
)::text AS state
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[])
    WITH ORDINALITY AS asked(tenant_id, user_id, kind, credential_id, session_key, sign_in, n)
LEFT JOIN tenants_tenant tenant ON tenant.id = asked.tenant_id
LEFT JOIN tenants_user account ON account.id = asked.user_id
LEFT JOIN tenants_membership member ON member.tenant_id = asked.tenant_id AND member.user_id = asked.user_id
LEFT JOIN tenants_role role ON role.id = member.role_id
LEFT JOIN tenants_apikey key ON asked.kind = 'api_key'
    AND (key.prefix = asked.credential_id OR key.previous_prefix = asked.credential_id)
LEFT JOIN django_session session ON session.session_key = nullif(asked.session_key, '')
LEFT JOIN tenants_signin sign_in ON sign_in.public_id = nullif(asked.sign_in, '')::uuid
LEFT JOIN tenants_tenantsettings settings ON settings.tenant_id = asked.tenant_id
LEFT JOIN tenants_tenantsettings platforms ON account.is_staff
    AND platforms.tenant_id = (SELECT id FROM tenants_tenant WHERE slug = 'platform')
"""


def states(
    holders: Sequence[Holder],
) -> tuple[list[int], list[int], list[str], list[str], list[str], list[str]]:
    """The parameters of STATE."""
    return (
        [h.tenant_id for h in holders],
        [h.user_id for h in holders],
        [h.credential.kind for h in holders],
        [h.credential.id for h in holders],
        [h.session_key for h in holders],
        [h.credential.sign_in for h in holders],
    )


def renew(holder: Holder, ip: str | None = None) -> Principal:
    """The principal as of now. Raises Unauthenticated, Forbidden or NotFound where the credential ended."""
    if holder.credential.kind == "session":
        _check_session(holder)
    return resolver.renewed(holder.user_id, holder.tenant_id, holder.credential, ip or holder.ip)


def _check_session(holder: Holder) -> None:
    """Signed out, expired, or signed in before the password changed: over."""
    session = import_module(settings.SESSION_ENGINE).SessionStore(holder.session_key)
    with platform_scope("an account is known platform-wide"):
        user = User.objects.filter(pk=holder.user_id).first()
    signed_in = user is not None and session.get(SESSION_KEY) == str(user.pk)
    if user is None or not signed_in or not constant_time_compare(
        session.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash()
    ):  # fmt: skip
        raise Unauthenticated("The session has ended.")
