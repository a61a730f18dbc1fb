"""What breaks below and beside workspaces while they are made and used: they come back, and nothing is left of one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from contextlib import closing
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.instance import Api, Instance, running, until
from workspaces.broker.settings import platform_id

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]

PATIENCE = 120.0
DOCKER = shutil.which("docker", path="/usr/bin")
PROVIDERS = ["process", "docker"]


class Maker:
    """A member's workspaces of one provider, and their tools through the edge."""

    def __init__(self, instance: Instance, provider: str) -> None:
        self.instance, self.provider, self.member = instance, provider, instance.member()
        self.api = self.member.api
        self.template = f"faults-{provider}"
        self.api.ok("POST", "templates", {"name": self.template, "provider": provider, "idle_minutes": 0})

    def create(self, **more: Any) -> dict[str, Any]:
        body = {"name": f"w{uuid4().hex[:10]}", "template": self.template, **more}
        made: dict[str, Any] = self.api.ok("POST", "workspaces", body)
        return made

    def running(self) -> dict[str, Any]:
        made = self.create()
        self.answers(made)
        return made

    def answers(self, workspace: dict[str, Any]) -> None:
        until(lambda: self.call(workspace, "git_status") is not None, PATIENCE, "the workspace answers")

    def call(self, workspace: dict[str, Any], tool: str, **arguments: Any) -> str | None:
        """The text of the tool's answer; None where there is none, or an error."""
        body = {"workspace_id": workspace["id"], "tool": tool, "parameters": arguments}
        try:
            response = self.api.request("POST", "mcp/invoke", body)
        except httpx.HTTPError:
            return None
        if response.status_code != 200 or response.json()["data"]["isError"]:
            return None
        return "".join(block.get("text", "") for block in response.json()["data"]["content"])

    def shown(self, workspace: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self.api.ok("GET", f"workspaces/{workspace['id']}")
        return found

    def available(self) -> bool:
        offers = self.api.ok("GET", "templates/providers")
        return any(offer["available"] for offer in offers if offer["name"] == self.provider)

    def key(self, workspace: dict[str, Any]) -> str:
        return f"w-{workspace['id'].replace('-', '')[:16]}"

    def purge(self, workspace: dict[str, Any]) -> None:
        self.api.ok("DELETE", f"workspaces/{workspace['id']}")
        self.api.ok("POST", f"workspaces/{workspace['id']}/purge")
        path = f"workspaces/{workspace['id']}"
        until(lambda: self.api.request("GET", path).status_code == 404, PATIENCE, "it is purged")
        until(lambda: not self.left(self.key(workspace)), PATIENCE, "nothing is left of it")

    def left(self, key: str) -> list[str]:
        """What there still is of an instance: folders, volumes, containers."""
        home = self.instance.home
        found = [str(path) for place in ("ws", "workspaces") for path in (home / place).rglob(f"*{key}*")]
        return found + labelled(key)


def labelled(key: str) -> list[str]:
    """What the engine holds under a key."""
    if not engine_answers():
        return []
    found = []
    for kind, command in (("container", ["ps", "--all"]), ("volume", ["volume", "ls"])):
        names = docker(*command, "--quiet", "--filter", f"label=gatehouse.key={key}").split()
        found += [f"{kind} {name}" for name in names]
    return found


def docker(*arguments: str) -> str:
    assert DOCKER
    done = subprocess.run([DOCKER, *arguments], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


def engine_answers() -> bool:
    if DOCKER is None:
        return False
    return subprocess.run([DOCKER, "info"], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module", params=PROVIDERS)
def maker(instance: Instance, request: pytest.FixtureRequest) -> Maker:
    return of_provider(instance, request.param)


@pytest.fixture(scope="module")
def docker_maker(instance: Instance) -> Maker:
    """For what there is of containers alone: sandboxes have no name, no image, and no other maker than the runner."""
    return of_provider(instance, "docker")


def of_provider(instance: Instance, provider: str) -> Maker:
    offers = instance.member().api.ok("GET", "templates/providers")
    offer = next(offer for offer in offers if offer["name"] == provider)
    if not offer["available"]:
        if os.environ.get("CI"):
            pytest.fail(f"{provider} is not available: {offer['reason']}")
        pytest.skip(f"{provider} is not available here: {offer['reason']}")
    return Maker(instance, provider)


@pytest.mark.parametrize("name", ["worker", "beat", "decision", "web", "valkey", "postgres", "caddy"])
def test_a_kill_while_one_is_made(maker: Maker, name: str) -> None:
    """kill -9 right after the answer: what was promised is made all the same, once."""
    made = maker.create()
    kill(maker.instance, name)
    maker.answers(made)
    until(lambda: maker.shown(made)["settled"], PATIENCE, "its state is told")
    assert maker.shown(made)["error"] == ""
    maker.purge(made)


def test_a_kill_while_one_is_purged(maker: Maker) -> None:
    made = maker.running()
    maker.api.ok("DELETE", f"workspaces/{made['id']}")
    maker.api.ok("POST", f"workspaces/{made['id']}/purge")
    kill(maker.instance, "worker")
    until(lambda: not maker.left(maker.key(made)), PATIENCE, "nothing is left of it")
    path = f"workspaces/{made['id']}"
    until(lambda: maker.api.request("GET", path).status_code == 404, PATIENCE, "its row is gone")


def test_what_owns_them_is_killed(maker: Maker) -> None:
    """The runner takes its sandboxes along; the broker only hides the containers. Both come back with their files."""
    made = maker.running()
    assert maker.call(made, "write_file", path="kept.txt", content="kept") is not None
    kill(maker.instance, {"process": "runner", "docker": "broker"}[maker.provider])
    until(lambda: "kept" in (maker.call(made, "read_file", path="kept.txt") or ""), PATIENCE, "it is back")
    path = f"workspaces?q={made['name']}"
    until(lambda: maker.available(), PATIENCE, "the provider is offered again")
    assert [each["state"] for each in maker.api.ok("GET", path)] == ["running"]
    other = maker.running()
    for each in (made, other):
        maker.purge(each)


def test_its_container_is_killed(docker_maker: Maker) -> None:
    made = docker_maker.running()
    assert docker_maker.call(made, "write_file", path="kept.txt", content="kept") is not None
    docker("kill", *containers(docker_maker, made))
    until(
        lambda: "kept" in (docker_maker.call(made, "read_file", path="kept.txt") or ""),
        PATIENCE,
        "it is back",
    )
    docker("rm", "--force", *containers(docker_maker, made))
    until(
        lambda: "kept" in (docker_maker.call(made, "read_file", path="kept.txt") or ""),
        PATIENCE,
        "it is back",
    )
    docker_maker.purge(made)


def test_what_nobody_asked_for_is_removed(docker_maker: Maker) -> None:
    """A container that bears our labels and has no row, as after a crash between two stores."""
    key = f"w-{uuid4().hex[:16]}"
    labels = {"gatehouse.instance": platform_id(docker_maker.instance.home), "gatehouse.key": key}
    labels |= {"gatehouse.kind": "workspace", "gatehouse.digest": "0" * 64}
    said = [part for name, value in labels.items() for part in ("--label", f"{name}={value}")]
    name = f"gatehouse-{platform_id(docker_maker.instance.home)}-{key}"
    docker("create", "--name", name, *said, "gatehouse-workspace:local")
    try:
        until(lambda: not labelled(key), PATIENCE, "the orphan is removed")
    finally:
        subprocess.run([str(DOCKER), "rm", "--force", name], capture_output=True, check=False)


def test_an_image_that_is_not_there(docker_maker: Maker) -> None:
    body = {"name": "no-image", "provider": "docker", "image": "gatehouse-no-such:image"}
    docker_maker.api.ok("POST", "templates", body)
    made = docker_maker.create(template="no-image")
    until(lambda: docker_maker.shown(made)["state"] == "failed", PATIENCE, "it has failed")
    assert "gatehouse-no-such:image" in docker_maker.shown(made)["error"]
    assert not docker("ps", "--all", "--quiet", "--filter", f"label=gatehouse.key={docker_maker.key(made)}")
    docker("tag", "gatehouse-workspace:local", "gatehouse-no-such:image")
    try:
        docker_maker.api.ok("POST", f"workspaces/{made['id']}/start")
        docker_maker.answers(made)
    finally:
        docker_maker.purge(made)
        docker("rmi", "gatehouse-no-such:image")


def test_two_starts_at_once(maker: Maker) -> None:
    made = maker.running()
    path = f"workspaces/{made['id']}"
    maker.api.ok("POST", f"{path}/stop")
    until(lambda: maker.shown(made)["state"] == "stopped", PATIENCE, "it is stopped")
    statuses: list[int] = []
    threads = [
        threading.Thread(
            target=lambda: statuses.append(maker.api.request("POST", f"{path}/start").status_code)
        )
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) <= {200, 202}
    maker.answers(made)
    maker.purge(made)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_end_stops_them_and_a_start_brings_them_back(provider: str) -> None:
    with running() as instance:
        maker = of_provider(instance, provider)
        made = maker.running()
        assert maker.call(made, "write_file", path="kept.txt", content="kept") is not None
        key = maker.key(made)
        assert not instance.stop()
        assert not engine_answers() or not docker("ps", "--quiet", "--filter", f"label=gatehouse.key={key}")
        instance.start()
        with closing(Api(instance.url, maker.api.token, maker.api.tenant)) as maker.api:
            until(
                lambda: "kept" in (maker.call(made, "read_file", path="kept.txt") or ""),
                PATIENCE,
                "it is back",
            )
    assert not labelled(key)


def containers(maker: Maker, workspace: dict[str, Any]) -> list[str]:
    return docker("ps", "--all", "--quiet", "--filter", f"label=gatehouse.key={maker.key(workspace)}").split()


def kill(instance: Instance, name: str) -> None:
    before = instance.main_pid(name)
    assert before
    os.kill(before, signal.SIGKILL)
    until(lambda: instance.main_pid(name) not in (None, before), 30, f"{name} is started again")
