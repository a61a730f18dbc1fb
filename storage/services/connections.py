"""Connection tests of backends: on demand, after a change, and again and again by beat."""

from __future__ import annotations

import logging
import ssl
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from gateway import crypto
from gateway.db.locks import advisory_lock
from gateway.db.scope import platform_scope
from gateway.errors import Invalid
from storage import providers, tasks
from storage.models import Backend
from storage.providers import quirks
from tenants.services import snapshot

from . import backends

log = logging.getLogger(__name__)

EVERY, EVERY_FAILING = timedelta(hours=6), timedelta(minutes=10)
_LONGEST_BUNDLE = 256 << 10


def examine(backend: Backend) -> Backend:
    """Try the connection, and what the backend can; writes what was found. Never raises for the backend's failings.

    What it could is kept while it does not answer: buckets that keep versions go on doing so.
    """
    found, error = None, ""
    try:
        provider = backends.provider_of(backend)
        if provider.is_remote:
            found = provider.probe()  # type: ignore[attr-defined]
        else:
            provider.check()
    except (providers.ProviderError, crypto.CannotOpen) as e:
        error = str(e)[:500]
    backend.checked_at, backend.check_error = timezone.now(), error
    before = (backend.vendor, backend.capabilities)
    if found is not None:
        backend.capabilities = dict(found.capabilities)
        if backend.vendor in ("", quirks.GENERIC.name):
            backend.vendor = found.vendor
    with (
        platform_scope("a shared backend is no tenant's row; the verb checked who asks"),
        transaction.atomic(),
    ):
        backend.save(update_fields=["checked_at", "check_error", "capabilities", "vendor"])
        if before != (backend.vendor, backend.capabilities):
            snapshot.changed("backends")
    return backend


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
    """Test again what was not lately: what works every EVERY, what fails every EVERY_FAILING."""
    now = timezone.now()
    due = Q(checked_at=None) | Q(checked_at__lt=now - EVERY)
    due |= Q(checked_at__lt=now - EVERY_FAILING) & ~Q(check_error="")
    with platform_scope("a sweep looks at all tenants"):
        for pk in Backend.objects.filter(due).order_by("checked_at").values_list("pk", flat=True)[:200]:
            tasks.check_backend.delay(pk)


def check_bundle(bundle: str) -> None:
    """Raises Invalid for what are no PEM certificates."""
    if not bundle:
        return
    try:
        if len(bundle) > _LONGEST_BUNDLE:
            raise ValueError("too long")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=bundle)
        if not context.get_ca_certs():
            raise ValueError("no certificate of a CA is in it")
    except (ssl.SSLError, ValueError) as e:
        raise Invalid(
            f"The CA bundle must be PEM certificates: {e}.", errors={"ca_bundle": ["Not certificates."]}
        ) from None
