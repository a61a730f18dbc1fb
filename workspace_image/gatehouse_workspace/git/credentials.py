"""Passwords for git's own HTTP, per host: in the environment of the one process, never in its arguments or files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit, urlunsplit

from mcp.server.mcpserver.exceptions import ToolError

HELPER = (
    '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n" '
    '"$GATEHOUSE_ASK_USERNAME_{at}" "$GATEHOUSE_ASK_PASSWORD_{at}"; }; f'
)
"""A constant: what is secret reaches it by variables. It is asked for its own host only (credential.<url>.helper)."""

SCHEMES = ("https", "http", "ssh")
MAX_URL = 2048


@dataclass(frozen=True)
class Credential:
    """Who to be at one origin, as https://host:port."""

    origin: str
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Remote:
    """An address without the credentials that it was written with."""

    url: str
    credential: Credential | None


def origin(url: str) -> str:
    """`scheme://host[:port]` of an http(s) address; empty for others."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not host:
        return ""
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")


def parse(url: str) -> Remote:
    """An address to clone from. Raises ToolError for what is none of https, http and ssh, local paths included."""
    if len(url) > MAX_URL or any(ord(char) <= 32 or ord(char) == 127 for char in url):
        raise ToolError("argument 'url': this is not an address of a repository")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ToolError("argument 'url': this is not an address of a repository") from None
    if not parts.scheme and _is_scp(url):
        return Remote(url, None)
    if parts.scheme not in SCHEMES or not host or host.startswith("-"):
        raise ToolError("argument 'url': a repository is cloned from an https, http or ssh address")
    if parts.scheme == "ssh":
        if parts.password is not None or (parts.username or "").startswith("-"):
            raise ToolError("argument 'url': an ssh address has no password")
        return Remote(url, None)
    bare = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query, ""))
    if parts.username is None:
        return Remote(bare, None)
    return Remote(bare, Credential(origin(url), unquote(parts.username), unquote(parts.password or "")))


def _is_scp(url: str) -> bool:
    """git@host:path, which git takes for ssh."""
    who, colon, path = url.partition(":")
    user, at, host = who.partition("@")
    return bool(colon and at and user and host and path) and not url.startswith("-") and "/" not in who


def settings(credentials: Iterable[Credential]) -> tuple[dict[str, str], dict[str, str]]:
    """Configuration of git, and variables, with which it finds the credentials. Of one origin the first counts."""
    configured: dict[str, str] = {}
    variables: dict[str, str] = {}
    for at, credential in enumerate(credentials):
        key = f"credential.{credential.origin}.helper"
        if not credential.origin or not credential.password or key in configured:
            continue
        if any(char in credential.username + credential.password for char in "\n\r\0"):
            raise ToolError("A user name or password cannot contain line breaks")
        configured[key] = HELPER.replace("{at}", str(at))
        variables[f"GATEHOUSE_ASK_USERNAME_{at}"] = credential.username
        variables[f"GATEHOUSE_ASK_PASSWORD_{at}"] = credential.password
    return configured, variables


UNKNOWN_USER = (
    "asks for a user name and password: give the workspace credentials for it, or check that it exists"
)
NO_KEY = "asks for an SSH key, which the workspace does not have: use its https address"

REASONS = (
    (("could not read username", "could not read password", "terminal prompts disabled"), UNKNOWN_USER),
    (
        ("authentication failed", "invalid username or", "error: 403"),
        "refused the credentials that the workspace has for it",
    ),
    (
        ("could not resolve host", "name or service not known"),
        "cannot be reached: its host name cannot be resolved",
    ),
    (
        ("not found", "does not appear to be a git repository", "error: 404"),
        "was not found at this address",
    ),
    (
        ("connection refused", "failed to connect", "couldn't connect", "no route to host"),
        "cannot be reached: nothing answers at this address",
    ),
    (("timed out", "operation too slow"), "cannot be reached: it did not answer in time"),
    (
        ("certificate", "ssl"),
        "has a certificate that the workspace does not trust (GITLAB_CA adds an authority)",
    ),
    (("no space left",), "does not fit: the disk is full"),
    (("permission denied (publickey", "host key verification"), NO_KEY),
    (("' not allowed",), "has an address of a kind that is not allowed here"),
)
"""Of git's words, lower case, and what a person is told."""


def reason(stderr: str) -> str:
    """What is wrong with a remote, for a person; empty where git's own words must do."""
    text = stderr.lower()
    for words, meaning in REASONS:
        if any(word in text for word in words):
            return f"The repository {meaning}"
    return ""


def secrets(credentials: Iterable[Credential]) -> list[str]:
    """What must not show up in an error's text."""
    return [credential.password for credential in credentials]
