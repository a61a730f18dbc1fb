"""What is written to the audit log, and what never is."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.test import Client

from gateway.db.scope import tenant_scope
from tenants.models import AuditEntry, User
from tenants.principal import Principal
from tenants.services import audit
from tenants.services.audit import redaction
from tests import factories

pytestmark = pytest.mark.django_db
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


def written(who: Principal, **fields: Any) -> AuditEntry:
    with tenant_scope(who.tenant.pk):
        audit.record(who, "tests.thing.change", **{"target": "thing", **fields})
        return AuditEntry.objects.latest("pk")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "password",
            "new_password",
            "passphrase",
            "secret",
            "client_secret",
            "secret_key",
            "access_token",
            "token",
        ),
        *(
            "apiKey",
            "api_key",
            "X-API-Key",
            "privateKey",
            "Authorization",
            "session_cookie",
            "totp_seed",
            "otp",
        ),
        *("recovery_codes", "password_hash", "secret_hash", "credentials", "signing_key", "refreshToken"),
    ],
)
def test_a_secret_by_name_is_redacted_and_told(name: str, caplog: pytest.LogCaptureFixture) -> None:
    who = factories.member(factories.tenant())
    with caplog.at_level(logging.ERROR):
        entry = written(who, after={name: "hunter2hunter2", "deep": [{name: "hunter2hunter2"}]})
    assert entry.after == {name: redaction.REDACTED, "deep": [{name: redaction.REDACTED}]}
    assert "hunter2" not in caplog.text and name in caplog.text


@pytest.mark.parametrize(
    "text",
    [
        "mcp_abcdefgh_0123456789abcdefghij",
        f"Bearer {JWT}",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
        "https://user:hunter2@example.org/x",
        "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA",
        "otpauth://totp/x?secret=ABC",
    ],
)
def test_a_secret_by_its_look_is_redacted_wherever_it_stands(text: str) -> None:
    entry = written(factories.member(factories.tenant()), target=text, before={"note": text, "list": [text]})
    assert entry.target == redaction.REDACTED
    assert entry.before == {"note": redaction.REDACTED, "list": [redaction.REDACTED]}


def test_what_is_no_secret_stays(caplog: pytest.LogCaptureFixture) -> None:
    fields = {
        "name": "x", "permissions": ["api_key.write", "storage.access_key.manage"], "api_keys": 5,
        "secret_key": redaction.CHANGED, "access_key": "AKIAEXAMPLE", "is_active": True, "token_lifetime": 30,
        "require_second_factor": True, "endpoint": "https://s3.example.org", "expires_at": None, "rate": 1.5,
        "role": {"from": "viewer", "to": "admin"}, "password": "",
    }  # fmt: skip
    with caplog.at_level(logging.ERROR):
        assert written(factories.member(factories.tenant()), after=fields).after == fields
    assert not caplog.records


def test_what_the_database_would_refuse_is_made_storable() -> None:
    entry = written(
        factories.member(factories.tenant()),
        target="a\0b\ud800" + "c" * 400,
        after={"n\0": "\0", "nan": float("nan"), "bytes": b"abc", "set": {"b", "a"}, "id": User},
    )
    assert entry.target.startswith("a\ufffdb") and len(entry.target) == 300
    assert (
        entry.after["nan"] == "nan" and entry.after["bytes"] == "3 bytes" and entry.after["set"] == ["a", "b"]
    )


def test_an_entry_is_no_copy_of_what_changed() -> None:
    entry = written(factories.member(factories.tenant()), after={"rows": ["x" * 1000] * 100})
    assert entry.after["fields"] == ["rows"] and "bytes" in entry.after["omitted"]


def refusals(who: Principal) -> list[AuditEntry]:
    with tenant_scope(who.tenant.pk):
        return list(AuditEntry.objects.filter(action="tenants.permission.refuse", actor=who.label))


def test_a_refused_request_is_written_once_a_minute() -> None:
    who = factories.member(factories.tenant(), "viewer")
    api = factories.client(who)
    for _ in range(3):
        assert api.post("/api/v1/users", {}, format="json").status_code in (403, 405)
        assert api.delete("/api/v1/users/4e7b9a50-0000-4000-8000-000000000000").status_code == 403
    (entry,) = refusals(who)
    assert entry.target == "DELETE /api/v1/users/4e7b9a50-0000-4000-8000-000000000000"
    assert entry.after == {"reason": "This needs the permission user.write."}
    assert entry.credential.startswith("jwt:") and entry.request_id != "-"


def test_a_refused_page_is_written_too() -> None:
    who = factories.member(factories.tenant(), "viewer")
    browser = Client()
    browser.force_login(who.user)  # type: ignore[arg-type]
    assert browser.get("/app/audit").status_code == 403
    (entry,) = refusals(who)
    assert entry.target == "GET /app/audit"
