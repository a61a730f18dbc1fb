"""Requests to an S3 backend: where they go, and signed with the backend's own key."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlsplit

from storage.index import BucketInfo
from storage.s3 import sigv4
from storage.s3.errors import S3Error
from storage.s3.text import uri_encode
from storage.snapshot import BackendInfo

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Place(NamedTuple):
    """A bucket or object on its backend. `path` is encoded as it is signed and sent."""

    scheme: str
    host: str  # as the Host header has it
    dial: str  # host:port
    path: str

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.host}"


def place(backend: BackendInfo, bucket: BucketInfo, key: str = "") -> Place:
    """Where `key` of `bucket` is.

    Raises InvalidArgument for `.` and `..` as segments of a key: backends, and proxies before them, resolve
    these like a file's path, and then one bucket's key is another bucket's object.
    """
    if key and not {".", ".."}.isdisjoint(key.split("/")):
        raise S3Error("InvalidArgument", "A key on this bucket's backend cannot have . or .. as a segment.")
    parts = urlsplit(backend.endpoint or f"https://s3.{backend.region}.amazonaws.com")
    host, name = parts.netloc, f"/{bucket.backend_bucket}"
    if not backend.path_style:
        host, name = f"{bucket.backend_bucket}.{host}", ""
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    dialled = host.rpartition(":")[0] if parts.port else host
    path = parts.path.rstrip("/") + name + ("/" + uri_encode(key, "/") if key else "")
    return Place(parts.scheme, host, f"{dialled}:{port}", path or "/")


def signed(
    backend: BackendInfo, method: str, where: Place, query: str, headers: Mapping[str, str], payload_hash: str
) -> dict[str, str]:
    """`headers` with Host, date, payload hash and Authorization; their x-amz-* are signed too.

    `query` is sent as it is given, so it must be canonical already (`sigv4.canonical_query`).
    """
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    ours = {"Host": where.host, "X-Amz-Date": now, "X-Amz-Content-Sha256": payload_hash}
    sent = {**headers, **ours}
    known = {name.lower(): value for name, value in sent.items()}
    names = tuple(sorted(name for name in known if name == "host" or name.startswith("x-amz-")))
    region = backend.region or "us-east-1"
    scope = f"{now[:8]}/{region}/s3/aws4_request"
    rest = sigv4.canonical_rest(query, known, names, payload_hash)
    key = sigv4.signing_key(backend.secret_key, now[:8], region, "s3")
    signature = sigv4.sign(key, now, scope, f"{method}\n{where.path}\n{rest}")
    sent["Authorization"] = (
        f"{sigv4.ALGORITHM} Credential={backend.access_key}/{scope}, "
        f"SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    return sent
