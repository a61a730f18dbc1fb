"""The listeners, and the handlers that every request passes."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.decision import wire
from gateway.edge.settings import EdgeSettings

from .acts import acts
from .failures import apology, strict_transport
from .logs import SECRET_PATHS
from .pieces import REQUEST_ID, RID, Json, request_headers, seconds
from .question import ask

_REQUEST_ID_PATTERN = r"^[A-Za-z0-9._-]{8,64}$"

_FORGEABLE = ("X-Gw-*", "X-Client-*", "Forwarded", "Proxy")
"""What a client cannot tell an upstream: words of the edge, and headers that others would believe."""


def servers(settings: EdgeSettings) -> Iterator[tuple[str, Json]]:
    common: Json = {
        "routes": [{"handle": _site(settings)}],
        "errors": {"routes": [{"handle": apology(settings)}]},
        "automatic_https": {"disable": True},
        "protocols": ["h1", "h2"],
        "max_header_bytes": settings.max_header_bytes,
        "read_header_timeout": seconds(settings.header_timeout),
        "read_idle_timeout": -1,  # it hides Expect from the server: a denial would wait for the body
        "write_idle_timeout": seconds(settings.stall_timeout),
        "idle_timeout": seconds(settings.keep_alive),
        "trusted_proxies_strict": 1,
    }
    for mark, option in (("_", "expected_underscore_headers"), (".", "expected_dot_headers")):
        if names := [f"x-amz-meta-{name}" for name in settings.metadata_names if mark in name]:
            common[option] = names
    if settings.trusted_proxies:
        common["trusted_proxies"] = {"source": "static", "ranges": list(settings.trusted_proxies)}
    if settings.access_log:
        common["logs"] = {"default_logger_name": "access"}
        unlogged = {
            "match": [{"path": list(SECRET_PATHS)}],
            "handle": [{"handler": "vars", "log_skip": True}],
        }
        common["routes"] = [unlogged, *common["routes"]]
    # Only the front connects to a socket of ours, and it says first for whom.
    of_front = [{"wrapper": "proxy_protocol"}] if settings.http_listen[0].startswith("unix/") else []
    yield "plain", {**common, "listen": list(settings.http_listen), "listener_wrappers": of_front}
    if settings.https_listen:
        name = settings.default_server_name
        policy = {
            "certificate_selection": {"any_tag": ["instance"]},
            "default_sni": name,
            "fallback_sni": name,
        }
        yield "secure", {**common, "listen": list(settings.https_listen), "tls_connection_policies": [policy]}
        if settings.relayed_tls:
            wrappers = [*of_front, {"wrapper": "tls"}]
            at = {"listen": list(settings.relayed_tls), "listener_wrappers": wrappers}
            yield "relayed", {**common, **at, "tls_connection_policies": [policy]}


def _site(settings: EdgeSettings) -> list[Json]:
    """The handlers of every request."""
    return [
        {"handler": "headers", "request": {"delete": list(_FORGEABLE)}},
        *strict_transport(settings),
        {
            "handler": "subroute",
            "routes": [
                {
                    "match": [
                        {"header_regexp": {REQUEST_ID: {"name": "rid", "pattern": _REQUEST_ID_PATTERN}}}
                    ],
                    "handle": [request_headers({REQUEST_ID: "{http.regexp.rid.0}"})],
                    "group": "rid",
                },
                {"handle": [request_headers({REQUEST_ID: "{http.request.uuid}"})], "group": "rid"},
                # Whatever a client's Connection names is left out towards every upstream, after all else is done: our
                # own X-Real-Ip as well, and what a decision set. It may ask for a WebSocket by it and for nothing else.
                {
                    "match": [{"header_regexp": {"Connection": {"pattern": "(?i)upgrade"}}}],
                    "handle": [request_headers({"Connection": "Upgrade"})],
                    "group": "connection",
                },
                {
                    "match": [{"header": {"Connection": ["*"]}}],
                    "handle": [{"handler": "headers", "request": {"delete": ["Connection"]}}],
                    "group": "connection",
                },
                {
                    # Go answers an empty body without `100 Continue`, and botocore then takes this answer's
                    # status for the next one's on the same connection, and waits for a body that never comes.
                    # Asked by the upstream, `100 Continue` would bear `Connection: close` too, and aiohttp takes
                    # what follows for a second answer.
                    "match": [{"header": {"Expect": ["*"], "Content-Length": ["0"]}}],
                    "handle": [
                        {
                            "handler": "headers",
                            "request": {"delete": ["Expect"]},
                            "response": {"set": {"Connection": ["close"]}, "deferred": True},
                        }
                    ],
                },
            ],
        },
        request_headers({"X-Real-Ip": "{http.vars.client_ip}"}),
        *([{"handler": "log_append", "key": "request_id", "value": RID}] if settings.access_log else ()),
        {
            **ask(settings, "/decide", {}),
            "handle_response": [
                {"match": {"headers": {wire.ACTION: [action]}}, "routes": routes}
                for action, routes in acts(settings)
            ],
        },
    ]
