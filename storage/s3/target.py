"""Where a request points: bucket, key and parameters, from its host, path and query.

Nothing is decoded before it is split: the path is the one on the wire, so `//`, `..`, `%2F` and `+` in a key
mean what the client wrote.
"""

import re
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from storage.s3.errors import S3Error

PREFIX: Final = "/s3"
MAX_KEY_BYTES: Final = 1024

_PLAIN: Final = re.compile(r"[!-$&-*,-~]*\Z")  # neither escaped nor a space written as +


class Target(NamedTuple):
    """Where a request points. Both are empty for the service itself; the key is for a bucket's own requests."""

    bucket: str
    key: str


def in_domain(host: str, domain: str) -> bool:
    """Whether a host is S3's own: the domain, or a bucket's subdomain."""
    return host == domain or host.endswith("." + domain)


def has_prefix(raw_path: str) -> bool:
    """Whether a path on any other host is for S3."""
    return raw_path.startswith(PREFIX) and raw_path[len(PREFIX) :][:1] in ("", "/")


def locate(host: str, raw_path: str, domain: str) -> Target:
    """Bucket and key of a request for S3. Raises InvalidURI or KeyTooLongError."""
    if host == domain:
        bucket, _, raw_key = raw_path[1:].partition("/")
    elif host.endswith("." + domain):
        bucket, raw_key = host[: -len(domain) - 1], raw_path[1:]
    else:
        bucket, _, raw_key = raw_path[len(PREFIX) + 1 :].partition("/")
    return Target(_decode(bucket), decode_key(raw_key))


def decode_key(raw_key: str) -> str:
    """A key from its form on the wire. Raises InvalidURI (not UTF-8, or holds NUL) or KeyTooLongError."""
    key = _decode(raw_key)
    if len(key) > MAX_KEY_BYTES // 4 and len(key.encode()) > MAX_KEY_BYTES:
        raise S3Error(
            "KeyTooLongError", extra={"Size": str(len(key.encode())), "MaxSizeAllowed": str(MAX_KEY_BYTES)}
        )
    return key


def _decode(raw: str) -> str:
    if "%" not in raw and raw.isascii():
        return raw
    try:
        text = unquote_to_bytes(raw.encode("latin-1")).decode()
    except UnicodeError:
        raise S3Error("InvalidURI") from None
    if "\0" in text:
        raise S3Error("InvalidURI")
    return text


def parse_query(raw_query: str) -> dict[str, str]:
    """Parameters by name; of one that repeats the first counts. `+` is a space, as S3 reads it.

    Raises InvalidURI for what is not UTF-8 or holds NUL, as a key cannot either.
    """
    if "%00" in raw_query:
        raise S3Error("InvalidURI")
    found: dict[str, str] = {}
    for field in raw_query.split("&") if raw_query else ():
        name, _, value = field.partition("=")
        if not _PLAIN.match(field):
            try:
                name = unquote_to_bytes(name).decode()
                value = unquote_to_bytes(value.replace("+", " ").encode("latin-1")).decode()
            except UnicodeError:
                raise S3Error("InvalidURI") from None
        found.setdefault(name, value)
    return found
