"""Domains: claimed by a tenant, verified by a proof, checked again for as long as they route requests.

A claim that is not verified is looked at with growing pauses for two weeks, a verified one daily. When its proof is
missing the tenant is told, and GRACE later the name no longer routes. What staff vouched for is not checked.
"""

from __future__ import annotations

import ipaddress
import logging
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from gateway.db.locks import advisory_lock
from gateway.db.scope import platform_scope, tenant_scope
from gateway.errors import Conflict, Forbidden, Invalid, NotFound
from gateway.queue import enqueue
from gateway.validation import validated
from realtime import services as realtime
from tenants import tasks
from tenants.models import Domain, Tenant
from tenants.principal import Principal, system

from . import audit, proofs, snapshot

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=6)
GIVEN_UP_AFTER = timedelta(days=14)
AGAIN, AGAIN_LOST = timedelta(days=1), timedelta(hours=1)
GRACE = timedelta(days=7)
MOST_DOMAINS = 100
_BATCH = 200


def add_domain(tenant: Tenant, hostname: str, *, verified: bool | None = None, actor: Principal) -> Domain:
    """Claim a host name; it routes requests to the tenant once it is verified.

    Platform staff may vouch for it (`verified`; unset they do), and nobody else. Raises Forbidden, Invalid, Conflict
    where the tenant has the name, or staff vouch for one that is verified elsewhere.
    """
    actor.require("domain.write")
    if verified and not actor.is_staff:
        raise Forbidden("Only platform staff vouch for a domain.", code="permission_missing")
    vouched = actor.is_staff if verified is None else verified
    domain = Domain(tenant=tenant, hostname=hostname.lower().rstrip("."))
    validated(domain, exclude=("tenant",))
    _refuse_ours(domain.hostname)
    now = timezone.now()
    if vouched:
        domain.verified_at, domain.method = now, Domain.Method.STAFF
    else:
        domain.next_check_at = now + FIRST_PAUSE
    with tenant_scope(tenant.pk), transaction.atomic():
        _present(tenant)
        if Domain.objects.filter(tenant=tenant, hostname=domain.hostname).exists():
            raise _taken(domain)
        if not actor.is_staff and Domain.objects.filter(tenant=tenant).count() >= MOST_DOMAINS:
            raise Conflict(f"A tenant claims at most {MOST_DOMAINS} names.", code="too_many_domains")
        try:
            with transaction.atomic():
                domain.save()
        except IntegrityError:
            raise _taken(domain) from None
        after = {"hostname": domain.hostname, "verified": vouched}
        audit.record(actor, "tenants.domain.create", target=domain.hostname, tenant=tenant, after=after)
        snapshot.changed("tenants")
        realtime.publish(
            tenant.pk,
            "tenants.domain.created",
            subject=domain.hostname,
            data={"state": domain.state},
            actor=actor,
        )
    return domain


def get_domain(tenant: Tenant, public_id: Any) -> Domain:
    """Raises NotFound."""
    with tenant_scope(tenant.pk):
        found: Domain | None = (
            Domain.objects.select_related("tenant").filter(tenant=tenant, public_id=public_id).first()
        )
    if found is None:
        raise NotFound("No such domain.")
    return found


def ask_check(domain: Domain, *, actor: Principal) -> Domain:
    """Have the proof looked for now; what comes of it is in the row and the event log. Verified ones are left alone."""
    actor.require("domain.write")
    with tenant_scope(domain.tenant_id), transaction.atomic():
        found = _locked(domain.pk)
        if found is None:
            raise NotFound("No such domain.")
        if found.state == "verified":
            return found
        found.attempts, found.next_check_at = 0, timezone.now()
        found.save(update_fields=["attempts", "next_check_at"])
        enqueue(tasks.check_domain, found.pk)
    return found


def vouch(domain: Domain, *, actor: Principal) -> Domain:
    """Platform staff declare a name verified. Raises Forbidden, Conflict where another tenant has it verified."""
    actor.require("platform.tenants")
    with tenant_scope(domain.tenant_id), transaction.atomic():
        found = _locked(domain.pk)
        if found is None:
            raise NotFound("No such domain.")
        if found.verified_at and found.method == Domain.Method.STAFF:
            return found
        if not _verify(found, Domain.Method.STAFF, actor):
            raise Conflict(f"{found.hostname} is verified for another tenant.", code="domain_taken")
    return found


def remove_domain(domain: Domain, *, actor: Principal) -> None:
    """Give a name up. Again changes nothing."""
    actor.require("domain.write")
    with tenant_scope(domain.tenant_id), transaction.atomic():
        if not Domain.objects.filter(pk=domain.pk).delete()[0]:
            return
        audit.record(actor, "tenants.domain.delete", target=domain.hostname, tenant=domain.tenant)
        snapshot.changed("tenants")
        realtime.publish(domain.tenant_id, "tenants.domain.deleted", subject=domain.hostname, actor=actor)


