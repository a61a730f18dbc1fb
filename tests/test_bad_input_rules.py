"""Well-formed input that a rule forbids: each with its code and its field, and every row as it was."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django.plugin import DjangoDbBlocker

from gateway.checks import tenant_models
from gateway.db.scope import platform_scope, tenant_scope
from storage.models import Bucket
from tenants.models import AuditEntry, Invitation, Role, Tenant, UnsealedEntry, User
from tenants.services import invitations, roles
from tenants.services.quotas import LIMITS
from tenants.services.tenants import update_tenant
from tests import factories
from tests.permissions import people, storage, tenants
from tests.permissions.rows import MAKERS
from tests.permissions.table import PUBLIC, Row, api
from tests.permissions.world import Maker, World, built, rolled_back


def _full(world: World) -> str:
    """A name for what no longer fits in."""
    update_tenant(world.home, limits=dict.fromkeys(LIMITS, 0), actor=world.principals["staff"])
    return "one-more"


def _child(world: World) -> str:
    """The slug of a role that extends the role `parent`."""
    parent = roles.create_role(world.home, "Parent", slug="parent", permissions=[], actor=world.admin)
    return str(
        roles.create_role(world.home, "Child", permissions=[], extends=parent.slug, actor=world.admin).slug
    )


def _role(world: World, slug: str) -> Any:
    with platform_scope("tests"):
        return Role.objects.get(tenant=world.home, slug=slug).public_id


def _link(world: World, **fields: Any) -> str:
    """The token of an invitation that is no longer good."""
    token = str(people.MAKERS["invitation_token"](world))
    with tenant_scope(world.home.pk):
        Invitation.objects.filter(tenant=world.home).update(**fields)
    return token


def _used(world: World) -> str:
    token = str(people.MAKERS["invitation_token"](world))
    invitations.accept(token, invitations.NewAccount("joined", factories.PASSWORD, ""), ip=None)
    return token


def _made(maker: Maker, name: str) -> Maker:
    """The name of what a maker of the table makes."""
    return lambda world: maker(world) and name


def _platform(world: World) -> Any:
    with platform_scope("tests"):
        return Tenant.objects.get(slug="platform").public_id


def _public_id(user: User | None) -> Any:
    assert user is not None
    return user.public_id


def _bucket_with_objects(world: World) -> Any:
    storage.MAKERS["filled"](world)
    with tenant_scope(world.home.pk):
        return Bucket.objects.get(name="filled").public_id


OWN: dict[str, Maker] = {
    "full": _full,
    "child": _child,
    "parent_of_it": lambda world: _role(world, "parent"),
    "builtin": lambda world: _role(world, "viewer"),
    "used": _used,
    "expired": lambda world: _link(world, expires_at=timezone.now() - timedelta(seconds=1)),
    "revoked": lambda world: _link(world, revoked_at=timezone.now()),
    "invited": _made(people.MAKERS["invitation"], "somebody@example.org"),
    "hostname": _made(tenants.MAKERS["domain"], "home.example.org"),
    "backend_name": _made(storage.MAKERS["backend"], "row"),
    "platform": _platform,
    "owner": lambda world: _public_id(factories.member(world.home, "owner").user),
    "myself": lambda world: _public_id(world.admin.user),
    "not_empty": _bucket_with_objects,
}
NEW_ACCOUNT = {"username": "newcomer", "password": factories.PASSWORD}
BAD: list[tuple[str, str, str, dict[str, Any] | None, int, str, str]] = [
    # who, method, path, body, status, code, field
    ("staff", "POST", "tenants", {"name": "Home", "slug": "home"}, 409, "conflict", "slug"),
    ("admin", "POST", "tenants/{tenant}/users", NEW_ACCOUNT | {"username": "{username}"}, 409, "conflict", "username"),
    ("admin", "POST", "roles", {"name": "Viewer", "slug": "viewer"}, 409, "conflict", "slug"),
    ("admin", "POST", "invitations", {"email": "{invited}"}, 409, "invited_already", "email"),
    ("admin", "POST", "tenants/{tenant}/domains", {"hostname": "{hostname}"}, 409, "conflict", "hostname"),
    ("admin", "POST", "storage/buckets", {"name": "{bucket_name}"}, 409, "bucket_exists", "name"),
    ("admin", "POST", "storage/backends", storage.NEW_BACKEND | {"name": "{backend_name}"}, 409, "conflict", "name"),
    ("staff", "PATCH", "tenants/{platform}", {"status": "suspended"}, 409, "platform_tenant", ""),
    ("staff", "POST", "tenants/{tenant}/restore", None, 409, "tenant_not_deleted", ""),
    ("staff", "POST", "tenants/{tenant}/purge", {"slug": "home"}, 409, "tenant_not_deleted", ""),
    ("staff", "POST", "tenants/{deleted}/purge", {"slug": "home"}, 400, "invalid", "slug"),
    ("staff", "DELETE", "users/{owner}", None, 409, "last_owner", ""),
    ("admin", "DELETE", "users/{myself}", None, 409, "conflict", ""),
    ("admin", "DELETE", "roles/{builtin}", None, 409, "role_builtin", ""),
    ("admin", "DELETE", "storage/buckets/{not_empty}", None, 409, "bucket_not_empty", ""),
    ("admin", "POST", "storage/buckets", {"name": "{full}", "backend": "{default}"}, 403, "quota_exceeded", ""),
    ("admin", "POST", "storage/access-keys", {"name": "{full}"}, 403, "quota_exceeded", ""),
    ("admin", "POST", "api-keys", {"name": "{full}"}, 403, "quota_exceeded", ""),
    ("admin", "POST", "tenants/{tenant}/users", NEW_ACCOUNT | {"username": "{full}"}, 403, "quota_exceeded", ""),
    ("member", "POST", "api-keys", {"name": "x", "permissions": ["user.write"]}, 400, "invalid", "permissions"),
    ("admin", "POST", "api-keys", {"name": "x", "permissions": ["no.such"]}, 400, "invalid", "permissions"),
    ("admin", "POST", "api-keys", {"name": "x", "expires_at": "2020-01-01T00:00:00Z"}, 400, "invalid", "expires_at"),
    ("admin", "PATCH", "users/{user}", {"role": "owner"}, 403, "permission_missing", ""),
    ("admin", "PATCH", "users/{user}", {"role": "no-such"}, 400, "invalid", "role"),
    ("admin", "POST", "invitations", {"email": "new@example.org", "role": "owner"}, 403, "permission_missing", ""),
    ("admin", "PATCH", "roles/{parent_of_it}", {"extends": "{child}"}, 400, "role_cycle", "extends"),
    ("anonymous", "POST", "invitations/accept", NEW_ACCOUNT | {"token": "{used}"}, 410, "invitation_accepted", ""),
    ("anonymous", "POST", "invitations/accept", NEW_ACCOUNT | {"token": "{expired}"}, 410, "invitation_expired", ""),
    ("anonymous", "POST", "invitations/accept", NEW_ACCOUNT | {"token": "{revoked}"}, 410, "invitation_revoked", ""),
]  # fmt: skip
REFUSALS = (AuditEntry, UnsealedEntry)  # that a permission was missing is noted


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    with built({**OWN, **MAKERS}, django_db_blocker) as made:
        yield made


def rows(but: tuple[Any, ...]) -> dict[str, object]:
    """A digest of all that every table of tenants holds."""
    held = {}
    with platform_scope("tests"), connection.cursor() as cursor:
        for model in {*tenant_models(), Tenant, User} - {*but}:
            name = connection.ops.quote_name(model._meta.db_table)
            cursor.execute(f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {name} t")
            held[name] = cursor.fetchone()
    return held


@pytest.mark.parametrize(
    ("who", "method", "path", "body", "status", "code", "field"),
    BAD,
    ids=[f"{c[1]} {c[2]} {c[5]}" for c in BAD],
)
def test_what_a_rule_forbids_changes_nothing(
    world: World, who: str, method: str, path: str, body: Any, status: int, code: str, field: str
) -> None:
    with rolled_back():
        row: Row = world.filled(api(method, path, PUBLIC, status, body))
        but = REFUSALS if code == "permission_missing" else ()
        before = rows(but)
        answer = world.answer(row, who, undone=False)
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (status, code), problem
        assert field == "" or field in problem["errors"], problem
        assert rows(but) == before
