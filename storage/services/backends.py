"""Backends: added, changed, tried, and those that the first start makes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from gateway import crypto, env
from gateway.db.scope import platform_scope
from gateway.errors import Conflict, Forbidden, Invalid, NotFound
from gateway.queue import enqueue
from realtime import services as realtime
from storage import providers, tasks
from storage.models import Backend
from storage.providers import quirks
from tenants.principal import Principal
from tenants.services import audit, snapshot

from . import backend_checks, backend_providers, connections


def create_backend(
    name: str,
    kind: str = "s3",
    *,
    secret_key: str = "",
    shared: bool = False,
    is_default: bool = False,
    actor: Principal,
    **connection: Any,
) -> Backend:
    """A backend of the caller's tenant, or with `shared` (platform staff) one that all tenants may use.

    `connection` are `backend_providers.CONNECTION_FIELDS`; what is left out is as the vendor needs it. It is tried in
    the background, as by `check_backend`. Raises Forbidden, Invalid (unknown kind, an endpoint that is no URL),
    Conflict where the name is taken.
    """
    actor.require("platform.backends" if shared else "storage.backend.write")
    if kind not in providers.KINDS:
        raise Invalid(f"There is no kind {kind} of backend.", errors={"kind": ["Unknown."]})
    if kind == "local" and not actor.is_staff:
        raise Forbidden("Only platform staff add the store of this machine.", code="permission_missing")
    backend_checks.check_name(name)
    backend = Backend(
        tenant=None if shared else actor.tenant,
        name=name,
        kind=kind,
        is_default=is_default,
        may_be_private=actor.is_staff,
        **backend_checks.as_vendor_needs(kind, connection),
    )
    backend_checks.check(backend)
    if secret_key:
        backend.secret_sealed = crypto.seal(secret_key.encode(), backend.secret_aad)
    with (
        platform_scope("a shared backend is no tenant's row; the verb checked who asks"),
        transaction.atomic(),
    ):
        if is_default:
            _same_owner(backend).update(is_default=False)
        _save(backend)
        audit.record(actor, "storage.backend.create", target=name, after=_public(backend))
        snapshot.changed("backends")
        realtime.publish(
            actor.tenant.pk, "storage.backend.created", subject=name, data=_public(backend), actor=actor
        )
        if backend_providers.is_remote(backend):
            enqueue(tasks.check_backend, backend.pk)
    return backend


def update_backend(
    backend: Backend, *, secret_key: str | None = None, actor: Principal, **changes: Any
) -> Backend:
    """Change the name, whether it is the default, or how it is reached. `secret_key` None leaves it.

    Raises Forbidden, Invalid, Conflict. A backend's kind never changes: its buckets would be elsewhere.
    """
    _require_write(backend, actor)
    if unknown := set(changes) - {"name", "is_default", *backend_providers.CONNECTION_FIELDS}:
        raise Invalid(f"{min(unknown)} cannot be changed.")
    with (
        platform_scope("a shared backend is no tenant's row; the verb checked who asks"),
        transaction.atomic(),
    ):
        backend = Backend.objects.select_for_update().get(pk=backend.pk)
        before, reached = _public(backend), backend_providers.connection_of(backend)
        if changes.get("name", backend.name) != backend.name:
            backend_checks.check_name(changes["name"])
        if "endpoint" in changes and (actor.is_staff or changes["endpoint"] != backend.endpoint):
            backend.may_be_private = actor.is_staff
        for field, value in changes.items():
            setattr(backend, field, value)
        backend_checks.check(backend)
        if secret_key is not None:
            backend.secret_sealed = crypto.seal(secret_key.encode(), backend.secret_aad)
        if backend.is_default:
            _same_owner(backend).exclude(pk=backend.pk).update(is_default=False)
        if secret_key is not None or reached != backend_providers.connection_of(backend):
            # What was found is of another connection.
            backend.checked_at, backend.check_error, backend.failing_since = None, "", None
            backend.next_check_at = timezone.now()
        _save(backend)
        after = _public(backend)
        if before != after or secret_key is not None:
            audit.record(
                actor, "storage.backend.update", target=backend.name, before=before,
                after=after | ({"secret_key": "changed"} if secret_key is not None else {}),
            )  # fmt: skip
            snapshot.changed("backends")
            realtime.publish(
                actor.tenant.pk, "storage.backend.updated", subject=backend.name, data=after, actor=actor
            )
            if backend_providers.is_remote(backend):
                enqueue(tasks.check_backend, backend.pk)
    return backend


def delete_backend(backend: Backend, *, actor: Principal) -> None:
    """Forget a backend that holds no bucket. Raises Forbidden, Conflict."""
    _require_write(backend, actor)
    with (
        platform_scope("a shared backend is no tenant's row; the verb checked who asks"),
        transaction.atomic(),
    ):
        backend = Backend.objects.select_for_update().get(pk=backend.pk)
        if backend.placements.exists():
            raise Conflict("The backend still holds buckets.", code="backend_in_use")
        backend.delete()
        audit.record(actor, "storage.backend.delete", target=backend.name, before=_public(backend))
        snapshot.changed("backends")
        realtime.publish(actor.tenant.pk, "storage.backend.deleted", subject=backend.name, actor=actor)


def check_backend(backend: Backend, *, actor: Principal) -> Backend:
    """Try the connection now. What was found is in `checked_at`, `check_error` (empty: it works) and `capabilities`.

    Raises Forbidden, NotFound, and what `connections.examine_now` does.
    """
    _require_write(backend, actor)
    return connections.examine_now(backend, asker_id=actor.tenant.pk)


def get_backend(public_id: UUID, *, actor: Principal) -> Backend:
    """One of the tenant's own or the shared backends. Raises NotFound."""
    found = Backend.objects.visible_to(actor).filter(public_id=public_id).first()
    if found is None:
        raise NotFound("No such backend.")
    return found


