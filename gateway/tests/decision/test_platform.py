"""The platform's own decider."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.decider import PlatformDecider
from gateway.decision import wire
from gateway.decision.context import DecisionContext
from gateway.decision.types import Answer, Failure, Forward, RequestHead

DECIDER = PlatformDecider()
SETTINGS = SimpleNamespace(
    WEB_DIAL="unix//h/run/web.sock", LIVE_DIAL="unix//h/run/live.sock", DATA_UPLOAD_MAX_MEMORY_SIZE=100
)


@pytest.fixture
def ctx() -> DecisionContext:
    hosts = frozenset({"localhost"})
    return DecisionContext(
        cast("Any", None), cast("Any", None), cast("Any", None), cast("Any", None), SETTINGS, hosts
    )


def head(target: str, host: str = "localhost", length: str = "") -> RequestHead:
    told = f"GET 1.2.3.4 80 {length} {target}"
    return wire.read_head([(b"host", host.encode()), (b"x-gw-head", told.encode())])


@pytest.mark.parametrize(
    ("target", "process"),
    [
        ("/api/v1/tenants?page=2", "web"),
        ("/app/", "web"),
        ("/admin/", "web"),
        ("/docs", "web"),
        ("/openapi.json", "web"),
        ("/static/x.css", "web"),
        ("/health", "web"),
        ("/metrics", "web"),
        ("/api/v1/events", "web"),
        ("/api/v1/realtime/tickets", "web"),
        ("/api/v1/realtime/wsx", "web"),
        ("/api/v1/realtime/ws?types=a", "live"),
        ("/api/v1/realtime/events/", "live"),
    ],
)
async def test_who_serves_a_path(ctx: DecisionContext, target: str, process: str) -> None:
    asked = head(target)
    assert DECIDER.claims(asked, ctx)
    decision = await DECIDER.decide(asked, ctx)
    assert decision == Forward(f"unix//h/run/{process}.sock", target, patience="process")


@pytest.mark.parametrize("target", ["/s3/b/k", "/apix", "/healthz", "/nothing", "//api"])
def test_other_paths_are_not_claimed(ctx: DecisionContext, target: str) -> None:
    assert not DECIDER.claims(head(target), ctx)


def test_other_hosts_are_not_claimed(ctx: DecisionContext) -> None:
    assert not DECIDER.claims(head("/app/", "evil.example"), ctx)


async def test_a_long_body_is_refused_before_anybody_reads_it(ctx: DecisionContext) -> None:
    assert isinstance(await DECIDER.decide(head("/app/", length="100"), ctx), Forward)
    refused = await DECIDER.decide(head("/app/", length="101"), ctx)
    assert isinstance(refused, Answer) and refused.status == 413


async def test_the_root_leads_to_the_pages(ctx: DecisionContext) -> None:
    assert await DECIDER.decide(head("/"), ctx) == Answer(302, [("Location", "/app/")])


async def test_a_dead_process_is_unavailable(ctx: DecisionContext) -> None:
    answer = await DECIDER.failed(head("/app/"), Failure(502), ctx)
    assert answer.status == 503
    assert ("Retry-After", "1") in answer.headers
