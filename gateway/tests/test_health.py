"""What the probes see."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.test import Client

from gateway import tasks

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_heartbeat() -> None:
    cache.clear()


@pytest.mark.parametrize("path", ["/health", "/api/v1/health"])
def test_health_tells_each_component(path: str) -> None:
    answer = Client().get(path)
    body = answer.json().get("data", answer.json())
    assert (answer.status_code, body["status"]) == (200, "degraded")
    assert body["components"] == {"database": "ok", "cache": "ok", "jobs": "failing"}
    tasks.beat_health()
    answer = Client().get(path)
    assert answer.json().get("data", answer.json())["status"] == "ok"


def test_without_its_cache_the_platform_is_not_ready(settings) -> None:
    caches = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}
    settings.CACHES = caches
    answer = Client().get("/health")
    assert answer.status_code == 503
    assert answer.json()["components"]["cache"] == "failing"


def test_expired_sessions_and_tokens_are_cleared() -> None:
    tasks.clear_expired()


def test_an_answer_carries_the_headers_that_protect_a_browser() -> None:
    answer = Client().get("/api/v1/health")
    for name in ("Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy"):
        assert name in answer
    assert (
        Client().get("/health", headers={"X-Request-ID": "abcdef-123456"})["X-Request-ID"] == "abcdef-123456"
    )
    assert Client().get("/health", headers={"X-Request-ID": "a\nb"})["X-Request-ID"] != "a\nb"
