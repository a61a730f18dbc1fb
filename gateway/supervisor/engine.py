"""What a home has on a container engine: looked after here where no process of the platform does any more."""

import contextlib
import re
import subprocess
from pathlib import Path

ID_FILE = "platform-id"  # workspaces.broker.settings
_KINDS = (
    (("ps", "--all", "--quiet"), ("rm", "--force", "--volumes")),
    (("volume", "ls", "--quiet"), ("volume", "rm", "--force")),
    (("network", "ls", "--quiet"), ("network", "rm")),
)
_LIMIT_SECONDS = 120.0
_STOP_SECONDS = 3  # as long as a sandbox has


def stop(home: Path) -> None:
    """Stop the home's containers, as its other processes end with it; the next start starts them again.

    Without an engine there is nothing to stop: what cannot be asked for is left as it is.
    """
    mine = _of(home)
    if not mine:
        return
    with contextlib.suppress(subprocess.SubprocessError, OSError):
        found = _docker("ps", "--quiet", *mine, limit=10.0).split()
        if found:
            _docker("stop", "--time", str(_STOP_SECONDS), *found, limit=20.0)


def clear(home: Path) -> str:
    """Remove containers, volumes and networks with the home's label; empty, or why something may be left."""
    mine = _of(home)
    if not mine:
        return ""
    try:
        for listing, removing in _KINDS:
            found = _docker(*listing, *mine).split()
            if found:
                _docker(*removing, *found)
    except FileNotFoundError:
        return ""  # without the engine's own program there was hardly ever an engine
    except (subprocess.SubprocessError, OSError):
        return (
            "no container engine answered; what this home may have there is listed by "
            f"`docker ps --all {' '.join(mine)}`"
        )
    (home / ID_FILE).unlink(missing_ok=True)
    return ""


def _of(home: Path) -> tuple[str, ...]:
    """The filter for what bears the home's label; empty where it has never had one."""
    try:
        platform = (home / ID_FILE).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ()
    if not re.fullmatch(r"[0-9a-f]{12}", platform):
        return ()
    return "--filter", f"label=gatehouse.instance={platform}"


def _docker(*arguments: str, limit: float = _LIMIT_SECONDS) -> str:
    done = subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True, timeout=limit)
    return done.stdout
