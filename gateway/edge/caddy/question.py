"""Questions to our own processes, and how any process is reached."""

from __future__ import annotations

from gateway.decision import wire
from gateway.edge.settings import EdgeSettings

from .pieces import REQUEST_ID, RID, Json, kept, seconds


def ask(settings: EdgeSettings, path: str, extra: dict[str, str]) -> Json:
    """A question to the decision process, asked again while it restarts: the client's head, no body."""
    request = head(extra)
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
        # The question mark leaves the client's query out, which the head has: `/decide` alone is found at once.
        "rewrite": {"method": "GET", "uri": path + "?"},
        "headers": {"request": request, "response": answer_headers()},
        "load_balancing": redial(settings),
        "transport": transport(settings, answer=settings.question_timeout),
    }


def head(extra: dict[str, str]) -> Json:
    """The client's request in the edge's words, for one of our own questions."""
    line = (
        "{http.request.orig_method} {http.vars.client_ip} {http.request.local.port}"
        " {http.request.header.Content-Length} {http.request.orig_uri}"
    )
    return {"set": {name: [value] for name, value in {wire.HEAD: line, **extra}.items()}}


def answer_headers() -> Json:
    """For a proxied answer. Set here and not before: an interim answer (100) clears what was set before."""
    return {"set": {REQUEST_ID: [RID]}, "delete": ["Server"]}


def redial(settings: EdgeSettings) -> Json:
    return {"try_duration": seconds(settings.restart_patience), "try_interval": seconds(0.1)}


def transport(settings: EdgeSettings, *, answer: float, tls: bool = False, stall: bool = False) -> Json:
    transport: Json = {
        "protocol": "http",
        "compression": False,
        "dial_timeout": seconds(settings.dial_timeout),
        "response_header_timeout": seconds(answer),
        "expect_continue_timeout": seconds(5),
        "write_timeout": seconds(settings.stall_timeout),
        # Shorter than the servers' own keep-alive, or a request meets a connection that just closed.
        "keep_alive": {"idle_timeout": seconds(15), "max_idle_conns_per_host": 512},
        "network_proxy": {"from": "none"},
        "versions": ["1.1"],
    }
    if stall:
        transport["read_timeout"] = seconds(settings.stall_timeout)
    if tls:
        transport["tls"] = {
            "server_name": "{http.reverse_proxy.upstream.host}",
            "handshake_timeout": seconds(settings.dial_timeout),
        }
        if settings.backend_ca_files:
            transport["tls"]["ca"] = {
                "provider": "file",
                "pem_files": [str(path) for path in settings.backend_ca_files],
            }
    return transport


def decided() -> dict[str, str]:
    return {wire.DECIDER: kept(wire.DECIDER), wire.SEALED: kept(wire.SEALED)}
