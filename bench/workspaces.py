"""How soon a workspace answers, what an idle one costs, how long git_status takes on a large repository."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from statistics import quantiles
from typing import Any
from uuid import uuid4

import httpx

from bench.peers import Peers
from bench.table import Row
from tests.instance import Api, Instance, Member, until

IMAGE = "gatehouse-workspace:local"
ROUNDS = 12
IDLE = 5
FILES = 50_000
PATIENCE = 60.0
PAUSE = 0.01
_NUMBERS = itertools.count(1)


def workspaces(instance: Instance, peers: Peers) -> Iterator[Row]:
    """Every provider that is there; the peer of docker's is a bare `docker run` of the same image."""
    member = instance.member()
    with httpx.Client(base_url=instance.url, headers=member.api.headers, trust_env=False, timeout=30) as http:
        for provider in _available(member.api):
            yield from _of_provider(
                _Caller(instance, member, http, _template(member.api, provider)), provider
            )


def _available(api: Api) -> list[str]:
    return [offer["name"] for offer in api.ok("GET", "templates/providers") if offer["available"]]


def _template(api: Api, provider: str) -> str:
    name = f"bench-{provider}"
    api.ok("POST", "templates", {"name": name, "provider": provider, "run_command": True})
    return name


class _Caller:
    """Makes workspaces from one template and asks their servers."""

    def __init__(self, instance: Instance, member: Member, http: httpx.Client, template: str) -> None:
        self.instance, self.api, self._http, self._template = instance, member.api, http, template

    def create(self) -> dict[str, Any]:
        name = f"bench-{next(_NUMBERS)}"
        made: dict[str, Any] = self.api.ok("POST", "workspaces", {"name": name, "template": self._template})
        return made

    def call(self, name: str, tool: str, **arguments: Any) -> bool:
        """Whether the tool has answered without an error."""
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
        params = {"params": {"name": tool, "arguments": arguments}}
        headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}
        answer = self._http.post(f"/ws/{name}/mcp", json=body | params, headers=headers)
        if answer.status_code != 200:
            return False
        return not _message(answer.text).get("result", {"isError": True}).get("isError")

    def first_call(self, name: str) -> None:
        until(lambda: self.call(name, "git_status"), PATIENCE, f"{name} answers", pause=PAUSE)

    def remove(self, workspace: dict[str, Any]) -> None:
        self.api.ok("DELETE", f"workspaces/{workspace['id']}")
        self.api.ok("POST", f"workspaces/{workspace['id']}/purge")


def _message(text: str) -> dict[str, Any]:
    """The one JSON-RPC message of a body or of a short event stream."""
    data = text if text.startswith("{") else text.rpartition("data:")[2]
    message: dict[str, Any] = json.loads(data)
    return message


def _of_provider(caller: _Caller, provider: str) -> Iterator[Row]:
    ours: list[float] = []
    bare: list[float] = []
    for _ in range(ROUNDS):
        workspace, seconds = _timed(lambda: _created(caller))
        ours.append(seconds)
        caller.remove(workspace)
        if provider == "docker":
            bare.append(_bare_run())
    for name, index in (("p50", 9), ("p95", 18)):
        peer = quantiles(bare, n=20)[index] if bare else None
        yield Row(f"create to first tool call, {provider}, {name}", "s", quantiles(ours, n=20)[index], peer)

    workspace = _created(caller)
    woken = []
    for _ in range(ROUNDS):
        path = f"workspaces/{workspace['id']}"
        caller.api.ok("POST", f"{path}/stop")
        until(lambda: caller.api.ok("GET", path)["state"] == "stopped", PATIENCE, "stopped")  # noqa: B023

        def start() -> None:
            caller.api.ok("POST", f"{path}/start")  # noqa: B023
            caller.first_call(workspace["name"])

        woken.append(_timed(start)[1])
    yield Row(f"start of a stopped one to first tool call, {provider}, p50", "s", quantiles(woken, n=2)[0])

    yield from _large_repository(caller, workspace, provider)
    caller.remove(workspace)

    before = _available_bytes()
    idle = [_created(caller) for _ in range(IDLE)]
    time.sleep(5)
    yield Row(
        f"memory of an idle workspace, {provider}", "MiB", (before - _available_bytes()) / IDLE / (1 << 20)
    )
    for each in idle:
        caller.remove(each)


def _created(caller: _Caller) -> dict[str, Any]:
    workspace = caller.create()
    caller.first_call(workspace["name"])
    return workspace


def _large_repository(caller: _Caller, workspace: dict[str, Any], provider: str) -> Iterator[Row]:
    files = f"mkdir many; cd many; seq -f f%05g {FILES} | xargs touch; cd .."
    make = f"{files}; git add . && git -c user.name=b -c user.email=b@example.org commit -qm many"
    if not caller.call(workspace["name"], "run_command", command=make, time_limit=120):
        raise RuntimeError("the large repository could not be made")
    times = []
    for _ in range(ROUNDS):
        answered, seconds = _timed(lambda: caller.call(workspace["name"], "git_status"))
        assert answered
        times.append(seconds * 1000)
    yield Row(f"git_status, {FILES:,} files, {provider}, p50", "ms", quantiles(times, n=2)[0])


def _bare_run() -> float:
    """`docker run` of the workspace's image until its server lists no error for a tool call."""
    name = f"gatehouse-bench-{uuid4().hex[:8]}"
    docker = shutil.which("docker", path="/usr/bin") or "docker"
    run = [
        docker,
        "run",
        "--detach",
        "--rm",
        "--name",
        name,
        "--tmpfs",
        "/workspace:mode=0755,uid=10001",
        IMAGE,
    ]

    def started() -> None:
        subprocess.run(run, check=True, capture_output=True)
        show = [docker, "inspect", "--format", "{{.NetworkSettings.IPAddress}}", name]
        address = subprocess.run(show, check=True, capture_output=True, text=True).stdout.strip()
        until(
            lambda: _calls(f"http://{address}:8080/mcp"), PATIENCE, "the bare container answers", pause=PAUSE
        )

    try:
        return _timed(started)[1]
    finally:
        subprocess.run([docker, "rm", "--force", name], check=False, capture_output=True)


def _calls(url: str) -> bool:
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "git_status", "arguments": {}},
    }
    headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}
    headers["Host"] = "localhost:8080"  # the server answers to no other name
    try:
        answer = httpx.post(url, json=body, headers=headers, trust_env=False, timeout=5)
    except httpx.HTTPError:
        return False
    return answer.status_code == 200 and not _message(answer.text)["result"].get("isError")


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    began = time.monotonic()
    answer = work()
    return answer, time.monotonic() - began


def _available_bytes() -> int:
    """What the kernel says could be given to new programs."""
    with open("/proc/meminfo") as lines:  # noqa: PTH123
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable"))
