"""The configuration of an instance, from Django's settings."""

import contextlib
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from gateway.edge import ca, instance

from .harness import CADDY


@pytest.fixture
def home(tmp_path: Path, settings: Any) -> Path:
    settings.HOME = tmp_path
    settings.STORAGE_ROOT = tmp_path / "blobs"
    settings.PUBLIC_HOST = "gate.example.org"
    settings.S3_DOMAIN = "s3.example.org"
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    (tmp_path / "run").mkdir()
    return tmp_path


def test_the_command_writes_what_caddy_accepts(home: Path) -> None:
    call_command("edge_config")
    path = home / "run" / "caddy.json"
    assert path.stat().st_mode & 0o777 == 0o600
    checked = subprocess.run(
        [CADDY, "validate", "--config", path], capture_output=True, text=True, check=False
    )
    assert "Valid configuration" in checked.stdout + checked.stderr
    configuration = json.loads(path.read_text())
    assert configuration["admin"]["listen"] == f"unix/{home}/run/caddy-admin.sock|0600"
    servers = configuration["apps"]["http"]["servers"]
    assert all(address.startswith(("127.0.0.1:", "[::1]:")) for address in servers["plain"]["listen"])


@pytest.mark.parametrize(
    ("seconds", "below", "told"),
    [
        (0, True, ""),
        (600, False, "max-age=600"),
        (31536000, True, "max-age=31536000; includeSubDomains"),
    ],
)
def test_strict_transport_where_https_is_enforced(
    settings: Any, seconds: int, below: bool, told: str
) -> None:
    settings.SECURE_HSTS_SECONDS = seconds
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = below
    assert instance.strict_transport(settings) == told


def test_the_certificate_has_every_public_name(home: Path, settings: Any) -> None:
    settings.EDGE_PUBLIC_HOSTS = ["Other.example"]
    names = instance.certificate_names(settings)
    assert {"localhost", "127.0.0.1", "::1", "gate.example.org", "s3.example.org", "*.s3.example.org"} <= set(
        names
    )
    assert "other.example" in names


def test_a_certificate_of_ones_own(home: Path, settings: Any) -> None:
    settings.EDGE_TLS_CERTIFICATE, settings.EDGE_TLS_KEY = "/own.crt", "/own.key"
    written = json.loads(instance.write(settings).read_text())
    files = written["apps"]["tls"]["certificates"]["load_files"][0]
    assert (files["certificate"], files["key"]) == ("/own.crt", "/own.key")
    assert not (home / "ca.crt").exists()


def test_a_reload_without_caddy_says_so(home: Path) -> None:
    with pytest.raises(CommandError, match="Caddy does not answer"):
        call_command("edge_config", "--reload")


@pytest.fixture
def loaded(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What a running Caddy was told to take; its admin socket and the front's are there."""
    told: list[str] = []
    monkeypatch.setattr(instance, "load", lambda admin, configuration: told.append(configuration))
    with contextlib.ExitStack() as sockets:
        for name in ("caddy-admin.sock", "plain.sock"):
            listener = sockets.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(str(home / "run" / name))
        yield told


def test_a_reload_leaves_the_plain_port_to_the_front_that_runs(home: Path, loaded: list[str]) -> None:
    call_command("edge_config", "--reload")
    (configuration,) = map(json.loads, loaded)
    listens = configuration["apps"]["http"]["servers"]["plain"]["listen"]
    assert listens == [f"unix/{home}/run/plain.sock|0600"]


def test_a_certificate_is_renewed_in_time_and_caddy_told_once(
    home: Path, loaded: list[str], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = instance.write(settings)
    assert not instance.renew_certificate(settings) and not loaded
    os.utime(path, (1, 1))  # as if written long ago, and the certificate with it
    os.utime(home / "ca.crt", (1, 1))
    os.utime(home / "caddy" / "tls" / "edge.crt", (1, 1))
    old = (home / "caddy" / "tls" / "edge.crt").read_bytes()
    assert not instance.renew_certificate(settings)
    monkeypatch.setattr(ca, "RENEW_BEFORE", ca.LEAF_LIFE)
    assert instance.renew_certificate(settings)
    monkeypatch.undo()
    assert (home / "caddy" / "tls" / "edge.crt").read_bytes() != old and len(loaded) == 1


def test_where_caddy_is_elsewhere_nothing_is_made(home: Path, settings: Any) -> None:
    assert not instance.renew_certificate(settings)
    assert not (home / "ca.crt").exists()


def test_an_address_this_machine_lacks_is_left_out(home: Path, settings: Any) -> None:
    settings.EDGE_BIND = ["127.0.0.1", "192.0.2.1"]
    made = instance.edge_settings(settings, home / "c", home / "k")
    assert made.http_listen == (f"127.0.0.1:{settings.HTTP_PORT}",)
