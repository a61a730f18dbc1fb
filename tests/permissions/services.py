"""Managed services and their ports."""

from __future__ import annotations

from django.utils import timezone

from gateway.db.scope import tenant_scope
from workspaces.models import Service
from workspaces.providers import registry
from workspaces.providers.fake import FakeProvider
from workspaces.services import instances, managed, ports

from .table import ADMIN, VIEWER, api
from .world import World


def _service(world: World, **fields: object) -> Service:
    """One at the fake provider, whatever else there is on this machine."""
    if "fake" not in registry.MADE:
        registry.MADE["fake"] = FakeProvider()
    with tenant_scope(world.home.pk):
        made: Service = Service.objects.create(
            tenant=world.home, owner=world.admin.user, name="row", image="nginx", provider="fake",
            offset=instances.take_offset(), **fields,
        )  # fmt: skip
    return made


def _with_port(world: World) -> object:
    made = _service(world)
    with tenant_scope(world.home.pk):
        ports.add_port(made, {"name": "http", "container_port": 80}, actor=world.admin)
    return made.public_id


def _port(world: World) -> object:
    """That of `_with_port`."""
    with tenant_scope(world.home.pk):
        return Service.objects.get(name="row").ports.get().public_id


def _external(world: World) -> object:
    with tenant_scope(world.home.pk):
        return managed.register_external("elsewhere", "http://192.0.9.9/", actor=world.admin).public_id


MAKERS = {
    "service": lambda world: _service(world).public_id,
    "external": _external,
    "deleted_service": lambda world: _service(world, deleted_at=timezone.now()).public_id,
    "service_with_port": _with_port,
    "port": _port,
}

EXTERNAL = {"name": "new", "url": "http://192.0.9.9/"}
CHANGE = {"description": "changed"}
PORT = {"name": "new", "container_port": 81}

ROWS = [
    api("GET", "services", VIEWER),
    api("POST", "services", ADMIN, body=EXTERNAL),
    api("GET", "services/{service}", VIEWER),
    api("PATCH", "services/{external}", ADMIN, body=CHANGE, case="an external one"),
    api("PATCH", "services/{service}", ADMIN, 202, body=CHANGE, case="a container"),
    api("DELETE", "services/{service}", ADMIN),
    api("POST", "services/{service}/start", ADMIN, 202),
    api("POST", "services/{service}/stop", ADMIN, 202),
    api("POST", "services/{service}/restart", ADMIN, 202),
    api("POST", "services/{deleted_service}/restore", ADMIN, 202),
    api("POST", "services/{deleted_service}/purge", ADMIN, 202),
    api("GET", "services/{service}/ports", VIEWER),
    api("POST", "services/{service}/ports", ADMIN, body=PORT),
    api("GET", "services/{service_with_port}/ports/{port}", VIEWER),
    api("PATCH", "services/{service_with_port}/ports/{port}", ADMIN, body={"access": "public"}),
    api("DELETE", "services/{service_with_port}/ports/{port}", ADMIN),
    api("GET", "services/{service}/logs", VIEWER),
    api("GET", "services/{service}/stats", VIEWER),
]

# Of both kinds: what one answers that has no terminal and no logs.
NOT_IN_REACH = ADMIN.but(viewer=404, member=404)
STREAMS = [
    api("GET", "services/{external}/terminal", ADMIN, 409, needs="service.terminal"),
    api("GET", "services/{external}/logs/ws", VIEWER, 409, needs="service.read"),
    api("GET", "services/{external}/logs/events", VIEWER, 409, needs="service.read"),
    api("GET", "workspaces/{nowhere}/terminal", ADMIN.but(member=404), 409, needs="workspace.terminal"),
    api("GET", "workspaces/{nowhere}/logs/ws", NOT_IN_REACH, 409, needs="workspace.read"),
    api("GET", "workspaces/{nowhere}/logs/events", NOT_IN_REACH, 409, needs="workspace.read"),
]
