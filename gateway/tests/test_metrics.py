"""Who may see the figures, and what they are."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from gateway.metrics import files
from tests import factories

pytestmark = pytest.mark.django_db
TOKEN = "of-the-metrics-4711-aBcDeFgH-8273645"


@pytest.fixture(autouse=True)
def _home(settings: Any, tmp_path: Path) -> None:
    settings.HOME = tmp_path
    settings.PUBLIC_HOST = "localhost"
    (tmp_path / "run" / "metrics").mkdir(parents=True)


def ask(**headers: str) -> Any:
    return Client().get("/metrics", headers={"Host": "localhost", "X-Real-IP": "127.0.0.1", **headers})


def sample(name: str, **labels: str) -> float | None:
    """The value of the series, None where there is none."""
    for family in text_string_to_metric_families(ask().content.decode()):
        for found in family.samples:
            if found.name == name and labels.items() <= found.labels.items():
                return float(found.value)
    return None


def test_this_machine_alone_is_shown_them_without_a_token(settings: Any) -> None:
    assert ask().status_code == 200
    assert ask(**{"X-Real-IP": "203.0.113.7"}).status_code == 404
    assert ask(Host="files.example.org").status_code == 404
    settings.PUBLIC_HOST = "files.example.org"  # a proxy on this machine makes everybody look local
    assert ask().status_code == 404


def test_the_token_opens_them_from_anywhere(settings: Any) -> None:
    settings.METRICS_TOKEN, settings.PUBLIC_HOST = TOKEN, "files.example.org"
    afar = {"X-Real-IP": "203.0.113.7", "Host": "files.example.org"}
    assert ask(**afar, Authorization=f"Bearer {TOKEN}").status_code == 200
    for wrong in ({}, {"Authorization": "Bearer of-the-metrics"}, {"Authorization": f"Basic {TOKEN}"}):
        refused = ask(**afar, **wrong)
        assert (refused.status_code, refused["WWW-Authenticate"][:6]) == (401, "Bearer")
    settings.METRICS_TOKEN = ""
    assert ask(**afar, Authorization="Bearer ").status_code == 404


def test_requests_are_counted_by_pattern() -> None:
    tenant = factories.tenant()
    client = factories.client(factories.member(tenant, "admin"))
    for number in range(3):
        client.get(f"/api/v1/tenants/00000000-0000-0000-0000-00000000000{number}")
        client.get(f"/no/such/page/{number}")
    text = ask().content.decode()
    assert tenant.slug not in text
    assert "00000000-0000" not in text
    assert "/no/such" not in text
    assert (sample("gatehouse_requests_total", route="none", status="404") or 0) >= 3
    routes = [
        found.labels["route"]
        for family in text_string_to_metric_families(text)
        for found in family.samples
        if found.name == "gatehouse_requests_total"
    ]
    assert any(route.startswith("/api/v1/tenants/<") for route in routes)


def test_what_is_looked_up_when_asked() -> None:
    assert sample("gatehouse_component_up", component="database") == 1
    assert sample("gatehouse_queue_length") is not None
    assert sample("gatehouse_waiting", what="audit_seals") is not None
    assert sample("gatehouse_build_info", version="0.1.0") == 1


def test_wrong_passwords_are_counted() -> None:
    before = sample("gatehouse_sign_in_failures_total", step="password") or 0
    body = {"username": "nobody", "password": "Wrong-horse-27182818"}
    assert Client().post("/api/v1/auth/login", body, content_type="application/json").status_code == 401
    assert sample("gatehouse_sign_in_failures_total", step="password") == before + 1


_HOLD = (
    "import fcntl, sys; lock = open(sys.argv[1], 'w'); fcntl.lockf(lock, fcntl.LOCK_EX); print(flush=True); "
    "sys.stdin.read()"
)


@contextmanager
def process(name: str, decided: int, used: int, *, runs: bool) -> Iterator[None]:
    """The file that a process leaves. One that runs holds its lock."""
    connections = "gatehouse_database_connections"
    series = [
        ["gatehouse_decisions", "", "counter", [["gatehouse_decisions_total", {"decider": "x"}, decided]]],
        [connections, "", "gauge", [[connections, {"pool": "x"}, used]]],
    ]
    path = files.folder() / f"{name}.json"
    path.write_text(json.dumps({"process": "decision", "series": series}))
    lock = path.with_suffix(".lock")
    lock.touch()
    if not runs:
        yield
        return
    command = [sys.executable, "-c", _HOLD, str(lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        yield
        holder.communicate(b"")


def test_counts_of_all_processes_add_up_and_gauges_of_those_that_run() -> None:
    with process("decision-a-1", 5, 3, runs=True), process("decision-a-2", 7, 4, runs=False):
        assert sample("gatehouse_decisions_total", decider="x", process="decision") == 12
        assert sample("gatehouse_database_connections", pool="x") == 3


def test_a_file_that_is_cut_off_is_passed_over() -> None:
    (files.folder() / "decision-a-1.json").write_text('{"process": "dec')
    assert ask().status_code == 200
