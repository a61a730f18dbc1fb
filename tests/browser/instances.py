"""Workspaces and services to look at, which no provider runs."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from gateway.db.scope import tenant_scope
from tests.stack import Account, Stack
from workspaces.models import Sample, Service, VolumeSnapshot, Workspace
from workspaces.providers import registry
from workspaces.providers.fake import FakeProvider
from workspaces.services import instances, ports, snapshots, templates
from workspaces.services import workspaces as verbs

TABS = ("", "/settings", "/shares", "/logs", "/usage", "/terminal", "/snapshots", "/connect")


def show(stack: Stack, account: Account) -> dict[str, str]:
    """Make one of everything; the pages about them, by name."""
    who = account.who
    with stack.database(), tenant_scope(who.tenant.pk):
        registry.MADE.setdefault("fake", FakeProvider())
        template = templates.create_template(
            name="shown", provider="fake", is_default=True, description="With a word about it", actor=who
        )
        made = verbs.create_workspace(
            "shown",
            description="Shown on every page",
            metadata={"team": "payments"},
            ports={"web": 3000},
            git_url="https://git.example.org/a-group/a-project.git",
            actor=who,
        )
        snapshots.create_snapshot(made, "before", actor=who)
        VolumeSnapshot.objects.update(state="ready", size_bytes=5_000_000)
        broken = verbs.create_workspace("broken", actor=who)
        _seen(made, observed_state="running", started_at=timezone.now())
        _seen(
            broken, observed_state="failed", error="There is no room on the disk.", repository_state="failed"
        )
        for number in range(40):
            at = timezone.now() - timedelta(seconds=15 * number)
            Sample.objects.create(
                tenant=who.tenant,
                key=made.key,
                at=at,
                cpu_millis=10 * number,
                cpu_seconds=1,
                memory_bytes=1 << 28,
            )
        service = _service(account)
    shown = {f"workspace{tab}": f"/app/workspaces/{made.public_id}{tab}" for tab in TABS}
    return shown | {
        "workspace that failed": f"/app/workspaces/{broken.public_id}",
        "files of one that does not run": f"/app/workspaces/{broken.public_id}/files",
        "service": f"/app/services/{service.public_id}",
        "settings of a service": f"/app/services/{service.public_id}/settings",
        "a port": f"/app/services/{service.public_id}/ports",
        "template": f"/app/templates/{template.public_id}",
    }


def _seen(row: Workspace, **fields: object) -> None:
    Workspace.objects.filter(pk=row.pk).update(observed_generation=row.generation, **fields)


def _service(account: Account) -> Service:
    who = account.who
    made: Service = Service.objects.create(
        tenant=who.tenant,
        owner=who.user,
        name="shown",
        image="registry.example.org/a-group/an-image:1.2.3",
        provider="fake",
        observed_state="running",
        observed_generation=1,
        health="unhealthy",
        health_error="It answers 503.",
        offset=instances.take_offset(),
        volumes={"data": "/var/lib/data"},
    )
    ports.add_port(made, {"name": "web", "container_port": 8080}, actor=who)
    return made
