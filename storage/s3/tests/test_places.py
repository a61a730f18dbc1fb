"""Places at a backend: how many there are, who gets which, and that none is lost."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from storage.s3.errors import S3Error
from storage.s3.places import Places

HOG, SECOND, THIRD = 1, 2, 3


class Callers:
    """Requests of tenants at one backend, each of which has its place until it is let go."""

    def __init__(self, places: Places, *, shared: bool) -> None:
        self.refused: Counter[int] = Counter()
        self._places, self._shared = places, shared
        self._there: list[tuple[int, asyncio.Event]] = []
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def there(self) -> Counter[int]:
        """How many places each tenant has."""
        return Counter(tenant for tenant, _ in self._there)

    async def come(self, tenant: int, number: int = 1) -> list[asyncio.Task[None]]:
        come = [asyncio.create_task(self._ask(tenant)) for _ in range(number)]
        self._tasks += come
        await _settled()
        return come

    def let_go(self, tenant: int) -> None:
        """The first of a tenant's that still has its place and was not told."""
        next(done for whose, done in self._there if whose == tenant and not done.is_set()).set()

    async def end(self) -> None:
        while self._there:
            for _, done in self._there:
                done.set()
            await _settled()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _ask(self, tenant: int) -> None:
        try:
            async with self._places.at(7, tenant, shared=self._shared):
                mine = (tenant, asyncio.Event())
                self._there.append(mine)
                try:
                    await mine[1].wait()
                finally:
                    self._there.remove(mine)
        except S3Error:
            self.refused[tenant] += 1


@asynccontextmanager
async def callers(at_once: int, *, shared: bool, patience: float = 60) -> AsyncIterator[Callers]:
    places = Places(at_once, patience)
    made = Callers(places, shared=shared)
    yield made
    await made.end()
    assert not places._of  # who is gone takes nothing


async def _settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_places_that_are_taken_are_refused_and_those_of_other_backends_are_not() -> None:
    places, go_on = Places(at_once=2, patience=0.05), asyncio.Event()

    async def ask(backend: int) -> None:
        async with places.at(backend, HOG, shared=False):
            await go_on.wait()

    stalling = [asyncio.create_task(ask(7)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(S3Error) as refused:
        await ask(7)
    assert (refused.value.code, refused.value.status) == ("SlowDown", 503)
    other = asyncio.create_task(ask(8))
    await asyncio.sleep(0)
    assert not other.done()
    go_on.set()
    await asyncio.gather(*stalling, other)
    assert not places._of


async def test_its_own_backend_is_a_tenants_alone() -> None:
    async with callers(128, shared=False) as at:
        await at.come(HOG, 300)
        assert at.there == {HOG: 128}
        assert at.refused == {HOG: 300 - 2 * 128}  # as many wait, and further ones are told at once
        for _ in range(3):
            at.let_go(HOG)
        await _settled()
        assert at.there == {HOG: 128}


async def test_of_a_shared_backend_nobody_takes_all() -> None:
    async with callers(128, shared=True) as at:
        await at.come(HOG, 1000)
        assert at.there == {HOG: 96}
        assert at.refused == {HOG: 1000 - 2 * 96}
        # Whoever comes later finds some free at once, also where those that came first keep all that they have.
        await at.come(SECOND, 1000)
        assert at.there == {HOG: 96, SECOND: 24}
        await at.come(THIRD)
        assert at.there == {HOG: 96, SECOND: 24, THIRD: 1}


async def test_those_who_want_more_than_there_is_come_to_have_equally_many() -> None:
    async with callers(128, shared=True) as at:
        for tenant in (HOG, SECOND, THIRD):
            for _ in range(3):
                await at.come(tenant, 60)
        before = at.there
        assert before[HOG] > 3 * before[SECOND] > 9 * before[THIRD] > 0
        for whose in [*at.there.elements()] * 2:
            if at.there[whose]:
                at.let_go(whose)
            for tenant in (HOG, SECOND, THIRD):
                await at.come(tenant, 2)
        assert set(at.there.values()) <= {38, 39}


async def test_who_waits_has_the_next_place_in_order() -> None:
    async with callers(1, shared=True) as at:
        await at.come(HOG)
        await at.come(SECOND)
        assert at.there == {HOG: 1}
        at.let_go(HOG)
        await at.come(HOG)
        assert at.there == {SECOND: 1}


async def test_a_wait_ends() -> None:
    async with callers(2, shared=True, patience=0.02) as at:
        await at.come(HOG, 3)
        async with asyncio.timeout(60):
            while not at.refused:
                await asyncio.sleep(0.01)
        assert (at.there, at.refused) == ({HOG: 2}, {HOG: 1})


@pytest.mark.parametrize("shared", [True, False])
async def test_none_is_lost_whatever_happens(shared: bool) -> None:
    """Among it: who leaves just when it is given a place."""
    for seed in range(8):
        chance = random.Random(seed)
        async with callers(8, shared=shared, patience=0.005) as at:
            asked: list[asyncio.Task[None]] = []
            for _ in range(200):
                tenant = chance.choice((HOG, HOG, HOG, SECOND, THIRD))
                asked += await at.come(tenant, chance.randrange(4))
                for whose in list(at.there.elements()):
                    if chance.random() < 0.3:
                        at.let_go(whose)
                for _ in range(chance.randrange(4)):
                    await asyncio.sleep(0)  # so far, and no further, do those come who were let go
                for left in chance.sample(asked, min(len(asked), 2)):
                    left.cancel()
                if chance.random() < 0.1:
                    await asyncio.sleep(0.006)
                assert at.there.total() <= 8
                await _settled()
