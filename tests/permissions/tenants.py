"""Sign-in, tenants, people, keys and the audit log."""

from __future__ import annotations

from gateway.db.scope import tenant_scope
from tenants.models import AuditEntry
from tenants.services import api_keys, service_accounts, tenants
from tests import factories

from .table import ADMIN, MEMBER, OK, OPEN, PUBLIC, SIGNED_IN, STAFF, VIEWER, api, page
from .world import World, sign_in


def _user(world: World) -> object:
    made = factories.member(world.home, "member").user
    assert made is not None
    return made.public_id


def _key(world: World, of: str) -> object:
    with tenant_scope(world.home.pk):
        return api_keys.issue_key("row", actor=world.principals[of])[0].public_id


def _service(world: World) -> object:
    with tenant_scope(world.home.pk):
        return service_accounts.create("row", "member", actor=world.admin).user.public_id


def _domain(world: World) -> object:
    return tenants.add_domain(world.home, "home.example.org", actor=world.principals["staff"]).public_id


def _entry(world: World) -> object:
    with tenant_scope(world.home.pk):
        return AuditEntry.objects.filter(tenant=world.home).latest("pk").public_id


MAKERS = {
    "tenant": lambda world: world.home.public_id,
    "user": _user,
    "key": lambda world: _key(world, "admin"),
    "own_key": lambda world: _key(world, "member"),
    "service": _service,
    "domain": _domain,
    "entry": _entry,
    "refresh": lambda world: sign_in(world.admin)["refresh"],
    "username": lambda world: world.admin.label,
}

NEW_USER = {"username": "newcomer", "password": factories.PASSWORD, "role": "viewer"}
LOGIN = {"username": "{username}", "password": factories.PASSWORD}

ROWS = [
    api("POST", "auth/login", PUBLIC, 200, LOGIN),
    api("POST", "auth/refresh", PUBLIC, 200, {"refresh": "{refresh}"}),
    api("POST", "auth/logout", SIGNED_IN.but(anonymous=OK), 204, {"refresh": "{refresh}"}),
    api("POST", "auth/introspect", SIGNED_IN, 200, {"token": "any"}),
    page("GET", "/jwks", OPEN),
    api("GET", "auth/me", SIGNED_IN),
    api("GET", "tenants", VIEWER),
    api("POST", "tenants", STAFF, body={"name": "New", "slug": "new"}),
    api("GET", "tenants/{tenant}", VIEWER),
    api("PATCH", "tenants/{tenant}", ADMIN, body={"name": "Renamed"}),
    api("PATCH", "tenants/{tenant}", STAFF, body={"status": "suspended"}, case="status"),
    api("PATCH", "tenants/{tenant}", STAFF, body={"limits": {"users": 10}}, case="limits"),
    api("GET", "tenants/{tenant}/users", ADMIN),
    api("POST", "tenants/{tenant}/users", ADMIN, body=NEW_USER),
    api("GET", "tenants/{tenant}/domains", VIEWER),
    api("POST", "tenants/{tenant}/domains", STAFF, body={"hostname": "new.example.org"}),
    api("DELETE", "tenants/{tenant}/domains/{domain}", ADMIN),
    api("GET", "tenants/{tenant}/usage", VIEWER),
    api("GET", "roles", ADMIN),
    api("GET", "users", ADMIN),
    api("GET", "users/{user}", ADMIN),
    api("PATCH", "users/{user}", ADMIN, body={"role": "viewer"}),
    api("PUT", "users/{user}", ADMIN, body={"role": "viewer"}),
    api("DELETE", "users/{user}", ADMIN),
    api("GET", "api-keys", MEMBER),
    # Staff act in tenants that they are no members of; a key acts as a member.
    api("POST", "api-keys", MEMBER.but(staff=409), body={"name": "new", "permissions": []}),
    api("GET", "api-keys/{key}", ADMIN.but(member=404), case="an administrator's"),
    api("GET", "api-keys/{own_key}", MEMBER, case="a member's"),
    api(
        "PATCH",
        "api-keys/{key}",
        ADMIN.but(member=404),
        body={"name": "renamed"},
        case="an administrator's",
    ),
    api("PATCH", "api-keys/{own_key}", MEMBER, body={"name": "renamed"}, case="a member's"),
    api(
        "POST",
        "api-keys/{key}/rotate",
        ADMIN.but(member=404, staff=403),
        200,
        {"overlap_seconds": 60},
        case="an administrator's",
    ),
    api(
        "POST",
        "api-keys/{own_key}/rotate",
        MEMBER.but(admin=403, staff=403),
        200,
        {"overlap_seconds": 60},
        case="a member's",
    ),
    api("DELETE", "api-keys/{key}", ADMIN.but(member=404), case="an administrator's"),
    api("DELETE", "api-keys/{own_key}", MEMBER, case="a member's"),
    api("GET", "service-accounts", ADMIN),
    api("POST", "service-accounts", ADMIN, body={"name": "new", "role": "viewer"}),
    api("GET", "service-accounts/{service}", ADMIN),
    api("PATCH", "service-accounts/{service}", ADMIN, body={"role": "viewer"}),
    api("DELETE", "service-accounts/{service}", ADMIN),
    api("GET", "service-accounts/{service}/api-keys", ADMIN),
    api("POST", "service-accounts/{service}/api-keys", ADMIN, body={"name": "new"}),
    api("GET", "audit", ADMIN),
    api("GET", "audit/seals", ADMIN),
    api("POST", "audit/verify", ADMIN),
    api("GET", "audit/export", ADMIN),
    page("GET", "/app/api-keys", MEMBER),
    page(
        "POST", "/app/api-keys", MEMBER.but(staff=422), body={"name": "new", "lifetime": "30", "scope": "all"}
    ),
    page("GET", "/app/api-keys/new", MEMBER),
    page("POST", "/app/api-keys/{key}/revoke", ADMIN),
    page("POST", "/app/api-keys/{own_key}/revoke", MEMBER, case="a member's"),
    page("GET", "/app/members", ADMIN),
    page("POST", "/app/members", ADMIN, body=NEW_USER | {"email": ""}),
    page("GET", "/app/members/new", ADMIN),
    page("POST", "/app/members/{user}", ADMIN, body={"role": "viewer"}),
    page("GET", "/app/audit", ADMIN),
    page("GET", "/app/audit/export", ADMIN),
    page("POST", "/app/audit/verify", ADMIN),
    page("GET", "/app/audit/{entry}", ADMIN),
]
