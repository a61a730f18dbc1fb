"""What people may write about an instance: names, environment, secrets, ports, limits, a repository's URL."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from gateway.errors import Invalid, QuotaExceeded
from tenants.models import Quota
from workspaces.addresses import MCP_PORT
from workspaces.models import Instance, Template
from workspaces.models.instances import LEAST_CPU_MILLIS, LEAST_MEMORY, LEAST_PIDS

MOST_METADATA = 16 << 10
MOST_VARIABLES, MOST_VALUE, MOST_VALUES = 200, 32 << 10, 128 << 10
MOST_PORTS = 20
MOST_IDLE_MINUTES = 365 * 24 * 60
RESERVED_NAMES = frozenset({"mcp"})
RESERVED_PORTS = frozenset({MCP_PORT, 3128, 8090})  # the last two are the platform's ways out of a sandbox

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,127}")
_OURS = re.compile(r"GATEHOUSE_.*|LD_.*|PYTHON.*|PATH")
_PORT_NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/+-]*")
_MOST = {"memory_bytes": 1 << 40, "cpu_millis": 1_000_000, "pids": 32_768}
_LEAST = {"memory_bytes": LEAST_MEMORY, "cpu_millis": LEAST_CPU_MILLIS, "pids": LEAST_PIDS}


def _refuse(field: str, text: str, code: str | None = None) -> Invalid:
    return Invalid(f"{field}: {text}", code=code, errors={field: [text]})


def check_name(name: str) -> None:
    """Raises Invalid, code `invalid_name`, for what cannot be a part of an address."""
    if not _NAME.fullmatch(name):
        text = "1 to 63 lower-case letters, digits and hyphens, beginning and ending with a letter or digit."
        raise _refuse("name", text, "invalid_name")
    if name in RESERVED_NAMES:
        raise _refuse("name", "This name is the platform's.", "invalid_name")


def check_metadata(metadata: Mapping[str, Any]) -> None:
    """Any JSON object of at most MOST_METADATA bytes. Raises Invalid."""
    try:
        text = json.dumps(metadata, allow_nan=False)
    except (ValueError, TypeError, RecursionError):
        raise _refuse("metadata", "That cannot be written as JSON.") from None
    if len(text) > MOST_METADATA:
        raise _refuse("metadata", f"At most {MOST_METADATA} bytes of JSON.")
    if "\\u0000" in text or re.search(r"\\ud[89a-f]", text):  # which no text of the database may hold
        try:
            whole = json.dumps(metadata, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise _refuse("metadata", "It holds half a character.") from None
        if "\\u0000" in text or b"\0" in whole:
            raise _refuse("metadata", "It holds a NUL character.")


def check_variables(field: str, values: Mapping[str, str]) -> None:
    """Names and values of the environment, plain or secret. Raises Invalid."""
    if len(values) > MOST_VARIABLES:
        raise _refuse(field, f"At most {MOST_VARIABLES} of them.")
    for name, value in values.items():
        check_variable_name(field, name)
        if not isinstance(value, str) or "\0" in value or len(_bytes(field, value)) > MOST_VALUE:
            raise _refuse(field, f"{name}: a text of at most {MOST_VALUE} bytes without NUL.")
    if sum(len(name) + len(_bytes(field, value)) for name, value in values.items()) > MOST_VALUES:
        raise _refuse(field, f"At most {MOST_VALUES} bytes in all.")


def check_variable_name(field: str, name: str) -> None:
    """Raises Invalid."""
    if not _VARIABLE.fullmatch(name):
        raise _refuse(field, f"{name[:140]!r}: capital letters, digits and _, not beginning with a digit.")
    if _OURS.fullmatch(name):
        raise _refuse(field, f"{name} is set by the platform.")


def _bytes(field: str, value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise _refuse(field, "It holds half a character.") from None


def check_apart(environment: Mapping[str, str], secrets: Mapping[str, str]) -> None:
    """Raises Invalid for a name that is in both."""
    if both := sorted(set(environment) & set(secrets)):
        raise _refuse("secrets", f"{both[0]} is in the environment too.")


def check_secrets_given(required: list[str], secrets: Mapping[str, str]) -> None:
    """Raises Invalid, code `secrets_missing`, unless all that the template asks for are there."""
    missing = [name for name in required if not secrets.get(name)]
    if missing:
        raise Invalid(
            f"The template needs the secrets {', '.join(missing)}.",
            code="secrets_missing",
            errors={"secrets": [f"{name} is missing." for name in missing]},
        )


def check_ports(ports: Mapping[str, int]) -> None:
    """Declared ports: name → number. Raises Invalid."""
    if len(ports) > MOST_PORTS:
        raise _refuse("ports", f"At most {MOST_PORTS} of them.")
    for name, number in ports.items():
        if not _PORT_NAME.fullmatch(name) or name in RESERVED_NAMES:
            text = "lower-case letters, digits and hyphens, beginning with a letter; not mcp."
            raise _refuse("ports", f"{name[:80]!r}: {text}")
        if not isinstance(number, int) or isinstance(number, bool) or not 1024 <= number <= 65_535:
            raise _refuse("ports", f"{name}: a number from 1024 to 65535.")
        if number in RESERVED_PORTS:
            raise _refuse("ports", f"{name}: {number} is the platform's own in a workspace.")
    if len(set(ports.values())) < len(ports):
        raise _refuse("ports", "A number has one name.")


def check_repository(url: str, branch: str) -> None:
    """What is cloned: over http or https, without credentials, which belong to the secrets. Raises Invalid."""
    if url:
        try:
            parts = urlsplit(url)
            well = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            raise _refuse("git_url", "That is no URL.", "invalid_git_url") from None
        if not well or not url.isascii() or not url.isprintable() or " " in url or len(url) > 500:
            raise _refuse("git_url", "A URL that begins with https:// or http://.", "invalid_git_url")
        if "@" in parts.netloc:
            text = "No credentials here: give them as the secrets GIT_USERNAME and GIT_PASSWORD."
            raise _refuse("git_url", text, "invalid_git_url")
        if parts.fragment:
            raise _refuse("git_url", "No fragment (#…).", "invalid_git_url")
    if branch:
        bad = (
            not _BRANCH.fullmatch(branch)
            or any(part in branch for part in ("..", "//", "/."))
            or branch.endswith(("/", ".", ".lock"))
        )
        if bad or len(branch) > 255:
            raise _refuse("git_branch", "That is not the name of a branch.")
        if not url:
            raise _refuse("git_branch", "There is no repository whose branch it is.")


def check_limits(row: Instance | Template, quota: Quota | None) -> None:
    """What one may use, against what can be and against the tenant's limits. Raises Invalid, QuotaExceeded."""
    for name, least in _LEAST.items():
        value = getattr(row, name)
        if not least <= value <= _MOST[name]:
            raise _refuse(name, f"From {least} to {_MOST[name]}.")
    for name, limit in (
        ("memory_bytes", quota and quota.instance_memory_bytes),
        ("cpu_millis", quota and quota.instance_cpu_millis),
    ):
        if limit is not None and getattr(row, name) > limit:
            raise QuotaExceeded(
                f"The tenant's limit for one instance is {limit} {name.replace('_', ' ')}.",
                errors={name: [f"At most {limit}."]},
            )


def check_idle(minutes: int) -> None:
    """Raises Invalid."""
    if not 0 <= minutes <= MOST_IDLE_MINUTES:
        raise _refuse("idle_minutes", f"From 0 (never) to {MOST_IDLE_MINUTES}.")
