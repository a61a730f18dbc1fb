"""The headers that a Forward sets and removes, on the request and on its answer."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.decision import wire
from gateway.decision.types import CONTENT_SANDBOX, CREDENTIAL_HEADERS

from .pieces import Json, keep, kept, request_headers, told

SITE_WIDE = (
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
        "delete": [name for name in SITE_WIDE if name != "Location"],
        "set": {"Content-Security-Policy": [CONTENT_SANDBOX], "Referrer-Policy": ["no-referrer"]},
    },
    "host": {
        "delete": list(_HOST_WIDE),
        "replace": {"Set-Cookie": [{"search_regexp": _OUR_COOKIES, "replace": ""}]},
    },
}
"""By Confinement. A redirect stays: it leads a program, or a page that has no rights, elsewhere."""


def dress() -> Iterator[Json]:
    """The headers that a Forward sets and removes."""
    yield {
        "match": [{"vars": {told(wire.STRIPPED): ["1"]}}],
        "handle": [{"handler": "headers", "request": {"delete": list(CREDENTIAL_HEADERS)}}],
    }
    yield from _slots("D", wire.REMOVE_COUNT, wire.REMOVE_TIERS)
    signature = {name: told(wire.signature_slot(name)) for name in wire.SIGNATURE_HEADERS}
    yield {
        "match": [{"vars": {told(wire.SET_COUNT): [wire.SIGNATURE_TIER]}}],
        "handle": [request_headers(signature)],
    }
    yield from _slots("S", wire.SET_COUNT, wire.SET_TIERS)
    yield from _slots("R", wire.RESPONSE_COUNT, wire.RESPONSE_TIERS)
    # What stands later is done to the answer earlier: what is set above stays set.
    for confinement, operations in _CONFINED.items():
        yield {
            "match": [{"vars": {told(wire.CONFINED): [confinement]}}],
            "handle": [{"handler": "headers", "response": {**operations, "deferred": True}}],
        }


def _slots(kind: str, counter: str, tiers: tuple[int, ...]) -> Iterator[Json]:
    """One route for each count of headers to delete (D), set (S) or set on the answer (R)."""
    for tier in tiers:
        names = [wire.slot(kind, index, "n") for index in range(tier)]
        values = [wire.slot(kind, index, "v") for index in range(tier)]
        handlers: list[Json]
        if kind == "D":
            handlers = [{"handler": "headers", "request": {"delete": [told(name) for name in names]}}]
        elif kind == "S":
            named = {told(name): [told(value)] for name, value in zip(names, values, strict=True)}
            handlers = [{"handler": "headers", "request": {"set": named}}]
        else:
            lasting = {kept(name): [kept(value)] for name, value in zip(names, values, strict=True)}
            handlers = [
                keep(*names, *values),
                {"handler": "headers", "response": {"set": lasting, "deferred": True}},
            ]
        yield {"match": [{"vars": {told(counter): [str(tier)]}}], "handle": handlers}
