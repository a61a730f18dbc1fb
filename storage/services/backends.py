"""Backends: added, changed, tried, and those that the first start makes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from gateway import crypto, env
from gateway.db.scope import platform_scope
from gateway.errors import Conflict, Forbidden, Invalid, NotFound
from gateway.queue import enqueue
from gateway.validation import validated
from realtime import services as realtime
from storage import providers, tasks
from storage.models import Backend
from storage.providers import quirks
from tenants.principal import Principal
from tenants.services import audit, settings, snapshot

from . import connections, reach

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_REGION = re.compile(r"[A-Za-z0-9-]*")
CONNECTION_FIELDS = (
    "endpoint",
    "region",
    "access_key",
    "path_style",
    "checksum_mode",
    "vendor",
    "ca_bundle",
)


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

    `connection` are CONNECTION_FIELDS; what is left out is as the vendor needs it. It is tried in the background, as by
    `check_backend`. Raises Forbidden, Invalid (unknown kind, an endpoint that is no URL), Conflict where the name is
    taken.
    """
    actor.require("platform.backends" if shared else "storage.backend.write")
    if kind not in providers.KINDS:
        raise Invalid(f"There is no kind {kind} of backend.", errors={"kind": ["Unknown."]})
    if kind == "local" and not actor.is_staff:
        raise Forbidden("Only platform staff add the store of this machine.", code="permission_missing")
    _check_name(name)
    backend = Backend(
        tenant=None if shared else actor.tenant,
        name=name,
        kind=kind,
        is_default=is_default,
        may_be_private=actor.is_staff,
        **_as_vendor_needs(kind, connection),
    )
    _check(backend)
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
        if is_remote(backend):
            enqueue(tasks.check_backend, backend.pk)
    return backend


def update_backend(
    backend: Backend, *, secret_key: str | None = None, actor: Principal, **changes: Any
) -> Backend:
    """Change the name, whether it is the default, or how it is reached. `secret_key` None leaves it.

    Raises Forbidden, Invalid, Conflict. A backend's kind never changes: its buckets would be elsewhere.
    """
    _require_write(backend, actor)
    if unknown := set(changes) - {"name", "is_default", *CONNECTION_FIELDS}:
        raise Invalid(f"{min(unknown)} cannot be changed.")
    with (
        platform_scope("a shared backend is no tenant's row; the verb checked who asks"),
        transaction.atomic(),
    ):
        backend = Backend.objects.select_for_update().get(pk=backend.pk)
        before, reached = _public(backend), connection_of(backend)
        if changes.get("name", backend.name) != backend.name:
            _check_name(changes["name"])
        if "endpoint" in changes and (actor.is_staff or changes["endpoint"] != backend.endpoint):
            backend.may_be_private = actor.is_staff
        for field, value in changes.items():
            setattr(backend, field, value)
        _check(backend)
        if secret_key is not None:
            backend.secret_sealed = crypto.seal(secret_key.encode(), backend.secret_aad)
        if backend.is_default:
            _same_owner(backend).exclude(pk=backend.pk).update(is_default=False)
        if secret_key is not None or reached != connection_of(backend):
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
            if is_remote(backend):
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


def for_new_bucket(name: str | None, *, actor: Principal) -> Backend:
    """The backend that a bucket asks for by name, else the tenant's default, else the platform's.

    Raises Invalid for a name that is not within reach, Forbidden (`backend_not_allowed`) where the tenant's settings
    leave it or its region out, our own store's among them; a backend without a region is in none that is allowed. They
    bind new buckets, and what lies elsewhere already stays in use.
    """
    chosen = _choose(name, actor)
    allowed = settings.of_tenant(actor.tenant)
    if allowed.allowed_backends is not None and chosen.name not in allowed.allowed_backends:
        raise Forbidden(f"The tenant may not use the backend {chosen.name}.", code="backend_not_allowed")
    if allowed.allowed_regions is not None and chosen.region not in allowed.allowed_regions:
        where = chosen.region or "no region"
        raise Forbidden(
            f"The tenant may not use {where}, where {chosen.name} is.", code="backend_not_allowed"
        )
    return chosen


def names_within_reach(tenant_id: int) -> set[str]:
    """The names of a tenant's own and the shared backends."""
    with platform_scope("settings are checked before they are anybody's"):
        rows = Backend.objects.filter(Q(tenant_id=tenant_id) | Q(tenant__isnull=True))
        return set(rows.values_list("name", flat=True))


