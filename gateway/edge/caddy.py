"""Caddy's whole configuration: one generic route that asks the decision process, then acts.

Nothing in it names a host, bucket or workspace, so it is loaded once. Its order of events for a request:

1. what the client must not say (`X-Gw-*`, …) is deleted, the request id and the client's address are set;
2. GET /decide with the client's headers; its answer goes to the client unless it bears `X-Gw-Action`;
3. `forward`, `file` or `handle` is done with what the answer said;
4. a Forward with a token ends with GET /commit, a failure of the act with GET /failed.

docs/edge.md says why each odd-looking setting is there.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any, Literal, get_args

from gateway.decision import answers, wire
from gateway.decision.types import BACKEND_HEADERS, CONTENT_SANDBOX, CREDENTIAL_HEADERS, Patience
from gateway.edge.settings import EdgeSettings

Json = dict[str, Any]
Purpose = Literal["plain", "masked", "commit"]

REQUEST_ID = "X-Request-Id"
_REQUEST_ID_PATTERN = r"^[A-Za-z0-9._-]{8,64}$"
_RID = "{http.request.header.X-Request-Id}"

_FORGEABLE = ("X-Gw-*", "X-Client-*", "Forwarded", "Proxy")
"""What a client cannot tell an upstream: words of the edge, and headers that others would believe."""

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

_SECRET_PATHS = ("/app/invitations/*", "/app/password-reset/*")
"""Links whose last part opens something: a line of the log would hold it."""

_SECRET_BELOW = ("/app/invitations/", "/app/password-reset/")
"""Paths that end with a secret: links in e-mails."""
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

_SECOND = 1_000_000_000


_SITE_WIDE = (
    *("Set-Cookie", "Clear-Site-Data", "Strict-Transport-Security", "Alt-Svc", "Location", "Refresh", "Link"),
    *("Access-Control-*", "Service-Worker-Allowed", "Nel", "Report-To", "Reporting-Endpoints"),
)
"""What an answer says about the whole site that it comes from. A masked upstream is a tenant's, the site ours."""

_HOST_WIDE = ("Clear-Site-Data", "Strict-Transport-Security", "Alt-Svc", "Nel", "Report-To")
"""What an answer says about a whole host, whatever the port."""

_OUR_COOKIES = r"(?i)^[\s=]*(?:__Host-|__Secure-)?gatehouse_.*$"
"""A cookie that an answer sets in the place of one of ours: cookies do not tell a host's ports apart."""

_CONFINED: dict[str, Json] = {
    "site": {
        "delete": [name for name in _SITE_WIDE if name != "Location"],
        "set": {"Content-Security-Policy": [CONTENT_SANDBOX], "Referrer-Policy": ["no-referrer"]},
    },
    "host": {
        "delete": list(_HOST_WIDE),
        "replace": {"Set-Cookie": [{"search_regexp": _OUR_COOKIES, "replace": ""}]},
    },
}
"""By Confinement. A redirect stays: it leads a program, or a page that has no rights, elsewhere."""

_REDIRECTS = (301, 302, 303, 307, 308)


def build(settings: EdgeSettings) -> Json:
    """The configuration as Caddy's admin API and `caddy run --config` take it."""
    return {
        "admin": {"listen": f"unix/{settings.admin_path}|0600", "config": {"persist": False}},
        "storage": {"module": "file_system", "root": str(settings.home / "caddy" / "data")},
        "logging": _logging(settings),
        "apps": {
            "http": {
                "grace_period": _time(settings.grace),
                "servers": dict(_servers(settings)),
            },
            "tls": {
                "certificates": {
                    "load_files": [
                        {
                            "certificate": str(settings.certificate),
                            "key": str(settings.private_key),
                            "tags": ["instance"],
                        }
                    ]
                },
                "disable_ocsp_stapling": True,
            },
        },
    }


def _time(seconds: float) -> int:
    return int(seconds * _SECOND)


