"""What a request asks of a backend beyond storing bytes: passed where a connection test found that it can."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from storage.index import BucketInfo
from storage.providers.quirks import Capability
from storage.s3 import demands
from storage.s3.errors import S3Error
from storage.snapshot import BackendInfo

SSE: Final = "x-amz-server-side-encryption"
CUSTOMER: Final = f"{SSE}-customer-"
LOCK: Final = "x-amz-object-lock-"
REDIRECT: Final = "x-amz-website-redirect-location"
# With the edge's names of headers these are echoed from the request: what the backend answers of them stays there.
_ECHOED: Final = (f"{CUSTOMER}algorithm", f"{CUSTOMER}key-md5")


def require(backend: BackendInfo, capability: Capability) -> None:
    """Raises NotImplemented for what the backend is not known to do."""
    if capability not in backend.capabilities:
        raise S3Error("NotImplemented", f"The bucket's backend has no {capability.replace('_', ' ')}.")


def of_write(headers: Mapping[str, str], backend: BackendInfo, bucket: BucketInfo) -> dict[str, str]:
    """The headers of a PUT, copy or CreateMultipartUpload that the backend gets. Raises NotImplemented."""
    wanted = {name: value for name, value in headers.items() if name.startswith(LOCK) and value}
    if wanted:
        require(backend, "object_lock")
    asked = headers.get(SSE, "")
    if asked not in ("", "AES256") or f"{SSE}-aws-kms-key-id" in headers:
        raise S3Error("NotImplemented", "Encryption with keys of a key service is not implemented.")
    customer = of_customer(headers, backend)
    if asked or (bucket.encryption and not customer):
        require(backend, "encryption")
        wanted[SSE] = "AES256"
    if REDIRECT in headers:
        wanted[REDIRECT] = headers[REDIRECT]
    return wanted | customer


def of_customer(headers: Mapping[str, str], backend: BackendInfo) -> dict[str, str]:
    """A customer's key, for writes, parts and reads. Raises NotImplemented."""
    found = {name: value for name, value in headers.items() if name.startswith(CUSTOMER)}
    if found:
        require(backend, "customer_keys")
    return found


def of_condition(headers: Mapping[str, str], backend: BackendInfo) -> dict[str, str]:
    """A write's condition, where the backend compares too: the index has been asked before."""
    if "conditional_writes" not in backend.capabilities:
        return {}
    return {name: headers[name] for name in ("if-match", "if-none-match") if name in headers}


def of_bypass(*, bypass: bool, backend: BackendInfo) -> dict[str, str]:
    """The header that overrules governance mode."""
    return {demands.BYPASS: "true"} if bypass and "object_lock" in backend.capabilities else {}


def answered(headers: Mapping[str, str], wanted: Mapping[str, str]) -> list[tuple[str, str]]:
    """What the answer to a write says of its encryption: the backend's own words, and the request's."""
    found = [(SSE, headers[SSE])] if headers.get(SSE) else []
    return found + [(name, wanted[name]) for name in _ECHOED if name in wanted]
