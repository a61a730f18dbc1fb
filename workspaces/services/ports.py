"""Ports of services: given, changed, given back.

The edge listens on `public_port`, which is unique on the platform and stays its service's for the life of the row:
restarts, other images and a deletion that can still be undone change nothing about it.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, TypedDict
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from gateway.db.locks import lock_until_commit
from gateway.db.scope import platform_scope
from gateway.errors import Conflict, Invalid, NotFound
from gateway.validation import validated
from realtime import services as realtime
from tenants.principal import Principal
from tenants.services import audit, snapshot
from workspaces.models import Port, Service

MOST_PORTS = 20
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_FIELDS = ("name", "container_port", "protocol", "access", "public_port")


class PortWish(TypedDict, total=False):
    """What a port shall be. `name` and `container_port` are needed; without `public_port` one is found."""

    name: str
    container_port: int
    protocol: str
    access: str
    public_port: int | None


def add_port(service: Service, wish: PortWish, *, actor: Principal) -> Port:
    """Give a service one more port.

    Raises Invalid (a name, number or rule that is none, a public port outside SERVICE_PORTS), Conflict where the name,
    the container's port or the public one is taken (`port_taken`), or none is left (`ports_exhausted`).
    """
    actor.require("service.write")
    with transaction.atomic():
        service = Service.objects.select_for_update().get(pk=service.pk)
        _require_container(service)
        port = take(service, wish)
        audit.record(actor, "workspaces.port.create", target=str(port), after=_public(port))
        _tell(port, "created", actor)
    return port


def update_port(port: Port, *, actor: Principal, **changes: Any) -> Port:
    """Change the fields of a `PortWish`. Raises as `add_port`."""
    actor.require("service.write")
    if unknown := set(changes) - set(_FIELDS):
        raise Invalid(f"{min(unknown)} cannot be changed.")
    with transaction.atomic():
        service = Service.objects.select_for_update().get(pk=port.service_id)
        _require_container(service)
        port = Port.objects.select_related("service").get(pk=port.pk)
        before = _public(port)
        public_port = changes.pop("public_port", None)
        for field, value in changes.items():
            setattr(port, field, value)
        _check(port)
        if public_port not in (None, port.public_port):
            lock_until_commit("service ports")
            port.public_port = _wished(public_port)
        _save(port)
        if (after := _public(port)) != before:
            audit.record(actor, "workspaces.port.update", target=str(port), before=before, after=after)
            _tell(port, "updated", actor)
    return port


def remove_port(port: Port, *, actor: Principal) -> None:
    """Take a port away; its public port may be another's at once."""
    actor.require("service.write")
    with transaction.atomic():
        service = Service.objects.select_for_update().get(pk=port.service_id)
        _require_container(service)
        port.delete()
        audit.record(actor, "workspaces.port.delete", target=str(port), before=_public(port))
        _tell(port, "deleted", actor)


def get_port(service: Service, public_id: UUID, *, actor: Principal) -> Port:
    """Raises NotFound."""
    found: Port | None = (
        Port.objects.visible_to(actor)
        .filter(service=service, public_id=public_id)
        .select_related("service")
        .first()
    )
    if found is None:
        raise NotFound("The service has no such port.")
    return found


def take(service: Service, wish: PortWish) -> Port:
    """A new port's row, in the transaction of the verb that tells of it. Raises as `add_port`."""
    if Port.objects.filter(service=service).count() >= MOST_PORTS:
        raise Conflict(f"A service has at most {MOST_PORTS} ports.", code="too_many_ports")
    if missing := {"name", "container_port"} - wish.keys():
        raise Invalid(f"A port needs a {min(missing)}.", errors={min(missing): ["Required."]})
    wished = wish.get("public_port")
    given = {field: wish[field] for field in _FIELDS if field in wish and field != "public_port"}  # type: ignore[literal-required]
    port = Port(tenant_id=service.tenant_id, service=service, **given)
    _check(port)
    # One at a time on the platform: two that looked at once would find the same port free.
    lock_until_commit("service ports")
    port.public_port = _free(port) if wished is None else _wished(wished)
    _save(port)
    return port


def _check(port: Port) -> None:
    if not _NAME.fullmatch(port.name):
        text = "1 to 63 lower-case letters, digits and hyphens, beginning with a letter."
        raise Invalid(f"Not a port's name: {text}", errors={"name": [text]})
    validated(port, exclude=("tenant", "service", "public_port"))
    if port.protocol == Port.Protocol.TCP and port.access != Port.Access.PUBLIC:
        text = "A TCP port is public: nothing in it says who connects."
        raise Invalid(text, errors={"access": [text]})


def _free(port: Port) -> int:
    """A port that nobody has: the one that its names stand for, or the next after it. Raises Conflict."""
    ports: range = settings.SERVICE_PORTS
    names = f"{port.service.tenant_id}/{port.service.name}/{port.name}"
    preferred = int.from_bytes(hashlib.blake2b(names.encode(), digest_size=8).digest())
    taken = _taken()
    for step in range(len(ports)):
        if (found := ports[(preferred + step) % len(ports)]) not in taken:
            return found
    raise Conflict(
        f"All ports of services, {ports[0]} to {ports[-1]}, are taken. The platform's staff can widen the range.",
        code="ports_exhausted",
    )


def _wished(public_port: int) -> int:
    """Raises Invalid outside the range, Conflict where somebody has it."""
    ports: range = settings.SERVICE_PORTS
    if public_port not in ports:
        text = f"A number from {ports[0]} to {ports[-1]}."
        raise Invalid(f"public_port: {text}", errors={"public_port": [text]})
    if public_port in _taken():
        raise Conflict(f"Port {public_port} is taken.", code="port_taken", errors={"public_port": ["Taken."]})
    return public_port


def _taken() -> set[int]:
    """Whoever has them, and what the edge listens on itself."""
    with platform_scope("ports are the platform's, whichever tenant has them"):
        ports: range = settings.SERVICE_PORTS
        rows = Port.objects.filter(public_port__gte=ports[0], public_port__lte=ports[-1])
        return {settings.HTTP_PORT, settings.HTTPS_PORT, *rows.values_list("public_port", flat=True)}


def _save(port: Port) -> None:
    try:
        with transaction.atomic():
            port.save()
    except IntegrityError as error:
        if "port_name_in_service" in str(error):
            raise Conflict(
                f"The service has a port {port.name} already.", errors={"name": ["Taken."]}
            ) from None
        text = f"The service has its port {port.container_port} for {port.protocol} already."
        raise Conflict(text, errors={"container_port": ["Taken."]}) from None


def _require_container(service: Service) -> None:
    if service.deleted_at is not None:
        raise Conflict("The service is deleted.", code="service_deleted")
    if service.kind != Service.Kind.CONTAINER:
        raise Conflict("An external service has its URL and no ports.", code="service_external")


def _public(port: Port) -> dict[str, object]:
    return {field: getattr(port, field) for field in _FIELDS}


def _tell(port: Port, what: str, actor: Principal) -> None:
    snapshot.changed("ports")
    data = {"id": str(port.public_id), "service": str(port.service.public_id), **_public(port)}
    kind = f"workspaces.port.{what}"
    realtime.publish(port.tenant_id, kind, subject=port.service.name, data=data, actor=actor)
