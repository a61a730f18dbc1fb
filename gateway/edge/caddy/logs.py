"""What Caddy logs, without what is secret in a request."""

from __future__ import annotations

from gateway.edge.settings import EdgeSettings

from .pieces import Json

_QUERY_SECRETS = (
    "X-Amz-Signature",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
    "x-amz-security-token",  # as Signature Version 2 moves headers into a URL
    "x-amz-server-side-encryption-customer-key",
    "X-Amz-Server-Side-Encryption-Customer-Key",
    "Signature",
    "token",
    "ticket",
    "access_token",
    "code",
    "state",
)

_SECRET_BELOW = ("/app/invitations/", "/app/password-reset/", "/app/shared/")
"""Paths that end with a secret: links that people are sent."""

SECRET_PATHS = tuple(f"{path}*" for path in _SECRET_BELOW)
"""For Caddy's matcher: their requests are in no access log."""

_HEADER_SECRETS = (
    *("X-Api-Key", "X-Amz-Security-Token", "X-Introspect-Secret", "X-Gw-Token"),
    "X-Amz-Server-Side-Encryption-Customer-Key",
    "X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key",
)

_PROXY_LOGGER = "http.handlers.reverse_proxy"
"""Silent: it would encode each request for the log it might write. What fails is told to `Decider.failed`."""

_ENCODER: Json = {
    "format": "json",
    "time_format": "rfc3339_nano",
    "level_format": "upper",
    "time_key": "time",
    "message_key": "message",
    "name_key": "logger",
}
"""One object a line, its fields named as in `gateway.logs`."""


def logging(settings: EdgeSettings) -> Json:
    address: Json = {
        "filter": "multi_regexp",
        "operations": [
            {"regexp": rf"([?&](?:{'|'.join(_QUERY_SECRETS)})=)[^&]*", "value": "${1}REDACTED"},
            {"regexp": rf"({'|'.join(_SECRET_BELOW)})[^/?]+", "value": "${1}REDACTED"},
        ],
    }
    fields: Json = {
        "request>uri": address,
        "uri": address,  # of a rewrite, at DEBUG
        "request>headers>Referer": {"filter": "delete"},
    }
    for name in _HEADER_SECRETS:
        fields[f"request>headers>{name}"] = {"filter": "replace", "value": "REDACTED"}
    sink: Json = {
        "writer": {"output": "stderr"},
        "encoder": {
            "format": "append",
            "fields": {"process": "caddy"},
            "wrap": {"format": "filter", "wrap": _ENCODER, "fields": fields},
        },
    }
    logs: Json = {
        "default": {**sink, "level": settings.log_level, "exclude": ["http.log.access", _PROXY_LOGGER]}
    }
    if settings.access_log:
        logs["access"] = {**sink, "level": "INFO", "include": ["http.log.access"]}
    return {"logs": logs}
