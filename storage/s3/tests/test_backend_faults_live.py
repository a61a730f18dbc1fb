"""Backends that stall, truncate, lie, fail or close, and clients that go: nothing acknowledged is lost, and what the
index says in the end is what is there.
"""

from __future__ import annotations

import socket
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from django.utils import timezone

from gateway.db.scope import platform_scope
from realtime.models import Event
from storage.index.commits import GIVEN_UP
from storage.models import Object, WriteIntent
from storage.services import intents
from tests.stack import Account, Stack

from .unruly import Mood, Unruly

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def account(stack: Stack, unruly: Unruly) -> Account:
    made = stack.account()
    made.bucket("docs", backend=unruly.name)
    return made


@pytest.fixture
def s3(account: Account, far: Unruly) -> Any:
    return account.s3(retries={"max_attempts": 0})


def settled(account: Account, *, far_ahead: bool = False) -> None:
    """Let the sweeper look at every intent now; `far_ahead`: as it will in two days."""
    with account.stack.database(), platform_scope("tests"):
        rows = WriteIntent.objects.filter(tenant=account.who.tenant)
        rows.update(next_check_at=timezone.now())
        if far_ahead:
            rows.update(began_at=timezone.now() - 2 * GIVEN_UP)
        intents.settle()


def state(account: Account, key: str) -> tuple[int | None, int, int]:
    """(size in the index, events of its creation, open intents) of a key."""
    with account.stack.database(), platform_scope("tests"):
        mine = {"tenant": account.who.tenant}
        row = Object.objects.filter(**mine, key=key).first()
        told = Event.objects.filter(**mine, type="storage.object.created", subject=f"docs/{key}").count()
        return row.size if row else None, told, WriteIntent.objects.filter(**mine, key=key).count()


@pytest.mark.parametrize("mood", ["500 but done", "closes but done"])
def test_a_write_that_was_done_but_not_told(s3: Any, account: Account, far: Unruly, mood: Mood) -> None:
    key = f"done-{mood}"
    far.mood = mood
    with pytest.raises((ClientError, BotoCoreError)):
        s3.put_object(Bucket="docs", Key=key, Body=b"hello")
    far.mood = "well"
    assert state(account, key) == (None, 0, 1)
    settled(account)
    settled(account)
    assert state(account, key) == (5, 1, 0)
    assert s3.get_object(Bucket="docs", Key=key)["Body"].read() == b"hello"


@pytest.mark.parametrize("mood", ["500", "503", "closes"])
def test_a_write_that_failed(s3: Any, account: Account, far: Unruly, mood: Mood) -> None:
    key = f"failed-{mood}"
    far.mood = mood
    with pytest.raises((ClientError, BotoCoreError)):
        s3.put_object(Bucket="docs", Key=key, Body=b"hello")
    far.mood = "well"
    settled(account)
    assert state(account, key) == (None, 0, 1)
    settled(account, far_ahead=True)
    assert state(account, key) == (None, 0, 0)


def test_a_failed_write_leaves_what_was_there(s3: Any, account: Account, far: Unruly) -> None:
    s3.put_object(Bucket="docs", Key="kept", Body=b"acknowledged")
    far.mood = "closes"
    with pytest.raises((ClientError, BotoCoreError)):
        s3.put_object(Bucket="docs", Key="kept", Body=b"never")
    far.mood = "well"
    settled(account, far_ahead=True)
    assert s3.get_object(Bucket="docs", Key="kept")["Body"].read() == b"acknowledged"
    assert state(account, "kept") == (12, 1, 0)


def test_a_delete_that_was_done_but_not_told(s3: Any, account: Account, far: Unruly) -> None:
    s3.put_object(Bucket="docs", Key="gone", Body=b"x")
    far.mood = "closes but done"
    with pytest.raises(ClientError) as caught:
        s3.delete_object(Bucket="docs", Key="gone")
    assert caught.value.response["Error"]["Code"] == "ServiceUnavailable"
    far.mood = "well"
    settled(account)
    assert state(account, "gone") == (None, 1, 0)


@pytest.mark.parametrize("mood", ["500", "503"])
def test_a_read_is_told_that_the_backend_fails(s3: Any, far: Unruly, mood: Mood) -> None:
    s3.put_object(Bucket="docs", Key="r", Body=b"x")
    far.mood = mood
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket="docs", Key="r")
    assert caught.value.response["Error"]["Code"] == "ServiceUnavailable"


def test_a_truncated_read_does_not_look_whole(s3: Any, far: Unruly) -> None:
    s3.put_object(Bucket="docs", Key="t", Body=b"x" * 100_000)
    far.mood = "truncates"
    with pytest.raises((ClientError, BotoCoreError)):
        s3.get_object(Bucket="docs", Key="t")["Body"].read()


def test_an_etag_that_lies_is_what_the_backend_said(s3: Any, account: Account, far: Unruly) -> None:
    far.mood = "lies"
    assert s3.put_object(Bucket="docs", Key="l", Body=b"x")["ETag"] == f'"{"0" * 32}"'
    far.mood = "well"
    assert s3.get_object(Bucket="docs", Key="l")["Body"].read() == b"x"
    assert state(account, "l") == (1, 1, 0)


def test_clients_that_close_right_after_the_body(s3: Any, account: Account, far: Unruly) -> None:
    count = 40
    for n in range(count):
        url = urlsplit(s3.generate_presigned_url("put_object", {"Bucket": "docs", "Key": f"hasty/{n}"}))
        with socket.create_connection((url.hostname, url.port)) as wire:
            head = f"PUT {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Length: 5\r\n\r\n"
            wire.sendall(head.encode() + b"hello")
    there: set[str] = set()
    for _ in range(50):
        arrived = {path.split("/", 2)[2] for path in list(far.objects) if "/hasty/" in path}
        if arrived == there and arrived:
            break
        there = arrived
        time.sleep(0.2)
    settled(account)
    for key in there:
        assert state(account, key) == (5, 1, 0), key
    listed = s3.list_objects_v2(Bucket="docs", Prefix="hasty/").get("Contents", [])
    assert {entry["Key"] for entry in listed} == there
