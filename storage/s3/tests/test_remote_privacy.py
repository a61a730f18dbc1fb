"""A bucket's backend may be anybody's: it learns nothing of how its visitors are known here."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

import pytest

from gateway.decision import reading
from gateway.decision.names import Names
from gateway.decision.types import Forward
from storage.index import BucketInfo
from storage.s3 import remote, sigv4
from storage.s3.front import Front
from storage.s3.operation import Operation
from storage.s3.request import Request, by_name
from storage.snapshot import AccessKeyInfo, BackendInfo

BUCKET = BucketInfo(1, 1, "docs", 1, "s3", "gh-docs", datetime(2026, 1, 1, tzinfo=UTC))
BACKEND = BackendInfo(1, "theirs", "s3", "https://storage.example", "eu", "id", "secret")
ACCESS = AccessKeyInfo("GH1", "secret", 1, "acme", 1, frozenset(), "ann")


class _Front:
    ctx = SimpleNamespace(names=Names())

    async def backend(self, bucket: BucketInfo) -> BackendInfo:
        return BACKEND


@pytest.mark.parametrize("metadata", [0, 20])
async def test_a_link_opened_by_somebody_signed_in_shows_the_backend_no_session(metadata: int) -> None:
    secrets = {"Cookie": "gatehouse_session_8080=s", "X-Api-Key": "mcp_a_b", "X-Tenant": "acme"}
    sent = {**secrets, **{f"x-amz-meta-{n}": "v" for n in range(metadata)}, "Range": "bytes=0-1"}
    raw = [(name.lower().encode(), value.encode()) for name, value in sent.items()]
    head = reading.read_head([(b"host", b"localhost"), (b"x-gw-head", b"GET 1.2.3.4 80  /s3/docs/k"), *raw])
    request = Request(head, Operation.GET_OBJECT, "docs", "k", {}, by_name(head), sigv4.UNSIGNED, ACCESS)
    forward = await remote.forward_read(request, BUCKET, cast(Front, _Front()))
    assert isinstance(forward, Forward) and forward.mask_errors
    removed = {name.lower() for name in forward.remove_headers}
    assert {name.lower() for name in secrets} <= removed and "range" not in removed
    assert len(list(forward.remove_headers)) <= 8
