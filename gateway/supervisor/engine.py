"""What a home has on a container engine: needed where the home goes and nobody would know of it any more."""

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


def clear(home: Path) -> str:
    """Remove containers, volumes and networks with the home's label; empty, or why something may be left."""
    path = home / ID_FILE
    try:
        platform = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    if not re.fullmatch(r"[0-9a-f]{12}", platform):
        return ""
    mine = ("--filter", f"label=gatehouse.instance={platform}")
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
    path.unlink(missing_ok=True)
    return ""


def _docker(*arguments: str) -> str:
    done = subprocess.run(
        ["docker", *arguments], check=True, capture_output=True, text=True, timeout=_LIMIT_SECONDS
    )
    return done.stdout