def check(domain_id: int) -> None:
    """Look for a name's proof, and note what was found. One at a time per name."""
    with platform_scope("a check works for all tenants"), advisory_lock("domain", domain_id) as held:
        domain = Domain.objects.select_related("tenant").filter(pk=domain_id).first() if held else None
        if domain is None or domain.next_check_at is None:
            return
        try:
            method, error = proofs.look(domain.hostname, domain.token), ""
        except proofs.NoProof as e:
            method, error = "", str(e)[:300]
        with transaction.atomic():
            found = _locked(domain_id)
            if found is None or found.method == Domain.Method.STAFF:
                return
            found.checked_at, found.check_error = timezone.now(), error
            if method:
                _note_proof(found, method)
            else:
                _note_failure(found)


def sweep() -> None:
    """Check what is due: the clock of re-verification, and the net under nudges that were lost."""
    with platform_scope("a sweep looks at all tenants"):
        due = Domain.objects.filter(next_check_at__lte=timezone.now()).order_by("next_check_at")
        for pk in due.filter(tenant__status=Tenant.Status.ACTIVE).values_list("pk", flat=True)[:_BATCH]:
            tasks.check_domain.delay(pk)


def _note_proof(domain: Domain, method: str) -> None:
    domain.attempts, domain.next_check_at = 0, timezone.now() + AGAIN
    if domain.verified_at is not None:
        was_lost, domain.lost_at, domain.method = domain.lost_at, None, method
        domain.save()
        if was_lost:
            realtime.publish(domain.tenant_id, "tenants.domain.recovered", subject=domain.hostname)
        return
    if not _verify(domain, method, system(domain.tenant)):
        # Only who has shown that the name is theirs learns that it is in use.
        domain.check_error = "The proof is there, but the name is in use on this platform: ask its staff."
        domain.next_check_at = timezone.now() + LONGEST_PAUSE
        domain.save()


def _verify(domain: Domain, method: str, actor: Principal) -> bool:
    """False where another tenant has the name verified."""
    domain.verified_at, domain.method, domain.lost_at = timezone.now(), method, None
    domain.check_error = ""
    domain.next_check_at = None if method == Domain.Method.STAFF else timezone.now() + AGAIN
    try:
        with transaction.atomic():
            domain.save()
    except IntegrityError:
        domain.verified_at, domain.method = None, ""
        return False
    audit.record(
        actor, "tenants.domain.verify", target=domain.hostname, tenant=domain.tenant, after={"method": method}
    )
    snapshot.changed("tenants")
    realtime.publish(
        domain.tenant_id,
        "tenants.domain.verified",
        subject=domain.hostname,
        data={"method": method},
        actor=actor,
    )
    return True


def _note_failure(domain: Domain) -> None:
    now = timezone.now()
    domain.attempts += 1
    if domain.verified_at is None:
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(domain.attempts - 1, 9))
        domain.next_check_at = now + pause if now - domain.created_at < GIVEN_UP_AFTER else None
        domain.save()
        return
    domain.next_check_at = now + AGAIN_LOST
    if domain.lost_at is None:
        domain.lost_at = now
        domain.save()
        _tell(domain, "proof_lost", {"routes_until": (now + GRACE).isoformat(), "error": domain.check_error})
    elif now - domain.lost_at >= GRACE:
        domain.verified_at, domain.lost_at, domain.method = None, None, ""
        domain.save()
        snapshot.changed("tenants")
        _tell(domain, "expired", {"error": domain.check_error})
    else:
        domain.save()


def _tell(domain: Domain, what: str, data: dict[str, object]) -> None:
    log.warning("domain %s of tenant %s: %s", domain.hostname, domain.tenant_id, what)
    actor = system(domain.tenant)
    audit.record(actor, f"tenants.domain.{what}", target=domain.hostname, tenant=domain.tenant, after=data)
    realtime.publish(
        domain.tenant_id, f"tenants.domain.{what}", subject=domain.hostname, data=data, actor=actor
    )


def _locked(domain_id: int) -> Domain | None:
    rows = Domain.objects.select_related("tenant").select_for_update(of=("self",))
    found: Domain | None = rows.filter(pk=domain_id).first()
    return found


def _present(tenant: Tenant) -> None:
    if not Tenant.objects.present().filter(pk=tenant.pk).exists():
        raise Conflict("The tenant is deleted.", code="tenant_deleted")


def _taken(domain: Domain) -> Conflict:
    return Conflict(f"{domain.hostname} is taken.", errors={"hostname": ["Taken."]})


def _refuse_ours(hostname: str) -> None:
    """Addresses, and the names that the platform itself is reached by, are nobody's. Raises Invalid."""
    ours = {settings.PUBLIC_HOST, settings.S3_DOMAIN, *settings.EDGE_PUBLIC_HOSTS}
    if _is_address(hostname) or hostname in ours or hostname.endswith(f".{settings.S3_DOMAIN}"):
        raise Invalid(
            f"{hostname} is the platform's own, or an address.", errors={"hostname": ["Not a name to claim."]}
        )


def _is_address(hostname: str) -> bool:
    try:
        ipaddress.ip_address(hostname)
    except ValueError:
        return hostname.rsplit(".", 1)[-1].isdecimal()
    return True
