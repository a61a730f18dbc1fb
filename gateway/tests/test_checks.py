"""Wrong settings stop the platform, each with its id."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.checks import strong_secrets

STRONG = "kJ8#mQ2$vN5^xR7&zT1*bW4(cY6)dF9!gH3@"


@pytest.fixture
def production(settings) -> Any:
    settings.DEVELOPMENT, settings.DEBUG, settings.GATEHOUSE_ENV = False, False, "production"
    settings.SECRET_KEY, settings.INTROSPECT_SECRET = STRONG, ""
    settings.ENCRYPTION_KEYS = "a:AAAA"
    settings.JWT_SECRET_KEY = STRONG
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
        ("JWT_SECRET_KEY", "secret", "gateway.E003"),
        ("JWT_PREVIOUS_SECRET_KEYS", [STRONG, "secret"], "gateway.E003"),
        ("ENCRYPTION_KEYS", "", "gateway.E004"),
        ("INTROSPECT_SECRET", "short", "gateway.E005"),
        ("DEBUG", True, "gateway.E006"),
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
    assert ids() == ["gateway.E007"]


def test_development_may_be_weak(production: Any) -> None:
    production.DEVELOPMENT, production.SECRET_KEY = True, "x"
    assert ids() == []
