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

STATUS = "X-Gw-Status"
MASKED = "X-Gw-Masked"
BACKEND = "X-Gw-Backend-"

SET_TIERS = (4, SET_HEADER_SLOTS)
REMOVE_TIERS = (2, REMOVE_HEADER_SLOTS)
RESPONSE_TIERS = (RESPONSE_HEADER_SLOTS,)
"""The edge has one rule for each count, so few headers cost little; the slots of a rule are all
filled, by repeating the last header, because a rule cannot skip an empty one."""

_ON_THE_WIRE = re.compile(r"[\x21-\x7e\x80-\xff]*\Z")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_BLOB_PATH = re.compile(r"[0-9a-z_-]{1,64}/[0-9a-z_-]{1,128}\Z")
_DIAL = re.compile(r"(?:unix//[!-~]+|(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5})\Z")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]+\Z")


class NotSayable(ValueError):
    """A decision that cannot be told to the edge; the text says what is wrong with it."""


def slot(kind: str, index: int, part: str) -> str:
    """The header that carries one header of a Forward: kind S(et), R(esponse) or D(elete), part n or v."""
    return f"X-Gw-{kind}{index}{part}"  # as Go spells it, which is how the edge's placeholders are named


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
    name, port = split_host(host.decode("latin-1"))
    head = RequestHead(
        method=method,
        raw_target=target,
        raw_path=path,
        raw_query=query,
        host=name,
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
    return name.lower().removesuffix("."), int(port) if port.isascii() and port.isdigit() else 0


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
    prefix = BACKEND.lower().encode()
    headers = [(key[len(prefix) :], value) for key, value in raw if key.startswith(prefix) and value]
    return BackendAnswer(int(gw_header(raw, STATUS)), Headers(headers))


def read_failure(raw: RawHeaders, signer: TokenSigner) -> Failure:
    """What went wrong, from the headers of a `/failed`."""
    token = gw_header(raw, SEALED)
    return Failure(
        status=int(gw_header(raw, STATUS)),
        masked=gw_header(raw, MASKED) == "1",
        commit=signer.open(token.encode("latin-1")) if token else None,
    )


def render(decision: Decision, decider: str, signer: TokenSigner) -> tuple[int, RawHeaders, bytes]:
    """A decision as status, headers and body of the answer to the edge. NotSayable when it cannot be."""
    if isinstance(decision, Answer):
        return render_answer(decision)
    pairs: list[tuple[str, str]]
    if isinstance(decision, SendFile):
        pairs = _file(decision)
    elif isinstance(decision, Handle):
        pairs = [(ACTION, "handle"), *_token(decision.token, signer)]
    else:
        pairs = _forward(decision, signer)
    # Without a length the answer would be chunked, and the edge would drop the connection with the body.
    pairs += [(DECIDER, decider), ("Content-Length", "0")]
    return 200, encode(pairs), b""


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
    """Text pairs as ASGI wants them."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in pairs]


def _file(decision: SendFile) -> list[tuple[str, str]]:
    if not _BLOB_PATH.match(decision.path):
        raise NotSayable(f"SendFile.path is not of the form <folder>/<id>: {decision.path!r}")
    return [
        *decision.headers,
        (ACTION, "file"),
        (PATH, decision.path),
        (RANGE, decision.range or ""),
        (LAST_MODIFIED, decision.last_modified),
    ]


def _forward(decision: Forward, signer: TokenSigner) -> list[tuple[str, str]]:
    path, _, query = decision.uri.partition("?")
    if not path.startswith("/") or not _ON_THE_WIRE.match(decision.uri) or _BAD_ESCAPE.search(path):
        raise NotSayable(f"Forward.uri cannot stand on the wire: {decision.uri!r}")
    if not _DIAL.match(decision.dial):
        raise NotSayable(f"Forward.dial is neither host:port nor unix//path: {decision.dial!r}")
    purpose = "commit" if decision.commit is not None else "masked" if decision.mask_errors else "plain"
    pairs = [
        (ACTION, f"{decision.scheme}-{decision.patience}-{purpose}"),
        (DIAL, decision.dial),
        (PATH, path.replace("$", "$$")),  # the edge puts it in place by a regular expression
        (QUERY, query),
        *_token(decision.commit, signer),
    ]
    if decision.remove_headers or decision.set_headers or decision.set_response_headers:
        pairs.append((DRESSED, "1"))
    if decision.remove_headers:
        _fill(pairs, "D", REMOVE_COUNT, REMOVE_TIERS, [(name, "-") for name in decision.remove_headers])
    if decision.set_headers:
        _fill(pairs, "S", SET_COUNT, SET_TIERS, list(decision.set_headers.items()))
    if decision.set_response_headers:
        _fill(pairs, "R", RESPONSE_COUNT, RESPONSE_TIERS, list(decision.set_response_headers.items()))
    return pairs


def _fill(
    pairs: list[tuple[str, str]],
    kind: str,
    counter: str,
    tiers: tuple[int, ...],
    headers: list[tuple[str, str]],
) -> None:
    if not headers:
        return
    for name, value in headers:
        if not _HEADER_NAME.match(name) or not _HEADER_VALUE.match(value):
            raise NotSayable(f"not a header that can be set or removed: {name!r}")
    tier = next((each for each in tiers if len(headers) <= each), None)
    if tier is None:
        raise NotSayable(f"{len(headers)} headers to set or remove, at most {tiers[-1]} can be told")
    pairs.append((counter, str(tier)))
    for index in range(tier):
        name, value = headers[index] if index < len(headers) else headers[-1]
        pairs.append((slot(kind, index, "n"), name))
        if kind != "D":
            pairs.append((slot(kind, index, "v"), value))


def _token(token: Mapping[str, Any] | None, signer: TokenSigner) -> list[tuple[str, str]]:
    return [] if token is None else [(SEALED, signer.seal(token))]
