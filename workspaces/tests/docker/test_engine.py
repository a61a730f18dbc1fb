"""What can go wrong at an engine, and what holds for containers beyond the contract."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from gateway.edge import instance
from gateway.health import probes
from workspaces.addresses import dial
from workspaces.providers.base import Limits, Refused, Spec, Unavailable, Volume
from workspaces.providers.docker import DockerProvider
from workspaces.tests.provider_contract import eventually, request

from .conftest import Broker, make_broker

pytestmark = pytest.mark.long

NewSpec = Callable[..., Spec]
ROOT = Path(__file__).resolve().parents[3]


def asked(provider: DockerProvider, key: str, path: str) -> str:
    """What the contract's server in the instance answers, once it serves."""

    def answer() -> tuple[int, str] | None:
        seen = provider.observe(key)
        return request(dial(seen.address, 8080), f"/{path}") if seen and seen.address else None

    status, text = eventually(answer)
    assert status == 200, text
    return str(text)


def name(broker: Broker, key: str) -> str:
    return f"gatehouse-{broker.platform}-{key}"


# Faults


def test_one_that_was_killed_is_seen_and_starts_again(
    provider: DockerProvider, broker: Broker, engine: Any, spec: NewSpec
) -> None:
    wanted = spec()
    provider.ensure(wanted, running=True)
    run = asked(provider, wanted.key, "run")
    engine.kill(name(broker, wanted.key))
    seen = eventually(lambda: _stopped(provider, wanted.key))
    assert (seen.exit_code, seen.reason) == (137, "It was killed.")
    provider.ensure(wanted, running=True)
    assert asked(provider, wanted.key, "run") != run


def test_one_that_runs_out_of_memory_says_so(provider: DockerProvider, spec: NewSpec) -> None:
    wanted = spec(limits=Limits(32 << 20, 1000, 64), command=("python3", "-c", "b'x' * (256 << 20)"))
    provider.ensure(wanted, running=True)
    seen = eventually(lambda: _stopped(provider, wanted.key))
    assert seen.reason == "It ran out of memory: its limit is 32 MiB."


def test_a_name_that_somebody_else_has_is_told(
    provider: DockerProvider, broker: Broker, engine: Any, image: str, spec: NewSpec
) -> None:
    wanted = spec()
    theirs = engine.create_container(image, ["true"], name=name(broker, wanted.key))["Id"]
    try:
        with pytest.raises(Refused, match="is taken by a container that is not the platform's"):
            provider.ensure(wanted, running=True)
        assert provider.observe(wanted.key) is None
        provider.remove(wanted.key, volumes=True)
        assert engine.inspect_container(theirs)["State"]["Status"] == "created"
    finally:
        engine.remove_container(theirs)
    assert provider.ensure(wanted, running=True).state == "running"


def test_an_address_that_somebody_else_has_is_waited_for(
    provider: DockerProvider, broker: Broker, engine: Any, image: str, spec: NewSpec
) -> None:
    first = spec()
    second = spec(offset=first.offset)
    provider.ensure(first, running=True)
    with pytest.raises(Unavailable, match="address is still in use"):
        provider.ensure(second, running=True)
    assert provider.observe(second.key) is None, "nothing half-made is left"
    provider.remove(first.key, volumes=True)
    assert provider.ensure(second, running=True).state == "running"


def test_one_that_was_half_made_is_finished(
    provider: DockerProvider, broker: Broker, engine: Any, image: str, spec: NewSpec
) -> None:
    """The worker died between create and start, of this or an older specification."""
    wanted = spec()
    provider.ensure(wanted, running=True)
    provider.remove(wanted.key, volumes=False)
    for digest in (wanted.digest(), "0" * 64):
        engine.create_container(
            image,
            ["sleep", "60"],
            name=name(broker, wanted.key),
            labels={
                "gatehouse.instance": broker.platform,
                "gatehouse.key": wanted.key,
                "gatehouse.kind": "workspace",
                "gatehouse.digest": digest,
            },
        )
        seen = provider.observe(wanted.key)
        assert seen is not None and seen.state == "stopped"
        again = replace(wanted, restart_number=wanted.restart_number + 1)
        assert provider.ensure(again, running=True).digest == again.digest()
        provider.remove(wanted.key, volumes=False)


