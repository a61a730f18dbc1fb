"""The calls that there are (Docker Engine API). Each handler says what is asked of the engine, or answers itself."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from . import bodies, fields, owned, upstream
from .refusal import Refusal, forbidden
from .requests import Request, filters, only, parameters
from .settings import Settings
from .upstream import Call

_NUMBER = r"\d{1,12}"
_TIME = r"\d{1,12}(?:\.\d{1,9})?"
_SWITCH = r"[01]|true|false|True|False"
_KEY_LABEL = rf"gatehouse\.key={bodies.KEY}|gatehouse\.kind=[a-z]{{1,16}}"


@dataclass(frozen=True, slots=True)
class Reply:
    """Ours to the client; the engine's was looked through."""

    value: Any
    status: int = 200


@dataclass(frozen=True, slots=True)
class Stream:
    """The engine's answer goes to the client as it comes."""

    call: Call


@dataclass(frozen=True, slots=True)
class Hijack:
    """After the heads both sides speak bytes."""

    call: Call


@dataclass(frozen=True, slots=True)
class Upload:
    """The client's body goes to the engine as it comes; then like Stream."""

    call: Call


Outcome = Reply | Stream | Hijack | Upload
Handler = Callable[[Settings, Request, str], Awaitable[Outcome]]
"""Gets the object's reference from the path. Raises Refusal, Lost."""


async def _get(settings: Settings, path: str, **query: str | int) -> Any:
    status, found = await upstream.ask(settings.engine, Call("GET", path, query))
    if status != 200:
        message = found.get("message", "") if isinstance(found, dict) else ""
        raise Refusal(status, message)
    return found


async def version(settings: Settings, request: Request, _: str) -> Outcome:
    parameters(request)
    prefix = f"/{request.version}" if request.version else ""
    found = await _get(settings, f"{prefix}/version")
    return Reply(only(found, "Version", "ApiVersion", "MinAPIVersion", "Os", "Arch", "KernelVersion"))


async def info(settings: Settings, request: Request, _: str) -> Outcome:
    """Of the engine, nothing of what else runs on it; and which platform this is, and its network."""
    parameters(request)
    found = await _get(settings, f"/{request.version}/info")
    names = ("NCPU", "MemTotal", "OSType", "ServerVersion", "SecurityOptions", "BridgeNfIptables")
    limits = ("MemoryLimit", "CpuCfsQuota", "PidsLimit", "CgroupVersion", "Driver")
    return Reply({**only(found, *names, *limits), "Gatehouse": told(settings)})


def told(settings: Settings) -> dict[str, str]:
    """What the provider must know to name things."""
    return {"Platform": settings.platform, "Network": settings.network}


async def events(settings: Settings, request: Request, _: str) -> Outcome:
    required = {
        "type": ["container"],
        "event": ["start", "die", "oom", "destroy"],
        "label": [f"{bodies.LABEL}={settings.platform}"],
    }
    query = parameters(request, since=_TIME, until=_TIME, filters=filters(required, labels=_KEY_LABEL))
    query.setdefault("filters", json.dumps(required))
    return Stream(Call("GET", f"/{request.version}/events", query))


async def list_containers(settings: Settings, request: Request, _: str) -> Outcome:
    required = {"label": [f"{bodies.LABEL}={settings.platform}"]}
    query = parameters(
        request,
        all=_SWITCH,
        limit=r"-1",
        size=r"0|false|False",
        trunc_cmd=_SWITCH,
        filters=filters(required, labels=_KEY_LABEL),
    )
    query.setdefault("filters", json.dumps(required))
    query.pop("trunc_cmd", None)
    return Stream(Call("GET", f"/{request.version}/containers/json", query))


async def create_container(settings: Settings, request: Request, _: str) -> Outcome:
    query = parameters(request, name=bodies.container_name(settings))
    if "name" not in query:
        raise forbidden("the name is missing")
    made = bodies.container(fields.parse(request.body), settings)
    helper = made["Labels"]["gatehouse.kind"] == "helper"
    named = f"{settings.prefix}{made['Labels']['gatehouse.key']}" + ("-helper" if helper else "")
    if query["name"] != named:
        raise forbidden("the name does not fit the labels")
    for name in bodies.volumes_of(made):
        if not name.startswith(f"{settings.prefix}{made['Labels']['gatehouse.key']}-"):
            raise forbidden("a volume of another instance")
        await owned.volume(settings, request.version, name)
    if not helper:
        await owned.network(settings, request.version, settings.network)
    return Stream(Call("POST", f"/{request.version}/containers/create", query, made))


async def inspect_container(settings: Settings, request: Request, reference: str) -> Outcome:
    parameters(request, size=r"0|false|False")
    return Reply(await owned.container(settings, request.version, reference))


def _on_container(
    method: str, action: str, **allowed: str
) -> Callable[[Settings, Request, str], Awaitable[Outcome]]:
    """A handler of a call without a body on our container."""

    async def handler(settings: Settings, request: Request, reference: str) -> Outcome:
        query = parameters(request, **allowed)
        _no_body(request)
        found = await owned.container(settings, request.version, reference)
        if action == "/start" and found["Config"]["Labels"].get("gatehouse.kind") == "helper":
            raise forbidden("a helper is never started")
        return Stream(Call(method, f"/{request.version}/containers/{found['Id']}{action}", query))

    return handler


