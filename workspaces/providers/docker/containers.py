"""Containers: what they are made from, and what is seen of them."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from docker.errors import APIError, NotFound

from workspaces.providers.base import Observed, Spec, State, Unavailable

from .engine import LABEL_DIGEST, LABEL_KEY, LABEL_KIND, Names
from .network import Network

KINDS = ("workspace", "service")
_STATES: dict[str, State] = {"running": "running", "restarting": "starting", "paused": "running"}
_EXITED = re.compile(r"Exited \((\d+)\)")
_REMOVED_SECONDS = 15.0
STOP_SECONDS = 10


def find(api: Any, name: str) -> dict[str, Any] | None:
    """The inspection of our container of that name."""
    try:
        found: dict[str, Any] = api.inspect_container(name)
    except NotFound:
        return None
    return found


def listed(api: Any, key: str = "") -> list[dict[str, Any]]:
    """Those of one instance, helpers among them, or all of the platform's."""
    filters = {"label": [f"{LABEL_KEY}={key}"]} if key else None
    return list(api.containers(all=True, filters=filters))


def remove(api: Any, reference: str) -> None:
    """Have no such container, also where somebody else is removing it. Raises Unavailable, APIError."""
    until = time.monotonic() + _REMOVED_SECONDS
    while True:
        try:
            api.remove_container(
                reference, force=True, v=True
            )  # v: what the image calls a volume and nobody named
            return
        except NotFound:
            return
        except APIError as e:
            if e.status_code != 409:
                raise
        if time.monotonic() > until:
            raise Unavailable("The container is still being removed.")
        time.sleep(0.1)


def body(
    spec: Spec, names: Names, network: Network, image: Mapping[str, Any], volumes: Mapping[str, str]
) -> dict[str, Any]:
    """What the broker is asked to make; it adds the hardening (`workspaces.broker.bodies`)."""
    environment = dict(spec.environment)
    if spec.kind == "workspace":
        url = f"http://{network.gateway}:{settings.HTTP_PORT}/internal/auth/introspect"
        environment.setdefault("GATEHOUSE_INTROSPECT_URL", url)
    made: dict[str, Any] = {
        "Image": spec.image or settings.WORKSPACE_IMAGE,
        "Hostname": re.sub(r"[^a-z0-9]+", "-", spec.name.lower())[:63].strip("-") or "gatehouse",
        "Env": [f"{name}={value}" for name, value in sorted(environment.items())],
        "Labels": {
            LABEL_KEY: spec.key,
            LABEL_KIND: spec.kind,
            LABEL_DIGEST: spec.digest(),
            "gatehouse.tenant": spec.tenant,
            "gatehouse.name": spec.name,
        },
        "HostConfig": {
            "Memory": spec.limits.memory_bytes,
            "NanoCpus": spec.limits.cpu_millis * 1_000_000,
            "PidsLimit": spec.limits.pids,
            "Mounts": [
                {"Type": "volume", "Source": volumes[volume.name], "Target": volume.path}
                for volume in spec.volumes
            ],
        },
        "NetworkingConfig": {
            "EndpointsConfig": {names.network: {"IPAMConfig": {"IPv4Address": network.address(spec.offset)}}}
        },
    }
    if spec.command:
        made["Cmd"] = list(spec.command)
    if spec.kind == "service" and (user := own_user(image)):
        made["User"] = user
    return made


def own_user(image: Mapping[str, Any]) -> str:
    """The user that the image names; empty for none or root, as whom nothing runs."""
    user = str((image.get("Config") or {}).get("User") or "")
    name = user.partition(":")[0]
    return "" if name == "root" or (name.isdecimal() and int(name) == 0) else user


def helper(key: str, image: str, volume: str, path: str) -> dict[str, Any]:
    """A container that is never started: files of a volume are reached through it."""
    return {
        "Image": image,
        "Labels": {LABEL_KEY: key, LABEL_KIND: "helper"},
        "HostConfig": {
            "Memory": 64 << 20,
            "NanoCpus": 100_000_000,
            "PidsLimit": 16,
            "Mounts": [{"Type": "volume", "Source": volume, "Target": path}],
        },
    }


def observed(found: Mapping[str, Any], names: Names) -> Observed:
    """From an inspection."""
    state, labels = found["State"], found["Config"]["Labels"]
    seen = _STATES.get(state["Status"], "stopped")
    ended = state["Status"] in ("exited", "dead")
    networks = found["NetworkSettings"]["Networks"]
    return Observed(
        labels[LABEL_KEY],
        seen,
        labels.get(LABEL_DIGEST, ""),
        address=(networks.get(names.network) or {}).get("IPAddress", "") if seen != "stopped" else "",
        exit_code=state["ExitCode"] if ended else None,
        reason=_reason(found) if ended else "",
        started_at=_time(state["StartedAt"]),
    )


def observed_in_list(found: Mapping[str, Any], names: Names) -> Observed:
    """From a list, which knows less."""
    seen = _STATES.get(found["State"], "stopped")
    exited = _EXITED.match(found["Status"])
    networks = found["NetworkSettings"]["Networks"]
    return Observed(
        found["Labels"][LABEL_KEY],
        seen,
        found["Labels"].get(LABEL_DIGEST, ""),
        address=(networks.get(names.network) or {}).get("IPAddress", "") if seen != "stopped" else "",
        exit_code=int(exited[1]) if exited else None,
    )


def _reason(found: Mapping[str, Any]) -> str:
    state = found["State"]
    if state["OOMKilled"]:
        return f"It ran out of memory: its limit is {found['HostConfig']['Memory'] >> 20} MiB."
    if state["Error"]:
        return str(state["Error"])[:300]
    code = int(state["ExitCode"])
    if code == 137:
        return "It was killed."
    return f"Its command ended with {code}." if code else "Its command ended."


def _time(text: str) -> datetime | None:
    """RFC 3339 with nanoseconds; the engine's "never" is the year 1."""
    if not text or text.startswith("0001-"):
        return None
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
