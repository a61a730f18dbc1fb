"""Connection tests of backends: on demand, after a change, and again and again by beat."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from gateway import crypto
from gateway.db.locks import advisory_lock
from gateway.db.scope import platform_scope
from gateway.errors import UpstreamTimeout
from realtime import services as realtime
from storage import providers, tasks
from storage.models import Backend, Placement
from storage.providers import Findings, quirks
from tenants.services import snapshot

from . import backend_providers, far

log = logging.getLogger(__name__)

EVERY = timedelta(hours=6)
# While it fails: rarer the longer it does.
SOONEST, LATEST = timedelta(minutes=1), timedelta(minutes=10)
PATIENCE_SECONDS = 25.0
# A test that was asked for and is lost is asked for again.
_ASKED = timedelta(minutes=3)


def examine_now(backend: Backend, *, asker_id: int) -> Backend:
    """As `examine`, for somebody of the tenant `asker_id` who waits for it.

    Raises UpstreamTimeout where it takes longer than a person waits (it is then tested in the background),
    Unavailable where too many wait already.
    """
    try:
        return examine(backend, lambda probe: far.ask(probe, asker_id, backend.pk, seconds=PATIENCE_SECONDS))
    except UpstreamTimeout:
        with platform_scope("a shared backend is no tenant's row"):
            Backend.objects.filter(pk=backend.pk).update(next_check_at=timezone.now())
        raise


def examine(
    backend: Backend, run: Callable[[Callable[[], Findings | None]], Findings | None] = lambda probe: probe()
) -> Backend:
    """Try the connection, and what the backend can; the backend as it is then. Never raises for its failings.

    What it could is kept while it does not answer: buckets that keep versions go on doing so. Where the connection was
    changed meanwhile nothing is written. That it fails now, or works again, is an event of those who have it.
    """
    found, error = None, ""
    try:
        provider = backend_providers.provider_of(backend)
        found = run(lambda: _try(provider))
    except (providers.ProviderError, crypto.CannotOpen) as e:
        error = str(e)[:500]
    with (
        platform_scope("a shared backend is no tenant's row; the verb checked who asks"),
        transaction.atomic(),
    ):
        row = Backend.objects.select_for_update().filter(pk=backend.pk).first()
        if row is None or backend_providers.connection_of(row) != backend_providers.connection_of(backend):
            return row or backend
        before, failed = (row.vendor, row.capabilities), bool(row.check_error)
        if found is not None:
            row.capabilities = dict(found.capabilities)
            if row.vendor in ("", quirks.GENERIC.name):
                row.vendor = found.vendor
        _note(row, error)
        row.save(update_fields=[*_NOTED, "capabilities", "vendor"])
        if before != (row.vendor, row.capabilities):
            snapshot.changed("backends")
        if failed != bool(error):
            _tell(row)
    return row


def _try(provider: Any) -> Findings | None:
    """What a remote backend can; None of our own store, which answers or raises. Raises ProviderError."""
    if provider.is_remote:
        found: Findings = provider.probe()
        return found
    provider.check()
    return None


_NOTED = ("checked_at", "check_error", "failing_since", "next_check_at")


def _note(backend: Backend, error: str) -> None:
    now = timezone.now()
    backend.checked_at, backend.check_error = now, error
    if error:
        backend.failing_since = backend.failing_since or now
        pause = min(max((now - backend.failing_since) / 2, SOONEST), LATEST)
    else:
        backend.failing_since, pause = None, EVERY
    backend.next_check_at = now + pause


def _tell(backend: Backend) -> None:
    """The event of a backend's tenant; of a shared one's, of all that have buckets there, in an order that never waits
    for who waits for it.
    """
    kind = "storage.backend.failed" if backend.check_error else "storage.backend.recovered"
    tenants: Iterable[int] = [backend.tenant_id] if backend.tenant_id is not None else []
    if backend.tenant_id is None:
        there = Placement.objects.filter(backend=backend).order_by("tenant_id")
        tenants = there.values_list("tenant_id", flat=True).distinct()
    for tenant_id in tenants:
        data: dict[str, object] = {"shared": backend.tenant_id is None}
        realtime.publish(tenant_id, kind, subject=backend.name, data=data)


def examine_one(backend_id: int) -> None:
    """One holder per backend; one that is gone is no error."""
    with (
        platform_scope("a connection test works for all tenants"),
        advisory_lock("backend-check", backend_id) as held,
    ):
        backend = Backend.objects.filter(pk=backend_id).first()
        if held and backend is not None:
            examine(backend)


def sweep() -> None:
    """Have tested what is due: what works every EVERY, what fails or a request has doubted sooner."""
    now = timezone.now()
    with platform_scope("a sweep looks at all tenants"):
        due = Backend.objects.filter(next_check_at__lte=now).order_by("next_check_at")
        for pk, at in due.values_list("pk", "next_check_at")[:200]:
            if Backend.objects.filter(pk=pk, next_check_at=at).update(next_check_at=now + _ASKED):
                tasks.check_backend.delay(pk)


def doubt(backend: Backend) -> None:
    """Have the connection tested soon, at most once a minute: a request to it has failed on its way."""
    soon = timezone.now()
    if backend.checked_at is not None:
        soon = max(soon, backend.checked_at + SOONEST)
    with platform_scope("a shared backend is no tenant's row"):
        Backend.objects.filter(pk=backend.pk, next_check_at__gt=soon).update(next_check_at=soon)
