"""A call as it was asked for: its target taken apart by rules that leave no room for two readings."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from .refusal import Refusal, forbidden

_PATH = re.compile(r"(?:/(v1\.\d{2,3}))?((?:/[A-Za-z0-9_.:@-]+)+)")
_OLDEST = 40  # before it a start could carry a HostConfig, and filters mean other things


@dataclass(frozen=True, slots=True)
class Request:
    """`path` is without the version; `query` has no name twice; `body` is whole, empty for an upload."""

    method: str
    version: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    upgrade: bool = False


def parse_target(target: str) -> tuple[str, str, dict[str, str]]:
    """Version (empty without one), path, query. Raises Refusal for what the engine might read in another way."""
    path, _, query = target.partition("?")
    found = _PATH.fullmatch(path)
    if not found or any(set(part) == {"."} for part in path.split("/")):
        raise forbidden("this path is not allowed")
    version = found[1] or ""
    if version and int(version.removeprefix("v1.")) < _OLDEST:
        raise Refusal(400, f"broker: client version {version} is too old, the oldest is 1.{_OLDEST}")
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, strict_parsing=bool(query), errors="strict", max_num_fields=16
        )
    except ValueError as e:
        raise forbidden("this query is not allowed") from e
    if len({name for name, _ in pairs}) != len(pairs):
        raise forbidden("a parameter appears twice")
    return version, found[2], dict(pairs)


def parameters(request: Request, **allowed: str | Callable[[str], str]) -> dict[str, str | int]:
    """The query, of the allowed names only, each value matching its pattern. Raises Refusal."""
    made: dict[str, str | int] = {}
    for name, value in request.query.items():
        known = name.replace("-", "_")
        if known not in allowed or known in made:
            raise forbidden(f"the parameter {name} is not allowed")
        check = allowed[known]
        if isinstance(check, str) and not re.fullmatch(check, value):
            raise forbidden(f"this value of the parameter {name} is not allowed")
        made[name] = value if isinstance(check, str) else check(value)
    return made


def filters(required: Mapping[str, list[str]], *, labels: str) -> Callable[[str], str]:
    """A check of the parameter `filters`: labels that match a pattern, to which what is required is added."""

    def check(value: str) -> str:
        try:
            asked = json.loads(value)
        except (ValueError, RecursionError) as e:
            raise forbidden("the filters are no JSON") from e
        if not isinstance(asked, dict) or set(asked) - {"label"}:
            raise forbidden("these filters are not allowed")
        wanted = asked.get("label", [])
        if not isinstance(wanted, list) or not all(
            isinstance(one, str) and re.fullmatch(labels, one) for one in wanted
        ):
            raise forbidden("these filters are not allowed")
        return json.dumps({**required, "label": [*required.get("label", []), *wanted]})

    return check


def only(source: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Of the engine's answer what the platform needs to know."""
    return {name: source[name] for name in names if name in source}
