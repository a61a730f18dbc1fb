"""What a request asks of a backend beyond storing bytes: passed where a connection test found that it can."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from storage.index import BucketInfo
from storage.providers.quirks import Capability
from storage.s3 import demands, encryption
from storage.s3.checksums import Asked
from storage.s3.errors import S3Error
from storage.snapshot import BackendInfo

from .alone import compares

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
    """The headers of a PUT, copy or CreateMultipartUpload that the backend gets.

    Raises NotImplemented, and what `encryption.managed` does.
    """
    wanted = {name: value for name, value in headers.items() if name.startswith(LOCK) and value}
    if wanted:
        require(backend, "object_lock")
    customer = of_customer(headers, backend)
    if customer:
        encryption.refuse_both(headers)
    asked = encryption.managed(headers)
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


def of_checksum(given: Asked | None, backend: BackendInfo) -> dict[str, str]:
    """The checksum that a request's head gives of its body, by algorithm, where the backend keeps such."""
    if given is None or not given.value or backend.checksum_mode != "when_supported":
        return {}
    return {given.algorithm: given.value}


def of_condition(headers: Mapping[str, str], backend: BackendInfo) -> dict[str, str]:
    """A write's condition, where the backend compares too: the index has been asked before."""
    if not compares(backend):
        return {}
    return {name: headers[name] for name in ("if-match", "if-none-match") if name in headers}


def of_bypass(*, bypass: bool, backend: BackendInfo) -> dict[str, str]:
    """The header that overrules governance mode."""
    return {demands.BYPASS: "true"} if bypass and "object_lock" in backend.capabilities else {}


def answered(headers: Mapping[str, str], wanted: Mapping[str, str]) -> list[tuple[str, str]]:
    """What the answer to a write says of its encryption: the backend's own words, and the request's."""
    found = [(SSE, headers[SSE])] if headers.get(SSE) else []
    return found + [(name, wanted[name]) for name in _ECHOED if name in wanted]