def _servers(settings: EdgeSettings) -> Iterator[tuple[str, Json]]:
    common: Json = {
        "routes": [{"handle": _site(settings)}],
        "errors": {"routes": [{"handle": _apology(settings)}]},
        "automatic_https": {"disable": True},
        "protocols": ["h1", "h2"],
        "max_header_bytes": settings.max_header_bytes,
        "read_header_timeout": _time(settings.header_timeout),
        "read_idle_timeout": -1,  # it hides Expect from the server: a denial would wait for the body
        "write_idle_timeout": _time(settings.stall_timeout),
        "idle_timeout": _time(settings.keep_alive),
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
            "match": [{"path": list(_SECRET_PATHS)}],
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
        *_strict_transport(settings),
        {
            "handler": "subroute",
            "routes": [
                {
                    "match": [
                        {"header_regexp": {REQUEST_ID: {"name": "rid", "pattern": _REQUEST_ID_PATTERN}}}
                    ],
                    "handle": [_request_headers({REQUEST_ID: "{http.regexp.rid.0}"})],
                    "group": "rid",
                },
                {"handle": [_request_headers({REQUEST_ID: "{http.request.uuid}"})], "group": "rid"},
                {
                    # Go answers an empty body without `100 Continue`, and botocore then takes this answer's
                    # status for the next one's on the same connection, and waits for a body that never comes.
                    "match": [{"header": {"Expect": ["*"], "Content-Length": ["0"]}}],
                    "handle": [
                        {
                            "handler": "headers",
                            "response": {"set": {"Connection": ["close"]}, "deferred": True},
                        }
                    ],
                },
            ],
        },
        _request_headers({"X-Real-Ip": "{http.vars.client_ip}"}),
        *([{"handler": "log_append", "key": "request_id", "value": _RID}] if settings.access_log else ()),
        {
            **_ask(settings, "/decide", {}),
            "handle_response": [
                {"match": {"headers": {wire.ACTION: [action]}}, "routes": routes}
                for action, routes in _acts(settings)
            ],
        },
    ]


def _strict_transport(settings: EdgeSettings) -> list[Json]:
    """On whatever answer there will be; the routes of errors begin anew."""
    if not settings.strict_transport:
        return []
    response = {"set": {"Strict-Transport-Security": [settings.strict_transport]}, "deferred": True}
    return [{"handler": "headers", "response": response}]


def _acts(settings: EdgeSettings) -> Iterator[tuple[str, list[Json]]]:
    """What the decision process can ask for, by the value of `X-Gw-Action`; looked through in this order."""
    yield "file", _send_file(settings)
    yield "handle", _handle(settings)
    schemes = ("http", "https")
    patiences: tuple[Patience, ...] = get_args(Patience)
    purposes: tuple[Purpose, ...] = get_args(Purpose)
    for scheme, patience, purpose in product(schemes, patiences, purposes):
        yield (
            f"{scheme}-{patience}-{purpose}",
            [
                {
                    "match": [{"vars": {_told(wire.DRESSED): ["1"]}}],
                    "handle": [{"handler": "subroute", "routes": list(_dress())}],
                },
                {"handle": list(_upstream(settings, scheme == "https", patience, purpose))},
            ],
        )


def _request_headers(values: dict[str, str]) -> Json:
    return {"handler": "headers", "request": {"set": {name: [value] for name, value in values.items()}}}


def _told(name: str) -> str:
    """The placeholder of a header of the decision's answer, until the next round trip."""
    return f"{{http.reverse_proxy.header.{name}}}"


def _kept(name: str) -> str:
    """The placeholder of what `_keep` kept."""
    return f"{{http.vars.{name}}}"


def _keep(*names: str) -> Json:
    """Keep headers of the decision's answer for later round trips. A missing one is kept as empty."""
    return {"handler": "vars", **{name: _told(name) for name in names}}


def _head(extra: dict[str, str]) -> Json:
    """The client's request in the edge's words, for one of our own questions."""
    head = (
        "{http.request.orig_method} {http.vars.client_ip} {http.request.local.port}"
        " {http.request.header.Content-Length} {http.request.orig_uri}"
    )
    return {"set": {name: [value] for name, value in {wire.HEAD: head, **extra}.items()}}


