"""Who may open a terminal or follow logs: everything that is checked before the first byte, and again later."""

from __future__ import annotations

from uuid import UUID

from gateway.db.scope import tenant_scope
from gateway.errors import NotFound
from realtime import admission
from realtime.wire import Scope
from tenants.principal import Principal
from tenants.services import standing
from workspaces.models import Service, Workspace
from workspaces.services import terminals

from .connection import Admitted

KINDS: dict[str, type[Workspace] | type[Service]] = {"workspaces": Workspace, "services": Service}
PERMISSIONS = {
    ("workspaces", "terminal"): "workspace.terminal",
    ("services", "terminal"): "service.terminal",
    ("workspaces", "logs"): "workspace.read",
    ("services", "logs"): "service.read",
}


def admit(scope: Scope, use: str) -> Admitted:
    """Check the request of an ASGI scope whose route names `kind` and `public_id`. Blocks.

    Raises as `realtime.admission.caller_of`, Forbidden without the permission, NotFound beyond the caller's reach.
    """
    caller, holder, request = admission.caller_of(scope)
    named = scope["url_route"]["kwargs"]
    permission = PERMISSIONS[named["kind"], use]
    caller.require(permission)
    instance = _within_reach(KINDS[named["kind"]], UUID(named["public_id"]), caller)
    return Admitted(holder, caller, permission, instance, {k: str(v) for k, v in request.GET.items()})


def check_again(admitted: Admitted, needs_running: bool) -> None:
    """Raises where the same request would be refused by now, or (for a terminal) the instance no longer runs."""
    caller = standing.renew(admitted.holder)
    caller.require(admitted.permission)
    found = _within_reach(type(admitted.instance), admitted.instance.public_id, caller)
    if needs_running:
        terminals.check_running(found)


def _within_reach(
    model: type[Workspace] | type[Service], public_id: UUID, caller: Principal
) -> Workspace | Service:
    with tenant_scope(caller.tenant.pk):
        rows = model.objects.visible_to(caller).filter(deleted_at=None)
        found: Workspace | Service | None = rows.filter(public_id=public_id).select_related("tenant").first()
    if found is None:
        raise NotFound(f"No such {model._meta.verbose_name}.")
    return found
