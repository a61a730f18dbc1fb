"""Whether a credential that was accepted earlier still holds: for connections that outlive their first request.

`STATE` is cheap and asks for many at once: when what it answers for a holder changes, `renew` decides.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.utils.crypto import constant_time_compare

from gateway.errors import Unauthenticated
from tenants import resolver
from tenants.principal import Principal


@dataclass(frozen=True, slots=True)
class Holder:
    """Who a long connection serves. Equal ones share a check. `session_key` is empty but for sessions."""

    tenant_id: int
    user_id: int
    kind: str
    credential_id: str
    session_key: str = field(default="", repr=False)


# Parameters: arrays of a holder's five fields. Rows: the holder's position from 1, and a text that changes
# whenever anything that `renew` looks at does. Runs in the wide role.
STATE = """
SELECT asked.n, concat_ws(
    '|', tenant.status, account.is_active, account.is_staff, md5(account.password), member.is_active,
    role.slug, role.is_builtin, role.permissions, key.revoked_at, key.expires_at <= now(),
    key.permissions IS NULL, key.permissions, session.expire_date <= now(), md5(session.session_data)
) AS state
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[])
    WITH ORDINALITY AS asked(tenant_id, user_id, kind, credential_id, session_key, n)
LEFT JOIN tenants_tenant tenant ON tenant.id = asked.tenant_id
LEFT JOIN tenants_user account ON account.id = asked.user_id
LEFT JOIN tenants_membership member ON member.tenant_id = asked.tenant_id AND member.user_id = asked.user_id
LEFT JOIN tenants_role role ON role.id = member.role_id
LEFT JOIN tenants_apikey key ON asked.kind = 'api_key' AND key.prefix = asked.credential_id
LEFT JOIN django_session session ON session.session_key = nullif(asked.session_key, '')
"""


def renew(held: Principal, session_key: str = "") -> Principal:
    """The principal as of now. Raises Unauthenticated, Forbidden or NotFound where the credential ended."""
    if held.credential.kind == "session":
        _check_session(held, session_key)
    return resolver.renewed(held)


def _check_session(held: Principal, session_key: str) -> None:
    """Signed out, expired, or signed in before the password changed: over."""
    assert held.user is not None
    session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    signed_in = session.get(SESSION_KEY) == str(held.user.pk)
    held.user.refresh_from_db(fields=["password"])
    if not signed_in or not constant_time_compare(
        session.get(HASH_SESSION_KEY, ""), held.user.get_session_auth_hash()
    ):
        raise Unauthenticated("The session has ended.")