def _ask(settings: EdgeSettings, path: str, extra: dict[str, str]) -> Json:
    """A question to the decision process, asked again while it restarts: the client's head, no body."""
    request = _head(extra)
    # What would bind this connection, and what the head says already.
    request["delete"] = [
        "Expect",
        "Upgrade",
        "Connection",
        "Te",
        "Via",
        "X-Forwarded-Host",
        "X-Forwarded-For",
    ]
    return {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": settings.decision_dial}],
        "rewrite": {"method": "GET", "uri": path},
        "headers": {"request": request, "response": _answer_headers()},
        "load_balancing": _redial(settings),
        "transport": _transport(settings, answer=settings.question_timeout),
    }


def _answer_headers() -> Json:
    """For a proxied answer. Set here and not before: an interim answer (100) clears what was set before."""
    return {"set": {REQUEST_ID: [_RID]}, "delete": ["Server"]}


def _redial(settings: EdgeSettings) -> Json:
    return {"try_duration": _time(settings.restart_patience), "try_interval": _time(0.1)}


def _transport(settings: EdgeSettings, *, answer: float, tls: bool = False, stall: bool = False) -> Json:
    transport: Json = {
        "protocol": "http",
        "compression": False,
        "dial_timeout": _time(settings.dial_timeout),
        "response_header_timeout": _time(answer),
        "expect_continue_timeout": _time(5),
        "write_timeout": _time(settings.stall_timeout),
        # Shorter than the servers' own keep-alive, or a request meets a connection that just closed.
        "keep_alive": {"idle_timeout": _time(15), "max_idle_conns_per_host": 512},
        "network_proxy": {"from": "none"},
        "versions": ["1.1"],
    }
    if stall:
        transport["read_timeout"] = _time(settings.stall_timeout)
    if tls:
        transport["tls"] = {
            "server_name": "{http.reverse_proxy.upstream.host}",
            "handshake_timeout": _time(settings.dial_timeout),
        }
        if settings.backend_ca_files:
            transport["tls"]["ca"] = {
                "provider": "file",
                "pem_files": [str(path) for path in settings.backend_ca_files],
            }
    return transport


def _dress() -> Iterator[Json]:
    """The headers that a Forward sets and removes."""
    yield {
        "match": [{"vars": {_told(wire.STRIPPED): ["1"]}}],
        "handle": [{"handler": "headers", "request": {"delete": list(CREDENTIAL_HEADERS)}}],
    }
    yield from _slots("D", wire.REMOVE_COUNT, wire.REMOVE_TIERS)
    signature = {name: _told(wire.signature_slot(name)) for name in wire.SIGNATURE_HEADERS}
    yield {
        "match": [{"vars": {_told(wire.SET_COUNT): [wire.SIGNATURE_TIER]}}],
        "handle": [_request_headers(signature)],
    }
    yield from _slots("S", wire.SET_COUNT, wire.SET_TIERS)
    yield from _slots("R", wire.RESPONSE_COUNT, wire.RESPONSE_TIERS)
    # What stands later is done to the answer earlier: what is set above stays set.
    for confinement, operations in _CONFINED.items():
        yield {
            "match": [{"vars": {_told(wire.CONFINED): [confinement]}}],
            "handle": [{"handler": "headers", "response": {**operations, "deferred": True}}],
        }


def _slots(kind: str, counter: str, tiers: tuple[int, ...]) -> Iterator[Json]:
    """One route for each count of headers to delete (D), set (S) or set on the answer (R)."""
    for tier in tiers:
        names = [wire.slot(kind, index, "n") for index in range(tier)]
        values = [wire.slot(kind, index, "v") for index in range(tier)]
        handlers: list[Json]
        if kind == "D":
            handlers = [{"handler": "headers", "request": {"delete": [_told(name) for name in names]}}]
        elif kind == "S":
            told = {_told(name): [_told(value)] for name, value in zip(names, values, strict=True)}
            handlers = [{"handler": "headers", "request": {"set": told}}]
        else:
            kept = {_kept(name): [_kept(value)] for name, value in zip(names, values, strict=True)}
            handlers = [
                _keep(*names, *values),
                {"handler": "headers", "response": {"set": kept, "deferred": True}},
            ]
        yield {"match": [{"vars": {_told(counter): [str(tier)]}}], "handle": handlers}


