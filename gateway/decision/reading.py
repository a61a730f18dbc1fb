"""What the edge says: the client's request, what an upstream answered, what went wrong."""

from gateway.decision.tokens import TokenSigner
from gateway.decision.types import BackendAnswer, Failure, Headers, RawHeaders, RequestHead
from gateway.decision.wire import BACKEND, MASKED, SEALED, STATUS

_PORT_DIGITS = 5


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
