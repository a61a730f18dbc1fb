"""Terminals: a shell in a running instance, for one person. Who opened one and for how long is audited, never what
passes through it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from gateway.db.scope import tenant_scope
from gateway.errors import Conflict, Invalid, Unavailable
from tenants.services import audit
from workspaces.models import Instance, Workspace
from workspaces.providers import base, registry

from . import instances

if TYPE_CHECKING:
    from tenants.principal import Principal

MOST_COLUMNS, MOST_ROWS = 1000, 1000
# bash where the image has it; `exec` so that the shell's end is the terminal's.
SHELL = ("/bin/sh", "-c", "export TERM=xterm-256color; [ -x /bin/bash ] && exec /bin/bash; exec /bin/sh")


def check_running(instance: Instance) -> None:
    """Raises Conflict, code `not_running`, unless it runs and shall go on to."""
    if instance.desired_state == instances.RUNNING and instance.observed_state == Instance.Observed.RUNNING:
        return
    raise Conflict(f"The {instances.noun(instance)} does not run.", code="not_running")


def check_size(columns: int, rows: int) -> None:
    """Raises Invalid."""
    for name, value, most in (("columns", columns, MOST_COLUMNS), ("rows", rows, MOST_ROWS)):
        if not 1 <= value <= most:
            text = f"A number from 1 to {most}."
            raise Invalid(f"{name}: {text}", errors={name: [text]})


def open_terminal(instance: Instance, columns: int, rows: int) -> base.Terminal:
    """A shell in the instance. Takes seconds; the caller has asked for permission and reach.

    Raises Invalid (a size), Conflict (`not_running`, `not_supported`: no terminals there, or no shell), Unavailable.
    """
    check_size(columns, rows)
    check_running(instance)
    provider = able(instance, base.Capability.TERMINAL, "terminals")
    try:
        return provider.execute(instance.key, SHELL, columns=columns, rows=rows)
    except base.NotThere as error:
        raise Conflict(str(error), code="not_running") from None
    except base.Refused as error:
        raise Conflict(str(error), code="not_supported") from None
    except base.ProviderError as error:
        raise Unavailable(str(error)) from None


def able(instance: Instance, capability: base.Capability, what: str) -> base.Provider:
    """The provider of an instance. Raises Conflict, code `not_supported`, where it cannot do that."""
    try:
        provider = registry.provider(instance.provider)
    except (KeyError, ImportError):
        text = f"It has no {what}: it runs nowhere here."
    else:
        if capability in provider.capabilities:
            return provider
        text = f"The provider {instance.provider} has no {what}."
    raise Conflict(text, code="not_supported")


def opened(instance: Instance, *, actor: Principal) -> None:
    """Write down that a terminal was opened, before its first byte; it counts as use."""
    _record(instance, "open", {}, actor)
    used(instance)


def closed(instance: Instance, *, seconds: int, reason: str, actor: Principal) -> None:
    """Write down that it ended; `reason` is a code."""
    _record(instance, "close", {"seconds": seconds, "reason": reason}, actor)


def used(instance: Instance) -> None:
    """Somebody types: a workspace is not idle."""
    if isinstance(instance, Workspace):
        with tenant_scope(instance.tenant_id):
            Workspace.objects.filter(pk=instance.pk).update(last_active_at=timezone.now())


def end(terminal: base.Terminal) -> None:
    """Close it; a provider that does not answer ends it by itself."""
    with suppress(base.ProviderError, OSError):
        terminal.close()


def _record(instance: Instance, what: str, told: dict[str, object], actor: Principal) -> None:
    kind = instances.noun(instance)
    with tenant_scope(instance.tenant_id), transaction.atomic():
        audit.record(actor, f"workspaces.terminal.{what}", target=f"{kind} {instance.name}", after=told)