def _choose(name: str | None, actor: Principal) -> Backend:
    within_reach = Backend.objects.visible_to(actor)
    if name:
        # A tenant's own backend hides a shared one of the same name.
        found = within_reach.filter(name=name).order_by("tenant_id").first()
        if found is None:
            raise Invalid(f"There is no backend {name}.", errors={"backend": ["Unknown."]})
        return found
    found = (
        within_reach.filter(is_default=True).order_by("tenant_id").first()
    )  # NULL, the platform's, comes last
    if found is None:
        raise Invalid("There is no default backend: name one.", errors={"backend": ["There is no default."]})
    return found


def secret_of(backend: Backend) -> str:
    """The secret key in clear; empty where there is none. Raises crypto.CannotOpen."""
    if not backend.secret_sealed:
        return ""
    return crypto.open_sealed(bytes(backend.secret_sealed), backend.secret_aad).decode()


def provider_of(backend: Backend) -> providers.Provider:
    """The way to talk to a backend."""
    connection = providers.Connection(
        endpoint=backend.endpoint,
        region=backend.region,
        access_key=backend.access_key,
        secret_key=secret_of(backend),
        path_style=backend.path_style,
        checksum_mode=backend.checksum_mode,
        vendor=backend.vendor,
        ca_bundle=backend.ca_bundle,
        may_be_private=backend.may_be_private,
    )
    return providers.provider_for(backend.kind, connection)


def is_remote(backend: Backend) -> bool:
    """Whether objects on it lie with somebody else."""
    return providers.KINDS[backend.kind].is_remote


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
            _check(own)
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
        _check(backend)
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


def _as_vendor_needs(kind: str, connection: Mapping[str, Any]) -> dict[str, Any]:
    """The connection's fields, with what its vendor is known to need for those that nobody gave."""
    if kind == "local":
        return dict(connection)
    endpoint = connection.get("endpoint", "")
    vendor = quirks.vendor_of(connection["vendor"]) if connection.get("vendor") else quirks.guess(endpoint)
    needed: dict[str, Any] = {"vendor": vendor.name}
    if not connection.get("region"):
        needed["region"] = quirks.region_of(vendor, endpoint)
    for field in ("path_style", "checksum_mode"):
        wanted = getattr(vendor, field)
        if field not in connection and wanted is not None:
            needed[field] = wanted
    return {**connection, **needed}


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        text = "Lower-case letters, digits and hyphens, at most 63."
        raise Invalid(f"Not a backend's name: {text}", errors={"name": [text]})


def _check(backend: Backend) -> None:
    """Raises Invalid for values that cannot be meant, and for a private address that staff did not name."""
    validated(backend, exclude=("tenant",))
    if not _REGION.fullmatch(backend.region):  # it becomes a part of AWS' host names
        raise Invalid("That is not the name of a region.", errors={"region": ["Not a region."]})
    if backend.kind == "local":
        return
    if backend.vendor and backend.vendor not in quirks.VENDORS:
        known = ", ".join(quirks.VENDORS)
        raise Invalid(f"The vendors known here are {known}.", errors={"vendor": ["Unknown."]})
    connections.check_bundle(backend.ca_bundle)
    host = _host_of(backend.endpoint) if backend.endpoint else ""
    if host is None:
        raise Invalid(
            "The endpoint must be of the form https://host[:port].", errors={"endpoint": ["Not an address."]}
        )
    if host and not backend.may_be_private and reach.is_private(host):
        raise Invalid(
            "Only platform staff name an address that is not public.",
            errors={"endpoint": ["Only platform staff name an address that is not public."]},
        )
    if not backend.endpoint and not backend.region:
        raise Invalid("Give an endpoint, or a region of AWS.", errors={"endpoint": ["Missing."]})
    backend.endpoint = backend.endpoint.rstrip("/")


def _host_of(endpoint: str) -> str | None:
    """The host of `http[s]://host[:port]`; None for anything else."""
    try:
        parts = urlsplit(endpoint)
        plain = f"{parts.scheme}://{parts.netloc}" == endpoint.rstrip("/") and "@" not in parts.netloc
        well = parts.scheme in ("http", "https") and plain and parts.port != 0
    except ValueError:  # a port out of range, half an IPv6 address
        return None
    return parts.hostname if well else None


def _same_owner(backend: Backend) -> Any:
    return Backend.objects.filter(tenant=backend.tenant, is_default=True)


def _save(backend: Backend) -> None:
    try:
        with transaction.atomic():
            backend.save()
    except IntegrityError:
        raise Conflict(f"There is a backend {backend.name} already.", errors={"name": ["Taken."]}) from None


def connection_of(backend: Backend) -> list[Any]:
    """What a connection test is of: how the backend is reached, and as whom."""
    return [*(getattr(backend, field) for field in CONNECTION_FIELDS), bytes(backend.secret_sealed)]


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
