"""`python -m gatehouse_workspace`: serve the workspace until told to end."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable

from gatehouse_workspace import run
from gatehouse_workspace.settings import Misconfigured, Settings


def _load() -> run.Build:
    # The imports make hundreds of thousands of objects that stay: looking through them for garbage costs a tenth.
    gc.disable()
    try:
        from gatehouse_workspace.app import build
    finally:
        gc.freeze()
        gc.enable()
    return build


def main(load: Callable[[], run.Build] = _load) -> None:
    """Exit status 2 for an environment that cannot be understood, 1 for a port that is taken."""
    # Before pydantic is imported: looking for its plug-ins reads every installed distribution.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        run.serve(Settings.from_environment(), load)
    except Misconfigured as error:
        sys.stderr.write(f"gatehouse-workspace: {error}\n")
        sys.exit(2)
    except OSError as error:
        sys.stderr.write(f"gatehouse-workspace: {error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
