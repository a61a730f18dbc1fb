"""Workspaces and services in the admin: looked at without a query per row, steered through the verbs."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from gateway.db.scope import platform_scope, tenant_scope
from tenants.models import AuditEntry
from tenants.principal import Principal
from tests import factories
from workspaces.models import Port, Sample, Service, Template, VolumeSnapshot, Workspace
from workspaces.providers.fake import FakeProvider
from workspaces.services import instances, templates, workspaces

pytestmark = pytest.mark.django_db
LISTS = ("workspace", "service", "port", "template", "volumesnapshot", "sample")


@pytest.fixture
def staff(fake: FakeProvider) -> Client:
    templates.ensure_default_templates()
    client = Client()
    client.force_login(factories.staff().user)  # type: ignore[arg-type]
    return client


def fill(admin: Principal, count: int) -> None:
    """So many of each, with numbers after those that are there."""
    from django.utils import timezone

    with tenant_scope(admin.tenant.pk):
        before = Workspace.objects.count()
        for number in range(before, before + count):
            row = workspaces.create_workspace(f"w{number}", secrets={"TOKEN": "swordfish"}, actor=admin)
            VolumeSnapshot.objects.create(tenant=admin.tenant, workspace=row, name="kept")
            Sample.objects.create(
                tenant=admin.tenant,
                key=row.key,
                at=timezone.now(),
                cpu_millis=1,
                cpu_seconds=1,
                memory_bytes=1,
            )
            service = Service.objects.create(
                tenant=admin.tenant, owner=admin.user, name=f"s{number}", offset=instances.take_offset()
            )
            Port.objects.create(
                tenant=admin.tenant,
                service=service,
                name="web",
                container_port=80,
                public_port=14_000 + number,
            )
            Template.objects.create(tenant=admin.tenant, name=f"t{number}")


def queries(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as caught:
        assert client.get(path).status_code == 200
    return len([query for query in caught if "SAVEPOINT" not in query["sql"]])


def test_no_query_per_row(staff: Client, admin: Principal) -> None:
    fill(admin, 2)
    queries(staff, "/admin/workspaces/port/")  # what a process looks up once
    few = {name: queries(staff, f"/admin/workspaces/{name}/") for name in LISTS}
    fill(admin, 8)
    assert {name: queries(staff, f"/admin/workspaces/{name}/") for name in LISTS} == few


def test_one_row_tells_state_and_drift_but_no_secret(staff: Client, admin: Principal) -> None:
    fill(admin, 1)
    with platform_scope("tests"):
        row = Workspace.objects.get()
        Workspace.objects.update(
            observed_state="failed",
            observed_digest="0" * 64,
            error="The disk is full.",
            observed_generation=1,
        )
    page = staff.get(f"/admin/workspaces/workspace/{row.pk}/change/").content.decode()
    assert "The disk is full." in page and "differs" in page and row.key in page
    assert "swordfish" not in page
    for name in LISTS:
        answer = staff.get(f"/admin/workspaces/{name}/?q=w0")
        assert answer.status_code == 200, name


def act(client: Client, model: str, action: str, *rows: Any) -> str:
    sent = {"action": action, "_selected_action": [row.pk for row in rows], "index": "0"}
    return client.post(f"/admin/workspaces/{model}/", sent, follow=True).content.decode()


def test_actions_are_verbs(staff: Client, admin: Principal) -> None:
    fill(admin, 2)
    with platform_scope("tests"):
        first, second = Workspace.objects.order_by("name")
    assert "1 stopping." in act(staff, "workspace", "stop", first)
    assert "2 starting." in act(staff, "workspace", "start", first, second)
    assert "1 restarting." in act(staff, "workspace", "restart", second)
    assert "Only a deleted workspace is purged." in act(staff, "workspace", "purge", first)
    assert "1 deleted." in act(staff, "workspace", "delete_softly", first)
    assert "1 being purged." in act(staff, "workspace", "purge", first)
    with platform_scope("tests"):
        assert Workspace.objects.get(pk=first.pk).desired_state == "absent"
        told = set(AuditEntry.objects.filter(tenant=admin.tenant).values_list("action", flat=True))
    assert {
        f"workspaces.workspace.{verb}" for verb in ("start", "stop", "restart", "delete", "purge")
    } <= told


def test_a_template_for_all_tenants(staff: Client, admin: Principal) -> None:
    sent = {
        "name": "everywhere", "environment": "{}", "required_secrets": "", "ports": "{}", "memory_bytes": "268435456",
        "cpu_millis": "1000", "pids": "128", "idle_minutes": "10", "provider": "", "image": "", "description": "",
    }  # fmt: skip
    answer = staff.post("/admin/workspaces/template/add/", sent)
    assert answer.status_code == 302, answer.content.decode()
    with tenant_scope(admin.tenant.pk):
        assert templates.choose("everywhere", actor=admin).tenant is None
    refused = staff.post("/admin/workspaces/template/add/", sent)
    assert refused.status_code == 200 and "already exists" in refused.content.decode()
