"""What the decision process holds: keys that end with their user, buckets, secrets in clear."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from gateway.db.scope import platform_scope, tenant_scope
from gateway.decision.database import Database
from gateway.decision.snapshot import CHANNEL
from storage import snapshot
from storage.models import AccessKey
from storage.services import access_keys, backends, buckets
from tenants.models import Membership, Role, Tenant, User
from tenants.principal import Principal
from tenants.services import settings
from tests import factories


@pytest.fixture
def admin(tenant: Tenant) -> Principal:
    backends.ensure_default_backends()
    return factories.member(tenant)


@pytest.fixture
def key(admin: Principal) -> tuple[str, str]:
    with tenant_scope(admin.tenant.pk):
        row, secret = access_keys.issue_access_key("k", actor=admin)
        buckets.create_bucket("docs", actor=admin)
    return row.access_key_id, secret


async def found(db: Database, key_id: str) -> snapshot.AccessKeyInfo | None:
    """The key as both ways of reading have it, which must agree."""
    async with db.wide() as conn:
        one = await snapshot.find_access_key(conn, key_id)
        assert (await snapshot.load_access_keys(conn)).get(key_id) == one
    return one


async def test_a_key_in_clear_with_its_roles_permissions(
    db: Database, admin: Principal, key: tuple[str, str]
) -> None:
    info = await found(db, key[0])
    assert info is not None
    assert (info.secret, info.tenant_id, info.tenant_slug) == (key[1], admin.tenant.pk, admin.tenant.slug)
    assert (info.actor, info.permissions) == (admin.label, admin.permissions)
    assert key[1] not in repr(info)


async def test_a_key_may_do_nothing_where_storage_is_switched_off(
    db: Database, admin: Principal, key: tuple[str, str]
) -> None:
    def switch_off() -> None:
        with platform_scope("tests"):
            settings.change(admin.tenant, {"disabled_features": ["storage"]}, actor=factories.staff())

    await in_thread(switch_off)
    info = await found(db, key[0])
    assert info is not None
    assert not {name for name in info.permissions if name.startswith("storage.")}


@pytest.mark.parametrize("how", ["membership", "user", "tenant", "revoked"])
async def test_what_ends_a_key(db: Database, admin: Principal, key: tuple[str, str], how: str) -> None:
    def end() -> None:
        with platform_scope("tests"):
            if how == "membership":
                Membership.objects.filter(user=admin.user).update(is_active=False)
            elif how == "user":
                User.objects.filter(pk=admin.user.pk).update(is_active=False)  # type: ignore[union-attr]
            elif how == "tenant":
                Tenant.objects.filter(pk=admin.tenant.pk).update(status="suspended")
            else:
                row = AccessKey.objects.get(access_key_id=key[0])
                access_keys.revoke_access_key(row, actor=admin)

    await in_thread(end)
    assert await found(db, key[0]) is None
    async with db.wide() as conn:
        assert bool(await snapshot.load_buckets(conn)) == (how != "tenant")


async def test_a_changed_role_changes_the_key(db: Database, admin: Principal, key: tuple[str, str]) -> None:
    def demote() -> None:
        with platform_scope("tests"):
            role = Role.objects.create(
                tenant=admin.tenant, slug="odd", name="Odd", granted=["storage.object.read", "nonsense"]
            )
            Membership.objects.filter(user=admin.user).update(role=role)

    await in_thread(demote)
    info = await found(db, key[0])
    assert info is not None
    assert info.permissions == {"storage.object.read"}


async def test_a_secret_that_cannot_be_opened_keeps_no_other_away(
    db: Database, admin: Principal, key: tuple[str, str]
) -> None:
    async with db.wide() as conn:
        await conn.execute(
            "INSERT INTO storage_accesskey (public_id, tenant_id, user_id, name, access_key_id, secret_sealed,"
            " is_internal, created_at, allowed_networks)"
            " VALUES (gen_random_uuid(), $1, $2, 'x', 'GHBROKEN', '\\x00', false, now(), '{}')",
            admin.tenant.pk,
            admin.user.pk,  # type: ignore[union-attr]
        )
        assert set(await snapshot.load_access_keys(conn)) == {key[0]}


async def test_buckets(db: Database, admin: Principal, key: tuple[str, str]) -> None:
    async with db.wide() as conn:
        (info,) = (await snapshot.load_buckets(conn)).values()
        assert (info.name, info.kind, info.ready, info.tenant_id) == ("docs", "local", True, admin.tenant.pk)
        assert await snapshot.find_bucket(conn, admin.tenant.pk, "docs") == info
        assert await snapshot.find_bucket(conn, admin.tenant.pk + 1, "docs") is None
        assert await snapshot.find_tenant_buckets(conn, admin.tenant.pk) == [info]
        assert (await snapshot.load_backends(conn))[info.backend_id].name == "local"
        assert await snapshot.load_quotas(conn) == {}
        await conn.execute("UPDATE tenants_quota SET storage_bytes = 5 WHERE tenant_id = $1", admin.tenant.pk)
        assert await snapshot.load_quotas(conn) == {admin.tenant.pk: 5}


async def test_changes_are_announced(db: Database, admin: Principal) -> None:
    heard: list[str] = []
    conn = await db.address.connect("wide")
    await conn.add_listener(CHANNEL, lambda *args: heard.append(args[-1]))

    def change() -> None:
        with tenant_scope(admin.tenant.pk):
            row, _ = access_keys.issue_access_key("k", actor=admin)
            bucket = buckets.create_bucket("docs", actor=admin)
            backends.create_backend("far", region="eu-west-1", actor=admin)
            buckets.delete_bucket(bucket, actor=admin)
            access_keys.revoke_access_key(row, actor=admin)

    await in_thread(change)
    async with asyncio.timeout(30):
        while len(heard) < 5:
            await asyncio.sleep(0.01)
    await conn.close()
    assert heard == ["access_keys", "buckets", "backends", "buckets", "access_keys"]


async def in_thread(work: Callable[[], None]) -> None:
    from django.db import connection

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    await asyncio.to_thread(run)
