"""Users, roles and invitations."""

from __future__ import annotations

import hashlib

from gateway.db.scope import tenant_scope
from tenants.models import Invitation
from tenants.services import invitations, roles
from tests import factories

from .table import ADMIN, OPEN, SIGNED_IN, STAFF, api, page
from .world import Maker, World


def _user(world: World) -> object:
    made = factories.member(world.home, "member").user
    assert made is not None
    return made.public_id


def _role(world: World) -> object:
    return roles.create_role(world.home, "Row", permissions=["user.read"], actor=world.admin).public_id


def _invitation(world: World) -> Invitation:
    return invitations.invite(world.home, "somebody@example.org", actor=world.admin)


def _token(world: World) -> str:
    """Of an invitation's link, which is in the mail alone."""
    with tenant_scope(world.home.pk):
        digest = hashlib.sha256(b"row").hexdigest()
        Invitation.objects.filter(pk=_invitation(world).pk).update(token_digest=digest)
    return "row"


MAKERS: dict[str, Maker] = {
    "user": _user,
    "stranger": lambda world: world.principals["foreign"].label,
    "role": _role,
    "invitation": lambda world: _invitation(world).public_id,
    "invitation_token": _token,
}

NEW_USER = {"username": "newcomer", "password": factories.PASSWORD, "role": "viewer"}
ROLE = {"name": "New", "permissions": ["user.read"]}
INVITE = {"email": "new@example.org", "role": "viewer"}
JOIN = {"token": "{invitation_token}"}

ROWS = [
    api("GET", "tenants/{tenant}/users", ADMIN),
    api("POST", "tenants/{tenant}/users", ADMIN, body=NEW_USER),
    api("DELETE", "tenants/{tenant}/users/{user}", ADMIN),
    api("POST", "tenants/{tenant}/members", STAFF, body={"username": "{stranger}"}),
    api("GET", "users", ADMIN),
    api("POST", "users/import", ADMIN, 200, {"users": [{"username": "newcomer", "role": "viewer"}]}),
    api("GET", "users/export.csv", ADMIN),
    api("GET", "users/export.json", ADMIN),
    api("GET", "users/{user}", ADMIN),
    api("PATCH", "users/{user}", ADMIN, body={"role": "viewer"}),
    api("PUT", "users/{user}", ADMIN, body={"role": "viewer"}),
    api("DELETE", "users/{user}", ADMIN),
    api("POST", "users/{user}/password-link", ADMIN, 202),
    api("GET", "permissions", SIGNED_IN),
    api("GET", "roles", ADMIN),
    api("POST", "roles", ADMIN, body=ROLE),
    api("GET", "roles/{role}", ADMIN),
    api("PATCH", "roles/{role}", ADMIN, body={"name": "Renamed"}),
    api("PUT", "roles/{role}", ADMIN, body={"name": "Renamed"}),
    api("DELETE", "roles/{role}", ADMIN),
    api("GET", "invitations", ADMIN),
    api("POST", "invitations", ADMIN, body=INVITE),
    api("GET", "invitations/{invitation}", ADMIN),
    api("DELETE", "invitations/{invitation}", ADMIN),
    api("POST", "invitations/{invitation}/resend", ADMIN, 200),
    # Who is signed in joins with that account, and most are members already; keys do not join.
    api(
        "POST", "invitations/accept", SIGNED_IN.but(anonymous=400, staff=201, narrow=403), 409, JOIN,
        case="as oneself",
    ),
    api(
        "POST", "invitations/accept", SIGNED_IN.but(anonymous=201, narrow=403), 400,
        JOIN | {"username": "newcomer", "password": factories.PASSWORD}, case="with a new account",
    ),
    page("GET", "/app/members", ADMIN),
    page("POST", "/app/members", ADMIN, body=NEW_USER | {"email": ""}),
    page("GET", "/app/members/new", ADMIN),
    page("POST", "/app/members/{user}", ADMIN, body={"role": "viewer"}),
    page("GET", "/app/members/{user}/account", ADMIN),
    page("POST", "/app/members/{user}/account", ADMIN, body={"name": "Renamed", "email": ""}),
    page("POST", "/app/members/{user}/remove", ADMIN),
    page("POST", "/app/members/{user}/password-link", ADMIN),
    page("GET", "/app/members/invite", ADMIN),
    page("POST", "/app/members/invite", ADMIN, body=INVITE),
    page("POST", "/app/members/invitations/{invitation}", ADMIN, body={"do": "revoke"}),
    page("GET", "/app/members/export.csv", ADMIN),
    page("GET", "/app/members/import", ADMIN),
    page("POST", "/app/members/import", ADMIN, 422, {"do": "import"}),
    page("GET", "/app/roles", ADMIN),
    page("GET", "/app/roles/new", ADMIN),
    page("POST", "/app/roles/new", ADMIN, 302, ROLE),
    page("GET", "/app/roles/{role}", ADMIN),
    page("POST", "/app/roles/{role}", ADMIN, 302, ROLE),
    page("POST", "/app/roles/{role}/delete", ADMIN, 302),
    page("GET", "/app/invitations/{invitation_token}", OPEN),
    page(
        "POST", "/app/invitations/{invitation_token}", OPEN.but(viewer=409, member=409, admin=409), 302,
        {"username": "newcomer", "password": factories.PASSWORD, "again": factories.PASSWORD},
    ),
]  # fmt: skip
