"""The audit log through the API, pages and the admin; and its export, verified as an outsider would."""

from __future__ import annotations

import csv
import hashlib
import html
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from gateway.db.scope import tenant_scope
from gateway.logs import request_id
from tenants.models import AuditEntry, AuditSeal
from tenants.principal import Credential, Principal
from tenants.services import audit
from tenants.services.audit import sealing
from tests import factories
from tests.factories import browser

pytestmark = pytest.mark.django_db
API = "/api/v1/audit"


@pytest.fixture
def who() -> Principal:
    """An administrator in whose tenant three things were done."""
    admin = factories.member(factories.tenant())
    with tenant_scope(admin.tenant.pk):
        for number, (kind, ip, action) in enumerate(
            (
                ("session", "192.0.2.1", "storage.bucket.create"),
                ("api_key", "192.0.2.77", "storage.bucket.delete"),
                ("api_key", "2001:db8::7", "storage.object.delete"),
            )
        ):
            actor = Principal(
                admin.user, admin.tenant, "admin", admin.permissions, Credential(kind, f"id{number}"), ip  # type: ignore[arg-type]
            )  # fmt: skip
            token = request_id.set(f"request-{number}")
            audit.record(
                actor, action, target=f"docs/{number}", after={"note": f"Größe {number}", "=x": "+1"}
            )
            request_id.reset(token)
    return admin


def found(who: Principal, **query: str) -> list[str]:
    answer = factories.client(who).get(API, query | {"target": query.get("target", "docs/*")})
    assert answer.status_code == 200, answer.content
    return [entry["target"].removeprefix("docs/") for entry in reversed(answer.json()["data"])]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, "012"),
        ({"action": "storage.bucket."}, "01"),
        ({"action": "storage.bucket.d*"}, "1"),
        ({"action": "storage.bucket.delete"}, "1"),
        ({"action": "storage.bucket"}, ""),
        ({"target": "docs/1"}, "1"),
        ({"credential": "api_key"}, "12"),
        ({"credential": "api_key:id2"}, "2"),
        ({"credential": "api"}, ""),
        ({"ip": "192.0.2.77"}, "1"),
        ({"ip": "192.0.2.0/24"}, "01"),
        ({"ip": "2001:db8::/32"}, "2"),
        ({"request_id": "request-1"}, "1"),
        ({"since": "2020-01-01T00:00:00Z"}, "012"),
        ({"until": "2020-01-01T00:00:00Z"}, ""),
        ({"q": "gröSSe 2".replace("SS", "ß")}, "2"),
        ({"q": "OBJECT.del"}, "2"),
        ({"q": "100%"}, ""),
        ({"q": "docs_1"}, ""),
        ({"action": "storage.", "credential": "api_key", "q": "bucket"}, "1"),
    ],
)
def test_filters(who: Principal, query: dict[str, str], expected: str) -> None:
    assert found(who, **query) == list(expected)


def test_by_whom(who: Principal) -> None:
    assert found(who, actor=who.label) == ["0", "1", "2"]
    assert found(who, actor="nobody") == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("ip", "x"), ("since", "yesterday"), ("until", "2026-11-22"), ("q", "\0"), ("target", "x" * 301)],
)
def test_a_filter_that_is_none_is_refused_by_name(who: Principal, name: str, value: str) -> None:
    for path in (API, f"{API}/export"):
        answer = factories.client(who).get(path, {name: value})
        assert answer.status_code == 400 and list(answer.json()["errors"]) == [name]


def test_seals_and_the_verdict(who: Principal) -> None:
    sealing.seal_tenant(who.tenant)
    api = factories.client(who)
    (seal,) = api.get(f"{API}/seals").json()["data"]
    verdict = api.post(f"{API}/verify").json()["data"]
    assert verdict["sound"] and verdict["whole"] and verdict["findings"] == []
    assert verdict["head"] == seal["hash"] and verdict["entries"] == seal["count"] >= 3
    other = factories.client(factories.member(factories.tenant()))
    assert other.get(f"{API}/seals").json()["data"] == []
    assert other.post(f"{API}/verify").json()["data"]["seals"] == 0


def exported(who: Principal, **query: str) -> bytes:
    answer = factories.client(who).get(f"{API}/export", query)
    assert answer.status_code == 200 and "attachment" in answer["Content-Disposition"]
    return b"".join(answer.streaming_content)  # type: ignore[attr-defined]


def script() -> str:
    """The program that docs/audit.md gives to outsiders."""
    page = (Path(settings.BASE_DIR) / "docs" / "audit.md").read_text()
    match = re.search(r"```python\n(.*?)```", page, re.S)
    assert match is not None
    return match[1]


def outsider(export: bytes, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    (tmp_path / "verify.py").write_text(script())
    (tmp_path / "export.jsonl").write_bytes(export)
    command = [sys.executable, "-I", "verify.py", "export.jsonl"]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)


def test_an_export_is_verified_by_the_documents_program(who: Principal, tmp_path: Path) -> None:
    sealing.seal_tenant(who.tenant)
    with tenant_scope(who.tenant.pk):
        audit.record(who, "tests.thing.do", target="later")
    sealing.seal_tenant(who.tenant)
    lines = exported(who)
    rows = [json.loads(line) for line in lines.splitlines()]
    with tenant_scope(who.tenant.pk):
        assert [row["number"] for row in rows if row["type"] == "seal"] == [1, 2]
        ids = {row["id"] for row in rows if row["type"] == "entry"}
        assert ids == {str(pk) for pk in AuditEntry.objects.values_list("public_id", flat=True)}
    good = outsider(lines, tmp_path)
    assert good.returncode == 0, good.stderr
    assert outsider(exported(who, action="storage."), tmp_path).returncode == 0
    changed = outsider(lines.replace(b"docs/1", b"docs/7"), tmp_path)
    assert changed.returncode != 0 and "was changed" in changed.stderr
    without = b"\n".join(line for line in lines.splitlines() if b'"number":1,' not in line)
    assert outsider(without, tmp_path).returncode != 0


