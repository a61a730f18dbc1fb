"""The decision process's pools against real row policies."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio
from django.conf import settings

from gateway.decision.database import Database, DatabaseAddress, DatabaseBusy
from tenants.models import Domain, Tenant

pytestmark = pytest.mark.django_db(transaction=True)

COUNT = "SELECT array_agg(hostname ORDER BY hostname) FROM tenants_domain"


@pytest.fixture
def tenants() -> tuple[int, int]:
    from gateway.db.scope import platform_scope

    with platform_scope("the test makes two tenants"):
        one, two = (Tenant.objects.create(slug=slug, name=slug) for slug in ("one", "two"))
        for tenant in (one, two):
            Domain.objects.create(tenant=tenant, hostname=f"{tenant.slug}.example")
    return one.pk, two.pk


@pytest_asyncio.fixture
async def db() -> AsyncIterator[Database]:
    made = Database(DatabaseAddress.from_django(settings), wide=2, app=2)
    yield made
    await made.close()


async def test_a_tenants_connection_sees_its_rows_only(tenants: tuple[int, int], db: Database) -> None:
    one, two = tenants
    for _ in range(3):
        async with db.tenant(one) as conn:
            assert await conn.fetchval(COUNT) == ["one.example"]
        async with db.tenant(two) as conn:
            assert await conn.fetchval(COUNT) == ["two.example"]
    async with db.wide() as conn:
        assert await conn.fetchval(COUNT) == ["one.example", "two.example"]


async def test_many_at_once_see_no_foreign_row(tenants: tuple[int, int], db: Database) -> None:
    async def look(number: int) -> None:
        index = number % 2
        async with db.tenant(tenants[index]) as conn:
            assert await conn.fetchval(COUNT) == [("one.example", "two.example")[index]]

    await asyncio.gather(*(look(number) for number in range(200)))


async def test_a_rollback_does_not_bring_another_tenant_back(tenants: tuple[int, int], db: Database) -> None:
    one, two = tenants
    only = Database(db.address, app=1)
    for turn in range(2):
        with pytest.raises(ZeroDivisionError):
            async with only.tenant(two if turn else one) as conn, conn.transaction():
                await conn.execute("SELECT 1")
                raise ZeroDivisionError
        with pytest.raises(asyncpg.PostgresError):
            async with only.tenant(one if turn else two) as conn, conn.transaction():
                await conn.execute("SELECT nonsense")
        async with only.tenant(two) as conn:
            assert await conn.fetchval(COUNT) == ["two.example"]
    await only.close()


async def test_a_tenants_next_use_gets_the_connection_that_bears_it(
    tenants: tuple[int, int], db: Database
) -> None:
    one, two = tenants
    async with db.tenant(one) as first, db.tenant(two) as second:
        bears = {one: first, two: second}
    for tenant in (one, two, one, two):
        async with db.tenant(tenant) as conn:
            assert conn is bears[tenant]


async def test_too_many_uses_are_told_busy(db: Database) -> None:
    from gateway.decision.database import Pool

    pool = Pool(db.address, "wide", size=1, patience=0.1)
    held = await pool.take()
    with pytest.raises(DatabaseBusy):
        await pool.take()
    waiting = asyncio.create_task(pool.take())
    await asyncio.sleep(0)
    waiting.cancel()
    waiting_too = asyncio.create_task(pool.take())
    await asyncio.sleep(0)
    pool.give_back(held)
    assert await waiting_too is held
    held.conn.terminate()
    pool.give_back(held)
    other = await pool.take()
    assert other is not held
    pool.give_back(other)
    await pool.close()


async def test_a_connection_left_in_a_transaction_is_not_used_again(db: Database) -> None:
    only = Database(db.address, wide=1)
    async with only.wide() as conn:
        await conn.execute("BEGIN")
    async with only.wide() as other:
        assert other is not conn
        assert await other.fetchval("SELECT 1") == 1
    await only.close()


async def test_no_database_is_told_busy(db: Database) -> None:
    nowhere = Database(DatabaseAddress("127.0.0.1", 1, "x", "x", "x"))
    with pytest.raises(DatabaseBusy):
        async with nowhere.wide():
            pass
