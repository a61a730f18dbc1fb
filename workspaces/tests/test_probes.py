"""Health of services, asked over real HTTP; and whose addresses may be asked."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.utils import timezone

from gateway import outside
from gateway.db.scope import platform_scope, tenant_scope
from gateway.errors import Forbidden, Invalid
from realtime.models import Event
from tenants.principal import Principal
from tests import factories
from tests.ports import free_port
from workspaces.models import Port, Service
from workspaces.services import managed, managed_urls, probes
from workspaces.tests.test_ports import service_of

pytestmark = pytest.mark.django_db


class Site(ThreadingHTTPServer):
    daemon_threads = True
    status = 200
    asked: list[str]

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Answer(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(self.server.status)
        self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site(("127.0.0.1", 0), _Answer)
    made.asked = []
    threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "PAUSE_SECONDS", 0.0)


def container(admin: Principal, site: Site, **fields: Any) -> Service:
    values = {"observed_state": "running", "address": "127.0.0.1", "probe_path": "/healthz?deep=1"} | fields
    row = service_of(admin, **values)
    with platform_scope("tests"):
        for name, number, protocol in (("raw", 1, "tcp"), ("http", site.port, "http")):
            Port.objects.create(
                tenant=admin.tenant, service=row, name=name, container_port=number, protocol=protocol,
                access="public", public_port=14_000 + Port.objects.count(),
            )  # fmt: skip
    return row


def seen(row: Service) -> tuple[str, str]:
    with platform_scope("tests"):
        row.refresh_from_db()
    return row.health, row.health_error


def told(admin: Principal) -> list[str]:
    with tenant_scope(admin.tenant.pk):
        return list(
            Event.objects.filter(type__startswith="workspaces.").order_by("pk").values_list("type", flat=True)
        )


def test_a_container_is_asked_at_its_first_http_port(admin: Principal, site: Site) -> None:
    row = container(admin, site)
    probes.sweep()
    assert seen(row) == ("healthy", "")
    assert site.asked == ["/healthz?deep=1"]
    probes.sweep()
    site.status = 503
    probes.sweep()
    assert seen(row) == ("unhealthy", "It answers 503.")
    site.status = 302  # which is not followed
    probes.sweep()
    assert seen(row) == ("healthy", "")
    assert told(admin) == [f"workspaces.service.{state}" for state in ("healthy", "unhealthy", "healthy")]
    assert row.health_checked_at is not None


def test_one_that_just_started_is_given_a_while(admin: Principal, site: Site) -> None:
    site.status = 500
    row = container(admin, site, started_at=timezone.now())
    probes.sweep()
    assert seen(row) == ("unknown", "")


def test_what_does_not_run_has_no_health(admin: Principal, site: Site) -> None:
    row = container(admin, site)
    probes.sweep()
    with platform_scope("tests"):
        Service.objects.update(observed_state="stopped")
    probes.sweep()
    assert seen(row) == ("unknown", "")


@contextlib.contextmanager
def saying(words: bytes) -> Iterator[int]:
    """A server that says these words and goes; with none, it listens and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with contextlib.suppress(OSError):
                while words:
                    connection, _ = listener.accept()
                    connection.recv(4096)
                    connection.sendall(words)
                    connection.close()

        threading.Thread(target=answer, daemon=True).start()
        yield listener.getsockname()[1]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (b"SSH-2.0-none\r\n", "It does not answer in HTTP."),
        (b"", "It did not answer within 0.2 seconds."),
        (b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 100_000 + b"\r\n\r\n", "It does not answer in HTTP."),
    ],
)
def test_why_it_is_not_healthy(
    admin: Principal, monkeypatch: pytest.MonkeyPatch, words: bytes, error: str
) -> None:
    monkeypatch.setattr(probes, "SECONDS", 30 if words else 0.2)
    with saying(words) as port:
        row = service_of(admin, kind="external", url=f"http://127.0.0.1:{port}/", private_allowed=True)
        assert probes.probe(probes.Target(row, row.url)) == error


def test_nothing_listens(admin: Principal) -> None:
    port = free_port()
    row = service_of(admin, kind="external", url=f"http://127.0.0.1:{port}/", private_allowed=True)
    assert probes.probe(probes.Target(row, row.url)) == "It cannot be connected to: Connection refused."


