"""API keys, service accounts, and what tokens are told by."""

from __future__ import annotations

from gateway.db.scope import tenant_scope
from tenants.services import api_keys, service_accounts

from .table import ADMIN, MEMBER, OPEN, SIGNED_IN, api, page
from .world import Maker, World


def _key(world: World, of: str) -> object:
    with tenant_scope(world.home.pk):
        return api_keys.issue_key("row", actor=world.principals[of])[0].public_id


def _service_account(world: World) -> object:
    with tenant_scope(world.home.pk):
        return service_accounts.create("row", "member", actor=world.admin).user.public_id


MAKERS: dict[str, Maker] = {
    "key": lambda world: _key(world, "admin"),
    "own_key": lambda world: _key(world, "member"),
    "service_account": _service_account,
}

KEY = {"name": "new", "permissions": []}
FORM = {"name": "new", "lifetime": "30", "scope": "all"}
OVERLAP = {"overlap": "0"}

ROWS = [
    page("GET", "/jwks", OPEN),
    api("POST", "auth/introspect", SIGNED_IN, 200, {"token": "any"}),
    api("GET", "api-keys", MEMBER),
    # Staff act in tenants that they are no members of; a key acts as a member.
    api("POST", "api-keys", MEMBER.but(staff=409), body=KEY),
    api("GET", "api-keys/{key}", ADMIN.but(member=404), case="an administrator's"),
    api("GET", "api-keys/{own_key}", MEMBER, case="a member's"),
    api("PATCH", "api-keys/{key}", ADMIN.but(member=404), body={"name": "new"}, case="an administrator's"),
    api("PATCH", "api-keys/{own_key}", MEMBER, body={"name": "new"}, case="a member's"),
    api("DELETE", "api-keys/{key}", ADMIN.but(member=404), case="an administrator's"),
    api("DELETE", "api-keys/{own_key}", MEMBER, case="a member's"),
    # Who rotates a key sees its secret: nobody but its owner.
    api(
        "POST", "api-keys/{key}/rotate", ADMIN.but(member=404, staff=403), 200, {}, case="an administrator's"
    ),
    api("POST", "api-keys/{own_key}/rotate", MEMBER.but(admin=403, staff=403), 200, {}, case="a member's"),
    api("GET", "service-accounts", ADMIN),
    api("POST", "service-accounts", ADMIN, body={"name": "new", "role": "viewer"}),
    api("GET", "service-accounts/{service_account}", ADMIN),
    api("PATCH", "service-accounts/{service_account}", ADMIN, body={"role": "viewer"}),
    api("DELETE", "service-accounts/{service_account}", ADMIN),
    api("GET", "service-accounts/{service_account}/api-keys", ADMIN),
    api("POST", "service-accounts/{service_account}/api-keys", ADMIN, body=KEY),
    page("GET", "/app/api-keys", MEMBER),
    page(
        "POST", "/app/api-keys", MEMBER.but(staff=422), body={"name": "new", "lifetime": "30", "scope": "all"}
    ),
    page("GET", "/app/api-keys/new", MEMBER),
    page("GET", "/app/api-keys/{key}", ADMIN.but(member=404)),
    page("POST", "/app/api-keys/{key}", ADMIN.but(member=404), body={"name": "new"}),
    page("GET", "/app/api-keys/{own_key}/rotate", MEMBER),
    page("POST", "/app/api-keys/{own_key}/rotate", MEMBER.but(admin=422, staff=422), body=OVERLAP),
    page("GET", "/app/service-accounts", ADMIN),
    page("POST", "/app/service-accounts", ADMIN, body={"name": "new", "role": "viewer"}),
    page("GET", "/app/service-accounts/new", ADMIN),
    page("POST", "/app/service-accounts/{service_account}", ADMIN, body={"role": "viewer"}),
    page("GET", "/app/service-accounts/{service_account}/keys", ADMIN),
    page("POST", "/app/service-accounts/{service_account}/keys", ADMIN, body=FORM),
    page("POST", "/app/api-keys/{key}/revoke", ADMIN.but(member=404), case="an administrator's"),
    page("POST", "/app/api-keys/{own_key}/revoke", MEMBER, case="a member's"),
]
