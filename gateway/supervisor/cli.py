"""The commands of `python -m gateway.supervisor`."""

import argparse
import sys
from pathlib import Path

from gateway.supervisor import account, container, control, install, services, up
from gateway.supervisor.errors import Refusal

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; its exit code. A refusal is one line on stderr and 1."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except Refusal as refusal:
        sys.stderr.write(f"gatehouse: {refusal}\n")
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gateway.supervisor", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    starting = commands.add_parser("up", help="install, prepare and run the platform in the foreground")
    starting.set_defaults(run=lambda options: up.run(ROOT))

    stopping = commands.add_parser("down", help="stop the instance of this home")
    stopping.set_defaults(run=lambda options: control.down(ROOT))

    telling = commands.add_parser("status", help="say what runs in this home")
    telling.set_defaults(run=lambda options: control.status(ROOT))

    clearing = commands.add_parser("reset", help="delete the data of this home, after asking")
    clearing.set_defaults(run=lambda options: control.reset(ROOT))

    installing = commands.add_parser("install", help="have the virtual environment up to date")
    installing.add_argument("level", choices=install.INCLUDES)
    installing.set_defaults(run=_install)

    running = commands.add_parser("run", help="run a command with the running instance's environment")
    running.add_argument("command", nargs="+", metavar="COMMAND", help="after --: what to run")
    running.set_defaults(run=lambda options: control.run(ROOT, options.command))

    beside = commands.add_parser("services", help="run a command beside PostgreSQL and Valkey (for tests)")
    beside.add_argument("--home", type=Path, required=True, help="folder for their data")
    beside.add_argument("--durable", action="store_true", help="with fsync, as in production")
    beside.add_argument("command", nargs="+", metavar="COMMAND", help="after --: what to run")
    beside.set_defaults(
        run=lambda options: services.run(options.home, options.command, durable=options.durable, venv=VENV)
    )

    single = commands.add_parser("process", help="become one process of the platform (in a container)")
    single.add_argument("name")
    single.set_defaults(run=lambda options: container.process(ROOT, options.name))

    asking = commands.add_parser("healthy", help="whether that process accepts connections")
    asking.add_argument("name")
    asking.set_defaults(run=lambda options: container.healthy(ROOT, options.name))

    making = commands.add_parser("secrets", help="make the secret files that docker-compose.yml mounts")
    making.add_argument("folder", type=Path, nargs="?", default=ROOT / "secrets")
    making.set_defaults(run=lambda options: container.write_secrets(options.folder))
    return parser


def _install(options: argparse.Namespace) -> int:
    installed = install.Environment(VENV, ROOT / "requirements", print, strict=False)
    installed.ensure(options.level, account.choose(say=print))
    return 0
