"""The audit log's one writer."""

from __future__ import annotations

import hashlib
import logging
from typing import Any

import redis
from django.core.cache import cache
from django.db import DatabaseError, transaction
from django.utils import timezone

from gateway.db.scope import tenant_scope
from gateway.logs import request_id
from tenants.models import AuditEntry, Tenant
from tenants.principal import Principal

from . import redaction

log = logging.getLogger(__name__)

REFUSALS_EACH_SECONDS = 60
"""A caller's refusals of one kind are written once in so many seconds: nobody fills the log by knocking."""


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
    fields that changed, never a secret: of one that was set anew write `redaction.CHANGED`. What looks like a secret
    all the same is redacted and told in the error log.
    """
    AuditEntry.objects.create(
        tenant=tenant or actor.tenant,
        at=timezone.now(),
        actor_id=actor.user.pk if actor.user else None,
        actor=redaction.text(actor.label, 150),
        credential=redaction.text(f"{actor.credential.kind}:{actor.credential.id}".rstrip(":"), 80),
        ip=actor.ip,
        request_id=request_id.get(),
        action=action,
        target=redaction.text(target, 300),
        before=redaction.details(before or {}, action),
        after=redaction.details(after or {}, action),
    )


def record_refusal(actor: Principal, *, target: str, reason: str) -> None:
    """Write that `actor` lacked the permission for `target`, e.g. "DELETE /api/v1/users/…". Never raises.

    Call it outside the refused transaction, which takes with it what is written there.
    """
    who = f"{actor.tenant.pk}:{actor.user.pk if actor.user else 0}"
    what = hashlib.sha256(reason.encode()).hexdigest()
    try:
        if not cache.add(f"audit-refusal:{who}:{what}", 1, REFUSALS_EACH_SECONDS):
            return
    except redis.RedisError as e:
        log.warning("refusals are all written, the cache does not answer: %s", e)
    try:
        with tenant_scope(actor.tenant.pk), transaction.atomic():
            record(actor, "tenants.permission.refuse", target=target, after={"reason": reason})
    except DatabaseError:
        log.exception("a refusal was not written to the audit log")
