"""`python -m gatehouse_workspace.gitlab.convert`: YAML on stdin, JSON on stdout.

A process of its own: parsing megabytes of YAML would stop the server for seconds, and a document may be made to
grow without end.
"""

from __future__ import annotations

import json
import resource
import sys

MEMORY = 1024 * 1024 * 1024
CPU_SECONDS = 60


def main() -> None:
    """Exit status 1 for what is no YAML."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        document = yaml.load(sys.stdin.buffer.read(), Loader=loader)  # noqa: S506 - both loaders are the safe one
    except (yaml.YAMLError, MemoryError, RecursionError):
        sys.exit(1)
    json.dump(document, sys.stdout, default=str)


if __name__ == "__main__":
    main()
