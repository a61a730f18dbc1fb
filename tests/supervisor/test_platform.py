"""The real platform under its supervisor: every process, both ways in, and no way out that leaves one."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.supervisor import sessions
from gateway.supervisor.ports import LOOPBACK, problem
from tests.instance import ROOT, Instance, running, until

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]

PROCESSES = {
    *("postgres", "valkey", "web", "live", "decision", "caddy", "front", "worker", "beat", "broker"),
    "runner",
}


@pytest.fixture(scope="module")
def instance() -> Iterator[Instance]:
    with running() as instance:
        yield instance


def owners(mark: str) -> set[str]:
    """Names of the users that the instance's processes run as."""
    found = set()
    for pid in sessions.members((), mark):
        with contextlib.suppress(OSError):
            found.add(pwd.getpwuid(Path(f"/proc/{pid}").stat().st_uid).pw_name)
    return found


def main_pids(instance: Instance) -> dict[str, int]:
    found = {name: instance.main_pid(name) for name in PROCESSES}
    return {name: pid for name, pid in found.items() if pid}


def settled(instance: Instance) -> dict[str, int]:
    """The process ids once all are there and /health answers 200."""
    until(lambda: instance.healthy() and len(main_pids(instance)) == len(PROCESSES), 60, "all processes run")
    return main_pids(instance)


def test_every_process_runs_as_one_user_who_is_not_root(instance):
    assert set(settled(instance)) == PROCESSES
    (owner,) = owners(str(instance.home))
    assert owner != "root"


def test_secrets_are_private_and_the_certificate_is_not(instance):
    for name in (".env", "instance.json"):
        assert stat.S_IMODE((instance.home / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((instance.home / "run").stat().st_mode) == 0o700
    assert (instance.home / "ca.crt").read_text().startswith("-----BEGIN CERTIFICATE-----")


def test_no_secret_stands_in_a_command_line_or_in_caddys_environment(instance):
    secrets = [
        line.partition("=")[2]
        for line in (instance.home / ".env").read_text().splitlines()
        if "=" in line and not line.startswith(("#", "GATEHOUSE_ENV="))
    ]
    for pid in sessions.members((), str(instance.home)):
        with contextlib.suppress(OSError):
            shown = Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
            assert not [secret for secret in secrets if secret in shown]
    environment = Path(f"/proc/{settled(instance)['caddy']}/environ").read_text()
    assert not [secret for secret in secrets if secret in environment]
    assert "DATABASE_URL" not in environment


def test_processes_that_serve_do_not_have_the_owners_url(instance):
    environment = Path(f"/proc/{settled(instance)['web']}/environ").read_text()

    assert "DATABASE_URL=" in environment
    assert "DATABASE_OWNER_URL" not in environment
    assert "BOOTSTRAP_ADMIN_PASSWORD" not in environment


@pytest.mark.parametrize("name", sorted(PROCESSES))
def test_a_killed_process_comes_back_and_so_does_health(instance, name):
    before = settled(instance)

    os.kill(before[name], signal.SIGKILL)

    until(lambda: instance.main_pid(name) not in (before[name], None), 30, f"{name} is started again")
    settled(instance)


def test_a_second_instance_from_the_same_clone(instance):
    settled(instance)
    with running() as other:
        assert other.healthy()
        assert instance.healthy()
        began = time.monotonic()

        assert other.stop() == []

        assert time.monotonic() - began < 10
    assert instance.healthy()


def test_status_and_down(instance):
    """Also leaves the module's instance stopped, and started again for the next test."""
    settled(instance)
    environment = {**os.environ, "GATEHOUSE_HOME": str(instance.home)}
    command = [sys.executable, "-m", "gateway.supervisor"]

    status = subprocess.run([*command, "status"], env=environment, capture_output=True, text=True, check=True)
    down = subprocess.run([*command, "down"], env=environment, capture_output=True, text=True, check=True)

    assert all(f"  {name:<10}ready" in status.stdout for name in PROCESSES)
    assert "/health   200" in status.stdout
    assert down.stdout == "stopped\n"
    assert instance.stop() == []
    instance.start()


def test_kill_minus_nine_of_the_supervisor_leaves_nothing_and_the_next_start_works(instance):
    settled(instance)
    os.kill(int((instance.home / "lock").read_text()), signal.SIGKILL)

    until(lambda: not sessions.members((), str(instance.home)), 10, "nothing is left")

    assert problem(instance.port) is None
    instance.stop()
    instance.start()
    settled(instance)


def test_make_up_in_a_group_that_gets_sigterm(instance):
    """As an outside caller ends it: the signal goes to make and to the supervisor alike."""
    instance.stop()
    with instance.log.open("ab") as log:
        make = subprocess.Popen(
            ["make", "up"],
            cwd=ROOT,
            env={**os.environ, **instance._environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    until(instance.healthy, 120, "the platform answers")
    began = time.monotonic()

    os.killpg(make.pid, signal.SIGTERM)
    make.wait(30)

    until(lambda: not sessions.members((), str(instance.home)), 10, "nothing is left")
    assert time.monotonic() - began < 10
    instance.start()


@pytest.fixture
def outside(home: Path) -> Iterator[dict[str, str]]:
    """URLs of a PostgreSQL and a Valkey that somebody else runs."""
    names = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL")
    told = home.parent / "urls"
    tell = f"printenv {' '.join(names)} > {told}.new && mv {told}.new {told}; sleep 300"
    command = [
        sys.executable,
        "-m",
        "gateway.supervisor",
        "services",
        "--home",
        str(home),
        "--",
        "sh",
        "-c",
        tell,
    ]
    with subprocess.Popen(command, cwd=ROOT, start_new_session=True) as process:
        until(told.exists, 60, "the services run")
        yield dict(zip(names, told.read_text().split(), strict=True))
        os.killpg(process.pid, signal.SIGTERM)


def test_services_from_outside_are_used_and_none_are_started(outside):
    with running(**outside) as instance:
        ours = PROCESSES - {"postgres", "valkey"}
        until(lambda: len(main_pids(instance)) == len(ours), 30, "all processes run")

        assert set(main_pids(instance)) == ours
        assert instance.healthy()
        assert not list((instance.home / "postgres").iterdir())


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ({"BOOTSTRAP_ADMIN_PASSWORD": ""}, "BOOTSTRAP_ADMIN_PASSWORD"),
        ({"SECRET_KEY": "changeme"}, "SECRET_KEY is missing or weak"),
    ],
)
def test_production_refuses_what_is_missing_or_weak(setting, why):
    with pytest.raises(RuntimeError) as refused, running(GATEHOUSE_ENV="production", **setting):
        pass

    last = str(refused.value).rstrip().splitlines()[-1]
    assert last.startswith("gatehouse: setup failed: ")
    assert why in last


def test_the_plain_port_listens_on_loopback_only(instance):
    settled(instance)
    shown = subprocess.run(["ss", "-Hltn"], capture_output=True, text=True, check=True).stdout
    bound = [line.split()[3] for line in shown.splitlines() if line.split()[3].endswith(f":{instance.port}")]

    assert bound
    assert {address.rpartition(":")[0] for address in bound} <= {LOOPBACK, "[::1]"}
