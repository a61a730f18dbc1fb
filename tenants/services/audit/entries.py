"""The audit log's one writer."""

from __future__ import annotations

import hashlib
import logging
from typing import Any, Literal

import redis
from django.core.cache import cache
from django.db import DatabaseError, transaction
from django.utils import timezone

from gateway.db.scope import platform_scope, tenant_scope
from gateway.logs import request_id
from tenants.models import PLATFORM_SLUG, AuditEntry, Membership, Tenant, User
from tenants.principal import Credential, Principal

from . import redaction

log = logging.getLogger(__name__)

REFUSALS_EACH_SECONDS = 60
"""A caller's refusals of one kind are written once in so many seconds: nobody fills the log by knocking."""

SignIn = Literal["succeed", "fail", "end"]


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
    _write(
        tenant or actor.tenant, actor.user, actor.label, actor.credential, actor.ip,
        action, target=target, before=before, after=after,
    )  # fmt: skip


def record_sign_in(
    user: User | None,
    outcome: SignIn,
    *,
    credential: Credential,
    ip: str | None,
    reason: str = "",
    tenant: Tenant | None = None,
) -> None:
    """Write that somebody signed in, failed to, or signed out (`end`); in a transaction of its own where there is none.

    `user` is the account that was named, None where there is no such account: what was typed instead of a name is
    not written, as it may be a password. `reason` is a word for people, e.g. "wrong password", "second factor".
    `credential` names the session or token family, for a failure what was tried to be had. The entry goes to
    `tenant`, else to the account's default (or first) active tenant, else to the platform's.
    """
    label = user.username if user else "unknown account"
    with platform_scope("who signs in is in no tenant yet"), transaction.atomic():
        _write(
            tenant or _home(user), user, label, credential, ip, f"tenants.sign_in.{outcome}",
            target=label, after={"reason": reason} if reason else None,
        )  # fmt: skip


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


def _write(
    tenant: Tenant, user: User | None, label: str, credential: Credential, ip: str | None, action: str, *,
    target: str, before: dict[str, Any] | None = None, after: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    AuditEntry.objects.create(
        tenant=tenant,
        at=timezone.now(),
        actor_id=user.pk if user else None,
        actor=redaction.text(label, 150),
        credential=redaction.text(f"{credential.kind}:{credential.id}".rstrip(":"), 80),
        ip=ip,
        request_id=request_id.get(),
        action=action,
        target=redaction.text(target, 300),
        before=redaction.details(before or {}, action),
        after=redaction.details(after or {}, action),
    )


def _home(user: User | None) -> Tenant:
    if user is not None:
        places = Membership.objects.select_related("tenant").filter(
            user=user, is_active=True, tenant__status=Tenant.Status.ACTIVE
        )
        if (place := places.order_by("-is_default", "tenant__slug").first()) is not None:
            return place.tenant
    return Tenant.objects.get(slug=PLATFORM_SLUG)
