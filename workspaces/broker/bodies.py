"""The bodies that reach the engine, each built here from the few things that a caller may choose.

Names of fields are those of the Docker Engine API, v1.41 to v1.5x.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from .fields import Fields, switch, text, texts, whole
from .refusal import forbidden
from .settings import Settings

LABEL = "gatehouse.instance"
KEY = r"[ws]-[0-9a-f]{16}"
IMAGE = r"[a-z0-9][A-Za-z0-9_.:/@-]{0,254}"
WORKSPACE_USER = "10001:10001"
_ABSOLUTE = r"(?!.*/\.\.?(?:/|$))/[^\0:,]{1,1023}"
_LABELS = {
    "gatehouse.key": KEY,
    "gatehouse.kind": r"workspace|service|helper",
    "gatehouse.digest": r"[0-9a-f]{64}",
    "gatehouse.tenant": r"[a-z0-9-]{1,63}",
    "gatehouse.name": r"[A-Za-z0-9._-]{1,63}",
}
_NOTHING: list[Any] = []
_MEMORY = whole(6 << 20, 1 << 44)
_CPU = whole(10_000_000, 1024 * 1_000_000_000)
_PIDS = whole(1, 1 << 22)
LOGS = {"Type": "json-file", "Config": {"max-size": "5m", "max-file": "2"}}
_TMPFS = {
    "/tmp": "rw,nosuid,nodev,mode=1777,size=512m",  # noqa: S108  the container's
    "/run": "rw,nosuid,nodev,noexec,mode=0755,uid=10001,gid=10001,size=16m",
    "/home/workspace": "rw,nosuid,nodev,mode=0700,uid=10001,gid=10001,size=512m",
}
"""Of a workspace, whose root is read-only. They count to its memory."""


def labels(value: object, settings: Settings) -> dict[str, str]:
    """The client's labels, of known names, and ours."""
    fields = Fields(value, "Labels.")
    found = {name: fields.take(name, text(pattern), "") for name, pattern in _LABELS.items()}
    fields.done()
    return {LABEL: settings.platform} | {name: value for name, value in found.items() if value}


