"""The contract between the edge and the deciders: what a decider is asked, and what it may answer.

Nothing here imports Django or does I/O, so that a decider's pure parts can be tested by themselves.

One request runs like this::

    client ──▶ edge ──GET /decide──▶ Decider.decide(head, ctx)
                 │                      Answer    the edge sends it to the client as it is
                 │                      SendFile  the edge sends a blob from its own disk
                 │                      Forward   the edge streams the request to an upstream
                 │                      Handle    the edge streams it to Decider.handle, in Python
                 ├──GET /commit──▶  Decider.commit: after a Forward with a token, for any status
                 │                  (and Decider.released once the edge is done with it, whatever became of it)
                 └──GET /failed──▶  Decider.failed: the upstream is dead, a blob is missing, or a
                                    masked Forward was answered with an error

The edge may ask `/decide` again for the same request (it retries while this process restarts), so
`decide` must be safe to repeat.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

RawHeaders = list[tuple[bytes, bytes]]

Patience = Literal["standard", "process", "long"]
"""How the edge waits for an upstream.

standard: a remote upstream; one dial, `EdgeSettings.standard_timeout` for the answer's head.
process:  one of our own processes; redialled while it restarts.
long:     as standard, but `EdgeSettings.long_timeout` for the answer's head.

The body of an answer has no total limit, only an idle one, so streams and downloads may last.
"""

SET_HEADER_SLOTS = 16
"""How many request headers a Forward can set."""

REMOVE_HEADER_SLOTS = 8
"""How many request headers a Forward can remove."""

RESPONSE_HEADER_SLOTS = 16
"""How many response headers a Forward can set."""

Confinement = Literal["site", "host"]
"""What a stranger's answer may not say of where it comes from.

site: it comes from the platform's own origin. Headers that speak for the whole site do not pass, and the page that it
      may be is sandboxed (CONTENT_SANDBOX): its scripts run in an origin of their own.
host: it comes from another port of the platform's host name, an origin of its own. What a browser would hold against
      the whole host (Strict-Transport-Security, Clear-Site-Data) does not pass; cookies do.
"""

CONTENT_SANDBOX = "sandbox allow-scripts allow-forms allow-popups allow-downloads"
"""The Content-Security-Policy of a stranger's page on the platform's own origin."""

CREDENTIAL_HEADERS = ("Authorization", "X-API-Key", "X-Tenant", "X-CSRFToken", "Cookie", "X-Gatehouse-*")
"""What tells the platform who asks: a Forward that strips credentials passes on none of it."""

BACKEND_HEADERS = (
    "ETag",
    "Content-Type",
    "Last-Modified",
    "X-Amz-Version-Id",
    "X-Amz-Delete-Marker",
    "X-Amz-Request-Id",
    "X-Amz-Server-Side-Encryption",
    "X-Amz-Checksum-Crc32",
    "X-Amz-Checksum-Crc32c",
    "X-Amz-Checksum-Crc64nvme",
    "X-Amz-Checksum-Sha1",
    "X-Amz-Checksum-Sha256",
    "X-Amz-Checksum-Type",
)
"""The headers of an upstream's answer that reach `Decider.commit`, and of a masked one `Decider.failed`."""


