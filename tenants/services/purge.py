"""Purging tenants whose grace is over, with everything they own.

None begins while there is something that the tenant must be kept for (`tenants.purge_steps.kept`).
The steps that apps registered there run one after the other. Each removes one kind of thing in
small transactions, may run again at any point, and says whether all of it is gone; a run that was killed goes on
where the rows say. At the end a tombstone stays: the tenant's row without name and slug, its audit log until that
expires, and the setting that says when.
"""

from __future__ import annotations

import logging
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from gateway.checks import tenant_models
from gateway.db.locks import advisory_lock
from gateway.db.scope import platform_scope, tenant_scope
from realtime import services as realtime
from tenants import purge_steps, tasks
from tenants.models import PLATFORM_SLUG, Membership, Tenant, TenantSettings, User
from tenants.models import audit as audit_models
from tenants.principal import system

from . import audit, snapshot

log = logging.getLogger(__name__)

_BATCH = 200


def sweep() -> None:
    """Purge what is due."""
    with platform_scope("a sweep looks at all tenants"):
        due = Tenant.objects.to_be_purged(timezone.now()).order_by("purge_at")
        for pk in due.values_list("pk", flat=True)[:_BATCH]:
            tasks.purge_tenant.delay(pk)


def purge(tenant_id: int) -> bool:
    """Purge a tenant that is deleted and due; whether it is a tombstone now. One run at a time per tenant."""
    with platform_scope("a purge ends with no tenant"), advisory_lock("purge", tenant_id) as held:
        due = Tenant.objects.to_be_purged(timezone.now()).filter(pk=tenant_id)
        tenant = due.first() if held else None
        if tenant is None:
            return False
        if kept := purge_steps.kept(tenant_id):
            due.update(purge_error=" ".join(one.text for one in kept)[:500])
            return False
        for name, step in purge_steps.steps():
            try:
                waits_for = step(tenant_id)
            except Exception as e:
                due.update(purge_error=f"{name}: {type(e).__name__}"[:500])
                raise
            if waits_for:
                log.warning("purge of tenant %s: %s waits for %s", tenant_id, name, waits_for)
                due.update(purge_error=f"{name}: {waits_for}"[:500])
                return False
        _entomb(tenant_id)
        return True


def is_kept(model: type) -> bool:
    """Whether rows of a tenant-scoped model belong to the tombstone."""
    return model is TenantSettings or model.__module__ == audit_models.__name__


def remove_people(tenant_id: int) -> str:
    """Memberships, and the accounts that are in no other tenant and are not platform staff."""
    with platform_scope("whether an account is in other tenants is asked across them"):
        while True:
            with transaction.atomic():
                rows = (
                    Membership.objects.select_for_update().filter(tenant_id=tenant_id).order_by("pk")[:_BATCH]
                )
                found = {row.pk: row.user_id for row in rows}
                if not found:
                    return ""
                # Locked, so that nobody is made a member elsewhere in between.
                people = User.objects.select_for_update().filter(pk__in=found.values(), is_staff=False)
                locked = {user.pk for user in people}
                Membership.objects.filter(pk__in=found).delete()
                elsewhere = Membership.objects.filter(user_id__in=locked).values_list("user_id", flat=True)
                for user in User.objects.filter(pk__in=locked - set(elsewhere)):
                    user.delete()
                snapshot.changed("members")


def remove_rest(tenant_id: int) -> str:
    """Every row left in any tenant-scoped table but the tombstone's, in one transaction: few, and in any order."""
    with tenant_scope(tenant_id), transaction.atomic():
        for model in tenant_models():
            if not is_kept(model):
                rows: Any = model._base_manager.filter(tenant_id=tenant_id)
                if rows.exists():  # an append-only table refuses even to delete nothing
                    rows._raw_delete(connection.alias)
        snapshot.changed("tenants")
    return ""


def _entomb(tenant_id: int) -> None:
    """Free the name and the slug. What was the tenant's is known to its audit log alone."""
    with transaction.atomic():
        tenant = Tenant.objects.select_for_update(no_key=True).get(pk=tenant_id)
        name = tenant.slug
        TenantSettings.objects.filter(tenant=tenant).update(
            require_second_factor=False, disabled_features=[], allowed_backends=None, allowed_regions=None,
            api_rate=None, auth_rate=None, s3_rate=None,
        )  # fmt: skip
        tenant.status, tenant.purge_error = Tenant.Status.PURGED, ""
        tenant.name, tenant.slug = "", f"purged-{tenant.public_id.hex}"
        tenant.save(update_fields=["status", "purge_error", "name", "slug"])
        actor = system(Tenant.objects.get(slug=PLATFORM_SLUG))
        audit.record(actor, "tenants.tenant.purge", target=name, tenant=tenant)
        snapshot.changed("tenants")
        data: dict[str, object] = {"id": str(tenant.public_id)}
        realtime.publish(actor.tenant.pk, "tenants.tenant.purged", subject=name, data=data, actor=actor)
