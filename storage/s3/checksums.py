"""Checksums as requests ask for them and objects keep them: `x-amz-checksum-*`, full or composite."""

import hashlib
import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from awscrt import checksums as crt

from storage.s3.errors import S3Error

SIZES: Final[Mapping[str, int]] = {"crc32": 4, "crc32c": 4, "crc64nvme": 8, "sha1": 20, "sha256": 32}
DEFAULT: Final = "crc64nvme"  # what S3 computes when a client asks for nothing
FULL, COMPOSITE = "FULL_OBJECT", "COMPOSITE"
# What an upload remembers of its checksum beside the object's own headers.
ALGORITHM, TYPE = "x-amz-checksum-algorithm", "x-amz-checksum-type"

_PREFIX: Final = "x-amz-checksum-"
_SINGLE: Final = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
_COUNT: Final = re.compile(r"-\d{1,5}\Z", re.ASCII)
HEADERS: Final = frozenset(_PREFIX + algorithm for algorithm in SIZES)
_COMBINE: Final[Mapping[str, Callable[[int, int, int], int]]] = {
    "crc32": crt.combine_crc32,
    "crc32c": crt.combine_crc32c,
    "crc64nvme": crt.combine_crc64nvme,
}


class Asked(NamedTuple):
    """The checksum a body must bear: `value` is Base64, or None while it is to come in the trailer."""

    algorithm: str
    value: str | None


def asked(headers: Mapping[str, str]) -> Asked | None:
    """The one checksum that a request gives for its body, in a header or announced as its trailer.

    Raises InvalidRequest when it gives several, an unknown one, or names an algorithm without a value or another.
    """
    named = headers.get("x-amz-sdk-checksum-algorithm", "")
    given = {
        name.removeprefix(_PREFIX): value
        for name, value in headers.items()
        if name.startswith(_PREFIX) and name not in ("x-amz-checksum-mode", "x-amz-checksum-type")
    }
    given.pop("algorithm", None)
    trailer = headers.get("x-amz-trailer", "").strip().lower()
    if trailer:
        if not trailer.startswith(_PREFIX) or given:
            raise S3Error(
                "InvalidRequest", "The value specified in the x-amz-trailer header is not supported"
            )
        checked = Asked(known(trailer.removeprefix(_PREFIX)), None)
    elif given:
        if len(given) > 1:
            raise S3Error("InvalidRequest", _SINGLE)
        [(name, value)] = given.items()
        checked = Asked(known(name), valid(name, value))
    elif named:
        raise S3Error(
            "InvalidRequest",
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer "
            "headers were found.",
        )
    else:
        return None
    if named and named.lower() != checked.algorithm:
        raise _invalid("x-amz-sdk-checksum-algorithm")
    return checked


def of_whole(headers: Mapping[str, str]) -> Asked | None:
    """The checksum that CompleteMultipartUpload gives for the object, with `-N` or without.

    Raises InvalidRequest for several or an unknown one, BadDigest for what is none.
    """
    given = {
        known(name.removeprefix(_PREFIX)): value
        for name, value in headers.items()
        if name.startswith(_PREFIX) and name not in (ALGORITHM, TYPE)
    }
    if len(given) > 1:
        raise S3Error("InvalidRequest", _SINGLE)
    for algorithm, value in given.items():
        valid(algorithm, _COUNT.sub("", value))
        return Asked(algorithm, value)
    return None


def type_of(text: str) -> str:
    """A checksum's type. Raises InvalidRequest."""
    if text.upper() not in (FULL, COMPOSITE):
        raise _invalid(TYPE)
    return text.upper()


def _invalid(header: str) -> S3Error:
    return S3Error("InvalidRequest", f"Value for {header} header is invalid.")


def known(name: str) -> str:
    """The algorithm's name in lower case. Raises InvalidRequest for one that is not supported."""
    algorithm = name.strip().lower()
    if algorithm not in SIZES:
        valid_types = ", ".join(one.upper() for one in SIZES)
        raise S3Error(
            "InvalidRequest",
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
            f"[{valid_types}]",
        )
    return algorithm


def valid(algorithm: str, value: str) -> str:
    """`value` when it is Base64 of the right length. Raises BadDigest: nothing has such a checksum."""
    try:
        fits = len(b64decode(value, validate=True)) == SIZES[algorithm]
    except (Base64Error, ValueError):
        fits = False
    if not fits:
        raise S3Error("BadDigest", f"Value for {_PREFIX}{algorithm} header is invalid.")
    return value


def content_md5(headers: Mapping[str, str]) -> str | None:
    """The Content-MD5 in hex. Raises InvalidDigest."""
    value = headers.get("content-md5")
    if value is None:
        return None
    try:
        digest = b64decode(value, validate=True)
    except (Base64Error, ValueError):
        digest = b""
    if len(digest) != 16:
        raise S3Error("InvalidDigest")
    return digest.hex()


def multipart(headers: Mapping[str, str]) -> tuple[str, str]:
    """Algorithm and type of a multipart upload, from CreateMultipartUpload's headers or S3's defaults."""
    name = headers.get("x-amz-checksum-algorithm")
    algorithm = known(name) if name else DEFAULT
    if TYPE in headers and not name:
        raise S3Error(
            "InvalidRequest",
            "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
        )
    wanted = type_of(headers.get(TYPE, FULL if algorithm == DEFAULT else COMPOSITE))
    if (wanted == FULL and algorithm not in _COMBINE) or (wanted == COMPOSITE and algorithm == DEFAULT):
        raise S3Error(
            "InvalidRequest",
            f"The {wanted} checksum type cannot be used with the {algorithm} checksum algorithm.",
        )
    return algorithm, wanted


def joined(algorithm: str, kind: str, parts: Sequence[tuple[str, int]]) -> str:
    """The whole object's checksum from (Base64 checksum, size) of its parts in order.

    COMPOSITE is the checksum of the parts' checksums with `-N`; FULL_OBJECT is that of the bytes themselves.
    """
    raw = [b64decode(value) for value, _ in parts]
    if kind == COMPOSITE:
        return f"{_digest(algorithm, b''.join(raw))}-{len(parts)}"
    total = 0
    for value, (_, size) in zip(raw, parts, strict=True):
        total = _COMBINE[algorithm](total, int.from_bytes(value, "big"), size)
    return b64encode(total.to_bytes(SIZES[algorithm], "big")).decode()


def kind_of(value: str) -> str:
    """The type of a stored checksum: composite ones end in `-N`."""
    return COMPOSITE if "-" in value else FULL


def _digest(algorithm: str, data: bytes) -> str:
    if algorithm in ("sha1", "sha256"):
        digest = hashlib.new(algorithm, data, usedforsecurity=False).digest()
    else:
        compute: Callable[[bytes], int] = getattr(crt, algorithm)
        digest = compute(data).to_bytes(SIZES[algorithm], "big")
    return b64encode(digest).decode()
