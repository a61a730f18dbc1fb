"""Snapshot parts: loaded, notified, refreshed on demand, kept when loading fails."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from django.conf import settings

from gateway.decision import snapshot as module
from gateway.decision.database import Connection, Database, DatabaseAddress
from gateway.decision.snapshot import Snapshot, SnapshotPart

pytestmark = pytest.mark.django_db(transaction=True)


class Counting:
    """A part whose value is how often it was loaded."""

    def __init__(self, topic: str = "things") -> None:
        self.loads = 0
        self.fails = False
        self.pause = 0.0
        self.part: SnapshotPart[int] = SnapshotPart(f"test.{topic}", {topic}, self.load)

    async def load(self, conn: Connection) -> int:
        self.loads += 1
        await asyncio.sleep(self.pause)
        assert (await conn.fetchval("SELECT current_user")).endswith("_wide")
        if self.fails:
            raise RuntimeError("a loader's defect")
        return self.loads


@pytest_asyncio.fixture
async def db(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(module, "LEAST_PAUSE", 0.05)
    made = Database(DatabaseAddress.from_django(settings), wide=3)
    yield made
    await made.close()


async def notify(db: Database, topic: str) -> None:
    async with db.wide() as conn:
        await conn.execute("SELECT pg_notify('gatehouse_snapshot', $1)", topic)


async def until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def settled(snapshot: Snapshot, counting: Counting) -> int:
    """The number of loads once the listener's first refresh is over."""
    await until(lambda: 2 <= counting.loads == snapshot.get(counting.part))
    return counting.loads


async def test_loaded_at_start_and_when_notified(db: Database) -> None:
    one, other = Counting("one"), Counting("other")
    snapshot = Snapshot([one.part, other.part], db)
    assert not snapshot.ready
    await snapshot.start()
    assert snapshot.ready
    before = await settled(snapshot, one), await settled(snapshot, other)
    await notify(db, "one")
    await until(lambda: snapshot.get(one.part) == before[0] + 1)
    await asyncio.sleep(0.1)
    assert snapshot.get(other.part) == before[1]
    await snapshot.close()


async def test_a_burst_of_notices_costs_few_loads(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Counting()
    snapshot = Snapshot([one.part], db)
    await snapshot.start()
    before = await settled(snapshot, one)
    monkeypatch.setattr(module, "LEAST_PAUSE", 60)
    for _ in range(50):
        await notify(db, "things")
    await until(lambda: snapshot.get(one.part) == before + 1)
    await asyncio.sleep(0.3)
    assert one.loads == before + 1
    await snapshot.close()


async def test_one_slow_load_does_not_keep_the_next_waiting(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REFRESH_PATIENCE", 30)
    one = Counting()
    snapshot = Snapshot([one.part], db)
    await snapshot.start()
    before = await settled(snapshot, one)
    monkeypatch.setattr(module, "BUSY_SHARE", 40)
    one.pause = 1
    await snapshot.refresh(one.part)
    one.pause = 0
    assert await snapshot.refresh(one.part) == before + 2
    await snapshot.close()


async def test_a_refresh_sees_what_was_there_before_it_and_a_flood_shares_loads(db: Database) -> None:
    one = Counting()
    snapshot = Snapshot([one.part], db)
    await snapshot.start()
    before = await settled(snapshot, one)
    values = await asyncio.gather(*(snapshot.refresh(one.part) for _ in range(500)))
    assert set(values) == {before + 1}
    await snapshot.close()


async def test_a_failed_load_keeps_the_old_part_and_is_tried_again(db: Database) -> None:
    one = Counting()
    snapshot = Snapshot([one.part], db)
    await snapshot.start()
    before = await settled(snapshot, one)
    one.fails = True
    assert await snapshot.refresh(one.part) == before
    assert snapshot.ready
    one.fails = False
    await until(lambda: snapshot.get(one.part) > before)
    await snapshot.close()


async def test_a_listener_that_lost_its_connection_refreshes_everything(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REFRESH_SECONDS", 0.2)
    one = Counting()
    snapshot = Snapshot([one.part], db)
    await snapshot.start()
    await settled(snapshot, one)
    owner = await asyncpg.connect(str_url())
    await owner.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND query ILIKE 'LISTEN%' AND pid <> pg_backend_pid()"
    )
    await owner.close()
    before = one.loads
    await until(lambda: one.loads > before + 1)
    await snapshot.close()


async def test_without_a_database_it_is_not_ready(db: Database) -> None:
    one = Counting()
    snapshot = Snapshot([one.part], Database(DatabaseAddress("127.0.0.1", 1, "x", "x", "x")))
    await snapshot.start(patience=0.2)
    assert not snapshot.ready
    await snapshot.close()


def str_url() -> str:
    """The test database as the role that the application logs in as."""
    default = settings.DATABASES["default"]
    user, password, host, port = (default[name] for name in ("USER", "PASSWORD", "HOST", "PORT"))
    return f"postgresql://{user}:{password}@{host}:{port}/{default['NAME']}"
