"""A reader that does not keep up is cut off with a reason, and can go on from where it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from realtime.tests.clients import Stream, emit, token
from realtime.tests.conftest import Live
from realtime.tests.test_websocket import open_socket
from tenants.principal import Principal
from tests import factories
from tests.instance import until

pytestmark = pytest.mark.django_db(transaction=True)
# Together more than the kernel holds for a socket that nobody reads, and a reader's queue.
EVENTS, FILLER = 140, "x" * 60_000


def flood(tenant_id: int, quick: Stream) -> list[str]:
    """Events one by one, each offered to every reader when the next is made; their ids."""
    ids = []
    for number in range(EVENTS):
        ids += emit(tenant_id, str(number), filler=FILLER)
        assert [event["id"] for event in quick.take(1)] == ids[-1:]
    return ids


def opens(live: Live, reader: Principal) -> bool:
    with Stream(live.port, token=token(reader)) as stream:
        return stream.status == 200


def _rss_mib(live: Live) -> int:
    status = Path(f"/proc/{live.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) >> 10


def test_it_is_told_and_resumes_without_loss(live: Live) -> None:
    reader = factories.member(factories.tenant())
    with Stream(live.port, token=token(reader)) as slow, Stream(live.port, token=token(reader)) as quick:
        before = _rss_mib(live)
        ids = flood(reader.tenant.pk, quick)
        assert _rss_mib(live) - before < 32
        seen = [event["id"] for event in slow.events()]
        assert slow.error["code"] == "slow_reader"
        assert slow.error["status"] == 503
        assert "Connect again with the last event's id" in slow.error["detail"]
    assert 0 < len(seen) < len(ids)
    with Stream(live.port, token=token(reader), last=seen[-1]) as again:
        seen += [event["id"] for event in again.take(len(ids) - len(seen))]
    assert seen == ids


def test_a_socket_is_closed_with_try_again_later(live: Live) -> None:
    reader = factories.member(factories.tenant())
    with (
        open_socket(live, Authorization=factories.bearer(reader)) as slow,
        Stream(live.port, token=token(reader)) as quick,
    ):
        ids = flood(reader.tenant.pk, quick)
        seen = []
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                seen.append(json.loads(slow.recv(timeout=30))["id"])
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1013
    assert closed.value.rcvd.reason.startswith("This reader is too slow")
    assert seen == ids[: len(seen)]


def test_one_that_takes_nothing_at_all_is_dropped(
    live_with: Callable[..., AbstractContextManager[Live]],
) -> None:
    reader = factories.member(factories.tenant())
    with live_with(REALTIME_SEND_SECONDS="1", REALTIME_TENANT_CONNECTIONS="2") as live:
        with Stream(live.port, token=token(reader)), Stream(live.port, token=token(reader)) as quick:
            flood(reader.tenant.pk, quick)
            until(lambda: opens(live, reader), 30, "its place is free again")
        live.terminate()


def test_one_that_takes_nothing_does_not_hold_up_a_restart(
    live_with: Callable[..., AbstractContextManager[Live]],
) -> None:
    reader = factories.member(factories.tenant())
    with (
        live_with() as live,
        Stream(live.port, token=token(reader)),
        open_socket(live, Authorization=factories.bearer(reader)),
        Stream(live.port, token=token(reader)) as quick,
    ):
        flood(reader.tenant.pk, quick)
        live.terminate()