def ensure_default_backends() -> None:
    """First start: our own store as the platform's default, and the backend that S3_BACKEND_* describes.

    May run again; what exists is left as it is, so that what was changed by hand stays: STORAGE_REGION says where our
    own store is as long as its row does not. Raises Invalid.
    """
    with platform_scope("shared backends are no tenant's rows"), transaction.atomic():
        shared = Backend.objects.filter(tenant__isnull=True)
        own, _ = shared.get_or_create(
            name="local",
            defaults={"kind": "local", "is_default": not shared.filter(is_default=True).exists()},
        )
        here = env.text("STORAGE_REGION")
        if here and own.kind == "local" and not own.region:
            own.region = here
            backend_checks.check(own)
            _save(own)
            snapshot.changed("backends")
        endpoint = env.text("S3_BACKEND_ENDPOINT") or env.text("S3_BACKEND_URL")
        region = env.text("S3_BACKEND_REGION")
        if not endpoint and not region:
            return
        name = env.text("S3_BACKEND_NAME", "s3")
        if shared.filter(name=name).exists():
            return
        backend = Backend(
            name=name,
            kind="s3",
            endpoint=endpoint,
            region=region,
            access_key=env.secret("S3_BACKEND_ACCESS_KEY") or env.secret("S3_BACKEND_ACCESS_KEY_ID"),
            path_style=env.flag("S3_BACKEND_PATH_STYLE", True),
            vendor=quirks.guess(endpoint).name,
            may_be_private=True,
        )
        backend_checks.check(backend)
        secret = env.secret("S3_BACKEND_SECRET_KEY") or env.secret("S3_BACKEND_SECRET_ACCESS_KEY")
        backend.secret_sealed = crypto.seal(secret.encode(), backend.secret_aad)
        if env.flag("S3_BACKEND_DEFAULT"):
            shared.update(is_default=False)
            backend.is_default = True
        _save(backend)
        snapshot.changed("backends")
        enqueue(tasks.check_backend, backend.pk)


def _require_write(backend: Backend, actor: Principal) -> None:
    if backend.tenant_id is None:
        actor.require("platform.backends")
        return
    actor.require("storage.backend.write")
    if backend.tenant_id != actor.tenant.pk:
        raise NotFound("No such backend.")


def _same_owner(backend: Backend) -> Any:
    return Backend.objects.filter(tenant=backend.tenant, is_default=True)


def _save(backend: Backend) -> None:
    try:
        with transaction.atomic():
            backend.save()
    except IntegrityError:
        raise Conflict(f"There is a backend {backend.name} already.", errors={"name": ["Taken."]}) from None


def _public(backend: Backend) -> dict[str, object]:
    """What may be told of a backend: no credential."""
    return {
        "name": backend.name,
        "kind": backend.kind,
        "endpoint": backend.endpoint,
        "region": backend.region,
        "vendor": backend.vendor,
        "is_default": backend.is_default,
        "shared": backend.tenant_id is None,
    }
