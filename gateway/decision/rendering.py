"""What the edge is told: a decision as the status, headers and body of an answer to it."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from gateway.decision import wire
from gateway.decision.tokens import TokenSigner
from gateway.decision.types import Answer, Decision, Forward, Handle, RawHeaders, SendFile

_ON_THE_WIRE = re.compile(r"[\x21-\x7e\x80-\xff]*\Z")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_BLOB_PATH = re.compile(r"(?:[0-9a-z_-]{1,64}/){1,2}[0-9a-z_-]{1,128}\Z")
_DIAL = re.compile(r"(?:unix//[!-~]+|(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5})\Z")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z")
_NAME_BYTES = re.compile(_HEADER_NAME.pattern.encode())
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]+\Z")


class NotSayable(ValueError):
    """A decision that cannot be told to the edge; the text says what is wrong with it."""


def render(decision: Decision, decider: str, signer: TokenSigner) -> tuple[int, RawHeaders, bytes]:
    """A decision as status, headers and body of the answer to the edge. NotSayable when it cannot be."""
    if isinstance(decision, Answer):
        return render_answer(decision)
    headers: RawHeaders
    if isinstance(decision, SendFile):
        headers = _file(decision)
    elif isinstance(decision, Handle):
        headers = [(_ACTION, b"handle")]
        _add_token(headers, decision.token, signer)
    else:
        headers = _forward(decision, signer)
    headers.append((_DECIDER, decider.encode("latin-1")))
    # Without a length the answer would be chunked, and the edge would drop the connection with the body.
    headers.append((b"content-length", b"%d" % len(wire.HELD) if _is_held(decision) else b"0"))
    return 200, headers, b""


def _is_held(decision: Decision) -> bool:
    """Whether the end of the answer, wire.HELD, is not sent, so that the edge's connection tells when it is done."""
    return isinstance(decision, Forward) and decision.commit is not None


def render_answer(answer: Answer) -> tuple[int, RawHeaders, bytes]:
    """An answer for the client as ASGI's status, headers and body."""
    headers = encode(answer.headers)
    measured = False
    for name, _ in headers:
        if name == b"content-length":
            measured = True
        elif name.startswith(b"x-gw-"):
            raise NotSayable(f"an Answer cannot set {name.decode()}")
    if not measured and answer.status >= 200 and answer.status not in (204, 304):
        headers.append((b"content-length", str(len(answer.body)).encode()))
    return answer.status, headers, answer.body


def encode(pairs: Iterable[tuple[str, str]]) -> RawHeaders:
    """Text pairs as ASGI wants them. NotSayable for what would be more than one header: servers write it as it is."""
    found = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
    for name, value in found:
        if not _NAME_BYTES.match(name) or b"\n" in value or b"\r" in value or b"\0" in value:
            raise NotSayable(f"a header cannot be {name[:100]!r}, or hold a line's end")
    return found


def _key(name: str) -> bytes:
    return name.lower().encode("latin-1")


_ACTION, _DECIDER = _key(wire.ACTION), _key(wire.DECIDER)
_SEALED, _DIAL_TO = _key(wire.SEALED), _key(wire.DIAL)
_PATH, _QUERY = _key(wire.PATH), _key(wire.QUERY)
_RANGE, _LAST_MODIFIED = _key(wire.RANGE), _key(wire.LAST_MODIFIED)
_DRESSED, _SET_COUNT, _REMOVE_COUNT = _key(wire.DRESSED), _key(wire.SET_COUNT), _key(wire.REMOVE_COUNT)
_RESPONSE_COUNT = _key(wire.RESPONSE_COUNT)
_STRIPPED, _CONFINED = _key(wire.STRIPPED), _key(wire.CONFINED)
_SLOTS = {
    kind: tuple(
        (_key(wire.slot(kind, index, "n")), _key(wire.slot(kind, index, "v"))) for index in range(tiers[-1])
    )
    for kind, tiers in (("D", wire.REMOVE_TIERS), ("S", wire.SET_TIERS), ("R", wire.RESPONSE_TIERS))
}
_SIGNATURE = {name.lower(): _key(wire.signature_slot(name)) for name in wire.SIGNATURE_HEADERS}


