"""Text as S3 writes it: XML escapes, percent-encoding with its own unreserved set, and timestamps."""

import re
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Final
from urllib.parse import quote

_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_PLAIN: Final = re.compile(r"[A-Za-z0-9._~/-]*\Z")
_MARKUP: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"}
_SPECIAL: Final = re.compile('[&<>"\r\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]')


def escape(text: str) -> str:
    """`text` inside an XML element.

    XML 1.0 has no way to say most control characters. S3 writes them as references all the same, and its
    clients ask for `encoding-type=url` to be safe from that; so does this. Half of a character, which JSON can say and
    UTF-8 cannot, becomes U+FFFD.
    """
    if not _SPECIAL.search(text):
        return text
    return _SPECIAL.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    if "\ud800" <= found[0] <= "\udfff":
        return "\ufffd"
    return _MARKUP.get(found[0]) or f"&#x{ord(found[0]):x};"


def uri_encode(text: str, safe: str = "") -> str:
    """`text` percent-encoded as SigV4 and `encoding-type=url` mean it: only A–Z a–z 0–9 `-._~` stay."""
    if _PLAIN.match(text) and ("/" in safe or "/" not in text):
        return text
    return quote(text, safe=safe + "-._~")


def iso(moment: datetime) -> str:
    """`2026-01-02T03:04:05.000Z`, the form of timestamps in XML answers."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"


def is_header(name: str, value: str) -> bool:
    """Whether both can stand in a header (RFC 9110, 5.1 and 5.5). What came in a query or a form need not."""
    return _NAME.match(name) is not None and _CONTROL.search(value) is None


@lru_cache(maxsize=4096)  # what is read is read again
def http_date(moment: datetime) -> str:
    """`Fri, 02 Jan 2026 03:04:05 GMT`, the form of timestamps in headers."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)