def _archive(method: str, **allowed: str) -> Callable[[Settings, Request, str], Awaitable[Outcome]]:
    """Files of a container that never ran: in a running one, links could be swapped under the engine's hands."""

    async def handler(settings: Settings, request: Request, reference: str) -> Outcome:
        query = parameters(request, path=r"/[^\0]{0,1024}", **allowed)
        found = await owned.container(settings, request.version, reference)
        if found["State"]["Status"] != "created" or not query.get("path"):
            raise forbidden("an archive of a container that has run")
        call = Call(method, f"/{request.version}/containers/{found['Id']}/archive", query)
        return Upload(call) if method == "PUT" else Stream(call)

    return handler


async def create_execution(settings: Settings, request: Request, reference: str) -> Outcome:
    parameters(request)
    made = bodies.execution(fields.parse(request.body))
    found = await owned.container(settings, request.version, reference)
    return Stream(Call("POST", f"/{request.version}/containers/{found['Id']}/exec", {}, made))


async def start_execution(settings: Settings, request: Request, reference: str) -> Outcome:
    parameters(request)
    made = bodies.start_of_execution(fields.parse(request.body))
    if made["Detach"] == request.upgrade:
        raise forbidden("an exec is either detached or upgrades its connection")
    await owned.execution(settings, request.version, reference)
    call = Call("POST", f"/{request.version}/exec/{reference}/start", {}, made)
    return Hijack(call) if request.upgrade else Stream(call)


async def resize_execution(settings: Settings, request: Request, reference: str) -> Outcome:
    query = parameters(request, h=r"\d{1,4}", w=r"\d{1,4}")
    _no_body(request)
    await owned.execution(settings, request.version, reference)
    return Stream(Call("POST", f"/{request.version}/exec/{reference}/resize", query))


async def inspect_execution(settings: Settings, request: Request, reference: str) -> Outcome:
    parameters(request)
    return Reply(await owned.execution(settings, request.version, reference))


async def list_volumes(settings: Settings, request: Request, _: str) -> Outcome:
    required = {"label": [f"{bodies.LABEL}={settings.platform}"]}
    query = parameters(request, filters=filters(required, labels=_KEY_LABEL))
    query.setdefault("filters", json.dumps(required))
    return Stream(Call("GET", f"/{request.version}/volumes", query))


async def create_volume(settings: Settings, request: Request, _: str) -> Outcome:
    parameters(request)
    made = bodies.volume(fields.parse(request.body), settings)
    if not made["Name"].startswith(f"{settings.prefix}{made['Labels'].get('gatehouse.key')}-"):
        raise forbidden("the name does not fit the labels")
    status, found = await upstream.ask(
        settings.engine, Call("POST", f"/{request.version}/volumes/create", {}, made)
    )
    if status in (200, 201):  # also where one of that name was there before: see whose it is
        found = await owned.volume(settings, request.version, made["Name"])
    return Reply(found, status)


async def inspect_volume(settings: Settings, request: Request, name: str) -> Outcome:
    parameters(request)
    return Reply(await owned.volume(settings, request.version, name))


async def remove_volume(settings: Settings, request: Request, name: str) -> Outcome:
    query = parameters(request, force=_SWITCH)
    _no_body(request)
    await owned.volume(settings, request.version, name)
    return Stream(Call("DELETE", f"/{request.version}/volumes/{name}", query))


async def create_network(settings: Settings, request: Request, _: str) -> Outcome:
    parameters(request)
    made = bodies.network(fields.parse(request.body), settings)
    return Stream(Call("POST", f"/{request.version}/networks/create", {}, made))


async def inspect_network(settings: Settings, request: Request, reference: str) -> Outcome:
    parameters(request)
    found = await owned.network(settings, request.version, reference)
    return Reply(only(found, "Id", "Name", "Driver", "IPAM", "Options", "Labels", "Internal"))


async def remove_network(settings: Settings, request: Request, reference: str) -> Outcome:
    parameters(request)
    _no_body(request)
    found = await owned.network(settings, request.version, reference)
    if not settings.network_is_ours:
        raise forbidden("the network that DOCKER_NETWORK names is not ours")
    return Stream(Call("DELETE", f"/{request.version}/networks/{found['Id']}", {}))


async def inspect_image(settings: Settings, request: Request, name: str) -> Outcome:
    """Whether it is there, and whose user it runs as; its environment may be a secret of somebody else's."""
    parameters(request)
    if not re.fullmatch(bodies.IMAGE + r"|sha256:[0-9a-f]{64}", name):
        raise Refusal(404, f"No such image: {name}")
    found = await _get(settings, f"/{request.version}/images/{name}/json")
    configuration = only(found.get("Config") or {}, "User", "ExposedPorts", "Volumes", "WorkingDir")
    return Reply({**only(found, "Id", "RepoTags", "Created", "Size"), "Config": configuration})


