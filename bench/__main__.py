"""`make bench`: everything in one run, ours beside a peer on the same machine at the same time. Always exits 0.

`python -m bench [remote|local|api|authentication|fanout …]` runs some of it.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import load, measures, peers, table
from bench.inlining import inlining
from bench.listing import listing
from bench.peers import Peers
from bench.servers import servers
from bench.table import Row
from bench.tools_call import tools_call
from bench.workspaces import workspaces
from tests.instance import Instance, running

MEASURES: dict[str, Callable[[Instance, Peers], Iterator[Row]]] = {
    "remote": measures.remote,
    "local": measures.local,
    "servers": servers,
    "lists": listing,
    "inlining": inlining,
    "api": measures.api,
    "authentication": measures.authentication,
    "fanout": measures.fanout,
    "workspaces": workspaces,
    "tools": tools_call,
}


def main(names: list[str]) -> int:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with peers.running(folder) as started, running(LOG_LEVEL="WARNING") as instance:
            print(f"{os.cpu_count()} CPUs, {platform.platform()}, load {os.getloadavg()[0]:.1f} at the start")
            print(
                f"requests by {load.generator()}; upstream of GETs: {started.upstream}\n\n{table.heading()}"
            )
            for measure in names or MEASURES:
                _print(measure, MEASURES[measure](instance, started))
    print(f"\n{time.monotonic() - began:.0f} s in all")
    return 0


def _print(measure: str, rows: Iterator[Row]) -> None:
    """What fails to be measured says so in its place, and the rest is measured all the same."""
    try:
        for row in rows:
            print(row, flush=True)
    except Exception as error:
        print(f"{measure}: {error}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
