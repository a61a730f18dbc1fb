"""Workspaces: made, found, changed, asked for a state, deleted and brought back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from gateway.errors import Conflict, Forbidden, Invalid, NotFound
from gateway.queue import enqueue
from gateway.validation import validated
from tenants.models import Quota
from tenants.principal import Principal
from tenants.services import audit, quotas
from workspaces import tasks
from workspaces.models import Instance, Template, Workspace
from workspaces.providers import registry
from workspaces.providers.base import Capability

from . import checks, instances, purge, templates

LIMITS = ("memory_bytes", "cpu_millis", "pids")
_OF_SPEC = {"environment", "sealed", "ports", *LIMITS}
_CHANGEABLE = (_OF_SPEC - {"sealed"}) | {"secrets", "description", "metadata", "idle_minutes"}
IDLE, PERSON = Instance.StoppedFor.IDLE, Instance.StoppedFor.PERSON


def create_workspace(
    name: str,
    *,
    template: str | None = None,
    secrets: Mapping[str, str] | None = None,
    actor: Principal,
    **wishes: Any,
) -> Workspace:
    """A workspace of the caller's, which starts by itself; `is_settled` is False until it runs.

    `template` is a name or an id; None: the default one. `wishes`: description, metadata (an object), git_url,
    git_branch, environment (names and texts, over the template's), ports (name → number), memory_bytes, cpu_millis,
    pids, idle_minutes; what is not said, or None, is the template's. `secrets` GIT_USERNAME and GIT_PASSWORD are for
    the repository. Raises Forbidden, Invalid by field (`invalid_name`, `unknown_template`, `secrets_missing`,
    `invalid_git_url`), Conflict (`workspace_exists`), QuotaExceeded, Unavailable (`no_provider`).
    """
    actor.require("workspace.write")
    checks.check_name(name)
    chosen = templates.choose(template, actor=actor)
    workspace = _new(name, chosen, wishes, actor)
    _set_secrets(workspace, chosen.required_secrets, secrets or {})
    able = frozenset({Capability.SERVICES}) if chosen.image else frozenset[Capability]()
    workspace.provider = registry.choose(chosen.provider, able=able)
    with transaction.atomic():
        _check_quotas(workspace)
        instances.check_kept(Workspace, workspace.tenant_id, "workspaces")
        workspace.offset = instances.take_offset()
        _insert(workspace)
        after = {"template": chosen.name, "provider": workspace.provider, "git_url": workspace.git_url}
        audit.record(actor, "workspaces.workspace.create", target=name, after=after)
        instances.told(workspace)
        enqueue(tasks.reconcile_instance, workspace.key)
        instances.tell(workspace, "created", actor=actor, template=chosen.name)
    return workspace


def _new(name: str, template: Template, wishes: dict[str, Any], actor: Principal) -> Workspace:
    said = {field: value for field, value in wishes.items() if value is not None}
    if unknown := sorted(set(said) - _CHANGEABLE - {"git_url", "git_branch"}):
        raise Invalid(f"{unknown[0]} cannot be set.", errors={unknown[0]: ["Unknown."]})
    environment = {**template.environment, **said.pop("environment", {})}
    copied = {
        field: getattr(template, field)
        for field in (*LIMITS, "ports", "idle_minutes", "run_command", "image")
    }
    workspace = Workspace(
        tenant=actor.tenant, owner=actor.user, name=name, template=template, environment=environment,
        created_by=actor.label, offset=0, **(copied | said),
    )  # fmt: skip
    _check(workspace)
    return workspace


def _check(workspace: Workspace) -> None:
    """Raises Invalid, QuotaExceeded."""
    checks.check_metadata(workspace.metadata)
    checks.check_variables("environment", workspace.environment)
    checks.check_ports(workspace.ports)
    checks.check_repository(workspace.git_url, workspace.git_branch)
    checks.check_idle(workspace.idle_minutes)
    checks.check_limits(workspace, Quota.objects.filter(tenant=workspace.tenant_id).first())
    validated(workspace, exclude=("tenant", "owner", "template", "offset"))


def _set_secrets(workspace: Workspace, required: list[str], secrets: Mapping[str, str]) -> None:
    checks.check_variables("secrets", secrets)
    checks.check_apart(workspace.environment, secrets)
    checks.check_secrets_given(required, secrets)
    instances.seal_secrets(workspace, secrets)


def _check_quotas(workspace: Workspace) -> None:
    present = Workspace.objects.filter(tenant=workspace.tenant_id, deleted_at=None)
    quotas.check(workspace.tenant_id, "workspaces", present)
    if workspace.owner_id is not None:
        quotas.check(workspace.tenant_id, "workspaces_per_user", present.filter(owner=workspace.owner_id))


def _insert(workspace: Workspace) -> None:
    try:
        with transaction.atomic():
            workspace.save()
    except IntegrityError:
        raise _taken(workspace.name) from None


def _taken(name: str) -> Conflict:
    return Conflict(
        f"There is a workspace {name} already.", code="workspace_exists", errors={"name": ["Taken."]}
    )


def get_workspace(public_id: UUID, *, actor: Principal) -> Workspace:
    """One within the caller's reach, also a deleted one. Raises NotFound."""
    rows = Workspace.objects.visible_to(actor).select_related("owner", "template", "tenant")
    found: Workspace | None = rows.filter(public_id=public_id).first()
    if found is None:
        raise NotFound("No such workspace.", code="workspace_not_found")
    return found


def update_workspace(workspace: Workspace, *, actor: Principal, **changes: Any) -> Workspace:
    """Change description, metadata, idle_minutes, environment, secrets, ports, memory_bytes, cpu_millis or pids.

    `secrets` names those that change; None removes one. One that runs is made anew where its specification changed.
    Raises Forbidden, Invalid, QuotaExceeded, Conflict for a deleted one.
    """
    if unknown := sorted(set(changes) - _CHANGEABLE):
        raise Invalid(f"{unknown[0]} cannot be changed.", errors={unknown[0]: ["Cannot be changed."]})
    with transaction.atomic():
        row = _writable(workspace, actor)
        before = _public(row)
        for field, value in changes.items():
            if field != "secrets":
                setattr(row, field, value)
        _check(row)
        renewed = "secrets" in changes and _change_secrets(row, changes["secrets"])
        checks.check_apart(row.environment, instances.open_secrets(row))
        after = _public(row)
        news = {name: value for name, value in after.items() if before[name] != value}
        if not news and not renewed:
            return row
        saved = [*news, *(["secrets_sealed"] if renewed else [])]
        if renewed:
            news["sealed"] = instances.secret_names(row)  # the audit log blanks whatever is called a secret
        if _OF_SPEC & set(news) and row.desired_state == instances.RUNNING:
            instances.ask(row, instances.RUNNING, save=saved)
        else:
            row.save(update_fields=saved)
            instances.told(row)
        audit.record(
            actor, "workspaces.workspace.update", target=row.name, after=news,
            before={name: before.get(name) for name in news},
        )  # fmt: skip
        instances.tell(row, "updated", actor=actor, changed=sorted(news))
    return row


def _change_secrets(row: Workspace, changes: Mapping[str, str | None]) -> bool:
    before = instances.open_secrets(row)
    merged: dict[str, Any] = {**before, **changes}
    after: dict[str, str] = {name: value for name, value in merged.items() if value is not None}
    if after == before:
        return False
    _set_secrets(row, row.template.required_secrets if row.template else [], after)
    return True


def _public(row: Workspace) -> dict[str, Any]:
    return {name: getattr(row, name) for name in sorted(_CHANGEABLE - {"secrets"})}


def start_workspace(workspace: Workspace, *, actor: Principal) -> Workspace:
    """Have it run. Again changes nothing; one that failed is tried again. Raises Forbidden, Conflict."""
    with transaction.atomic():
        row = _writable(workspace, actor)
        _require_active_owner(row)
        if instances.start(row):
            _done(row, "start", "running", actor)
    return row


def stop_workspace(workspace: Workspace, *, actor: Principal) -> Workspace:
    """Have it stop, until somebody starts it. Again changes nothing. Raises Forbidden, Conflict."""
    with transaction.atomic():
        row = _writable(workspace, actor)
        if instances.stop(row):
            _done(row, "stop", "stopped", actor)
    return row


def restart_workspace(workspace: Workspace, *, actor: Principal) -> Workspace:
    """Have it run from a new start. Raises Forbidden, Conflict."""
    with transaction.atomic():
        row = _writable(workspace, actor)
        _require_active_owner(row)
        instances.restart(row)
        _done(row, "restart", "running", actor)
    return row


def delete_workspace(workspace: Workspace, *, actor: Principal) -> Workspace:
    """Stop and hide it; it can be restored for WORKSPACE_RETENTION_DAYS. Again changes nothing. Raises Forbidden."""
    with transaction.atomic():
        row = _own(workspace, actor)
        if row.deleted_at is not None:
            return row
        row.deleted_at = timezone.now()
        row.purge_at = row.deleted_at + timedelta(days=settings.WORKSPACE_RETENTION_DAYS)
        # What ran comes back running.
        reason = IDLE if row.desired_state == instances.RUNNING else row.stopped_for
        instances.ask(row, instances.STOPPED, stopped_for=reason, save=["deleted_at", "purge_at"])
        audit.record(actor, "workspaces.workspace.delete", target=row.name)
        instances.tell(row, "deleted", actor=actor, purge_at=row.purge_at.isoformat())
    return row


def restore_workspace(workspace: Workspace, *, actor: Principal) -> Workspace:
    """Bring a deleted one back, running where it ran.

    Raises Forbidden, Conflict for one that is not deleted (`not_deleted`), is being purged (`purging`) or whose name
    another has taken (`workspace_exists`), QuotaExceeded.
    """
    with transaction.atomic():
        row = _own(workspace, actor)
        if row.deleted_at is None:
            raise Conflict("The workspace is not deleted.", code="not_deleted")
        if row.desired_state == instances.ABSENT:
            raise Conflict("The workspace is being purged.", code="purging")
        _check_quotas(row)
        row.deleted_at = row.purge_at = None
        runs = row.stopped_for == IDLE and not row.is_hidden
        wish = instances.RUNNING if runs else instances.STOPPED
        try:
            with transaction.atomic():
                row.save(update_fields=["deleted_at", "purge_at"])
        except IntegrityError:
            raise _taken(row.name) from None
        instances.ask(row, wish, stopped_for="" if runs else row.stopped_for or PERSON)
        audit.record(actor, "workspaces.workspace.restore", target=row.name)
        instances.tell(row, "restored", actor=actor, state=wish.value)
    return row


def purge_workspace(workspace: Workspace, *, actor: Principal) -> Workspace:
    """Remove a deleted one now and for good, with its volume and snapshots. Raises Forbidden, Conflict."""
    with transaction.atomic():
        row = _own(workspace, actor)
        if row.deleted_at is None:
            raise Conflict("Only a deleted workspace is purged.", code="not_deleted")
        purge.end(row, actor=actor)
    return row


def require_write(workspace: Workspace, actor: Principal) -> None:
    """Raises Forbidden unless it is the caller's own, or theirs to manage (`not_the_owner`)."""
    actor.require("workspace.write")
    is_own = actor.user is not None and workspace.owner_id == actor.user.pk
    if not is_own and not actor.can("workspace.manage"):
        raise Forbidden("Only its owner, or who manages workspaces, changes it.", code="not_the_owner")


def _own(workspace: Workspace, actor: Principal) -> Workspace:
    require_write(workspace, actor)
    return instances.lock(workspace)


def _writable(workspace: Workspace, actor: Principal) -> Workspace:
    row = _own(workspace, actor)
    if row.deleted_at is not None:
        raise Conflict("The workspace is deleted: restore it first.", code="workspace_deleted")
    return row


def _require_active_owner(row: Workspace) -> None:
    if row.is_hidden:
        raise Conflict("Its owner is deactivated.", code="owner_deactivated")


def _done(row: Workspace, verb: str, state: str, actor: Principal) -> None:
    audit.record(actor, f"workspaces.workspace.{verb}", target=row.name)
    instances.tell(row, "requested", actor=actor, state=state)
