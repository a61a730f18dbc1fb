"""Plain HTTP where the platform wants HTTPS: refused before anything else is looked at."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.decision import reading
from gateway.decision.context import DecisionContext
from gateway.decision.types import Answer
from storage.decider import S3Decider

SETTINGS = SimpleNamespace(ENFORCE_HTTPS=True, S3_DOMAIN="s3.localhost")


async def refused(method: str, target: str, *given: tuple[bytes, bytes]) -> Answer:
    nothing = cast("Any", None)
    ctx = DecisionContext(nothing, nothing, nothing, nothing, SETTINGS, frozenset({"localhost"}))
    told = f"{method} 1.2.3.4 80  {target}"
    host = [(b"host", b"s3.localhost"), (b"x-forwarded-proto", b"http"), (b"x-gw-head", told.encode())]
    decision = await S3Decider().decide(reading.read_head([*host, *given]), ctx)
    assert isinstance(decision, Answer)
    return decision


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST", "OPTIONS"])
async def test_s3_over_plain_http_is_refused(method: str) -> None:
    """Not redirected: no client of S3 follows, and one that did would have shown its credential already."""
    answer = await refused(method, "/docs/a")
    headers = dict(answer.headers)
    assert (answer.status, headers["Content-Type"]) == (403, "application/xml")
    assert b"<Code>AccessDenied</Code><Message>Access Denied: use https.</Message>" in answer.body
    assert "x-amz-request-id" in headers


async def test_sts_over_plain_http_is_refused_in_its_own_words() -> None:
    answer = await refused("POST", "/", (b"content-type", b"application/x-www-form-urlencoded"))
    assert answer.status == 403
    assert b"<ErrorResponse" in answer.body and b"<Code>AccessDenied</Code>" in answer.body