async def pull_image(settings: Settings, request: Request, _: str) -> Outcome:
    if not settings.pull:
        raise forbidden("images are not pulled here: DOCKER_PULL is never")
    query = parameters(
        request, fromImage=bodies.IMAGE, tag=r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|sha256:[0-9a-f]{64}"
    )
    _no_body(request)
    if not query.get("fromImage") or not query.get("tag"):
        raise forbidden("fromImage and tag are missing")
    return Stream(Call("POST", f"/{request.version}/images/create", query))


async def disk_usage(settings: Settings, request: Request, _: str) -> Outcome:
    """The sizes of our volumes."""
    parameters(request)
    kind = {"type": "volume"} if int(request.version.removeprefix("v1.")) >= 42 else {}
    found = await _get(settings, f"/{request.version}/system/df", **kind)
    volumes = [
        only(one, "Name", "Labels", "UsageData")
        for one in found.get("Volumes") or []
        if (one.get("Labels") or {}).get(bodies.LABEL) == settings.platform
    ]
    return Reply({"Volumes": volumes})


async def ping(settings: Settings, request: Request, _: str) -> Outcome:
    parameters(request)
    prefix = f"/{request.version}" if request.version else ""
    return Stream(Call(request.method, f"{prefix}/_ping", {}))


def _no_body(request: Request) -> None:
    if request.body not in (b"", b"{}", b"null"):
        raise forbidden("this call takes no body")


_REFERENCE = r"([A-Za-z0-9][A-Za-z0-9_.-]{0,254})"
_ID = r"([0-9a-f]{64})"
ROUTES: list[tuple[str, re.Pattern[str], Handler]] = [
    (method, re.compile(pattern), handler)
    for method, pattern, handler in (
        ("GET", r"/_ping()", ping),
        ("HEAD", r"/_ping()", ping),
        ("GET", r"/version()", version),
        ("GET", r"/info()", info),
        ("GET", r"/events()", events),
        ("GET", r"/system/df()", disk_usage),
        ("GET", r"/containers/json()", list_containers),
        ("POST", r"/containers/create()", create_container),
        ("GET", rf"/containers/{_REFERENCE}/json", inspect_container),
        (
            "GET",
            rf"/containers/{_REFERENCE}/logs",
            _on_container(
                *("GET", "/logs"),
                **dict.fromkeys(("follow", "stdout", "stderr", "timestamps"), _SWITCH),
                tail=r"all|\d{1,6}",
                since=_TIME,
                until=_TIME,
            ),
        ),
        (
            "GET",
            rf"/containers/{_REFERENCE}/stats",
            _on_container("GET", "/stats", stream=r"0|false|False", one_shot=_SWITCH),
        ),
        ("POST", rf"/containers/{_REFERENCE}/start", _on_container("POST", "/start")),
        ("POST", rf"/containers/{_REFERENCE}/stop", _on_container("POST", "/stop", t=r"\d{1,2}")),
        ("POST", rf"/containers/{_REFERENCE}/kill", _on_container("POST", "/kill", signal=r"[A-Z0-9]{1,16}")),
        (
            "DELETE",
            rf"/containers/{_REFERENCE}",
            _on_container("DELETE", "", v=_SWITCH, force=_SWITCH, link=r"False"),
        ),
        ("POST", rf"/containers/{_REFERENCE}/exec", create_execution),
        ("POST", rf"/exec/{_ID}/start", start_execution),
        ("POST", rf"/exec/{_ID}/resize", resize_execution),
        ("GET", rf"/exec/{_ID}/json", inspect_execution),
        ("GET", rf"/containers/{_REFERENCE}/archive", _archive("GET")),
        ("PUT", rf"/containers/{_REFERENCE}/archive", _archive("PUT")),
        ("GET", r"/volumes()", list_volumes),
        ("POST", r"/volumes/create()", create_volume),
        ("GET", rf"/volumes/{_REFERENCE}", inspect_volume),
        ("DELETE", rf"/volumes/{_REFERENCE}", remove_volume),
        ("POST", r"/networks/create()", create_network),
        ("GET", rf"/networks/{_REFERENCE}", inspect_network),
        ("DELETE", rf"/networks/{_REFERENCE}", remove_network),
        ("GET", r"/images/(.+)/json", inspect_image),
        ("POST", r"/images/create()", pull_image),
    )
]
_WITHOUT_VERSION = ("/_ping", "/version")


def is_upload(method: str, path: str) -> bool:
    """Whether the body is not JSON and goes through as it comes."""
    return method == "PUT" and path.endswith("/archive")


async def decide(settings: Settings, request: Request) -> Outcome:
    """Raises Refusal for whatever is not in the table, Lost."""
    if request.version or request.path in _WITHOUT_VERSION:
        for method, pattern, handler in ROUTES:
            found = pattern.fullmatch(request.path) if method == request.method else None
            if found:
                if request.upgrade and handler is not start_execution:
                    raise forbidden("this call does not upgrade")
                if settings.problem:
                    raise Refusal(503, settings.problem, absent=True)
                return await handler(settings, request, found[1])
    raise forbidden("this call is not allowed")