def test_the_same_asked_by_several_at_once_is_done_once(
    provider: DockerProvider, engine: Any, broker: Broker, spec: NewSpec
) -> None:
    wanted, failed = spec(), list[Exception]()

    def ensure() -> None:
        try:
            provider.ensure(wanted, running=True)
        except Unavailable as e:  # "made by somebody else": asked again, it is there
            failed.append(e)

    threads = [threading.Thread(target=ensure) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert provider.ensure(wanted, running=True).state == "running"
    assert sum(wanted.key in one for one in broker.labelled(engine)["containers"]) == 1


def test_a_network_that_went_away_is_made_again(
    provider: DockerProvider, broker: Broker, engine: Any, spec: NewSpec
) -> None:
    wanted = spec()
    provider.ensure(wanted, running=True)
    provider.ensure(wanted, running=False)
    for one in engine.inspect_network(broker.network)["Containers"] or {}:
        engine.disconnect_container_from_network(one, broker.network, force=True)
    engine.remove_network(broker.network)
    assert provider.ensure(wanted, running=True).state == "running"
    assert asked(provider, wanted.key, "healthz") == "ok"


def test_a_command_that_is_not_in_the_image_is_refused(
    provider: DockerProvider, root_image: str, spec: NewSpec
) -> None:
    wanted = spec(kind="service", image=root_image, command=("/no/such/program",))
    with pytest.raises(Refused, match="no such file or directory"):
        provider.ensure(wanted, running=True)
    assert provider.observe(wanted.key) is None


def test_an_address_that_the_network_has_not_is_refused(provider: DockerProvider, spec: NewSpec) -> None:
    with pytest.raises(Refused, match="WORKSPACE_SUBNET must be wider"):
        provider.ensure(spec(offset=70_000), running=True)


def test_limits_that_the_engine_has_not_are_refused(provider: DockerProvider, spec: NewSpec) -> None:
    wanted = spec(limits=Limits(64 << 20, 1_000_000, 64))
    with pytest.raises(Refused, match="CPUs"):
        provider.ensure(wanted, running=True)
    assert provider.observe(wanted.key) is None


def test_what_a_restore_left_behind_does_not_count(
    provider: DockerProvider, broker: Broker, engine: Any, spec: NewSpec
) -> None:
    """The worker died while it filled the new volume."""
    wanted = spec()
    provider.ensure(wanted, running=True)
    asked(provider, wanted.key, "write?kept=yes")
    labels = {"gatehouse.instance": broker.platform, "gatehouse.key": wanted.key}
    engine.create_volume(f"{name(broker, wanted.key)}-work.1", labels=labels)
    provider.ensure(replace(wanted, restart_number=1), running=True)
    assert asked(provider, wanted.key, "read?kept") == "yes"
    assert [one for one in broker.labelled(engine)["volumes"] if wanted.key in one] == [
        f"{name(broker, wanted.key)}-work"
    ]


def test_what_happened_while_nobody_listened_is_heard_later(provider: DockerProvider, spec: NewSpec) -> None:
    first, second = spec(), spec()
    stop = threading.Event()
    heard = provider.events(stop)
    began = threading.Thread(target=provider.ensure, args=(first,), kwargs={"running": True})
    began.start()
    assert next(heard) == first.key
    began.join()
    stop.set()
    assert list(heard) in ([], [first.key])
    provider.ensure(second, running=True)
    provider.remove(second.key, volumes=False)
    again = provider.events(threading.Event())
    assert second.key in {next(again) for _ in range(2)}
    again.close()  # type: ignore[attr-defined]


# Broker and engine go and come


def test_without_the_broker_it_is_unavailable_and_with_it_it_is_there(
    provider: DockerProvider, broker: Broker, spec: NewSpec
) -> None:
    wanted = spec()
    provider.ensure(wanted, running=True)
    broker.process.stop()
    try:
        found = provider.availability()
        assert not found.ok and found.reason == (
            "The container engine cannot be reached: the broker does not answer."
        )
        for call in (
            lambda: provider.ensure(wanted, running=True),
            lambda: provider.observe(wanted.key),
            provider.every,
            lambda: provider.remove(wanted.key, volumes=True),
            lambda: list(provider.events(threading.Event())),
        ):
            with pytest.raises(Unavailable):
                call()
    finally:
        broker.start()
    assert provider.availability().ok
    seen = provider.observe(wanted.key)
    assert seen is not None and seen.state == "running"


def test_an_engine_that_goes_ends_what_streams(
    provider: DockerProvider, broker: Broker, spec: NewSpec
) -> None:
    wanted = spec()
    provider.ensure(wanted, running=True)
    heard = provider.events(threading.Event())
    provider.ensure(wanted, running=False)
    assert next(heard) == wanted.key
    broker.process.stop()
    try:
        with pytest.raises(Unavailable):
            list(heard)
    finally:
        broker.start()


@pytest.fixture
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Broker, Path]]:
    """A broker whose engine is not there yet, and the path where it looks for one."""
    home = tmp_path_factory.mktemp("b")
    made = make_broker(home, DOCKER_HOST=f"unix://{home}/engine.sock")
    made.start()
    with override_settings(HOME=home):
        yield made, home / "engine.sock"
    made.process.stop()


