"""The platform's own decider."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.decider import PlatformDecider
from gateway.decision import reading
from gateway.decision.context import DecisionContext
from gateway.decision.types import Answer, Failure, Forward, RequestHead

DECIDER = PlatformDecider()
SETTINGS: dict[str, Any] = {
    "WEB_DIAL": "unix//h/run/web.sock",
    "LIVE_DIAL": "unix//h/run/live.sock",
    "DATA_UPLOAD_MAX_MEMORY_SIZE": 100,
    "ENFORCE_HTTPS": False,
    "PUBLIC_BASE_URL": "http://localhost:8080",
    "HTTPS_PORT": 8443,
    "CORS_ALLOW_ALL_ORIGINS": False,
    "CORS_ALLOWED_ORIGINS": [],
}
STREAM = "/api/v1/realtime/events"


def context(**changed: Any) -> DecisionContext:
    settings = SimpleNamespace(**SETTINGS | changed)
    nothing = cast("Any", None)
    return DecisionContext(nothing, nothing, nothing, nothing, settings, frozenset({"localhost", "::1"}))


@pytest.fixture
def ctx() -> DecisionContext:
    return context()


def head(
    target: str,
    host: str = "localhost",
    length: str = "",
    method: str = "GET",
    proto: str = "http",
    origin: str = "",
) -> RequestHead:
    told = f"{method} 1.2.3.4 80 {length} {target}"
    given = [(b"host", host.encode()), (b"x-forwarded-proto", proto.encode()), (b"x-gw-head", told.encode())]
    return reading.read_head([*given, *([(b"origin", origin.encode())] if origin else [])])


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
        ("/api/v1/services/9f0c8f3e-0000-4000-8000-000000000000/terminal?columns=9", "live"),
        ("/api/v1/workspaces/9f0c8f3e-0000-4000-8000-000000000000/terminal/", "live"),
        ("/api/v1/services/9f0c8f3e-0000-4000-8000-000000000000/logs/ws", "live"),
        ("/api/v1/services/9f0c8f3e-0000-4000-8000-000000000000/logs/events", "live"),
        ("/api/v1/services/9f0c8f3e-0000-4000-8000-000000000000/logs", "web"),
        ("/api/v1/devices/9f0c8f3e-0000-4000-8000-000000000000/terminal", "web"),
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


@pytest.mark.parametrize(
    ("public", "host", "secure"),
    [
        ("https://files.example.org", "localhost", "https://localhost/app/?a=%2F"),
        ("https://files.example.org:8443", "localhost:8080", "https://localhost:8443/app/?a=%2F"),
        ("http://localhost:8080", "[::1]:8080", "https://[::1]:8443/app/?a=%2F"),
    ],
)
async def test_plain_http_is_led_to_https_where_it_is_enforced(public: str, host: str, secure: str) -> None:
    enforced = context(ENFORCE_HTTPS=True, PUBLIC_BASE_URL=public)
    answer = await DECIDER.decide(head("/app/?a=%2F", host), enforced)
    assert isinstance(answer, Answer)
    assert (answer.status, dict(answer.headers)["Location"]) == (308, secure)
    assert isinstance(await DECIDER.decide(head("/app/", proto="https"), enforced), Forward)


@pytest.mark.parametrize("path", ["/api/v1/tenants", STREAM, "/openapi.json"])
async def test_programs_are_not_led_to_https_but_told(path: str) -> None:
    enforced = context(ENFORCE_HTTPS=True)
    answer = await DECIDER.decide(head(path), enforced)
    assert isinstance(answer, Answer)
    assert (answer.status, b"https_required" in answer.body) == (403, True)
    assert isinstance(await DECIDER.decide(head(path, proto="https"), enforced), Forward)


@pytest.mark.parametrize("path", ["/health", "/api/v1/health", "/metrics"])
async def test_probes_are_not_led_away(path: str) -> None:
    assert isinstance(await DECIDER.decide(head(path), context(ENFORCE_HTTPS=True)), Forward)


async def test_streams_are_shared_with_the_origins_that_are_named() -> None:
    named = context(CORS_ALLOWED_ORIGINS=["https://one.example"])
    allowed = await DECIDER.decide(head(STREAM, origin="https://one.example"), named)
    assert isinstance(allowed, Forward)
    assert allowed.set_response_headers == {
        "Access-Control-Allow-Origin": "https://one.example",
        "Vary": "Origin",
    }
    for origin in ("https://two.example", "null", ""):
        other = await DECIDER.decide(head(STREAM, origin=origin), named)
        assert isinstance(other, Forward)
        assert not other.set_response_headers
    everybody = await DECIDER.decide(head(STREAM, origin="null"), context(CORS_ALLOW_ALL_ORIGINS=True))
    assert isinstance(everybody, Forward)
    assert everybody.set_response_headers["Access-Control-Allow-Origin"] == "*"
    preflight = await DECIDER.decide(head(STREAM, method="OPTIONS", origin="https://one.example"), named)
    assert isinstance(preflight, Forward)
    assert preflight.dial == SETTINGS["WEB_DIAL"]


async def test_what_the_decision_says_itself_is_harmless_in_a_browser(ctx: DecisionContext) -> None:
    told = dict((await DECIDER.failed(head("/app/"), Failure(502), ctx)).headers)
    assert told["X-Content-Type-Options"] == "nosniff"
    assert told["Content-Security-Policy"].startswith("default-src 'none'")
    assert told["X-Frame-Options"] == "DENY"