def _file(decision: SendFile) -> RawHeaders:
    if not _BLOB_PATH.match(decision.path):
        raise NotSayable(f"SendFile.path is not one or two folders and an id: {decision.path!r}")
    headers = encode(decision.headers)
    headers.append((_ACTION, b"file"))
    headers.append((_PATH, decision.path.encode("latin-1")))
    headers.append((_RANGE, (decision.range or "").encode("latin-1")))
    headers.append((_LAST_MODIFIED, decision.last_modified.encode("latin-1")))
    return headers


def _forward(decision: Forward, signer: TokenSigner) -> RawHeaders:
    path, _, query = decision.uri.partition("?")
    if not path.startswith("/") or not _ON_THE_WIRE.match(decision.uri) or _BAD_ESCAPE.search(path):
        raise NotSayable(f"Forward.uri cannot stand on the wire: {decision.uri!r}")
    if not _DIAL.match(decision.dial):
        raise NotSayable(f"Forward.dial is neither host:port nor unix//path: {decision.dial!r}")
    purpose = "commit" if decision.commit is not None else "masked" if decision.mask_errors else "plain"
    headers: RawHeaders = [
        (_ACTION, f"{decision.scheme}-{decision.patience}-{purpose}".encode("latin-1")),
        (_DIAL_TO, decision.dial.encode("latin-1")),
        (_PATH, path.replace("$", "$$").encode("latin-1")),  # it is put in place by a regular expression
        (_QUERY, query.encode("latin-1")),
    ]
    _add_token(headers, decision.note if decision.commit is None else decision.commit, signer)
    if (
        decision.set_headers
        or decision.strip_credentials
        or decision.confine is not None
        or decision.remove_headers
        or decision.set_response_headers
    ):
        headers.append((_DRESSED, b"1"))
        if decision.strip_credentials:
            headers.append((_STRIPPED, b"1"))
        if decision.confine is not None:
            headers.append((_CONFINED, decision.confine.encode("latin-1")))
        removed = [(name, "-") for name in decision.remove_headers]
        _fill(headers, "D", _REMOVE_COUNT, wire.REMOVE_TIERS, removed)
        if len(decision.set_headers) == len(_SIGNATURE):
            _set_signature(headers, decision.set_headers)
        else:
            _fill(headers, "S", _SET_COUNT, wire.SET_TIERS, list(decision.set_headers.items()))
        _fill(headers, "R", _RESPONSE_COUNT, wire.RESPONSE_TIERS, list(decision.set_response_headers.items()))
    return headers


def _set_signature(headers: RawHeaders, wanted: Mapping[str, str]) -> None:
    told: RawHeaders = []
    for name, value in wanted.items():
        key = _SIGNATURE.get(name.lower())
        if key is None:
            _fill(headers, "S", _SET_COUNT, wire.SET_TIERS, list(wanted.items()))
            return
        if not _HEADER_VALUE.match(value):
            raise NotSayable(f"not a value that the header {name} can have")
        told.append((key, value.encode("latin-1")))
    headers.append((_SET_COUNT, wire.SIGNATURE_TIER.encode()))
    headers += told


def _fill(
    headers: RawHeaders, kind: str, counter: bytes, tiers: tuple[int, ...], wanted: list[tuple[str, str]]
) -> None:
    if not wanted:
        return
    tier = next((each for each in tiers if len(wanted) <= each), None)
    if tier is None:
        raise NotSayable(f"{len(wanted)} headers to set or remove, at most {tiers[-1]} can be told")
    headers.append((counter, str(tier).encode()))
    slots = _SLOTS[kind]
    for index in range(tier):
        name, value = wanted[index] if index < len(wanted) else wanted[-1]
        if not _HEADER_NAME.match(name) or not _HEADER_VALUE.match(value):
            raise NotSayable(f"not a header that can be set or removed: {name!r}")
        name_key, value_key = slots[index]
        headers.append((name_key, name.encode("latin-1")))
        if kind != "D":
            headers.append((value_key, value.encode("latin-1")))


def _add_token(headers: RawHeaders, token: Mapping[str, Any] | None, signer: TokenSigner) -> None:
    if token is not None:
        headers.append((_SEALED, signer.seal(token).encode("ascii")))
