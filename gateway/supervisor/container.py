"""One process of the platform per container: the same table of processes without a supervisor around it."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

from gateway.supervisor import environment as environments
from gateway.supervisor import probes, processes
from gateway.supervisor.child import Program
from gateway.supervisor.errors import Refusal


def process(root: Path, name: str) -> int:
    """Become the process `name`; the edge's configuration is written first where that is the edge."""
    program = _program(root, name)
    if name == "caddy":
        done = subprocess.run([sys.executable, "-m", "gateway.edge"], cwd=root, check=False)
        if done.returncode:
            raise Refusal("the edge could not be configured: the lines above say why")
    for socket in program.sockets:
        socket.parent.mkdir(mode=0o700, exist_ok=True)
        socket.unlink(missing_ok=True)
    os.chdir(root)
    try:
        os.execve(program.command[0], program.command, {**os.environ, **program.environment})  # noqa: S606  (a list, never a shell)
    except OSError as error:
        raise Refusal(f"cannot run {name}: {error.strerror}: {program.command[0]}") from error


def healthy(root: Path, name: str) -> int:
    """Whether the process `name` of this container accepts connections; 0 or 1, for health checks."""
    sockets = _program(root, name).sockets
    return 0 if all(probes.listens(socket) for socket in sockets) else 1


def write_secrets(folder: Path) -> int:
    """Make a file for each secret of docker-compose.yml that is not there yet, in a folder of mode 0700.

    The files are world-readable inside it, because containers mount them one by one and run as another user.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    texts = {name.lower(): text for name, text in environments.fresh_secrets().items()}
    names = (
        "postgres_password",
        "owner_password",
        "login_password",
        "valkey_password",
        "bootstrap_admin_password",
    )
    texts |= {name: secrets.token_urlsafe(24) for name in names}
    for name in names:
        file = folder / name
        if file.exists():
            texts[name] = file.read_text().strip()
    texts |= {
        "database_url": f"postgresql://gatehouse:{texts['login_password']}@postgres/gatehouse",
        "database_owner_url": f"postgresql://gatehouse_owner:{texts['owner_password']}@postgres/gatehouse",
        "redis_url": f"redis://:{texts['valkey_password']}@valkey:6379/0",
    }
    for name, text in texts.items():
        file = folder / name
        if not file.exists():
            file.write_text(text + "\n")
            file.chmod(0o444)
    print(f"secrets are in {folder}")
    return 0


def _program(root: Path, name: str) -> Program:
    home = Path(os.environ.get("GATEHOUSE_HOME") or root / "var").absolute()
    venv = Path(sys.prefix)
    place = processes.Place(Path(sys.executable), venv / "bin" / "caddy", home, {}, ())
    for program in processes.platform(place):
        if program.name == name:
            return program
    known = ", ".join(program.name for program in processes.platform(place))
    raise Refusal(f"there is no process '{name}': {known}")
