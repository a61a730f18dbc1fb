"""The words between the edge and this process: headers of one request each way.

The edge asks with the client's headers and, beside them, `X-Gw-*` headers of its own (it has deleted
the client's). This process reads them (`reading`) and answers with `X-Gw-*` headers that say what to do
(`rendering`). `gateway.edge.caddy` speaks the other half; all take the names from here.
"""

from gateway.decision.types import REMOVE_HEADER_SLOTS, RESPONSE_HEADER_SLOTS, SET_HEADER_SLOTS

HEAD = "X-Gw-Head"
"""`<method> <client ip> <local port> <content length or nothing> <target>`. The target comes last because
it alone may hold a space; one header instead of five because each costs on both sides."""

ACTION = "X-Gw-Action"
DECIDER = "X-Gw-Decider"
SEALED = "X-Gw-Token"
DIAL = "X-Gw-Dial"
PATH = "X-Gw-Path"
QUERY = "X-Gw-Query"
RANGE = "X-Gw-Range"
LAST_MODIFIED = "X-Gw-Last-Modified"
DRESSED = "X-Gw-Dressed"
"""Present when a Forward sets or removes any header."""
SET_COUNT = "X-Gw-Set"
REMOVE_COUNT = "X-Gw-Remove"
RESPONSE_COUNT = "X-Gw-Response"
STRIPPED = "X-Gw-Stripped"
"""Present when the client's credentials must not pass."""
CONFINED = "X-Gw-Confined"
"""A Confinement."""

HELD = b"\n"
"""The body that a held answer announces. The edge reads none of it, and closes the connection when the act is over."""

STATUS = "X-Gw-Status"
MASKED = "X-Gw-Masked"
BACKEND = "X-Gw-Backend-"

SIGNATURE_HEADERS = ("Host", "Authorization", "X-Amz-Date", "X-Amz-Content-Sha256")
SIGNATURE_TIER = "signature"
"""What signing a request anew sets, so common that it is told by headers of its own."""

SET_TIERS = (4, 5, SET_HEADER_SLOTS)
REMOVE_TIERS = (2, REMOVE_HEADER_SLOTS)
RESPONSE_TIERS = (2, 4, RESPONSE_HEADER_SLOTS)
"""The edge has one rule for each count, so few headers cost little; the slots of a rule are all
filled, by repeating the last header, because a rule cannot skip an empty one."""


def slot(kind: str, index: int, part: str) -> str:
    """The header that carries one header of a Forward: kind S(et), R(esponse) or D(elete), part n or v."""
    return f"X-Gw-{kind}{index}{part}"  # as Go spells it, which is how the edge's placeholders are named


def signature_slot(name: str) -> str:
    """The header that carries one of SIGNATURE_HEADERS."""
    return f"X-Gw-Sign-{name}"
