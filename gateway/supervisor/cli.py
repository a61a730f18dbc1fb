"""The commands of `python -m gateway.supervisor`."""

import argparse
import sys
from pathlib import Path

from gateway.supervisor import services
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

    beside = commands.add_parser("services", help="run a command beside PostgreSQL and Valkey (for tests)")
    beside.add_argument("--home", type=Path, required=True, help="folder for their data")
    beside.add_argument("--durable", action="store_true", help="with fsync, as in production")
    beside.add_argument("command", nargs="+", metavar="COMMAND", help="after --: what to run")
    beside.set_defaults(
        run=lambda options: services.run(options.home, options.command, durable=options.durable, venv=VENV)
    )
    return parser
