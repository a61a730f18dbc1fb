"""A supervisor around the programs given as JSON: `standin.py MARK '[{"name": …, "command": […]}]'`."""

import json
import signal
import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gateway.supervisor import account
from gateway.supervisor.child import Program
from gateway.supervisor.console import Console
from gateway.supervisor.errors import Refusal
from gateway.supervisor.supervisor import Supervisor


def main() -> int:
    console = Console()
    programs = [
        Program(
            one["name"],
            one["command"],
            partial(bool, one.get("ready", True)),
            needs=tuple(one.get("needs", ())),
            stop_signal=signal.Signals[one.get("stop", "SIGTERM")],
            patience=one.get("patience", 2.0),
        )
        for one in json.loads(sys.argv[2])
    ]
    try:
        with Supervisor(account.choose(), Path("/"), sys.argv[1], console.line) as supervisor:
            supervisor.add(*programs)
            supervisor.wait_ready(60)
            console.say("up")
            supervisor.watch()
    except Refusal as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
