"""The words between the edge and this process: headers of one request each way.

The edge asks with the client's headers and, beside them, `X-Gw-*` headers of its own (it has deleted
the client's). This process answers with `X-Gw-*` headers that say what to do. `gateway.edge.caddy`
speaks the other half; both take the names from here.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from gateway.decision.tokens import TokenSigner
from gateway.decision.types import (
    REMOVE_HEADER_SLOTS,
    RESPONSE_HEADER_SLOTS,
    SET_HEADER_SLOTS,
    Answer,
    BackendAnswer,
    Decision,
    Failure,
    Forward,
    Handle,
    Headers,
    RawHeaders,
    RequestHead,
    SendFile,
)

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

_ON_THE_WIRE = re.compile(r"[\x21-\x7e\x80-\xff]*\Z")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_BLOB_PATH = re.compile(r"(?:[0-9a-z_-]{1,64}/){1,2}[0-9a-z_-]{1,128}\Z")
_DIAL = re.compile(r"(?:unix//[!-~]+|(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5})\Z")
_PORT_DIGITS = 5
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z")
_NAME_BYTES = re.compile(_HEADER_NAME.pattern.encode())
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]+\Z")


class NotSayable(ValueError):
    """A decision that cannot be told to the edge; the text says what is wrong with it."""


def slot(kind: str, index: int, part: str) -> str:
    """The header that carries one header of a Forward: kind S(et), R(esponse) or D(elete), part n or v."""
    return f"X-Gw-{kind}{index}{part}"  # as Go spells it, which is how the edge's placeholders are named


def signature_slot(name: str) -> str:
    """The header that carries one of SIGNATURE_HEADERS."""
    return f"X-Gw-Sign-{name}"


def read_head(raw: RawHeaders, signer: TokenSigner | None = None) -> RequestHead:
    """The client's request, from the headers of the edge's. KeyError when the edge did not set them.

    With `signer` the request's token is opened too (ValueError when it is not ours).
    """
    gw: dict[bytes, bytes] = {}
    client: RawHeaders = []
    host = forwarded_proto = request_id = b""
    for pair in raw:
        name = pair[0]
        if name.startswith(b"x-gw-"):
            gw[name] = pair[1]
            continue
        if name == b"content-length":  # a handled request has it too; what the edge says of it counts
            continue
        client.append(pair)
        if name == b"host":
            host = pair[1]
        elif name == b"x-forwarded-proto":
            forwarded_proto = pair[1]
        elif name == b"x-request-id":
            request_id = pair[1]
    method, client_ip, local_port, length, target = gw[b"x-gw-head"].decode("latin-1").split(" ", 4)
    if length:
        client.append((b"content-length", length.encode("latin-1")))
    if not target.startswith("/"):
        target = _origin_form(target)
    path, _, query = target.partition("?")
    scheme = "https" if forwarded_proto == b"https" else "http"
    host_name, port = split_host(host.decode("latin-1"))
    head = RequestHead(
        method=method,
        raw_target=target,
        raw_path=path,
        raw_query=query,
        host=host_name,
        port=port or (443 if scheme == "https" else 80),
        local_port=int(local_port),
        scheme=scheme,
        client_ip=client_ip,
        headers=Headers(client),
        content_length=int(length) if length else None,
        request_id=request_id.decode("latin-1"),
    )
    if signer is not None and (token := gw.get(b"x-gw-token")):
        head.token = signer.open(token)
    return head


def split_host(value: str) -> tuple[str, int]:
    """A Host header as (name in lower case without brackets and trailing dot, port or 0)."""
    name, port = value, ""
    if value.startswith("["):
        name, _, port = value[1:].partition("]")
        port = port.removeprefix(":")
    elif value.count(":") == 1:
        name, _, port = value.partition(":")
    is_port = port.isascii() and port.isdigit() and len(port) <= _PORT_DIGITS
    return name.lower().removesuffix("."), int(port) if is_port else 0


def _origin_form(target: str) -> str:
    """`/path?query` of an absolute-form target; `*` stays."""
    _, separator, rest = target.partition("://")
    if not separator:
        return target
    cut = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
    rest = rest[cut:]
    return rest if rest.startswith("/") else "/" + rest


def gw_header(raw: RawHeaders, name: str) -> str:
    """One of the edge's own headers, or the empty string."""
    wanted = name.lower().encode("latin-1")
    return next((value.decode("latin-1") for key, value in raw if key == wanted), "")


def read_backend(raw: RawHeaders) -> BackendAnswer:
    """What an upstream answered, from the headers of a `/commit`."""
    return BackendAnswer(int(gw_header(raw, STATUS)), _answered(raw))


def _answered(raw: RawHeaders) -> Headers:
    prefix = BACKEND.lower().encode()
    return Headers([(key[len(prefix) :], value) for key, value in raw if key.startswith(prefix) and value])


def read_failure(raw: RawHeaders, signer: TokenSigner) -> Failure:
    """What went wrong, from the headers of a `/failed`."""
    token = gw_header(raw, SEALED)
    return Failure(
        status=int(gw_header(raw, STATUS)),
        masked=gw_header(raw, MASKED) == "1",
        token=signer.open(token.encode("latin-1")) if token else None,
        headers=_answered(raw),
    )


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
    headers.append((b"content-length", b"%d" % len(HELD) if _is_held(decision) else b"0"))
    return 200, headers, b""


def _is_held(decision: Decision) -> bool:
    """Whether the end of the answer, HELD, is not sent, so that the edge's connection tells when it is done."""
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


_ACTION, _DECIDER, _SEALED, _DIAL_TO = _key(ACTION), _key(DECIDER), _key(SEALED), _key(DIAL)
_PATH, _QUERY, _RANGE, _LAST_MODIFIED = _key(PATH), _key(QUERY), _key(RANGE), _key(LAST_MODIFIED)
_DRESSED, _SET_COUNT, _REMOVE_COUNT = _key(DRESSED), _key(SET_COUNT), _key(REMOVE_COUNT)
_RESPONSE_COUNT = _key(RESPONSE_COUNT)
_STRIPPED, _CONFINED = _key(STRIPPED), _key(CONFINED)
_SLOTS = {
    kind: tuple((_key(slot(kind, index, "n")), _key(slot(kind, index, "v"))) for index in range(tiers[-1]))
    for kind, tiers in (("D", REMOVE_TIERS), ("S", SET_TIERS), ("R", RESPONSE_TIERS))
}
_SIGNATURE = {name.lower(): _key(signature_slot(name)) for name in SIGNATURE_HEADERS}


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
        _fill(headers, "D", _REMOVE_COUNT, REMOVE_TIERS, removed)
        if len(decision.set_headers) == len(_SIGNATURE):
            _set_signature(headers, decision.set_headers)
        else:
            _fill(headers, "S", _SET_COUNT, SET_TIERS, list(decision.set_headers.items()))
        _fill(headers, "R", _RESPONSE_COUNT, RESPONSE_TIERS, list(decision.set_response_headers.items()))
    return headers


def _set_signature(headers: RawHeaders, wanted: Mapping[str, str]) -> None:
    told: RawHeaders = []
    for name, value in wanted.items():
        key = _SIGNATURE.get(name.lower())
        if key is None:
            _fill(headers, "S", _SET_COUNT, SET_TIERS, list(wanted.items()))
            return
        if not _HEADER_VALUE.match(value):
            raise NotSayable(f"not a value that the header {name} can have")
        told.append((key, value.encode("latin-1")))
    headers.append((_SET_COUNT, SIGNATURE_TIER.encode()))
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
