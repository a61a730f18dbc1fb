"""The git program, told to run nothing that a repository, its hooks or its configuration name.

A repository's files come from strangers, and so may its configuration where a person unpacked one: neither is to
start a program when a tool only looks at it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files

from mcp.server.mcpserver.exceptions import ToolError

from gatehouse_workspace.process import Output, run

MAX_OUTPUT = 256 * 1024
LOCAL_SECONDS = 120.0
MAX_ERROR = 2000
PRIVATE = ("GATEHOUSE_GIT_", "GITLAB_", "GIT_")
"""Beginnings of variables that a child process is not to see; of GIT_… only what is set here."""

KEPT = ("GIT_SSL_CAINFO", "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL")

SETTINGS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.gitProxy": "none",
    "credential.helper": "",  # forgets helpers that other layers name, which are commands
    "commit.gpgSign": "false",
    "tag.gpgSign": "false",
    "log.showSignature": "false",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "push.recurseSubmodules": "no",
    "gc.auto": "0",
    "maintenance.auto": "false",
}

CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@")


@cache
def defaults_file() -> str:
    """The configuration beneath the user's own: identity, first branch, trust in the volume's owner."""
    return str(files("gatehouse_workspace").joinpath("gitconfig"))


def environment(settings: Mapping[str, str] | None = None, **more: str) -> dict[str, str]:
    """A git process's environment. `settings` are configuration for this call (secrets may be among them: they are
    not in the argument list, which others can read)."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(PRIVATE) or name in KEPT}
    configured = [*SETTINGS.items(), *(settings or {}).items()]
    for at, (key, value) in enumerate(configured):
        env[f"GIT_CONFIG_KEY_{at}"], env[f"GIT_CONFIG_VALUE_{at}"] = key, value
    return {
        "HOME": "/tmp",  # noqa: S108 - git wants one; where the environment has one, that counts
        **env,
        "GIT_CONFIG_COUNT": str(len(configured)),
        "GIT_CONFIG_SYSTEM": defaults_file(),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "SSH_ASKPASS": "",
        "GIT_ALLOW_PROTOCOL": "https:http:ssh",
        "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
        "GIT_PAGER": "cat",
        "GIT_EDITOR": "true",
        "GIT_OPTIONAL_LOCKS": "0",
        "LC_ALL": "C.UTF-8",
        **more,
    }


def hardened(arguments: Sequence[str], *, literal: bool = True) -> list[str]:
    """The command line. Paths in it are taken as they are, not as patterns, unless `literal` is False."""
    return ["git", "--no-pager", *(["--literal-pathspecs"] if literal else []), *arguments]


async def git(
    folder: int,
    *arguments: str,
    literal: bool = True,
    settings: Mapping[str, str] | None = None,
    seconds: float = LOCAL_SECONDS,
    limit: int = MAX_OUTPUT,
    stdin: bytes | None = None,
    stop_when_full: bool = True,
    progress: Callable[[str], None] | None = None,
) -> Output:
    """Run git in the open folder of a repository; as `gatehouse_workspace.process.run`."""
    return await run(
        hardened(arguments, literal=literal),
        folder=folder,
        # Named, so that its configuration (core.worktree) cannot name another working tree.
        environment=environment(settings, GIT_DIR=".git", GIT_WORK_TREE="."),
        limit=limit,
        seconds=seconds,
        stdin=stdin,
        stop_when_full=stop_when_full,
        progress=progress,
    )


def checked(output: Output, what: str, *, secrets: Sequence[str] = ()) -> str:
    """What git printed. Raises ToolError with what it complained about, without credentials."""
    if output.timed_out:
        raise ToolError(f"{what}: stopped because it took too long")
    if output.code != 0 and not (output.truncated and output.code < 0):
        text = (output.stderr + output.stdout).decode(errors="replace")
        raise ToolError(
            f"{what}: {scrubbed(complaint(text), secrets) or f'git ended with status {output.code}'}"
        )
    return output.stdout.decode(errors="replace")


def complaint(text: str) -> str:
    """The lines of git's output that say what is wrong; all where none is marked."""
    lines = [line for line in text.replace("\r", "\n").splitlines() if line.strip()]
    marked = [line for line in lines if line.startswith(("fatal:", "error:", "CONFLICT", "remote:", " ! "))]
    return "\n".join(line.removeprefix("fatal: ").removeprefix("error: ") for line in (marked or lines))[
        :MAX_ERROR
    ]


def scrubbed(text: str, secrets: Sequence[str] = ()) -> str:
    """Text without the secrets given and without the user part of URLs."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return CREDENTIALS.sub("***@", text)
