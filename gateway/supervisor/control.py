"""`down`, `status`, `reset` and `run`: commands beside a running instance, or about a stopped one."""

import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

from gateway.supervisor import configuration, engine, home, probes
from gateway.supervisor import environment as environments
from gateway.supervisor.errors import Refusal
from gateway.supervisor.up import STATUS

STOP_SECONDS = 20.0
OF_A_HOME = (*home.FOLDERS, home.MEMORY, home.LOCK, STATUS, "programs", "ca.crt", "services.log")


def down(root: Path) -> int:
    """Stop the instance of this home; 0 also when none runs."""
    path = configuration.home_path(root)
    process = home.holder(path)
    if process is None:
        print(f"nothing runs in {path}")
        return 0
    try:
        os.kill(process, signal.SIGTERM)
    except PermissionError:
        raise Refusal(
            f"process {process} belongs to another user: stop it as that user, or as root"
        ) from None
    deadline = time.monotonic() + STOP_SECONDS
    while home.holder(path) == process:
        if time.monotonic() > deadline:
            raise Refusal(f"process {process} did not stop in {STOP_SECONDS:.0f} s: look at its terminal")
        time.sleep(0.1)
    print("stopped")
    return 0


def status(root: Path) -> int:
    """Print what runs in this home and what /health says; 0 when healthy, 3 when nothing runs, else 1."""
    path = configuration.home_path(root)
    process = home.holder(path)
    if process is None:
        print(f"nothing runs in {path}")
        return 3
    os.environ.update(home.recall(path).get("running", {}))
    settings = configuration.load(root)
    print(f"running as process {process}, data in {path}, http://localhost:{settings.http_port}/")
    for state in _states(path):
        word = "ready" if state["ready"] else "starting" if state["pid"] else "down"
        again = f", restarted {state['restarts']} times" if state["restarts"] else ""
        print(f"  {state['name']:<10}{word:<9} process {state['pid'] or '-'}{again}")
    code, body = probes.answers(settings.http_port, "/health", timeout=10)
    print(f"  /health   {code or 'no answer'} {body.decode(errors='replace')[:2000]}")
    return 0 if code == 200 else 1


def reset(root: Path) -> int:
    """Delete the data of this home, after asking; the `.env` and what we did not make stay."""
    path = configuration.home_path(root)
    process = home.holder(path)
    if process is not None:
        raise Refusal(f"an instance runs in {path} (process {process}): `make down` first")
    found = [path / name for name in OF_A_HOME if (path / name).exists()]
    if not found:
        print(f"nothing to delete in {path}")
        return 0
    if os.environ.get("YES") != "1":
        if not sys.stdin.isatty():
            raise Refusal(
                f"this deletes the database and all files in {path}: say so with `make reset YES=1`"
            )
        answer = input(f"Delete the database and all files in {path}? Type 'yes': ")
        if answer.strip().lower() != "yes":
            print("nothing was deleted")
            return 1
    if left := engine.clear(path):
        print(f"gatehouse: {left}")
    try:
        for entry in found:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    except OSError as error:
        raise Refusal(home.explain(error, path)) from error
    print(f"deleted the data in {path}")
    return 0


def run(root: Path, command: list[str]) -> int:
    """Replace ourselves by a command that sees the running instance's services and settings."""
    path = configuration.home_path(root)
    if home.holder(path) is None:
        raise Refusal(f"nothing runs in {path}: `make up` first")
    memory = home.recall(path)
    os.environ.update(memory.get("running", {}))
    configuration.load(root)
    environment = {**environments.of_processes(path, memory.get("urls", {})), "PYTHONPATH": str(root)}
    if "admin_password" in memory:
        environment.setdefault("BOOTSTRAP_ADMIN_PASSWORD", memory["admin_password"])
    try:
        os.execvpe(command[0], command, environment)  # noqa: S606  (a list, never a shell)
    except OSError as error:
        raise Refusal(f"cannot run {command[0]}: {error.strerror}") from error


def _states(path: Path) -> list[dict[str, object]]:
    try:
        states = json.loads((path / STATUS).read_text())
    except (OSError, ValueError):
        return []
    return states if isinstance(states, list) else []
