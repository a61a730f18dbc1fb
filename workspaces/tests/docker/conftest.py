"""A real engine, a real broker before it, and a check that nothing of theirs stays."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import docker
import pytest
from django.conf import settings
from django.test import override_settings

from gateway.supervisor import probes
from tests.stack import Process, listens
from workspaces.broker.bodies import LABEL
from workspaces.broker.settings import platform_id
from workspaces.providers.base import WORKSPACE_VOLUME, Limits, Spec
from workspaces.providers.docker import DockerProvider
from workspaces.tests.provider_contract import SERVER


def missing(what: str) -> NoReturn:
    """In CI the engine and the image are made first, so that their absence is a failure."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def engine() -> Iterator[Any]:
    """A client of the engine itself, past the broker."""
    host = os.environ.get("DOCKER_HOST") or docker.constants.DEFAULT_UNIX_SOCKET
    path = Path(urlsplit(host).path)
    if "unix" in host and not probes.listens(path):  # asked here: docker's client leaves its socket open then
        missing(f"no container engine may be used here: nothing listens on {path}")
    try:
        client = docker.APIClient(version="auto", timeout=30)
        client.ping()
    except docker.errors.DockerException as e:
        missing(f"no container engine may be used here: {e}")
    yield client
    client.close()


@pytest.fixture(scope="session")
def image(engine: Any) -> str:
    """The image of workspaces."""
    try:
        engine.inspect_image(settings.WORKSPACE_IMAGE)
    except docker.errors.NotFound:
        missing(f"{settings.WORKSPACE_IMAGE} is not there: make workspace-image")
    return str(settings.WORKSPACE_IMAGE)


@dataclass(frozen=True)
class Broker:
    home: Path
    platform: str
    process: Process

    @property
    def socket(self) -> Path:
        return self.home / "run" / "broker.sock"

    @property
    def network(self) -> str:
        return f"gatehouse-{self.platform}"

    def start(self) -> None:
        self.process.start(lambda: listens(str(self.socket)))

    def labelled(self, engine: Any) -> dict[str, list[str]]:
        """What the engine has with this platform's label."""
        mine = {"label": f"{LABEL}={self.platform}"}
        return {
            "containers": [one["Names"][0] for one in engine.containers(all=True, filters=mine)],
            "volumes": [one["Name"] for one in engine.volumes(filters=mine)["Volumes"] or []],
        }


def make_broker(home: Path, **environment: str) -> Broker:
    (home / "run").mkdir(mode=0o700)
    known = {
        name: value for name, value in os.environ.items() if not name.startswith(("DOCKER_", "GATEHOUSE_"))
    }
    process = Process(
        "broker",
        home,
        {**known, "GATEHOUSE_HOME": str(home), "LOG_FORMAT": "line", **environment},
        *(sys.executable, "-m", "workspaces.broker"),
    )
    return Broker(home, platform_id(home), process)


@pytest.fixture(scope="module")
def broker(engine: Any) -> Iterator[Broker]:
    """In a home of its own, which is the tests' too. In the end nothing of it may be left on the engine."""
    with tempfile.TemporaryDirectory(prefix="gh-") as folder:
        made = make_broker(Path(folder))
        made.start()
        try:
            with override_settings(HOME=made.home):
                yield made
            assert made.labelled(engine) == {"containers": [], "volumes": []}
        finally:
            made.process.stop()
            clear(engine, made)


def clear(engine: Any, broker: Broker) -> None:
    left = broker.labelled(engine)
    for name in left["containers"]:
        engine.remove_container(name, force=True, v=True)
    for name in left["volumes"]:
        engine.remove_volume(name, force=True)
    for one in engine.networks(filters={"label": f"{LABEL}={broker.platform}"}):
        engine.remove_network(one["Id"])


@pytest.fixture
def provider(broker: Broker, image: str) -> DockerProvider:
    return DockerProvider()


@pytest.fixture
def spec(provider: DockerProvider) -> Iterator[Callable[..., Spec]]:
    """Makes specifications of instances that are removed in the end."""
    made: list[str] = []

    def make(**fields: Any) -> Spec:
        kind = fields.get("kind", "workspace")
        made.append(f"{kind[0]}-{os.urandom(8).hex()}")
        defaults: dict[str, Any] = {
            "key": made[-1],
            "kind": kind,
            "tenant": "docker",
            "name": f"docker-{len(made)}",
            "offset": 1 + int.from_bytes(os.urandom(2)) % 60_000,
            "limits": Limits(128 << 20, 1000, 64),
            "command": ("python3", "-u", "-c", SERVER),
            "volumes": (WORKSPACE_VOLUME,) if kind == "workspace" else (),
        }
        return Spec(**(defaults | fields))

    yield make
    for key in made:
        provider.remove(key, volumes=True)


@pytest.fixture(scope="session")
def root_image(engine: Any, image: str) -> Iterator[str]:
    """An image that names no user and has no init."""
    name = f"gatehouse-test-root:{os.getpid()}"
    build = f"FROM {image}\nUSER root\nENTRYPOINT []\nRUN mkdir /data\n"
    subprocess.run(
        ["docker", "build", "--quiet", "--tag", name, "-"],
        input=build.encode(),
        check=True,
        capture_output=True,
    )
    yield name
    engine.remove_image(name, force=True)