def test_an_engine_that_comes_later_is_used(alone: tuple[Broker, Path], engine: Any, image: str) -> None:
    _, path = alone
    provider = DockerProvider()
    with pytest.raises(probes.Absent):
        probes.COMPONENTS["docker"]()
    found = provider.availability()
    assert (found.ok, found.reason) == (False, f"There is no container engine: {path} is not there.")
    with pytest.raises(Unavailable, match="There is no container engine"):
        provider.every()
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))
    assert provider.availability().reason == f"The container engine does not run: nobody listens on {path}."
    with pytest.raises(instance.Refused):
        probes.COMPONENTS["docker"]()
    path.unlink()
    path.symlink_to("/var/run/docker.sock")
    probes.COMPONENTS["docker"]()
    assert provider.availability().ok
    assert provider.every() == []


def test_an_engine_that_answers_nonsense_is_away(alone: tuple[Broker, Path]) -> None:
    _, path = alone
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            for answer in (b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", b""):
                client, _ = listener.accept()
                with client:
                    client.recv(65_536)
                    client.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        for _ in range(3):
            found = DockerProvider().availability()
            assert not found.ok and found.reason
        thread.join()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not")
def test_a_socket_that_may_not_be_used_says_whose_it_is(alone: tuple[Broker, Path]) -> None:
    broker, path = alone
    broker.process.stop()
    for folder in (broker.home, broker.home / "run", broker.home.parent, broker.home.parent.parent):
        folder.chmod(0o777 if folder in (broker.home, broker.home / "run") else 0o755)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        path.chmod(0o600)
        found = subprocess.run(
            [sys.executable, "-c", _AS_NOBODY],
            env={**os.environ, "AT": str(path)},
            capture_output=True,
            text=True,
        )
    assert "may not be used by this user: it belongs to the group root" in found.stdout, found.stderr


_AS_NOBODY = """
import asyncio, os, pathlib
from workspaces.broker import upstream
from workspaces.broker.refusal import Refusal

async def main():
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    try:
        async with upstream.connected(pathlib.Path(os.environ["AT"])):
            pass
    except Refusal as e:
        print(e.status, e.message)

asyncio.run(main())
"""


# The image


def test_without_the_image_it_is_unavailable(provider: DockerProvider) -> None:
    with override_settings(WORKSPACE_IMAGE="gatehouse-no-such:image"):
        found = provider.availability()
    assert (found.ok, found.reason) == (
        False,
        "The image gatehouse-no-such:image is not there: `make workspace-image` builds it.",
    )


def test_a_missing_image_is_pulled_only_where_that_is_allowed(
    provider: DockerProvider, spec: NewSpec
) -> None:
    wanted = spec(kind="service", image="127.0.0.1:9/no/such:image")
    with pytest.raises(Refused, match="is not on the container engine"):
        provider.ensure(wanted, running=True)
    with override_settings(DOCKER_PULL="missing"), pytest.raises(Refused, match="DOCKER_PULL is never"):
        provider.ensure(wanted, running=True)


def test_an_image_that_cannot_be_pulled_now_is_tried_again_later(
    engine: Any, image: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    made = make_broker(tmp_path_factory.mktemp("b"), DOCKER_PULL="missing")
    made.start()
    wanted = Spec(
        "s-00000000000000dd",
        "service",
        "t",
        "n",
        1,
        Limits(64 << 20, 100, 16),
        image="127.0.0.1:9/no/such:image",
    )
    try:
        with (
            override_settings(HOME=made.home, DOCKER_PULL="missing"),
            pytest.raises(Unavailable, match="could not be pulled"),
        ):
            DockerProvider().ensure(wanted, running=True)
    finally:
        made.process.stop()


def test_an_image_that_was_built_anew_is_taken_at_the_next_start(
    provider: DockerProvider, engine: Any, image: str, spec: NewSpec
) -> None:
    tag = f"gatehouse-test-anew:{os.getpid()}"
    wanted = spec(image=tag)
    try:
        for colour in ("red", "blue"):
            built = f"FROM {image}\nENV COLOUR={colour}\n".encode()
            subprocess.run(
                ["docker", "build", "--quiet", "--tag", tag, "-"],
                input=built,
                check=True,
                capture_output=True,
            )
            provider.ensure(wanted, running=True)
            assert asked(provider, wanted.key, "env?COLOUR") == colour
            provider.ensure(wanted, running=False)
    finally:
        provider.remove(wanted.key, volumes=True)
        engine.remove_image(tag, force=True)


# Services


def test_a_service_of_an_image_of_roots_runs_as_nobody_and_has_its_volume(
    provider: DockerProvider, root_image: str, spec: NewSpec
) -> None:
    wanted = spec(
        kind="service", image=root_image, volumes=(Volume("data", "/data"), Volume("more", "/srv/more"))
    )
    wanted = replace(wanted, environment={"GATEHOUSE_ROOT": "/data"})
    provider.ensure(wanted, running=True)
    assert asked(provider, wanted.key, "id") == "10001"
    assert asked(provider, wanted.key, "write?x=y") == "written"
    assert asked(provider, wanted.key, "outside?/srv/more/x") == "written"
    assert asked(provider, wanted.key, "outside?/tmp/x") == "written"


def test_a_service_runs_as_the_user_of_its_image(
    provider: DockerProvider, engine: Any, image: str, spec: NewSpec
) -> None:
    tag = f"gatehouse-test-user:{os.getpid()}"
    built = f"FROM {image}\nUSER root\nRUN useradd --uid 4711 tester\nUSER tester\n".encode()
    subprocess.run(
        ["docker", "build", "--quiet", "--tag", tag, "-"], input=built, check=True, capture_output=True
    )
    wanted = spec(kind="service", image=tag)
    try:
        provider.ensure(wanted, running=True)
        assert asked(provider, wanted.key, "id") == "4711"
    finally:
        provider.remove(wanted.key, volumes=True)
        engine.remove_image(tag, force=True)


# Walls


_CONNECT = """
import socket, sys
for where in sys.argv[1:]:
    host, _, port = where.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1.5).close()
        print("open", where)
    except OSError as e:
        print("closed", where)
"""


def _tried(provider: DockerProvider, key: str, *where: str) -> list[str]:
    """From inside the instance: which of these addresses take a connection."""
    terminal = provider.execute(key, ("python3", "-c", _CONNECT, *where), columns=200, rows=24)
    read = b""
    while more := terminal.read():
        read += more
    terminal.close()
    return [line.removeprefix("open ") for line in read.decode().splitlines() if line.startswith("open")]


def test_instances_do_not_reach_each_other(provider: DockerProvider, spec: NewSpec) -> None:
    first, second = spec(), spec()
    provider.ensure(first, running=True)
    address = provider.ensure(second, running=True).address
    asked(provider, second.key, "healthz")
    assert _tried(provider, first.key, f"{address}:8080", "127.0.0.1:1") == []


@pytest.mark.skipif(os.geteuid() != 0, reason="the firewall is root's")
def test_the_firewall_leaves_the_platforms_port_alone(
    provider: DockerProvider, broker: Broker, engine: Any, spec: NewSpec
) -> None:
    wanted = spec()
    provider.ensure(wanted, running=True)
    gateway = engine.inspect_network(broker.network)["IPAM"]["Config"][0]["Gateway"]
    with socket.create_server((gateway, 0)) as platform, socket.create_server((gateway, 0)) as other:
        ours, theirs = (f"{gateway}:{one.getsockname()[1]}" for one in (platform, other))
        assert _tried(provider, wanted.key, ours, theirs) == [ours, theirs]
        environment = {
            **os.environ,
            "GATEHOUSE_HOME": str(broker.home),
            "GATEHOUSE_HTTP_PORT": ours.rpartition(":")[2],
        }
        script = str(ROOT / "deploy" / "firewall")
        subprocess.run([script, "install"], env=environment, check=True, capture_output=True)
        try:
            assert _tried(provider, wanted.key, ours, theirs) == [ours]
            assert asked(provider, wanted.key, "healthz") == "ok"
        finally:
            subprocess.run([script, "remove"], env=environment, check=True, capture_output=True)


def test_a_terminal_ends_with_everything_it_started(
    provider: DockerProvider, broker: Broker, engine: Any, spec: NewSpec
) -> None:
    wanted = spec()
    provider.ensure(wanted, running=True)
    asked(provider, wanted.key, "healthz")
    terminal = provider.execute(wanted.key, ("bash", "-i"), columns=80, rows=24)
    terminal.write(b"sleep 1001 & setsid sleep 1002 & trap '' HUP; echo started; sleep 1003\n")
    read = b""
    while b"started\r\n" not in read:
        read += terminal.read()

    def asleep() -> list[str]:
        found = engine.top(name(broker, wanted.key))["Processes"]
        return [line[-1] for line in found if "sleep 100" in line[-1]]

    eventually(lambda: len(asleep()) == 3)
    terminal.close()
    eventually(lambda: not asleep())
    assert asked(provider, wanted.key, "healthz") == "ok"


def test_secrets_of_the_server_are_not_in_a_terminals_environment(
    provider: DockerProvider, spec: NewSpec
) -> None:
    wanted = spec(environment={"GATEHOUSE_GIT_PASSWORD": "s3cret", "COLOUR": "blue"})
    provider.ensure(wanted, running=True)
    terminal = provider.execute(wanted.key, ("env",), columns=80, rows=24)
    read = b""
    while more := terminal.read():
        read += more
    terminal.close()
    assert b"COLOUR=blue" in read and b"s3cret" not in read


def _stopped(provider: DockerProvider, key: str) -> Any:
    found = provider.observe(key)
    return found if found is not None and found.state == "stopped" else None
