"""Wrong settings stop the platform, each with its id."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection

from gateway.checks import reached_over_https, strong_secrets

ROOT = Path(__file__).resolve().parents[2]
STRONG = "kJ8#mQ2$vN5^xR7&zT1*bW4(cY6)dF9!gH3@"
OTHER = "pL4!wE7@sD2#fG9$hJ5%kZ8^xC3&vB6*nM1("


@pytest.fixture
def production(settings) -> Any:
    settings.DEVELOPMENT, settings.DEBUG, settings.GATEHOUSE_ENV = False, False, "production"
    settings.SECRET_KEY, settings.INTROSPECT_SECRET = STRONG, ""
    settings.ENCRYPTION_KEYS = "a:AAAA"
    settings.JWT_SECRET_KEY = OTHER
    return settings


def ids() -> list[str | None]:
    return [message.id for message in strong_secrets(None)]


def test_strong_settings_pass(production: Any) -> None:
    assert ids() == []


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("GATEHOUSE_ENV", "staging", "gateway.E001"),
        ("SECRET_KEY", "changeme", "gateway.E002"),
        ("SECRET_KEY", "a" * 50, "gateway.E002"),
        ("SECRET_KEY", "django-insecure-" + STRONG, "gateway.E002"),
        ("SECRET_KEY", "please-change-me-" + STRONG, "gateway.E002"),
        ("SECRET_KEY", "0123456789abcdef" * 4, "gateway.E002"),
        ("JWT_SECRET_KEY", "secret", "gateway.E003"),
        ("JWT_PREVIOUS_SECRET_KEYS", [STRONG, "secret"], "gateway.E003"),
        ("ENCRYPTION_KEYS", "", "gateway.E004"),
        ("INTROSPECT_SECRET", "short", "gateway.E005"),
        ("DEBUG", True, "gateway.E006"),
        ("JWT_SECRET_KEY", STRONG, "gateway.E009"),
        ("INTROSPECT_SECRET", OTHER, "gateway.E009"),
    ],
)
def test_each_weak_setting_has_its_id(production: Any, name: str, value: Any, found: str) -> None:
    setattr(production, name, value)
    assert ids() == [found]


@pytest.mark.parametrize(
    "wrong",
    [
        {"NEXUSGATE_ISSUER": ""},
        {"NEXUSGATE_AUDIENCE": ""},
        {"NEXUSGATE_ISSUER": "https://gatehouse.example"},
        {"NEXUSGATE_JWKS_URL": ""},
        {"NEXUSGATE_JWT_SECRET": STRONG},
        {"NEXUSGATE_JWKS_URL": "http://issuer.example/jwks"},
        {"NEXUSGATE_JWKS_URL": "", "NEXUSGATE_JWT_SECRET": "short"},
    ],
    ids=str,
)
def test_an_external_issuer_must_be_told_apart(production: Any, wrong: dict[str, str]) -> None:
    production.NEXUSGATE_INTEGRATION_ENABLED = True
    production.JWT_ISSUER = "https://gatehouse.example"
    production.NEXUSGATE_ISSUER, production.NEXUSGATE_AUDIENCE = "https://issuer.example", "gatehouse"
    production.NEXUSGATE_JWKS_URL, production.NEXUSGATE_JWT_SECRET = "https://issuer.example/jwks", ""
    assert ids() == []
    for name, value in wrong.items():
        setattr(production, name, value)
    assert ids() == ["gateway.E008"]


def test_development_may_be_weak(production: Any) -> None:
    production.DEVELOPMENT, production.SECRET_KEY = True, "x"
    assert ids() == []


@pytest.mark.parametrize(
    ("public", "enforced", "found"),
    [
        ("https://files.example.org", True, []),
        ("https://files.example.org", False, ["gateway.W002"]),
        ("http://files.example.org", False, ["gateway.W001"]),
        ("http://localhost:8080", False, []),
    ],
)
def test_clear_text_is_pointed_out(production: Any, public: str, enforced: bool, found: list[str]) -> None:
    production.PUBLIC_BASE_URL, production.ENFORCE_HTTPS = public, enforced
    production.PUBLIC_HOST = public.split("//")[1].split(":")[0]
    assert [message.id for message in reached_over_https(None)] == found


PRODUCTION = {
    "GATEHOUSE_ENV": "production",
    "GATEHOUSE_ENV_FILE": os.devnull,
    "PUBLIC_BASE_URL": "https://files.example.org",
    "SECRET_KEY": STRONG + OTHER,
    "JWT_SECRET_KEY": OTHER,
    "INTROSPECT_SECRET": OTHER[::-1],
    "GATEHOUSE_ENCRYPTION_KEYS": "a:" + "A" * 43 + "=",
}


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """manage.py as an operator runs it, on production's settings, with nothing that is there for tests."""
    tests_own = ("DEBUG", "ENFORCE_", "DJANGO_")
    cleared = {name: value for name, value in os.environ.items() if not name.startswith(tests_own)}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=cleared | PRODUCTION | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.django_db
def test_the_deployment_check_is_clean() -> None:
    """`check --deploy`, with warnings as failures."""
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    done = manage("check", "--deploy", "--fail-level", "WARNING", DATABASE_URL=urlunsplit(database))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no issues" in done.stdout + done.stderr


@pytest.mark.parametrize("application", ["gateway.wsgi", "gateway.asgi", "gateway.decision.app"])
def test_no_process_serves_on_a_weak_secret(application: str) -> None:
    started = subprocess.run(
        [sys.executable, "-c", f"import {application}"],
        cwd=ROOT,
        env=os.environ | PRODUCTION | {"SECRET_KEY": "changeme"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert started.returncode != 0
    assert "gateway.E002" in started.stderr
    assert "changeme" not in started.stderr
