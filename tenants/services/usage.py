"""What a tenant uses of what is limited, and the proof that it is counted right.

People, keys, buckets, workspaces and services are counted from their rows, under a lock on the tenant's limits whenever
one is added. What is stored is kept by the data plane in the transaction of each write; `recount` compares it with
the rows.
"""

from __future__ import annotations

import logging

from gateway.db.scope import platform_scope, tenant_scope
from realtime import services as realtime
from storage.services import usage as stored
from tenants.models import Tenant
from tenants.principal import Principal, system
from workspaces.services import counts as running

from . import counts

log = logging.getLogger(__name__)


def of_tenant(tenant_id: int) -> dict[str, int]:
    """As of now, by the names of the limits, and `objects`. Call within the tenant's scope."""
    return {**stored.of_tenant(tenant_id), **running.of_tenant(tenant_id), **counts.of_tenant(tenant_id)}


def recount(tenant: Tenant, *, actor: Principal) -> bool:
    """Count what is stored anew; whether it was right. Else it is put right, with an event that says by how much.

    The tenant's writes wait meanwhile. Raises Forbidden unless platform staff ask.
    """
    actor.require("platform.tenants")
    with tenant_scope(tenant.pk):
        before = stored.of_tenant(tenant.pk)
        if stored.recount(tenant.pk):
            return True
        after = stored.of_tenant(tenant.pk)
        changed: dict[str, object] = {
            name: {"was": before[name], "is": after[name]} for name in before if before[name] != after[name]
        }
        realtime.publish(tenant.pk, "tenants.usage.corrected", subject=tenant.slug, data=changed, actor=actor)
    return False


def recount_all() -> int:
    """Recount every tenant; how many were wrong."""
    with platform_scope("a sweep looks at all tenants"):
        rows = list(Tenant.objects.present().order_by("pk"))
    wrong = 0
    for tenant in rows:
        wrong += not recount(tenant, actor=system(tenant))
    log.log(
        logging.ERROR if wrong else logging.INFO, "usage recounted: %s of %s were wrong", wrong, len(rows)
    )
    return wrong
