"""Conditional writes that race on backends, of which not all compare by themselves: one of them wins."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.stack import Account

from .accessors import outcome

AT_ONCE = 6
LOST = {"PreconditionFailed", "ConditionalRequestConflict"}


@pytest.fixture(scope="module")
def s3(account: Account) -> Any:
    return account.s3(retries={"max_attempts": 0}, max_pool_connections=AT_ONCE)


def body_of(n: int) -> bytes:
    return bytes([n]) * 500_000


def puts(s3: Any, which: dict[str, str], n: int, **condition: str) -> str:
    return outcome(s3.put_object, **which, Body=body_of(n), **condition)


def completes(s3: Any, which: dict[str, str], n: int, **condition: str) -> str:
    upload = {**which, "UploadId": s3.create_multipart_upload(**which)["UploadId"]}
    etag = s3.upload_part(**upload, PartNumber=1, Body=body_of(n))["ETag"]
    lines = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    return outcome(s3.complete_multipart_upload, **upload, MultipartUpload=lines, **condition)


def copies(s3: Any, which: dict[str, str], n: int, **condition: str) -> str:
    s3.put_object(Bucket="local", Key=f"source-{n}", Body=body_of(n))
    return outcome(s3.copy_object, **which, CopySource=f"local/source-{n}", **condition)


@pytest.mark.parametrize("write", [puts, completes, copies])
def test_one_of_many_that_expect_the_same_wins(s3: Any, write: Any) -> None:
    which = {"Bucket": "docs", "Key": f"raced/{write.__name__}"}
    condition = {"IfNoneMatch": "*"}
    for first in (0, AT_ONCE):
        bodies = range(first, first + AT_ONCE)
        with ThreadPoolExecutor(AT_ONCE) as clients:
            told = list(clients.map(lambda n: write(s3, which, n, **condition), bodies))  # noqa: B023
        assert told.count("ok") == 1, told
        assert set(told) - {"ok"} <= LOST
        there = s3.get_object(**which)
        assert there["Body"].read() == body_of(first + told.index("ok"))
        assert s3.list_objects_v2(Bucket="docs", Prefix=which["Key"])["Contents"][0]["ETag"] == there["ETag"]
        # And of those who saw this one and mean to replace it.
        condition = {"IfMatch": there["ETag"]}
