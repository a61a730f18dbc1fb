"""What is done once the decision is there: a file sent, a request handed to us, or one passed to an upstream."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Literal, get_args

from gateway.decision import wire
from gateway.decision.types import BACKEND_HEADERS, Patience
from gateway.edge.settings import EdgeSettings

from .dress import SITE_WIDE, dress
from .pieces import REQUEST_ID, RID, Json, keep, kept, seconds, told
from .question import answer_headers, ask, decided, head, redial, transport

Purpose = Literal["plain", "masked", "commit"]
_MASKED = (301, 302, 303, 304, 307, 308)
"""Redirects, and the answer that says nothing new, of which not every server says what RFC 9110 wants."""


def acts(settings: EdgeSettings) -> Iterator[tuple[str, list[Json]]]:
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
                    "match": [{"vars": {told(wire.DRESSED): ["1"]}}],
                    "handle": [{"handler": "subroute", "routes": list(dress())}],
                },
                {"handle": list(_upstream(settings, scheme == "https", patience, purpose))},
            ],
        )


def _send_file(settings: EdgeSettings) -> list[Json]:
    own = [wire.ACTION, wire.DECIDER, wire.PATH, wire.RANGE, wire.LAST_MODIFIED]
    return [
        {
            "handle": [
                keep(wire.DECIDER, wire.LAST_MODIFIED),
                {
                    "handler": "copy_response_headers",
                    "exclude": [*own, "Content-Length", "Date", "Server", "Connection", REQUEST_ID],
                },
                {
                    # Of other origins' pages alone, once what the file server says of itself is gone.
                    "handler": "headers",
                    "response": {
                        "require": {"headers": {"Access-Control-Allow-Origin": ["*"]}},
                        "set": {"Vary": [told("Vary")]},
                        "deferred": True,
                    },
                },
                {
                    "handler": "headers",
                    # The decision has judged the conditions and the range; Caddy must not judge again.
                    "request": {"set": {"Range": [told(wire.RANGE)]}, "delete": ["If-*"]},
                    "response": {
                        "set": {"Last-Modified": [kept(wire.LAST_MODIFIED)], REQUEST_ID: [RID]},
                        "delete": ["Vary"],
                        "deferred": True,
                    },
                },
                {"handler": "rewrite", "uri": "/" + told(wire.PATH)},
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
                keep(wire.DECIDER, wire.SEALED),
                # As long as Go's server reads a body, an answer to a client that fell silent cannot pass it.
                _body_timeout(settings, settings.long_timeout),
                {
                    "handler": "reverse_proxy",
                    "upstreams": [{"dial": settings.decision_dial}],
                    "rewrite": {"uri": "/handle/" + kept(wire.DECIDER)},
                    "headers": {
                        "request": head({wire.SEALED: kept(wire.SEALED)}),
                        "response": answer_headers(),
                    },
                    "load_balancing": redial(settings),
                    "transport": transport(settings, answer=settings.long_timeout),
                    "stream_close_delay": seconds(3600),
                },
            ]
        }
    ]


def _upstream(settings: EdgeSettings, tls: bool, patience: Patience, purpose: Purpose) -> Iterator[Json]:
    answer = {
        "standard": settings.standard_timeout,
        "process": settings.process_timeout,
        "long": settings.long_timeout,
    }[patience]
    yield keep(wire.DECIDER) if purpose == "plain" else keep(wire.DECIDER, wire.SEALED)
    if purpose == "plain" and patience != "process":  # the answer may be a stream
        yield _body_timeout(settings, settings.stream_timeout - settings.stall_timeout)
    else:
        yield _body_timeout(settings, answer)
    proxy: Json = {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": told(wire.DIAL)}],
        "rewrite": {
            # By way of a marker and an expression, because `uri` alone decodes the path and encodes it anew.
            "uri": "/?~",
            "uri_substring": [{"find": "~", "replace": told(wire.QUERY)}],
            "path_regexp": [{"find": "(?s)^.*$", "replace": told(wire.PATH)}],
        },
        "headers": {"response": answer_headers()},
        "transport": transport(settings, answer=answer, tls=tls, stall=purpose == "masked"),
        "stream_close_delay": seconds(3600),
    }
    if patience == "process":
        proxy["load_balancing"] = redial(settings)
        proxy["request_buffers"] = settings.process_buffer
    if purpose != "plain":
        names = {f"backend_{name}": told(_canonical(name)) for name in BACKEND_HEADERS}
        answered = {wire.BACKEND + name: kept(f"backend_{name}") for name in BACKEND_HEADERS}
        status = {wire.STATUS: kept("backend_status"), **decided(), **answered}
        noted = {"handler": "vars", "backend_status": "{http.reverse_proxy.status_code}", **names}
        if purpose == "commit":
            act: Json = {"routes": [{"handle": [noted, ask(settings, "/commit", status)]}]}
        else:
            proxy["headers"]["response"]["delete"] += SITE_WIDE
            asked = ask(settings, "/failed", {**status, wire.MASKED: "1"})
            act = {"match": {"status_code": [*_MASKED, 4, 5]}, "routes": [{"handle": [noted, asked]}]}
        proxy["handle_response"] = [act]
    yield proxy


def _body_timeout(settings: EdgeSettings, answer: float) -> Json:
    """How long a client may be silent within its body.

    Go's server gives up on a request when the deadline of the last read passes, even after the body's end: it must
    outlast the wait for the answer.
    """
    return {"handler": "timeouts", "read_timeout": seconds(answer + settings.stall_timeout)}


def _canonical(name: str) -> str:
    """As Go spells it, which is how the placeholders of an answer's headers are named."""
    return "-".join(word.capitalize() for word in name.split("-"))
