"""A backend that takes requests and answers none: whose settings it holds up, and whose it does not."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import aiohttp
import httpx
import pytest
from yarl import URL

from gateway.db.scope import platform_scope
from storage.models import Backend, Bucket, WriteIntent
from storage.s3.errors import S3Error
from storage.s3.handlers import threads
from tenants.services import snapshot
from tests.factories import PASSWORD
from tests.stack import Account, Stack

from .accessors import eventually, outcome
from .unruly import Unruly

ENABLED = {"Status": "Enabled"}
TAGS = {"TagSet": [{"Key": "a", "Value": "b"}]}
AT_ONCE = 6


@pytest.fixture(scope="module", autouse=True)
def keeps_versions(stack: Stack, unruly: Unruly) -> None:
    with stack.database(), platform_scope("tests"):
        Backend.objects.filter(name=unruly.name).update(capabilities={"versioning": True})
        snapshot.changed("backends")


def test_it_holds_up_nobody_elses_settings(stack: Stack, far: Unruly) -> None:
    slow, quick = stack.account(), stack.account()
    slow.bucket("docs", backend=far.name)
    quick.bucket("docs")
    s3, options = slow.s3(retries={"max_attempts": 0}), {"Bucket": "docs"}
    eventually(lambda: outcome(s3.get_bucket_tagging, **options) == "NoSuchTagSet")
    far.mood = "stalls"
    with ThreadPoolExecutor(AT_ONCE) as clients:
        waiting: list[Future[str]] = [
            clients.submit(outcome, s3.put_bucket_versioning, **options, VersioningConfiguration=ENABLED)
            for _ in range(AT_ONCE)
        ]
        time.sleep(0.3)
        for _ in range(3):
            assert (
                outcome(quick.s3().put_bucket_versioning, **options, VersioningConfiguration=ENABLED) == "ok"
            )
        # Nor its own bucket's that are ours to keep.
        assert outcome(s3.put_bucket_tagging, **options, Tagging=TAGS) == "ok"
        assert not any(one.done() for one in waiting)
        far.mood = "well"
        assert {one.result() for one in waiting} == {"ok"}
    assert s3.get_bucket_versioning(**options)["Status"] == "Enabled"


def test_reads_of_it_hold_up_no_others(stack: Stack, far: Unruly) -> None:
    slow, quick = stack.account(), stack.account()
    slow.bucket("docs", backend=far.name)
    quick.bucket("docs")
    which: dict[str, Any] = {"Bucket": "docs", "Key": "k"}
    for account in (slow, quick):
        account.s3().put_object(**which, Body=b"x")
    far.mood = "stalls"
    with ThreadPoolExecutor(2 * AT_ONCE) as clients:
        s3 = slow.s3(retries={"max_attempts": 0}, max_pool_connections=2 * AT_ONCE)
        waiting = [clients.submit(outcome, s3.get_object, **which) for _ in range(AT_ONCE)]
        waiting += [clients.submit(outcome, s3.put_object, **which, Body=b"y") for _ in range(AT_ONCE)]
        time.sleep(0.3)
        assert outcome(quick.s3().get_object, **which) == "ok"
        assert outcome(quick.s3().put_object, **which, Body=b"y") == "ok"
        assert outcome(slow.s3().list_objects_v2, Bucket="docs") == "ok"
        assert not any(one.done() for one in waiting)
        far.mood = "well"
        assert {one.result() for one in waiting} == {"ok"}


@pytest.mark.long
def test_many_that_stall_hold_up_no_other(stack: Stack) -> None:
    """More requests at four of them than one pool for all would have places."""
    account, stalling, healthy = stack.account(), [Unruly(f"stalls-{n}") for n in range(4)], Unruly("goes-on")
    begun: list[Unruly] = []
    try:
        for server in (*stalling, healthy):
            begun.append(server)
            _with_bucket(account, server)
        for server in stalling:
            server.mood = "stalls"
        asyncio.run(_many(account, stalling, healthy))
    finally:
        for server in begun:
            server.mood = "well"
            server.stop()


def test_one_tenant_leaves_places_at_it_to_others(stack: Stack, far: Unruly) -> None:
    hog, other = stack.account(), stack.account()
    for account in (hog, other):
        account.bucket("docs", backend=far.name)
        account.s3().put_object(Bucket="docs", Key="k", Body=b"x")
    far.mood = "stalls"
    try:
        asyncio.run(_crowd(_removal(hog), _removal(other), far))
    finally:
        far.mood = "well"


async def _crowd(of_hog: str, of_other: str, far: Unruly) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        crowd = [asyncio.create_task(_removed(http, of_hog)) for _ in range(140)]
        async with asyncio.timeout(60):
            while far.stalled < 96:
                await asyncio.sleep(0.02)
            other = asyncio.create_task(_removed(http, of_other))
            while far.stalled < 97:
                await asyncio.sleep(0.02)
        assert far.stalled == 97
        far.mood = "well"
        assert await other == 204
        answers = Counter([await one for one in crowd])
        # Who has no place waits for one, five seconds at most, which a slow machine may take to come here.
        assert answers[204] >= 96
        assert answers.keys() <= {204, 503}


async def _many(account: Account, stalling: list[Unruly], healthy: Unruly) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:

        async def removed(server: Unruly) -> int:
            return await _removed(http, _removal(account, server.name))

        waiting = [asyncio.create_task(removed(server)) for server in stalling for _ in range(70)]
        async with asyncio.timeout(120):
            while sum(server.stalled for server in stalling) < len(waiting):
                await asyncio.sleep(0.05)
        assert await removed(healthy) == 204
        assert not any(one.done() for one in waiting)
        for server in stalling:
            server.mood = "well"
        assert set(await asyncio.gather(*waiting)) == {204}


def _removal(account: Account, bucket: str = "docs") -> str:
    """A presigned URL that removes the bucket's object `k`."""
    url: str = account.s3(signature_version="s3v4").generate_presigned_url(
        "delete_object", Params={"Bucket": bucket, "Key": "k"}
    )
    return url