def _upstream(settings: EdgeSettings, tls: bool, patience: Patience, purpose: Purpose) -> Iterator[Json]:
    answer = {
        "standard": settings.standard_timeout,
        "process": settings.process_timeout,
        "long": settings.long_timeout,
    }[patience]
    # Go's server gives up on a request when the body's read deadline passes, even after the body's end:
    # it must outlast the wait for the answer, and a streamed answer where there can be one.
    if purpose == "plain" and patience != "process":
        body_timeout = settings.stream_timeout
    else:
        body_timeout = answer + settings.stall_timeout
    yield _keep(wire.DECIDER, wire.SEALED) if purpose == "commit" else _keep(wire.DECIDER)
    yield {"handler": "timeouts", "read_timeout": _time(body_timeout)}
    proxy: Json = {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": _told(wire.DIAL)}],
        "rewrite": {
            # By way of a marker and an expression, because `uri` alone decodes the path and encodes it anew.
            "uri": "/?~",
            "uri_substring": [{"find": "~", "replace": _told(wire.QUERY)}],
            "path_regexp": [{"find": "(?s)^.*$", "replace": _told(wire.PATH)}],
        },
        "headers": {"response": _answer_headers()},
        "transport": _transport(settings, answer=answer, tls=tls, stall=purpose == "masked"),
        "stream_close_delay": _time(3600),
    }
    if patience == "process":
        proxy["load_balancing"] = _redial(settings)
        proxy["request_buffers"] = settings.process_buffer
    if purpose == "commit":
        names = {f"backend_{name}": _told(_canonical(name)) for name in BACKEND_HEADERS}
        told = {wire.BACKEND + name: _kept(f"backend_{name}") for name in BACKEND_HEADERS}
        status = {wire.STATUS: _kept("backend_status"), **_decided(), **told}
        proxy["handle_response"] = [
            {
                "routes": [
                    {
                        "handle": [
                            {
                                "handler": "vars",
                                "backend_status": "{http.reverse_proxy.status_code}",
                                **names,
                            },
                            _ask(settings, "/commit", status),
                        ]
                    }
                ]
            }
        ]
    elif purpose == "masked":
        proxy["headers"]["response"]["delete"] += _SITE_WIDE
        status = {wire.STATUS: "{http.reverse_proxy.status_code}", wire.MASKED: "1", **_decided()}
        proxy["handle_response"] = [
            {
                "match": {"status_code": [*_REDIRECTS, 4, 5]},
                "routes": [{"handle": [_ask(settings, "/failed", status)]}],
            }
        ]
    yield proxy


def _canonical(name: str) -> str:
    """As Go spells it, which is how the placeholders of an answer's headers are named."""
    return "-".join(word.capitalize() for word in name.split("-"))


def _decided() -> dict[str, str]:
    return {wire.DECIDER: _kept(wire.DECIDER), wire.SEALED: _kept(wire.SEALED)}


def _send_file(settings: EdgeSettings) -> list[Json]:
    own = [wire.ACTION, wire.DECIDER, wire.PATH, wire.RANGE, wire.LAST_MODIFIED]
    return [
        {
            "handle": [
                _keep(wire.DECIDER, wire.LAST_MODIFIED),
                {
                    "handler": "copy_response_headers",
                    "exclude": [*own, "Content-Length", "Date", "Server", "Connection", REQUEST_ID],
                },
                {
                    # Of other origins' pages alone, once what the file server says of itself is gone.
                    "handler": "headers",
                    "response": {
                        "require": {"headers": {"Access-Control-Allow-Origin": ["*"]}},
                        "set": {"Vary": [_told("Vary")]},
                        "deferred": True,
                    },
                },
                {
                    "handler": "headers",
                    # The decision has judged the conditions and the range; Caddy must not judge again.
                    "request": {"set": {"Range": [_told(wire.RANGE)]}, "delete": ["If-*"]},
                    "response": {
                        "set": {"Last-Modified": [_kept(wire.LAST_MODIFIED)], REQUEST_ID: [_RID]},
                        "delete": ["Vary"],
                        "deferred": True,
                    },
                },
                {"handler": "rewrite", "uri": "/" + _told(wire.PATH)},
                {
                    "handler": "file_server",
                    "root": str(settings.blob_root),
                    "canonical_uris": False,
                    "index_names": [],
                    "hide": [],
                },
            ]
        }
    ]


