"""The small pieces that the routes are made of."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

REQUEST_ID = "X-Request-Id"
RID = "{http.request.header.X-Request-Id}"
_SECOND = 1_000_000_000


def seconds(count: float) -> int:
    """A duration as Caddy's JSON has it."""
    return int(count * _SECOND)


def request_headers(values: dict[str, str]) -> Json:
    return {"handler": "headers", "request": {"set": {name: [value] for name, value in values.items()}}}


def told(name: str) -> str:
    """The placeholder of a header of the decision's answer, until the next round trip."""
    return f"{{http.reverse_proxy.header.{name}}}"


def kept(name: str) -> str:
    """The placeholder of what `keep` kept."""
    return f"{{http.vars.{name}}}"


def keep(*names: str) -> Json:
    """Keep headers of the decision's answer for later round trips. A missing one is kept as empty."""
    return {"handler": "vars", **{name: told(name) for name in names}}
