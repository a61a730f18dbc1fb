"""Managed services: containers from any image with ports of the platform, and services elsewhere, by their URL.

They are the tenant's: whoever may write services changes all of them. What is deleted can be restored for
WORKSPACE_RETENTION_DAYS, with its volumes and ports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from workspaces.models import Instance, Service
from workspaces.providers import registry
from workspaces.providers.base import Capability

from . import checks, instances, managed_checks, managed_urls, ports, purge

LIMITS = ("memory_bytes", "cpu_millis", "pids")
_OF_SPEC = frozenset({"image", "command", "environment", "sealed", *LIMITS})
_CHANGEABLE = {
    Service.Kind.CONTAINER.value: (_OF_SPEC - {"sealed"}) | {"secrets", "description", "probe_path"},
    Service.Kind.EXTERNAL.value: frozenset({"description", "url", "probe_path"}),
}
IDLE, PERSON = Instance.StoppedFor.IDLE, Instance.StoppedFor.PERSON


def create_service(
    name: str,
    image: str,
    *,
    ports: Sequence[ports.PortWish] = (),
    secrets: Mapping[str, str] | None = None,
    actor: Principal,
    **wishes: Any,
) -> Service:
    """A container, which starts by itself; `is_settled` is False until it runs.

    `wishes`: description, command (arguments; empty: the image's), environment (names and texts), volumes (name →
    absolute path), memory_bytes, cpu_millis, pids, probe_path (of an HTTP probe of the first port). Raises Forbidden,
    Invalid by field, Conflict (`service_exists`, `port_taken`, `ports_exhausted`), QuotaExceeded, Unavailable
    (`no_provider`: nothing here runs containers).
    """
    actor.require("service.write")
    service = _new(name, Service.Kind.CONTAINER, {"image": image, **wishes}, {"volumes"}, actor)
    _set_secrets(service, secrets or {})
    service.provider = registry.choose(able=frozenset({Capability.SERVICES}))
    return _insert(service, ports, actor)


def register_external(name: str, url: str, *, actor: Principal, **wishes: Any) -> Service:
    """A service that runs elsewhere: the platform shows its address and probes it, and steers nothing.

    `wishes`: description, probe_path (else the URL's own path). A tenant names public addresses only, platform staff
    any. Raises Forbidden, Invalid by field, Conflict (`service_exists`), QuotaExceeded.
    """
    actor.require("service.write")
    service = _new(name, Service.Kind.EXTERNAL, {"url": url, **wishes}, set(), actor)
    service.private_allowed = actor.is_staff
    service.observed_state, service.observed_generation = Instance.Observed.RUNNING, service.generation
    return _insert(service, (), actor)


def _new(name: str, kind: str, wishes: dict[str, Any], more: set[str], actor: Principal) -> Service:
    checks.check_name(name)
    said = {field: value for field, value in wishes.items() if value is not None}
    if unknown := sorted(set(said) - _CHANGEABLE[kind] - more):
        raise Invalid(f"{unknown[0]} cannot be set.", errors={unknown[0]: ["Cannot be set."]})
    service = Service(
        tenant=actor.tenant, owner=actor.user, name=name, kind=kind, created_by=actor.label, offset=0, **said
    )
    _check(service, actor)
    return service


def _check(service: Service, actor: Principal, *, url: bool = True) -> None:
    """Raises Invalid, QuotaExceeded."""
    managed_checks.check_probe(service.probe_path)
    if service.kind == Service.Kind.EXTERNAL:
        if url:
            managed_urls.check_url(service.url, by_staff=actor.is_staff)
    else:
        managed_checks.check_image(service.image)
        managed_checks.check_command(service.command)
        managed_checks.check_volumes(service.volumes)
        checks.check_variables("environment", service.environment)
        checks.check_limits(service, Quota.objects.filter(tenant=service.tenant_id).first())
    validated(service, exclude=("tenant", "owner", "offset", "url"))


def _set_secrets(service: Service, secrets: Mapping[str, str]) -> None:
    checks.check_variables("secrets", secrets)
    checks.check_apart(service.environment, secrets)
    instances.seal_secrets(service, secrets)


def _insert(service: Service, wished: Sequence[ports.PortWish], actor: Principal) -> Service:
    with transaction.atomic():
        _check_quota(service)
        instances.check_kept(Service, service.tenant_id, "services")
        service.offset = instances.take_offset()
        try:
            with transaction.atomic():
                service.save()
        except IntegrityError:
            raise _taken(service.name) from None
        given = [ports.take(service, wish) for wish in wished]
        after: dict[str, object] = {"kind": service.kind, "image": service.image, "url": service.url}
        after["ports"] = {port.name: port.public_port for port in given}
        audit.record(actor, "workspaces.service.create", target=service.name, after=after)
        instances.told(service)
        if service.kind == Service.Kind.CONTAINER:
            enqueue(tasks.reconcile_instance, service.key)
        instances.tell(service, "created", actor=actor, **after)
    return service


def _check_quota(service: Service) -> None:
    present = Service.objects.filter(tenant=service.tenant_id, deleted_at=None)
    quotas.check(service.tenant_id, "services", present)


def _taken(name: str) -> Conflict:
    return Conflict(f"There is a service {name} already.", code="service_exists", errors={"name": ["Taken."]})


def get_service(public_id: UUID, *, actor: Principal) -> Service:
    """One of the tenant's, also a deleted one. Raises NotFound."""
    rows = Service.objects.visible_to(actor).select_related("owner", "tenant").prefetch_related("ports")
    found: Service | None = rows.filter(public_id=public_id).first()
    if found is None:
        raise NotFound("No such service.", code="service_not_found")
    return found


def update_service(service: Service, *, actor: Principal, **changes: Any) -> Service:
    """Change a container's description, probe_path, image, command, environment, secrets, memory_bytes, cpu_millis or
    pids; an external one's description, probe_path or url.

    `secrets` names those that change; None removes one. One that runs is made anew where its specification changed.
    Raises Forbidden, Invalid, QuotaExceeded, Conflict for a deleted one.
    """
    with transaction.atomic():
        row = _writable(service, actor)
        if unknown := sorted(set(changes) - _CHANGEABLE[row.kind]):
            raise Invalid(f"{unknown[0]} cannot be changed.", errors={unknown[0]: ["Cannot be changed."]})
        before = _public(row)
        for field, value in changes.items():
            if field != "secrets":
                setattr(row, field, value)
        news = {name: value for name, value in _public(row).items() if before[name] != value}
        _check(row, actor, url="url" in news)
        saved = list(news)
        if "probe_path" in news and "url" not in news and row.private_allowed and not actor.is_staff:
            raise Forbidden("Platform staff named this private address, and say what is asked of it.")
        if "url" in news:
            row.private_allowed = actor.is_staff
            saved.append("private_allowed")
        if "secrets" in changes and _change_secrets(row, changes["secrets"]):
            saved.append("secrets_sealed")
            news["sealed"] = instances.secret_names(row)  # the audit log blanks whatever is called a secret
        checks.check_apart(row.environment, instances.open_secrets(row))
        if not news:
            return row
        _save(row, saved, makes_anew=bool(_OF_SPEC & set(news)))
        told_before = {name: before.get(name) for name in news}
        audit.record(actor, "workspaces.service.update", target=row.name, before=told_before, after=news)
        instances.tell(row, "updated", actor=actor, changed=sorted(news))
    return row


def _save(row: Service, fields: Sequence[str], *, makes_anew: bool) -> None:
    if makes_anew and row.desired_state == instances.RUNNING:
        instances.ask(row, instances.RUNNING, save=fields)
    else:
        row.save(update_fields=fields)
        instances.told(row)


def _change_secrets(row: Service, changes: Mapping[str, str | None]) -> bool:
    before = instances.open_secrets(row)
    merged: dict[str, str | None] = {**before, **changes}
    after = {name: value for name, value in merged.items() if value is not None}
    if after == before:
        return False
    _set_secrets(row, after)
    return True


def _public(row: Service) -> dict[str, Any]:
    return {name: getattr(row, name) for name in sorted(_CHANGEABLE[row.kind] - {"secrets"})}


def start_service(service: Service, *, actor: Principal) -> Service:
    """Have it run; an external one, be probed. Again changes nothing; one that failed is tried again.

    Raises Forbidden, Conflict.
    """
    with transaction.atomic():
        row = _writable(service, actor)
        if instances.start(row):
            _done(row, "start", "running", actor)
    return row


def stop_service(service: Service, *, actor: Principal) -> Service:
    """Have it stop, until somebody starts it. Again changes nothing. Raises Forbidden, Conflict."""
    with transaction.atomic():
        row = _writable(service, actor)
        if instances.stop(row):
            _done(row, "stop", "stopped", actor)
    return row


def restart_service(service: Service, *, actor: Principal) -> Service:
    """Have it run from a new start. Raises Forbidden, Conflict (`service_external`: nothing here can)."""
    with transaction.atomic():
        row = _writable(service, actor)
        if row.kind == Service.Kind.EXTERNAL:
            raise Conflict("An external service is not the platform's to restart.", code="service_external")
        instances.restart(row)
        _done(row, "restart", "running", actor)
    return row


def delete_service(service: Service, *, actor: Principal) -> Service:
    """Stop and hide it; it can be restored for WORKSPACE_RETENTION_DAYS. Again changes nothing. Raises Forbidden."""
    with transaction.atomic():
        row = _locked(service, actor)
        if row.deleted_at is not None:
            return row
        row.deleted_at = timezone.now()
        row.purge_at = row.deleted_at + timedelta(days=settings.WORKSPACE_RETENTION_DAYS)
        reason = (
            IDLE if row.desired_state == instances.RUNNING else row.stopped_for
        )  # what ran comes back running
        instances.ask(row, instances.STOPPED, stopped_for=reason, save=["deleted_at", "purge_at"])
        audit.record(actor, "workspaces.service.delete", target=row.name)
        instances.tell(row, "deleted", actor=actor, purge_at=row.purge_at.isoformat())
    return row


def restore_service(service: Service, *, actor: Principal) -> Service:
    """Bring a deleted one back, running where it ran, at its old ports.

    Raises Forbidden, Conflict for one that is not deleted (`not_deleted`), is being purged (`purging`) or whose name
    another has taken (`service_exists`), QuotaExceeded.
    """
    with transaction.atomic():
        row = _locked(service, actor)
        if row.deleted_at is None:
            raise Conflict("The service is not deleted.", code="not_deleted")
        if row.desired_state == instances.ABSENT:
            raise Conflict("The service is being purged.", code="purging")
        _check_quota(row)
        row.deleted_at = row.purge_at = None
        try:
            with transaction.atomic():
                row.save(update_fields=["deleted_at", "purge_at"])
        except IntegrityError:
            raise _taken(row.name) from None
        runs = row.stopped_for == IDLE
        wish = instances.RUNNING if runs else instances.STOPPED
        instances.ask(row, wish, stopped_for="" if runs else row.stopped_for or PERSON)
        audit.record(actor, "workspaces.service.restore", target=row.name)
        instances.tell(row, "restored", actor=actor, state=wish.value)
    return row


def purge_service(service: Service, *, actor: Principal) -> Service:
    """Remove a deleted one now and for good, with its volumes and ports. Raises Forbidden, Conflict."""
    with transaction.atomic():
        row = _locked(service, actor)
        if row.deleted_at is None:
            raise Conflict("Only a deleted service is purged.", code="not_deleted")
        purge.end(row, actor=actor)
    return row


def _locked(service: Service, actor: Principal) -> Service:
    actor.require("service.write")
    return instances.lock(service)


def _writable(service: Service, actor: Principal) -> Service:
    row = _locked(service, actor)
    if row.deleted_at is not None:
        raise Conflict("The service is deleted: restore it first.", code="service_deleted")
    return row


def _done(row: Service, verb: str, state: str, actor: Principal) -> None:
    audit.record(actor, f"workspaces.service.{verb}", target=row.name)
    instances.tell(row, "requested", actor=actor, state=state)