def container(body: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """The body of a create. All hardening is in here; the caller's word on it is not taken."""
    fields = Fields(body)
    marked = labels(fields.take("Labels", _anything), settings)
    if "gatehouse.key" not in marked or "gatehouse.kind" not in marked:
        raise forbidden("Labels: gatehouse.key and gatehouse.kind are missing")
    service = marked["gatehouse.kind"] == "service"
    helper = marked["gatehouse.kind"] == "helper"
    made: dict[str, Any] = {
        "Image": fields.take("Image", text(IMAGE)),
        "Env": fields.take("Env", texts(count=512, most=1 << 17), _NOTHING),
        "Labels": marked,
        "User": WORKSPACE_USER,
        "Hostname": fields.take("Hostname", text(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"), "gatehouse"),
        "AttachStdin": False,
        "OpenStdin": False,
        "Tty": False,
        "Healthcheck": {"Test": ["NONE"]},  # the platform asks by HTTP; each probe of the engine's is an exec
        "StopTimeout": 10,
    }
    if service:
        made["User"] = fields.take("User", _user, WORKSPACE_USER)
    if command := fields.take("Cmd", texts(count=256, most=1 << 17), _NOTHING):
        made["Cmd"] = command
    chosen = Fields(fields.take("HostConfig", _anything), "HostConfig.")
    host = {
        **hardening(read_only=not service),
        "Memory": chosen.take("Memory", _MEMORY),
        "NanoCpus": chosen.take("NanoCpus", _CPU),
        "PidsLimit": chosen.take("PidsLimit", _PIDS),
        "Mounts": [_mount(one, settings) for one in chosen.take("Mounts", _list, _NOTHING)],
        "NetworkMode": "none" if helper else settings.network,
    }
    host["MemorySwap"] = host["Memory"]  # together with swap: none
    chosen.done()
    if not service:
        host["Tmpfs"] = _TMPFS
    if not helper:
        made["NetworkingConfig"] = _networking(fields.take("NetworkingConfig", _anything), settings)
    made["HostConfig"] = host
    fields.done()
    return made


def hardening(*, read_only: bool) -> dict[str, Any]:
    """What holds for every container. Seccomp and AppArmor stay the engine's, which are on by default."""
    return {
        "Privileged": False,
        "CapDrop": ["ALL"],
        "CapAdd": [],
        "SecurityOpt": ["no-new-privileges:true"],
        "ReadonlyRootfs": read_only,
        "Binds": [],
        "Devices": [],
        "PidMode": "",
        "IpcMode": "private",
        "UTSMode": "",
        "UsernsMode": "",
        "PublishAllPorts": False,
        "PortBindings": {},
        "RestartPolicy": {"Name": "no"},  # the reconciler restarts
        "AutoRemove": False,
        "LogConfig": LOGS,
        "OomScoreAdj": 500,  # before anything of the platform
    }


def _networking(value: object, settings: Settings) -> dict[str, Any]:
    """An address on our network, and no other network."""
    at = value
    for name in ("EndpointsConfig", settings.network, "IPAMConfig"):
        fields = Fields(at, "NetworkingConfig.")
        at = fields.take(name, _anything)
        fields.done()
    fields = Fields(at, "NetworkingConfig.")
    address = fields.take("IPv4Address", _address)
    fields.done()
    return {"EndpointsConfig": {settings.network: {"IPAMConfig": {"IPv4Address": address}}}}


def _mount(value: object, settings: Settings) -> dict[str, Any]:
    """A named volume of ours; `volumes_of` tells whose they really are."""
    fields = Fields(value, "HostConfig.Mounts.")
    made = {
        "Type": fields.take("Type", text("volume")),
        "Source": fields.take("Source", text(volume_name(settings))),
        "Target": fields.take("Target", text(_ABSOLUTE)),
    }
    fields.done()
    return made


def volumes_of(made: dict[str, Any]) -> list[str]:
    """The names of the volumes that a body from `container` mounts."""
    return [mount["Source"] for mount in made["HostConfig"]["Mounts"]]


def volume_name(settings: Settings) -> str:
    """A pattern. The key of the instance is part of the name, so that it is never another's."""
    return rf"{settings.prefix}{KEY}-[a-z0-9][a-z0-9_-]{{0,62}}(?:\.\d{{1,9}})?"


def container_name(settings: Settings) -> str:
    return rf"{settings.prefix}{KEY}(?:-helper)?"


def volume(body: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """A local volume without options: with some, the driver would mount what it is told to."""
    fields = Fields(body)
    made = {
        "Name": fields.take("Name", text(volume_name(settings))),
        "Driver": fields.take("Driver", text("local"), "local"),
        "DriverOpts": {},
        "Labels": labels(fields.take("Labels", _anything), settings),
    }
    fields.done()
    return made


def network(body: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """The one network: containers on it reach the world outside and not each other."""
    fields = Fields(body)
    made = {
        "Name": fields.take("Name", text(settings.network)),
        "CheckDuplicate": True,
        "Driver": "bridge",
        "Internal": False,
        "Attachable": False,
        "Ingress": False,
        "EnableIPv6": False,
        "Options": {
            "com.docker.network.bridge.enable_icc": "false",
            "com.docker.network.bridge.name": settings.bridge,
        },
        "Labels": {LABEL: settings.platform},
    }
    if not settings.network_is_ours:
        raise forbidden("the network that DOCKER_NETWORK names is not made here")
    ipam = Fields(fields.take("IPAM", _anything), "IPAM.")
    pools = ipam.take("Config", _list)
    ipam.done()
    fields.done()
    if len(pools) != 1:
        raise forbidden("IPAM.Config: not one subnet")
    pool = Fields(pools[0], "IPAM.Config.")
    subnet = pool.take("Subnet", _subnet)
    made["IPAM"] = {"Driver": "default", "Config": [{"Subnet": str(subnet), "Gateway": str(subnet[1])}]}
    pool.done()
    return made


def execution(body: dict[str, Any]) -> dict[str, Any]:
    """A command in a running container, as its own user."""
    fields = Fields(body)
    fields.take("Container", text(r"[A-Za-z0-9_.-]{1,255}"), "-")
    tty = fields.take("Tty", switch, False)
    made = {
        "Cmd": fields.take("Cmd", texts(count=256, most=1 << 17)),
        "Env": fields.take("Env", texts(count=64, most=4096), _NOTHING),
        "Tty": tty,
        "AttachStdin": fields.take("AttachStdin", switch, False),
        "AttachStdout": fields.take("AttachStdout", switch, True),
        "AttachStderr": fields.take("AttachStderr", switch, True),
        "Privileged": False,
    }
    fields.done()
    return made


def start_of_execution(body: dict[str, Any]) -> dict[str, Any]:
    fields = Fields(body)
    made = {"Tty": fields.take("Tty", switch, False), "Detach": fields.take("Detach", switch, False)}
    fields.done()
    return made


def _user(value: Any) -> str:
    found: str = text(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}(?::[A-Za-z0-9_.-]{1,64})?")(value)
    name = found.partition(":")[0]
    if name == "root" or (name.isdecimal() and int(name) == 0):
        raise ValueError("root is not allowed")
    return found


def _anything(value: Any) -> Any:
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list) or len(value) > 32:
        raise ValueError("not a list of at most 32")
    return value


def _address(value: Any) -> str:
    return str(ipaddress.IPv4Address(value if isinstance(value, str) else ""))


def _subnet(value: Any) -> ipaddress.IPv4Network:
    found = ipaddress.IPv4Network(value if isinstance(value, str) else "")
    if not found.is_private or not 16 <= found.prefixlen <= 28:
        raise ValueError("not a private network of /16 to /28")
    return found
