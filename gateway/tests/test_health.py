"""What the probes see."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from gateway import tasks
from gateway.db.scope import platform_scope
from gateway.health.looking import looker
from gateway.health.watch import Watch
from realtime.models import Event
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_known(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()
    settings.HOME, settings.STORAGE_ROOT = tmp_path, tmp_path
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    for module in ("looking", "probes"):
        monkeypatch.setattr(f"gateway.health.{module}.LIMIT_SECONDS", 30)
    looker.forget()


def look(path: str = "/health") -> tuple[int, dict[str, Any]]:
    looker.forget()
    answer = Client().get(path)
    return answer.status_code, answer.json().get("data", answer.json())


def status_of(name: str) -> str:
    return str(look()[1]["components"][name]["status"])


@pytest.mark.parametrize("path", ["/health", "/api/v1/health"])
def test_health_tells_each_component(path: str) -> None:
    status, body = look(path)
    assert (status, body["status"]) == (200, "degraded")
    found = {name: component["status"] for name, component in body["components"].items()}
    assert found == {
        "database": "ok",
        "cache": "ok",
        "broker": "ok",
        "workers": "failing",
        "edge": "absent",
        "store": "ok",
        "docker": "absent",
    }
    assert body["components"]["database"]["latency_ms"] > 0
    tasks.beat_health()
    status, body = look(path)
    assert (status, body["status"]) == (200, "ok")


def test_without_its_cache_the_platform_is_not_ready(settings: Any) -> None:
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}
    status, body = look()
    assert (status, body["components"]["cache"]["status"]) == (503, "failing")
    assert body["components"]["database"]["status"] == "ok"


def test_without_its_broker_the_platform_is_not_ready(settings: Any) -> None:
    settings.CELERY_BROKER_URL = "redis://:hidden-word@127.0.0.1:1/0"
    status, body = look()
    assert (status, body["components"]["broker"]) == (503, {"status": "failing"})


def test_without_its_store_the_platform_is_not_ready(settings: Any, tmp_path: Path) -> None:
    settings.STORAGE_ROOT = tmp_path / "gone"
    assert (look()[0], status_of("store")) == (503, "failing")


def test_an_engine_is_asked_and_never_makes_the_platform_unhealthy(tmp_path: Path) -> None:
    tasks.beat_health()
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(tmp_path / "docker.sock"))
        engine.listen()
        answers = [
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK",
            b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
        ]

        def serve() -> None:
            for answer in answers:
                wire, _ = engine.accept()
                with wire:
                    assert wire.recv(4096).startswith(b"GET /_ping ")
                    wire.sendall(answer)

        serving = threading.Thread(target=serve)
        serving.start()
        assert status_of("docker") == "ok"
        status, body = look()
        assert (status, body["status"], body["components"]["docker"]["status"]) == (
            200,
            "degraded",
            "failing",
        )
        serving.join()


def test_a_component_that_does_not_answer_fails_in_time_and_is_not_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.health.looking.LIMIT_SECONDS", 0.5)
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(tmp_path / "docker.sock"))
        engine.listen()  # takes connections and says nothing
        assert status_of("docker") == "failing"
        assert status_of("docker") == "failing"
        engine.settimeout(30)
        engine.accept()[0].close()
    looker.askers["docker"].answer.result(30)


def test_asking_often_asks_the_components_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    statvfs = os.statvfs

    def counted(path: Any) -> os.statvfs_result:
        asked.append(1)
        return statvfs(path)

    monkeypatch.setattr(os, "statvfs", counted)
    monkeypatch.setattr("gateway.health.looking._KEPT_SECONDS", 60)
    for _ in range(20):
        Client().get("/health")
    assert len(asked) <= 2


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


def told() -> list[tuple[str, str, str]]:
    """The changes in the platform's event log: component, from, to."""
    with platform_scope("a test looks at the platform's log"):
        rows = Event.objects.filter(type="system.component.changed", tenant__slug="platform").order_by("pk")
        return [(row.data["component"], row.data["from"], row.data["to"]) for row in rows]


def looked(watch: Watch, times: int = 2) -> None:
    for _ in range(times):
        looker.forget()
        watch.round()


def test_a_component_that_changes_is_told_once_also_over_restarts(settings: Any, tmp_path: Path) -> None:
    factories.staff()  # in the tenant `platform`
    tasks.beat_health()
    looked(Watch(starting=0))
    assert told() == []
    watch = Watch(starting=0)
    settings.STORAGE_ROOT = tmp_path / "gone"
    looked(watch, 1)
    assert told() == []  # once may be an accident
    looked(watch, 3)
    assert told() == [("store", "ok", "failing")]
    looked(Watch(starting=0), 3)
    assert told() == [("store", "ok", "failing")]
    settings.STORAGE_ROOT = tmp_path  # mended while nobody looked
    looked(Watch(starting=60))
    assert told() == [("store", "ok", "failing"), ("store", "failing", "ok")]


def test_what_is_not_there_yet_at_a_start_has_not_failed() -> None:
    factories.staff()
    tasks.beat_health()
    looked(Watch(starting=0))
    cache.clear()  # no heartbeat, as after a night
    watch = Watch(starting=60)
    looked(watch, 3)
    tasks.beat_health()
    looked(watch, 3)
    assert told() == []
