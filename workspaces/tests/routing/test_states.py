"""A workspace that does not run: woken, waited for, or told why not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from django.utils import timezone

from gateway.db.scope import platform_scope
from realtime.models import Event
from tenants.principal import Principal
from workspaces.models import Workspace

from .conftest import Platform

ASLEEP = {"desired_state": "stopped", "stopped_for": "idle", "observed_state": "stopped"}


@pytest.fixture
def owner(platform: Platform) -> Principal:
    return platform.member(platform.tenant())


@pytest.fixture
def call(platform: Platform, bearer: dict[str, str]) -> Callable[[], httpx.Response]:
    return lambda: platform.http.post("/ws/dev/mcp", headers=bearer)


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        (
            {"desired_state": "stopped", "stopped_for": "person", "observed_state": "stopped"},
            409,
            "workspace_stopped",
        ),
        ({"desired_state": "stopped", "stopped_for": "tenant"}, 409, "workspace_stopped"),
        ({"observed_state": "failed", "error": "No such image."}, 503, "workspace_failed"),
        ({"desired_state": "absent"}, 404, "workspace_not_found"),
    ],
)
def test_what_waiting_would_not_change(
    platform: Platform, owner: Principal, call: Any, fields: dict[str, str], status: int, code: str
) -> None:
    platform.workspace(owner, **fields)
    answer = call()
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert fields.get("error", "") in answer.json()["detail"]
    assert ("retry-after" in answer.headers) is (status == 503)


def test_one_that_starts_is_waited_for(platform: Platform, owner: Principal, call: Any) -> None:
    row = platform.workspace(owner, observed_state="starting", observed_generation=0)
    timer = threading.Timer(0.5, platform.change, (row,), {"observed_state": "running"})
    began = time.monotonic()
    timer.start()
    assert call().status_code == 200
    assert time.monotonic() - began >= 0.4
    timer.join()


def test_one_that_sleeps_is_woken_once_by_many(platform: Platform, owner: Principal, call: Any) -> None:
    row = platform.workspace(owner, **ASLEEP)
    answers: list[int] = []
    callers = [threading.Thread(target=lambda: answers.append(call().status_code)) for _ in range(5)]
    for caller in callers:
        caller.start()
    with platform.stack.database(), platform_scope("tests"):
        until = time.monotonic() + 30
        while Workspace.objects.get(pk=row.pk).desired_state != "running":
            assert time.monotonic() < until
            time.sleep(0.05)
        woken = Event.objects.filter(tenant=owner.tenant.pk, type="workspaces.workspace.woken")
        assert [event.subject for event in woken] == ["dev"]
        assert Workspace.objects.get(pk=row.pk).generation == 2
    platform.change(row, observed_state="running", observed_generation=2)
    for caller in callers:
        caller.join()
    assert answers == [200] * 5


def test_one_that_died_is_told_as_such_and_looked_after(
    platform: Platform, owner: Principal, call: Any
) -> None:
    platform.workspace(owner, address="/tmp/nobody-listens-there")
    answer = call()
    assert (answer.status_code, answer.json()["code"]) == (502, "workspace_unreachable")
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_deleted_one_is_not_there(platform: Platform, owner: Principal, call: Any) -> None:
    platform.workspace(owner, deleted_at=timezone.now())
    assert call().status_code == 404
