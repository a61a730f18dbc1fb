"""The configuration of an instance, from Django's settings."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from gateway.edge import instance

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


def test_an_address_this_machine_lacks_is_left_out(home: Path, settings: Any) -> None:
    settings.EDGE_BIND = ["127.0.0.1", "192.0.2.1"]
    made = instance.edge_settings(settings, home / "c", home / "k")
    assert made.http_listen == (f"127.0.0.1:{settings.HTTP_PORT}",)
