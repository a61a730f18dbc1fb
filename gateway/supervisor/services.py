"""`services`: PostgreSQL and Valkey around one command, for tests and benchmarks."""

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from gateway.supervisor import environment as environments
from gateway.supervisor.binaries import Binaries
from gateway.supervisor.child import Program
from gateway.supervisor.console import Console
from gateway.supervisor.errors import Refusal
from gateway.supervisor.home import Home
from gateway.supervisor.ports import pick
from gateway.supervisor.postgres import LOGIN, OWNER, Postgres
from gateway.supervisor.supervisor import Supervisor
from gateway.supervisor.valkey import Valkey

START_LIMIT_SECONDS = 60.0


def embedded(home: Home, venv: Path, *, durable: bool) -> tuple[Postgres, Valkey]:
    """The embedded services of a home on the ports they had last time, as far as those are free."""
    binaries = Binaries(venv)
    ports = home.memory.get("ports", {})
    postgres = Postgres(
        home, binaries.postgres(home.account, home.path), pick(ports.get("postgres")), durable
    )
    valkey = Valkey(home, binaries.valkey(home.account, home.path), pick(ports.get("valkey")), durable)
    home.remember(ports={"postgres": postgres.port, "valkey": valkey.port})
    return postgres, valkey


def programs(postgres: Postgres | None, valkey: Valkey | None) -> list[Program]:
    """The two services as programs to supervise; they see nothing of our environment but the essentials."""
    environment = {name: os.environ[name] for name in ("PATH", "TZ", "TMPDIR") if name in os.environ}
    environment["LC_ALL"] = "C.UTF-8"
    found = []
    if postgres is not None:
        found.append(
            Program(
                "postgres",
                postgres.command(),
                postgres.is_ready,
                environment,
                stop_signal=signal.SIGINT,  # "fast": SIGTERM would wait for clients to leave
                patience=2.5,
                hush=("the database system is starting up",),
            )
        )
    if valkey is not None:
        found.append(
            Program(
                "valkey",
                valkey.command(),
                valkey.is_ready,
                environment,
                stdin=valkey.configuration(),
                patience=2.5,
                hush=("Memory overcommit", "Reading config", "Received SIGTERM", "is now ready to exit"),
            )
        )
    return found


def run(path: Path, command: list[str], *, durable: bool, venv: Path) -> int:
    """Run the command beside both services, with their URLs in its environment; its exit code."""
    home = Home(path.resolve())
    with ExitStack() as stack:
        stack.enter_context(home.locked())
        postgres, valkey = embedded(home, venv, durable=durable)
        log = stack.enter_context((home.path / "services.log").open("w"))
        supervisor = Supervisor(home.account, home.path, str(home.path), Console(log).line)
        stack.enter_context(supervisor)  # from here on a signal is heard when the step under way is done
        postgres.prepare()
        supervisor.add(*programs(postgres, valkey))
        try:
            if not supervisor.wait_ready(START_LIMIT_SECONDS):
                return 130
        except Refusal as refusal:
            raise Refusal(f"{refusal} (in {log.name})") from refusal
        return _beside(supervisor, command, postgres, valkey)


def _beside(supervisor: Supervisor, command: list[str], postgres: Postgres, valkey: Valkey) -> int:
    """Run the command in our own process group, so that the terminal's signals reach it, and wait for it."""
    urls = {
        "DATABASE_URL": postgres.url(LOGIN),
        "DATABASE_OWNER_URL": postgres.url(OWNER),
        "REDIS_URL": valkey.url(),
    }
    environment = {
        **environments.fresh_secrets(),
        "GATEHOUSE_ENV": "development",
        **environments.of_processes(postgres.home.path, urls),
    }
    try:
        process = subprocess.Popen(command, env=environment)
    except OSError as error:
        raise Refusal(f"cannot run {command[0]}: {error.strerror}") from error
    passed_on = False
    while process.poll() is None:
        supervisor.tick(0.5)
        if supervisor.stop_asked not in (None, signal.SIGINT) and not passed_on:
            process.send_signal(supervisor.stop_asked or signal.SIGTERM)
            passed_on = True
    sys.stdout.flush()
    return process.returncode if process.returncode >= 0 else 128 - process.returncode
