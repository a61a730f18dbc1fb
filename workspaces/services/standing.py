"""What runs follows the standing of people and tenants: a deactivated owner's workspaces stop and hide at once, a
suspended or deleted tenant's instances stop. When the reason is gone, workspaces are asleep until somebody wakes them,
and services run again."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Exists, OuterRef

from gateway.db.scope import platform_scope
from tenants.models import Membership, Tenant
from workspaces.models import Instance, Service, Workspace, WorkspaceShare

from . import instances

DEACTIVATED, TENANT, IDLE = (
    Instance.StoppedFor.DEACTIVATED,
    Instance.StoppedFor.TENANT,
    Instance.StoppedFor.IDLE,
)


def follow_member(tenant_id: int, user_id: int, *, is_active: bool) -> None:
    """Bring a member's workspaces where their standing wants them. Call within the transaction that changes it."""
    rows = Workspace.objects.filter(tenant_id=tenant_id, owner_id=user_id)
    for workspace in rows.order_by("pk"):
        row = instances.lock(workspace)
        if is_active:
            _show(row)
        else:
            _hide(row)


def remove_member(tenant_id: int, user_id: int) -> None:
    """Hide and stop the workspaces of who leaves the tenant, and end what was shared with them. Call as
    `follow_member`."""
    WorkspaceShare.objects.filter(tenant_id=tenant_id, user_id=user_id).delete()
    follow_member(tenant_id, user_id, is_active=False)


def _hide(row: Workspace) -> None:
    if not row.is_hidden:
        row.is_hidden = True
        row.save(update_fields=["is_hidden"])
        instances.told(row)
    if instances.stop(row, DEACTIVATED):
        instances.tell(row, "requested", state="stopped", reason=DEACTIVATED.value)


def _show(row: Workspace) -> None:
    if not row.is_hidden:
        return
    row.is_hidden = False
    if row.stopped_for == DEACTIVATED:
        row.stopped_for = IDLE
    row.save(update_fields=["is_hidden", "stopped_for"])
    instances.told(row)
    instances.tell(row, "updated", stopped_for=row.stopped_for)


def follow_tenant(tenant_id: int) -> None:
    """Bring all of a tenant's instances where its status wants them. May run again at any time."""
    with platform_scope("a suspended tenant is nobody's to act in"):
        tenant = Tenant.objects.get(pk=tenant_id)
        is_active = tenant.status == Tenant.Status.ACTIVE
        for model in instances.KINDS.values():
            rows = model._default_manager.filter(tenant_id=tenant_id)
            rows = rows.filter(stopped_for=TENANT) if is_active else rows.filter(desired_state="running")
            for instance in rows.order_by("pk"):
                with transaction.atomic():
                    _follow(instances.lock(instance), is_active)


def _follow(row: Instance, is_active: bool) -> None:
    if not is_active:
        if instances.stop(row, TENANT):
            instances.tell(row, "requested", state="stopped", reason=TENANT.value)
    elif row.stopped_for != TENANT:
        return
    elif isinstance(row, Service) and row.deleted_at is None:
        instances.ask(row, instances.RUNNING)
        instances.tell(row, "requested", state="running")
    else:
        row.stopped_for = IDLE
        row.save(update_fields=["stopped_for"])
        instances.told(row)
        instances.tell(row, "updated", stopped_for=row.stopped_for)


def sweep() -> None:
    """The net under both: whatever runs though its owner or its tenant may not have it run, or was left behind."""
    with platform_scope("a sweep looks at all tenants"):
        member = Membership.objects.filter(tenant=OuterRef("tenant"), user=OuterRef("owner"), is_active=True)
        shown = Workspace.objects.filter(is_hidden=False, owner__isnull=False).filter(~Exists(member))
        shown = shown.exclude(owner__is_staff=True, owner__is_active=True)  # who acts in any tenant
        for tenant_id, user_id in shown.values_list("tenant_id", "owner_id").distinct()[:200]:
            with transaction.atomic():
                follow_member(tenant_id, user_id, is_active=False)
        for model in instances.KINDS.values():
            rows = model._default_manager
            astray = rows.filter(desired_state="running").exclude(tenant__status=Tenant.Status.ACTIVE)
            back = rows.filter(stopped_for=TENANT, tenant__status=Tenant.Status.ACTIVE)
            for tenant_id in (astray | back).values_list("tenant_id", flat=True).distinct()[:200]:
                follow_tenant(tenant_id)
