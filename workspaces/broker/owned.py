"""Whose a container, volume, network or exec is: asked of the engine before each call that touches one.

What is not ours does not exist. Calls then go to the object's id, so that a name which changes hands in between
reaches nobody else.
"""

from __future__ import annotations

from typing import Any

from . import upstream
from .bodies import LABEL
from .refusal import Refusal
from .settings import Settings
from .upstream import Call


async def container(settings: Settings, version: str, reference: str) -> dict[str, Any]:
    """The inspection of our container. Raises Refusal (404)."""
    found = await _inspect(settings, f"/{version}/containers/{reference}/json")
    if found is None or not _ours(found.get("Config", {}).get("Labels"), settings):
        raise Refusal(404, f"No such container: {reference}")
    return found


async def execution(settings: Settings, version: str, reference: str) -> dict[str, Any]:
    """The inspection of an exec in our container. Raises Refusal (404)."""
    found = await _inspect(settings, f"/{version}/exec/{reference}/json")
    if found is None:
        raise Refusal(404, f"No such exec instance: {reference}")
    try:
        await container(settings, version, str(found.get("ContainerID") or "-"))
    except Refusal as e:
        raise Refusal(404, f"No such exec instance: {reference}") if e.status == 404 else e from e
    return found


async def volume(settings: Settings, version: str, name: str) -> dict[str, Any]:
    """The inspection of our volume. Raises Refusal (404)."""
    found = await _inspect(settings, f"/{version}/volumes/{name}")
    if found is None or not _ours(found.get("Labels"), settings) or found.get("Options"):
        raise Refusal(404, f"get {name}: no such volume")
    return found


async def network(settings: Settings, version: str, reference: str) -> dict[str, Any]:
    """The inspection of our network, or of the one that DOCKER_NETWORK names. Raises Refusal (404)."""
    found = await _inspect(settings, f"/{version}/networks/{reference}")
    named = found is not None and not settings.network_is_ours and found.get("Name") == settings.network
    if found is None or not (named or _ours(found.get("Labels"), settings)):
        raise Refusal(404, f"network {reference} not found")
    return found


def _ours(labels: Any, settings: Settings) -> bool:
    return isinstance(labels, dict) and labels.get(LABEL) == settings.platform


async def _inspect(settings: Settings, path: str) -> dict[str, Any] | None:
    status, found = await upstream.ask(settings.engine, Call("GET", path, {}))
    if status == 404:
        return None
    if status != 200 or not isinstance(found, dict):
        raise Refusal(502, f"broker: the engine answered {status} to an inspection")
    return found
