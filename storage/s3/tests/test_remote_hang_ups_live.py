"""Clients that break off while the edge streams to a backend: what is left of their writes, and when it goes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.utils import timezone

from gateway.db.scope import platform_scope, tenant_scope
from storage.models import Object, WriteIntent
from storage.services import intents
from tests.stack import Account, Stack, listens

from .accessors import eventually, outcome

SIZE = 200_000


@pytest.fixture(scope="module")
def account(stack: Stack, moto: str) -> Account:
    return stack.account()


@pytest.fixture
def bucket(account: Account, moto: str, request: pytest.FixtureRequest) -> str:
    return account.bucket(request.node.name.replace("_", "-")[:60].strip("-"), backend=moto)


@pytest.fixture
def s3(account: Account) -> Any:
    return account.s3(signature_version="s3v4", retries={"max_attempts": 0})


@pytest.fixture
def half(s3: Any, bucket: str, account: Account) -> Iterator[HTTPConnection]:
    """A PUT of which the edge has had the first half."""
    url = urlsplit(s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "k"}))
    with closing(HTTPConnection("127.0.0.1", url.port, timeout=30)) as connection:
        connection.putrequest("PUT", f"{url.path}?{url.query}", skip_host=True)
        connection.putheader("Host", url.netloc)
        connection.putheader("Content-Length", str(SIZE))
        connection.endheaders()
        connection.send(b"x" * (SIZE // 2))
        eventually(lambda: len(journal(account, bucket)) == 1)
        yield connection


def journal(account: Account, bucket: str) -> list[WriteIntent]:
    with account.stack.database(), tenant_scope(account.who.tenant.pk):
        return list(WriteIntent.objects.filter(bucket__name=bucket))


def swept(account: Account) -> None:
    with account.stack.database(), platform_scope("tests"):
        WriteIntent.objects.filter(tenant=account.who.tenant).update(next_check_at=timezone.now())
        intents.settle()


def test_a_bucket_can_go_once_the_client_has(
    account: Account, s3: Any, bucket: str, half: HTTPConnection
) -> None:
    assert outcome(s3.delete_bucket, Bucket=bucket) == "OperationAborted"
    half.close()
    eventually(lambda: journal(account, bucket)[0].ended_at is not None)
    assert outcome(s3.delete_bucket, Bucket=bucket) == "ok"


def test_the_sweep_gives_up_what_broke_off_and_no_other(
    account: Account, bucket: str, half: HTTPConnection
) -> None:
    with account.stack.database(), platform_scope("tests"):
        WriteIntent.objects.filter(bucket__name=bucket).update(began_at=timezone.now() - timedelta(hours=5))
    swept(account)
    assert [intent.ended_at for intent in journal(account, bucket)] == [None]
    half.close()
    eventually(lambda: journal(account, bucket)[0].ended_at is not None)
    swept(account)
    assert len(journal(account, bucket)) == 1  # its backend may take a moment
    with account.stack.database(), platform_scope("tests"):
        WriteIntent.objects.filter(bucket__name=bucket).update(ended_at=timezone.now() - intents.UNHEARD)
    swept(account)
    assert journal(account, bucket) == []


def test_a_slow_one_is_committed(account: Account, s3: Any, bucket: str, half: HTTPConnection) -> None:
    half.send(b"x" * (SIZE // 2))
    assert half.getresponse().status == 200
    assert journal(account, bucket) == []
    assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == SIZE


def test_what_arrived_whole_is_indexed(account: Account, bucket: str, half: HTTPConnection) -> None:
    """Whether its end came before the backend's answer or after."""
    half.send(b"x" * (SIZE // 2))
    half.close()
    eventually(lambda: all(intent.ended_at for intent in journal(account, bucket)))

    def there() -> bool:
        swept(account)
        with account.stack.database(), tenant_scope(account.who.tenant.pk):
            return Object.objects.filter(bucket__name=bucket, size=SIZE).exists() or not journal(
                account, bucket
            )

    eventually(there)


def killed(stack: Stack) -> None:
    """The decision process dies and is started again, as its supervisor would."""
    decision = stack.process("decision")
    os.kill(decision.pid, signal.SIGKILL)
    decision.stop()
    decision.start(lambda: listens(str(stack.home / "run" / "decision.sock")))


def old(account: Account, bucket: str) -> None:
    with account.stack.database(), platform_scope("tests"):
        rows = WriteIntent.objects.filter(bucket__name=bucket, tenant=account.who.tenant)
        rows.update(began_at=timezone.now() - 2 * intents.UNHEARD)


@pytest.mark.long
def test_what_breaks_off_after_its_process_was_killed_counts_nothing_soon(
    account: Account, s3: Any, bucket: str, half: HTTPConnection
) -> None:
    killed(account.stack)
    half.close()
    eventually(lambda: outcome(s3.list_objects_v2, Bucket=bucket) == "ok")
    assert outcome(s3.delete_bucket, Bucket=bucket) == "OperationAborted"  # nobody can know yet
    old(account, bucket)
    swept(account)
    assert [intent.kind for intent in journal(account, bucket)] == ["lost"]
    assert outcome(s3.delete_bucket, Bucket=bucket) == "ok"


@pytest.mark.long
def test_what_goes_on_after_its_process_was_killed_is_committed(
    account: Account, s3: Any, bucket: str, half: HTTPConnection
) -> None:
    killed(account.stack)
    old(account, bucket)
    swept(account)
    assert [intent.kind for intent in journal(account, bucket)] == ["lost"]
    half.send(b"x" * (SIZE // 2))
    assert half.getresponse().status == 200
    assert journal(account, bucket) == []
    assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == SIZE


def test_a_part_that_broke_off_leaves_nothing(account: Account, s3: Any, bucket: str) -> None:
    which = {"Bucket": bucket, "Key": "k"}
    which["UploadId"] = s3.create_multipart_upload(**which)["UploadId"]
    url = urlsplit(s3.generate_presigned_url("upload_part", {**which, "PartNumber": 1}))
    with closing(HTTPConnection("127.0.0.1", url.port, timeout=30)) as connection:
        connection.putrequest("PUT", f"{url.path}?{url.query}", skip_host=True)
        connection.putheader("Host", url.netloc)
        connection.putheader("Content-Length", "20")
        connection.endheaders()
        connection.send(b"x" * 10)
    assert journal(account, bucket) == []
    assert "Parts" not in s3.list_parts(**which)
    assert outcome(s3.delete_bucket, Bucket=bucket) == "ok"