def _handle(settings: EdgeSettings) -> list[Json]:
    return [
        {
            "handle": [
                _keep(wire.DECIDER, wire.SEALED),
                {
                    "handler": "reverse_proxy",
                    "upstreams": [{"dial": settings.decision_dial}],
                    "rewrite": {"uri": "/handle/" + _kept(wire.DECIDER)},
                    "headers": {
                        "request": _head({wire.SEALED: _kept(wire.SEALED)}),
                        "response": _answer_headers(),
                    },
                    "load_balancing": _redial(settings),
                    "transport": _transport(settings, answer=settings.long_timeout),
                    "stream_close_delay": _time(3600),
                },
            ]
        }
    ]


def _apology(settings: EdgeSettings) -> list[Json]:
    """Error routes: the decider that decided answers in its language, or a fixed text does."""
    status = {wire.STATUS: "{http.error.status_code}", **_decided()}
    return [
        {
            "handler": "headers",  # those of a missing blob, already copied, are not the error's
            "response": {"delete": ["*"]},
        },
        *_strict_transport(settings),
        {
            "handler": "subroute",
            "routes": [
                {
                    "match": [{"not": [{"vars": {wire.DECIDER: [""]}}]}],
                    "handle": [_ask(settings, "/failed", status)],
                    "terminal": True,
                },
                *_fixed_texts(settings),
            ],
            "errors": {"routes": list(_fixed_texts(settings))},
        },
    ]


def _fixed_texts(settings: EdgeSettings) -> Iterator[Json]:
    ours: Json = {"expression": "{http.error.status_code} >= 500"}
    domain = settings.s3_domain
    yield {"handle": [{"handler": "headers", "response": {"set": {REQUEST_ID: [_RID]}}}]}
    yield {
        "match": [{**ours, "path": ["/s3/*"]}, {**ours, "host": [domain, f"*.{domain}"]}],
        "handle": [
            {
                "handler": "static_response",
                "status_code": 503,
                "headers": {"Content-Type": ["application/xml"], "Retry-After": ["1"]},
                "body": '<?xml version="1.0" encoding="UTF-8"?>\n'
                "<Error><Code>ServiceUnavailable</Code><Message>The service is not ready; try again shortly."
                f"</Message><RequestId>{_RID}</RequestId></Error>",
            }
        ],
        "terminal": True,
    }
    yield {
        "match": [ours],
        "handle": [_problem(503, "Service Unavailable", "The service is not ready; try again shortly.")],
        "terminal": True,
    }
    yield {
        "handle": [_problem("{http.error.status_code}", "{http.error.status_text}", "Refused at the edge.")]
    }


def _problem(status: int | str, title: str, detail: str) -> Json:
    headers = {"Content-Type": ["application/problem+json"], "Cache-Control": ["no-store"]}
    headers |= {name: [value] for name, value in answers.HARMLESS}
    if status == 503:
        headers["Retry-After"] = ["1"]
    code = title.lower().replace(" ", "_") if isinstance(status, int) else "bad_request"
    return {
        "handler": "static_response",
        "status_code": status,
        "headers": headers,
        "body": f'{{"type":"about:blank","title":"{title}","status":{status},"detail":"{detail}",'
        f'"code":"{code}","errors":{{}},"request_id":"{_RID}","error":"{title}"}}',
    }


def _logging(settings: EdgeSettings) -> Json:
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
