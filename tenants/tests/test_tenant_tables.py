"""Tenants in and out as tables."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from gateway import tables
from gateway.db.scope import platform_scope
from tenants.models import Domain, Quota, Tenant
from tests import factories
from tests.factories import client

pytestmark = pytest.mark.django_db
API = "/api/v1/"
TABLE = """name;slug;status;domain;users;storage_bytes
One;one;;one.example.org www.one.example.org;3;
'=cmd|calc;two;suspended;;;1000
"""


def _slugs() -> set[str]:
    with platform_scope("test"):
        return set(Tenant.objects.values_list("slug", flat=True))


def test_a_table_makes_tenants_and_comes_out_again() -> None:
    root = client(factories.staff())
    tried = root.post(API + "tenants/import?dry_run=true", TABLE, content_type="text/csv")
    assert [row["outcome"] for row in tried.json()["data"]] == ["created", "created"]
    assert _slugs() == {"platform"}
    made = root.post(API + "tenants/import", TABLE, content_type="text/csv")
    assert made.json()["data"] == [
        {"row": 2, "subject": "one", "outcome": "created", "errors": {}},
        {"row": 3, "subject": "two", "outcome": "created", "errors": {}},
    ]
    with platform_scope("test"):
        two = Tenant.objects.get(slug="two")
        assert (two.name, two.status, two.suspended_at is None) == ("=cmd|calc", "suspended", False)
        assert Quota.objects.get(tenant__slug="one").users == 3
        assert Domain.objects.routing().filter(tenant__slug="one").count() == 2
    as_csv = root.get(API + "tenants/export.csv")
    assert as_csv["Content-Disposition"].startswith("attachment")
    assert "'=cmd|calc,two,suspended,,1000" in as_csv.content.decode()
    as_json = root.get(API + "tenants/export.json").json()["data"]
    rows = tables.read_json(as_json, list(as_json[0]))
    assert {row.values["slug"] for row in rows} == {"platform", "one", "two"}


def test_all_or_nothing_and_every_row_is_told() -> None:
    root = client(factories.staff())
    rows = [
        {"name": "Good", "slug": "good"},
        {"name": "Bad", "slug": "Not a slug"},
        {"name": "Taken", "slug": "platform"},
        {"name": "Twice", "slug": "good", "users": -1},
        {"name": "Host", "slug": "host", "domain": "localhost"},
    ]
    answer = root.post(API + "tenants/import", {"tenants": rows}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, "rows_refused")
    assert set(answer.json()["errors"]) == {"2.slug", "3.slug", "4.users", "5.domain"}
    assert _slugs() == {"platform"}
    tried = root.post(API + "tenants/import?dry_run=true", {"tenants": rows}, format="json")
    assert [row["outcome"] for row in tried.json()["data"]] == ["created", *["refused"] * 4]
    assert _slugs() == {"platform"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("tenants/import", {"tenants": [{"name": "X", "slug": "x", "other": 1}]}),
        ("tenants/import", {"tenants": "x"}),
        ("tenants/import", {}),
        ("tenants/import?dry_run=perhaps", {"tenants": []}),
    ],
)
def test_what_is_no_table_of_tenants(path: str, body: object) -> None:
    assert client(factories.staff()).post(API + path, body, format="json").status_code == 400


def test_only_staff() -> None:
    admin = client(factories.member(factories.tenant()))
    assert admin.get(API + "tenants/export.csv").status_code == 403
    assert admin.get(API + "tenants/export.json").status_code == 403
    assert admin.post(API + "tenants/import", {"tenants": []}, format="json").status_code == 403


def test_the_command(tmp_path: Path) -> None:
    factories.staff()
    file, told = tmp_path / "tenants.json", StringIO()
    file.write_text(json.dumps([{"name": "One", "slug": "one", "users": 2}]))
    call_command("tenant_table", "import", str(file), "--dry-run", stdout=told)
    assert _slugs() == {"platform"}
    call_command("tenant_table", "import", str(file), stdout=told)
    assert _slugs() == {"platform", "one"}
    call_command("tenant_table", "export", str(tmp_path / "out.csv"), stdout=told)
    assert "One,one,active,," in (tmp_path / "out.csv").read_text()
    with pytest.raises(CommandError, match=r"1\.slug: Taken"):
        call_command("tenant_table", "import", str(file), stdout=told)