PRIVATE = [
    "http://127.0.0.1/", "http://localhost:8080/", "http://[::1]/", "http://10.0.0.1/", "http://169.254.169.254/",
    "http://192.168.0.1/", "http://0.0.0.0/", "http://[::ffff:127.0.0.1]/", "http://[64:ff9b::7f00:1]/",
    "http://127.1/", "http://0x7f000001/", "http://2130706433/", "http://[::127.0.0.1]/", "http://[fec0::1]/",
    "http://168.63.129.16/", "http://[2002:7f00:1::]/",
]  # fmt: skip


@pytest.mark.parametrize("url", PRIVATE)
def test_tenants_name_public_hosts_only(admin: Principal, url: str) -> None:
    with pytest.raises(Invalid) as refused, tenant_scope(admin.tenant.pk):
        managed.register_external("elsewhere", url, actor=admin)
    assert [*refused.value.errors] == ["url"]


@pytest.mark.parametrize(
    "url",
    [
        "ftp://192.0.9.9/",
        "192.0.9.9",
        "http://",
        "http://user:secret@192.0.9.9/",
        "http://192.0.9.9:99999/",
        "http://192.0.9.9/ x",
        "http://192.0.9.9/#part",
        "http://no-such-host.invalid/",
        "http://[::1",
        "javascript:x",
    ],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        managed_urls.check_url(url, by_staff=True)
    assert [*refused.value.errors] == ["url"]


def test_staff_register_what_is_private_and_it_is_probed(site: Site) -> None:
    staff = factories.staff()
    with tenant_scope(staff.tenant.pk):
        row = managed.register_external("ours", f"http://127.0.0.1:{site.port}/up", actor=staff)
    assert row.is_settled and row.state == "running"
    probes.sweep()
    assert seen(row) == ("healthy", "")
    assert site.asked == ["/up"]
    with tenant_scope(staff.tenant.pk):
        managed.stop_service(row, actor=staff)
    probes.sweep()
    assert (seen(row)[0], len(site.asked)) == ("unknown", 1)


def test_a_name_that_changed_its_address_is_not_called(
    admin: Principal, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(managed_urls, "addresses", lambda host: ["192.0.9.9"])
    with tenant_scope(admin.tenant.pk):
        row = managed.register_external("mine", f"http://rebound.example:{site.port}/", actor=admin)
    monkeypatch.setattr(managed_urls, "addresses", lambda host: ["127.0.0.1"])
    probes.sweep()
    health, error = seen(row)
    assert health == "unhealthy" and "not public" in error
    assert site.asked == []


def test_what_was_looked_at_is_what_is_connected_to(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    staff = factories.staff()
    monkeypatch.setattr(managed_urls, "addresses", lambda host: ["127.0.0.1"])
    row = service_of(staff, kind="external", url=f"http://nowhere.example:{site.port}/", private_allowed=True)
    assert probes.probe(probes.Target(row, row.url)) == ""


def test_a_tenant_that_changes_a_url_of_staff_loses_their_leave(
    admin: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = service_of(
        admin, kind="external", url="http://127.0.0.1/", private_allowed=True, observed_generation=1
    )
    monkeypatch.setattr(managed_urls, "addresses", outside.addresses)
    with tenant_scope(admin.tenant.pk):
        changed = managed.update_service(row, description="staff's", actor=admin)
        assert changed.private_allowed
        with pytest.raises(Forbidden):
            managed.update_service(row, probe_path="/admin/restart", actor=admin)
        with pytest.raises(Invalid):
            managed.update_service(row, url="http://127.0.0.2/", actor=admin)
        changed = managed.update_service(row, url="http://192.0.9.9/", actor=admin)
    assert not changed.private_allowed


def test_a_pass_ends_and_the_next_begins_with_the_rest(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    staff = factories.staff()
    for name in ("one", "two"):
        url = f"http://127.0.0.1:{site.port}/{name}"
        service_of(staff, name, kind="external", url=url, private_allowed=True, health_checked_at=None)
    with platform_scope("tests"):
        Service.objects.filter(name="one").update(health_checked_at=timezone.now())
    monkeypatch.setattr(probes, "PASS_SECONDS", 0.0)
    probes.sweep()
    assert site.asked == []
    monkeypatch.setattr(probes, "PASS_SECONDS", 20.0)
    monkeypatch.setattr(probes, "MOST_PROBED", 1)
    probes.sweep()
    assert site.asked == ["/two"]
