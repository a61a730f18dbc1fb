"""A managed service on a real engine: probed, read, followed, entered, killed, and gone with all it had."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from gateway.db.scope import platform_scope, tenant_scope
from tenants.principal import Principal
from workspaces.models import Sample, Service
from workspaces.providers import registry
from workspaces.providers.docker import DockerProvider
from workspaces.services import logs, managed, probes, purge, reconciler, samples, terminals

pytestmark = pytest.mark.django_db
SITE = """
import http.server, os, pathlib
starts = pathlib.Path("/data/starts")
starts.write_text(starts.read_text() + "x" if starts.exists() else "x")
print("starts:", len(starts.read_text()), os.environ["TOKEN"][:1], flush=True)
class Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()
http.server.HTTPServer(("0.0.0.0", 8000), Site).serve_forever()
"""


@pytest.fixture
def service(
    provider: DockerProvider, root_image: str, admin: Principal, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Service]:
    """One that runs."""
    monkeypatch.setattr(registry, "PATHS", {"docker": registry.PATHS["docker"]})
    monkeypatch.setattr(registry, "MADE", {"docker": provider})
    monkeypatch.setattr(registry, "_found", {})
    with tenant_scope(admin.tenant.pk):
        made = managed.create_service(
            "site", root_image, command=["python3", "-u", "-c", SITE], secrets={"TOKEN": "hush"},
            volumes={"data": "/data"}, memory_bytes=128 << 20, probe_path="/healthz",
            ports=[{"name": "http", "container_port": 8000}], actor=admin,
        )  # fmt: skip
    yield settled(made)
    provider.remove(made.key, volumes=True)


def settled(service: Service) -> Any:
    with platform_scope("tests"):
        reconciler.reconcile(service.key)
        return Service.objects.filter(pk=service.pk).select_related("tenant").first()


def eventually(what: Callable[[], Any], seconds: float = 20) -> Any:
    end = time.monotonic() + seconds
    while not (found := what()) and time.monotonic() < end:
        time.sleep(0.2)
    return found


def probed(service: Service) -> str:
    probes.sweep()
    with platform_scope("tests"):
        service.refresh_from_db()
    return str(service.health)


def test_the_life_of_a_service(
    service: Service, provider: DockerProvider, admin: Principal, engine: Any
) -> None:
    assert (service.state, service.error) == ("running", "")
    assert eventually(lambda: probed(service) == "healthy")
    assert logs.tail(service)[0] == "starts: 1 h"

    assert samples.collect() == 1
    assert samples.collect() == 1
    with tenant_scope(admin.tenant.pk):
        reading = samples.now(service.key)
    assert reading is not None and reading.memory_bytes > 1 << 20

    terminal = terminals.open_terminal(service, 80, 24)
    terminal.write(b"echo $((40 + 2)); cat /data/starts; exit\n")
    shown = b"".join(iter(terminal.read, b""))
    terminal.close()
    assert b"42\r\nx" in shown

    address, run = service.address, service.started_at
    engine.kill(engine.containers(filters={"label": f"gatehouse.key={service.key}"})[0]["Id"])
    assert eventually(lambda: (seen := provider.observe(service.key)) is not None and seen.state == "stopped")
    again = settled(service)
    assert (again.observed_state, again.address, again.attempts) == ("running", address, 1)
    assert again.started_at != run and "ended by itself" in again.error
    assert eventually(lambda: "starts: 2 h" in logs.tail(service))

    with tenant_scope(admin.tenant.pk):
        managed.delete_service(service, actor=admin)
    assert settled(service).observed_state == "stopped"
    with platform_scope("tests"):
        Service.objects.update(purge_at=timezone.now() - timedelta(seconds=1))
        purge.sweep()
    assert settled(service) is None
    assert provider.observe(service.key) is None and service.key not in provider.stored()
    with tenant_scope(admin.tenant.pk):
        assert not Sample.objects.exists()