async def _removed(http: aiohttp.ClientSession, url: str) -> int:
    async with http.delete(URL(url, encoded=True)) as answer:
        return answer.status


def _with_bucket(account: Account, server: Unruly) -> None:
    """The server as a backend with a bucket of its name, which the decision process knows."""
    account.stack.remote_backend(server.name, server.start())
    account.bucket(server.name, backend=server.name)
    account.s3().put_object(Bucket=server.name, Key="k", Body=b"x")


async def test_places_are_bounded_by_tenant_and_by_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "PATIENCE", 0.05)
    go_on = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stall() -> bool:
        return asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result()

    stalling = [asyncio.create_task(threads.run_far(stall, 1, 7)) for _ in range(2)]
    await asyncio.sleep(0.02)
    for tenant, backend in ((1, 8), (2, 7)):
        with pytest.raises(S3Error) as refused:
            await threads.run_far(lambda: True, tenant, backend)
        assert refused.value.code == "ServiceUnavailable"
    assert await threads.run_far(lambda: True, 2, 8)
    # Who leaves leaves the place taken: the thread is still at it.
    stalling[0].cancel()
    await asyncio.sleep(0.02)
    with pytest.raises(S3Error):
        await threads.run_far(lambda: True, 1, 8)
    go_on.set()
    assert await stalling[1]
    assert await threads.run_far(lambda: True, 1, 7)


@pytest.mark.long
def test_the_api_waits_for_it_so_long_and_no_longer(stack: Stack, far: Unruly) -> None:
    slow, quick = stack.account(), stack.account()
    slow.bucket("docs", backend=far.name)
    quick.bucket("docs")
    slow.s3().put_object(Bucket="docs", Key="k", Body=b"x")
    with stack.database(), platform_scope("tests"):
        paths = {
            account: f"storage/buckets/{Bucket.objects.get(tenant=account.who.tenant).public_id}"
            for account in (slow, quick)
        }
    calls = [
        ("PATCH", paths[slow], {"versioning": "Enabled"}),
        ("DELETE", "storage/objects", {"bucket": "docs", "key": "k"}),
    ]
    with api(slow) as asked, api(quick) as other, ThreadPoolExecutor(AT_ONCE) as clients:
        far.mood = "stalls"
        waiting = [clients.submit(asked, *call) for call in calls]
        time.sleep(1)
        assert asked(*calls[0]) == (503, "backend_busy")
        assert other("PATCH", paths[quick], {"versioning": "Enabled"})[0] == 200
        assert {one.result() for one in waiting} == {(504, "backend_timeout")}
        far.mood = "well"
    with slow.stack.database(), platform_scope("tests"):
        [left] = WriteIntent.objects.filter(tenant=slow.who.tenant)
        assert left.ended_at is not None


@contextmanager
def api(account: Account) -> Iterator[Callable[[str, str, dict[str, str]], tuple[int, str]]]:
    """What the API answers to the account's user: status and code."""
    user = account.who.user
    assert user is not None
    with httpx.Client(base_url=f"{account.stack.url}/api/v1/", trust_env=False, timeout=60) as http:
        sent = {"username": user.username, "password": PASSWORD}
        answer = http.post("auth/login", json=sent, headers={"X-Tenant": account.slug}).json()
        headers = {"Authorization": f"Bearer {answer['data']['access']}", "X-Tenant": account.slug}

        def asked(method: str, path: str, values: dict[str, str]) -> tuple[int, str]:
            given: Any = {"params" if method == "DELETE" else "json": values}
            answer = http.request(method, path, headers=headers, **given)
            return answer.status_code, answer.json().get("code", "") if answer.content else ""

        yield asked