class Headers:
    """Request headers: any case, several values per name, the order of equal names kept.

    `raw` is the list as received (names in lower case). The order *between* different names is not
    the client's: the edge sorts them.
    """

    __slots__ = ("_first", "raw")

    def __init__(self, raw: RawHeaders) -> None:
        self.raw = raw
        self._first: dict[bytes, bytes] | None = None  # made when first needed: some requests ask for nothing

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> "Headers":
        """Headers from text pairs, as tests and other callers have them."""
        return cls([(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in pairs])

    def get(self, name: str) -> str | None:
        """The first value, or None. An empty header is the empty string."""
        value = self._by_name().get(name.lower().encode("latin-1"))
        return None if value is None else value.decode("latin-1")

    def all(self, name: str) -> list[str]:
        """Every value of that name, in the client's order."""
        wanted = name.lower().encode("latin-1")
        return [value.decode("latin-1") for key, value in self.raw if key == wanted]

    def items(self) -> Iterator[tuple[str, str]]:
        """All pairs as text, names in lower case."""
        for key, value in self.raw:
            yield key.decode("latin-1"), value.decode("latin-1")

    def __contains__(self, name: str) -> bool:
        return name.lower().encode("latin-1") in self._by_name()

    def _by_name(self) -> dict[bytes, bytes]:
        if self._first is None:
            self._first = dict(reversed(self.raw))  # the first of equal names wins
        return self._first

    def __repr__(self) -> str:
        return f"Headers({[key.decode('latin-1') for key, _ in self.raw]})"  # values may be secrets


@dataclass(slots=True, eq=False)
class RequestHead:
    """A client's request without its body. Read only: one object serves every step of a request.

    Text made from the wire is latin-1: one character per byte, nothing decoded, nothing normalised,
    which is what SigV4 is verified over.
    """

    method: str
    raw_target: str
    """Path and query exactly as on the wire, `/s3/b/a%20b//c?list-type=2` (or `*` for OPTIONS)."""
    raw_path: str
    """`raw_target` before the first `?`, still percent-encoded."""
    raw_query: str
    """`raw_target` after the first `?`; empty when there is none."""
    host: str
    """The Host header in lower case, without port and without a trailing dot; IPv6 without brackets."""
    port: int
    """The port of the Host header, else the scheme's default: the one the client believes it uses."""
    local_port: int
    """The port the edge accepted the connection on."""
    scheme: str
    """`http` or `https` as the client sees it (a trusted proxy's word is taken)."""
    client_ip: str
    """The client's address; from X-Forwarded-For only when TRUSTED_PROXIES names the sender."""
    headers: Headers
    """The client's headers with `host` and `content-length`; never an `X-Gw-*` one. Hop-by-hop
    headers and `Expect` stay at the edge; a WebSocket's request is known by `Sec-WebSocket-Key`."""
    content_length: int | None
    """None: no length was announced; there is no body, or a chunked one."""
    request_id: str
    """Also in the answer's X-Request-ID and in every log line."""
    token: Mapping[str, Any] | None = field(default=None, repr=False)
    """In `Decider.handle`: what `Handle.token` held. Signed, so its word is our own."""


@dataclass(slots=True)
class Answer:
    """The client gets exactly this. For HEAD the edge drops the body and keeps Content-Length.

    `headers` are pairs so that a name may repeat; Content-Length is set from the body unless given.
    """

    status: int
    headers: Iterable[tuple[str, str]] = ()
    body: bytes = b""


@dataclass(slots=True)
class SendFile:
    """The edge sends `<home>/blobs/<path>`: GET or HEAD only, a regular file, no listing.

    The decider has done the conditionals (it answers 304, 412 and 416 itself) and hands over at most
    one range that fits the object. When the file is missing, `Decider.failed` is asked with 404 and
    none of `headers` reaches the client.
    """

    path: str
    """Relative to the blob root, `<2 hex>/<id>` or `<folder>/<2 hex>/<id>`; anything but `[0-9a-z_-]` and one or two
    `/` is refused."""
    headers: Iterable[tuple[str, str]]
    """The object's headers, with Content-Type and ETag. Content-Length, Content-Range and
    Accept-Ranges are the edge's."""
    last_modified: str
    """An HTTP date; replaces the file's own time."""
    range: str | None = None
    """One satisfiable range, `bytes=0-99`, or None for the whole file."""


@dataclass(slots=True)
class Forward:
    """The edge streams the request, head and body, to an upstream and streams the answer back.

    Everything the client sent passes except hop-by-hop headers and `X-Gw-*`; X-Forwarded-For, -Proto,
    -Host and X-Request-ID are set by the edge. WebSockets and event streams pass unbuffered.
    """

    dial: str
    """`host:port` or `unix//absolute/path`. For https dial the name the certificate must bear: it is
    also the SNI, because the edge's connection pool is keyed by the dial address alone."""
    uri: str
    """Path and query for the upstream as they shall be on the wire; begins with `/`. Escapes and double
    slashes stay as they are; only bytes that may not stand in a URL (`"<>\\^`{|}` and above 0x7e) are
    escaped on the way, so escape them before signing."""
    scheme: Literal["http", "https"] = "http"
    set_headers: Mapping[str, str] = field(default_factory=dict)
    """Replaces request headers; with `Host` the upstream sees another host name. At most
    SET_HEADER_SLOTS; no value may be empty."""
    remove_headers: Iterable[str] = ()
    """Request headers that must not reach the upstream, `X-Amz-Security-Token` or the pattern
    `X-Amz-*`. At most REMOVE_HEADER_SLOTS; a name that is also set stays set."""
    strip_credentials: bool = False
    """CREDENTIAL_HEADERS of the client do not reach the upstream; one that is also set stays set."""
    confine: Confinement | None = None
    """The upstream is a stranger, and its answer is shown under the platform's host name."""
    set_response_headers: Mapping[str, str] = field(default_factory=dict)
    """Replaces headers of the upstream's answer, `Content-Security-Policy: sandbox` for what a stranger
    uploaded. At most RESPONSE_HEADER_SLOTS; no value may be empty."""
    patience: Patience = "standard"
    mask_errors: bool = False
    """The upstream's redirects, its 304, 4xx and 5xx answers are thrown away and `Decider.failed` answers instead; of
    the others, headers that speak for the whole site (Set-Cookie, Access-Control-*) do not pass."""
    note: Mapping[str, Any] | None = None
    """With `mask_errors`: a JSON object that `Failure.token` holds."""
    commit: Mapping[str, Any] | None = None
    """A JSON object. When set, the upstream's answer (whatever its status) is thrown away and
    `Decider.commit` gets this, and its Answer goes to the client. The client may hang up before:
    journal the intent in `decide` and sweep what never committed; `Decider.released` tells the end."""


@dataclass(slots=True)
class Handle:
    """The edge streams the request to `Decider.handle` of the decider that decided."""

    token: Mapping[str, Any] | None = None
    """A JSON object that `handle` finds in `head.token`. Signed on the way, not encrypted."""


Decision = Answer | SendFile | Forward | Handle


@dataclass(frozen=True, slots=True)
class Listener:
    """A further port that the edge listens on because a decider says so (`Decider.listeners`)."""

    port: int
    protocol: Literal["http", "tcp"] = "http"
    """http: every request is asked about, with `RequestHead.local_port`. tcp: bytes pass to `dial` as they are."""
    host: str = ""
    """An address of this machine; empty for all that the edge listens on."""
    dial: str = ""
    """Of tcp: `host:port` or `unix//absolute/path`."""


@dataclass(slots=True)
class BackendAnswer:
    """What an upstream answered to a Forward with a commit token."""

    status: int
    headers: Headers
    """Those of BACKEND_HEADERS that were there."""


@dataclass(slots=True)
class Failure:
    """Why the edge could not do what was decided."""

    status: int
    """404: a SendFile's blob is missing. 502: the upstream could not be reached or broke off.
    504: it did not answer in time. With `masked`, the upstream's own status."""
    masked: bool = False
    token: Mapping[str, Any] | None = field(default=None, repr=False)
    """The Forward's note or commit token, when there was one. What became of what was to be committed is unknown."""
    headers: Headers = field(default_factory=lambda: Headers([]))
    """With `masked`, those of BACKEND_HEADERS that the upstream's answer had."""