def test_a_csv_says_the_same_and_no_spreadsheet_runs_it(who: Principal) -> None:
    with tenant_scope(who.tenant.pk):
        audit.record(who, "tests.thing.do", target='=HYPERLINK("http://x")')
    sealing.seal_tenant(who.tenant)
    text = exported(who, format="csv").decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert not any(
        str(cell).startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows for cell in row.values()
    )
    seal = json.loads(next(row["record"] for row in rows if row["type"] == "seal"))
    digests = []
    for row in (row for row in rows if row["type"] == "entry" and row["seal"] == "1"):
        cells: dict[str, Any] = {
            k: v[1:] if v.startswith("'") and v.lstrip("'").startswith(tuple("=+-@\t\r")) else v
            for k, v in row.items()
        }
        entry = {k: cells[k] for k in ("id", "at", "actor", "credential", "request_id", "action", "target")}
        entry |= {
            "ip": cells["ip"] or None,
            "actor_id": int(cells["actor_id"]) if cells["actor_id"] else None,
        }
        entry |= {k: json.loads(cells[k]) for k in ("before", "after")}
        line = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        digests.append(hashlib.sha256(line.encode()).hexdigest())
    assert digests == seal["digests"]


def test_an_export_is_audited_and_has_a_permission_of_its_own(who: Principal) -> None:
    exported(who, action="storage.")
    with tenant_scope(who.tenant.pk):
        told = AuditEntry.objects.get(action="tenants.audit.export")
    assert told.after == {"format": "jsonl", "filters": {"action": "storage."}, "through_seal": 0}
    reader = Principal(who.user, who.tenant, "x", frozenset({"audit.read"}), Credential("session"))
    browser = Client()
    assert not reader.can("audit.export")
    assert browser.get("/app/audit/export").status_code == 302
    assert factories.client(who).get(f"{API}/export", {"format": "xml"}).status_code == 400


def test_an_export_holds_few_rows_at_a_time(who: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
    from tenants.services.audit import export

    monkeypatch.setattr(export, "_TOGETHER", 3)
    monkeypatch.setattr(sealing, "BATCH", 2)
    with tenant_scope(who.tenant.pk):
        for number in range(11):
            audit.record(who, "tests.thing.do", target=str(number))
    sealing.seal_tenant(who.tenant)
    with tenant_scope(who.tenant.pk):
        for number in range(11, 20):
            audit.record(who, "tests.thing.do", target=str(number))
    rows = [json.loads(line) for line in exported(who, action="tests.").splitlines()]
    assert [row["target"] for row in rows if row["type"] == "entry"] == [str(n) for n in range(20)]
    with tenant_scope(who.tenant.pk):
        assert len([row for row in rows if row["type"] == "seal"]) == AuditSeal.objects.count() > 5


def test_the_page_filters_exports_and_verifies(who: Principal) -> None:
    sealing.seal_tenant(who.tenant)
    client = browser(who)
    whole = client.get("/app/audit").content.decode()
    assert "docs/0" in whole and "docs/2" in whole and "Newest seal" in whole
    asked = {"credential": "api_key", "ip": "192.0.2.0/24"}
    page = html.unescape(client.get("/app/audit", asked).content.decode())
    assert "docs/1" in page and "docs/0" not in page and "docs/2" not in page
    assert "/app/audit/export?format=csv&credential=api_key&ip=192.0.2.0%2F24" in page
    verdict = client.post("/app/audit/verify", headers={"HX-Request": "true"}).content.decode()
    assert "The log is sound" in verdict
    sent = client.get("/app/audit/export", {"format": "csv", "target": "docs/1"})
    text = b"".join(sent.streaming_content).decode()  # type: ignore[attr-defined]
    assert "docs/1" in text and "docs/2" not in text
    assert client.get("/app/audit/export", {"format": "xml"}).status_code == 400


def test_staff_find_verify_and_read_json_in_the_admin(who: Principal) -> None:
    sealing.seal_tenant(who.tenant)
    with tenant_scope(who.tenant.pk):
        entry, seal = AuditEntry.objects.get(target="docs/1"), AuditSeal.objects.get()
    client = browser(factories.staff())
    entries = "/admin/tenants/auditentry/"
    for query in (
        {"target": "docs/1"},
        {"q": "Größe 1"},
        {"ip": "192.0.2.64/26"},
        {"credential": "api_key:id1"},
    ):
        page = client.get(entries, {"tenant__id__exact": str(who.tenant.pk)} | query).content.decode()
        assert "docs/1" in page and "docs/2" not in page, query
    assert client.get(f"{entries}{entry.pk}/json/").json()["target"] == "docs/1"
    assert client.get(f"/admin/tenants/auditseal/{seal.pk}/json/").json()["hash"] == seal.hash
    done = client.post(
        "/admin/tenants/auditseal/", {"action": "verify", "_selected_action": [seal.pk]}, follow=True
    )
    assert f"{who.tenant.slug}: sound" in done.content.decode()
    for path in (f"{entries}add/", f"{entries}{entry.pk}/delete/"):
        assert client.get(path).status_code == 403
