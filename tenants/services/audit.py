"""The audit log's one writer."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from gateway.logs import request_id
from tenants.models import AuditEntry, Tenant
from tenants.principal import Principal


def record(
    actor: Principal,
    action: str,
    *,
    target: str,
    tenant: Tenant | None = None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Write what `actor` did to `target` into the caller's transaction.

    `tenant` is the one whose log it goes to, where that is not the one acted in. `before` and `after` hold the
    fields that changed, never a secret.
    """
    AuditEntry.objects.create(
        tenant=tenant or actor.tenant,
        at=timezone.now(),
        actor_id=actor.user.pk if actor.user else None,
        actor=actor.label,
        credential=f"{actor.credential.kind}:{actor.credential.id}".rstrip(":"),
        ip=actor.ip,
        request_id=request_id.get(),
        action=action,
        target=target[:300],
        before=before or {},
        after=after or {},
    )
