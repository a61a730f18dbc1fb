"""What people may write about a service, beside what `checks` says of every instance."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence

from gateway.errors import Invalid

MOST_ARGUMENTS, LONGEST_ARGUMENT = 100, 2000
MOST_VOLUMES = 10
_IMAGE = re.compile(r"[a-z0-9][A-Za-z0-9._/:@-]{0,254}")
_VOLUME = re.compile(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?")
_PATH = re.compile(r"/[A-Za-z0-9._/@:+-]*")
_PROBE = re.compile(r"/[!-~]*")
# Where the system's programs are, or the container's own file systems: nothing below them either in the first.
_NOT_BELOW = (
    "/proc",
    "/sys",
    "/dev",
    "/boot",
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/usr/bin",
    "/usr/sbin",
    "/usr/lib",
)
_NOT_AT = frozenset({"/", "/etc", "/usr", "/var", "/run", "/home", "/tmp"})  # noqa: S108  refused


def _refuse(field: str, text: str) -> Invalid:
    return Invalid(f"{field}: {text}", errors={field: [text]})


def check_image(image: str) -> None:
    """The name of an image, `[registry/]name[:tag][@digest]`. Raises Invalid."""
    if not _IMAGE.fullmatch(image):
        raise _refuse("image", "The name of an image, such as nginx:1.29.")


def check_command(command: Sequence[str]) -> None:
    """Raises Invalid."""
    if len(command) > MOST_ARGUMENTS:
        raise _refuse("command", f"At most {MOST_ARGUMENTS} arguments.")
    if any("\0" in each or len(each) > LONGEST_ARGUMENT for each in command):
        raise _refuse("command", f"Arguments of at most {LONGEST_ARGUMENT} characters without NUL.")


def check_volumes(volumes: Mapping[str, str]) -> None:
    """Name → path in the container. Raises Invalid."""
    if len(volumes) > MOST_VOLUMES:
        raise _refuse("volumes", f"At most {MOST_VOLUMES} of them.")
    for name, path in volumes.items():
        if not _VOLUME.fullmatch(name):
            text = "1 to 32 lower-case letters, digits and hyphens, beginning with a letter."
            raise _refuse("volumes", f"{name[:40]!r}: {text}")
        if not isinstance(path, str) or not _PATH.fullmatch(path) or len(path) > 255:
            raise _refuse("volumes", f"{name}: an absolute path of letters, digits and ._@:+-")
        if posixpath.normpath(path) != path or path.startswith("//"):
            raise _refuse("volumes", f"{name}: a path without .., empty parts and an end in /.")
        if path in _NOT_AT or any(path == each or path.startswith(f"{each}/") for each in _NOT_BELOW):
            raise _refuse("volumes", f"{name}: {path} is the system's.")
    if len(set(volumes.values())) < len(volumes):
        raise _refuse("volumes", "Two of them have one path.")


def check_probe(path: str) -> None:
    """A path with a query, or nothing. Raises Invalid."""
    if path and (not _PROBE.fullmatch(path) or path.startswith("//") or "#" in path or len(path) > 500):
        raise _refuse("probe_path", "A path that begins with one /, of printable ASCII.")
