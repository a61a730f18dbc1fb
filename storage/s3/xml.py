"""What S3's XML answers are built of, as text. The documents of a subject are in `xml_<subject>`.

What has many rows is built here rather than by `documents.schema`, which is slower; request bodies are read by it.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from storage.s3 import checksums
from storage.s3.documents.schema import NAMESPACE
from storage.s3.errors import S3Error
from storage.s3.text import escape, uri_encode

MAX_KEYS: Final = 1000
MAX_PARTS: Final = 10000

_HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'


class Owner(NamedTuple):
    """Whose the objects are: the tenant."""

    id: str
    name: str


def element(name: str, text: str | int | None) -> str:
    """`<name>text</name>`; empty when there is no text to say."""
    return "" if text is None else f"<{name}>{escape(str(text))}</{name}>"


def document(root: str, content: str) -> bytes:
    """An answer's whole document."""
    return f'{_HEAD}<{root} xmlns="{NAMESPACE}">{content}</{root}>'.encode()


def owner_element(name: str, owner: Owner) -> str:
    return f"<{name}>{element('ID', owner.id)}{element('DisplayName', owner.name)}</{name}>"


class Encoding:
    """Keys as a list answers them: plain, or percent-encoded if the client asked for `encoding-type=url`."""

    def __init__(self, query: Mapping[str, str]) -> None:
        """Raises InvalidArgument for any other encoding."""
        self.name = query.get("encoding-type") or None
        if self.name not in (None, "url"):
            raise S3Error(
                "InvalidArgument",
                "Invalid Encoding Method specified in Request",
                extra={"ArgumentName": "encoding-type", "ArgumentValue": self.name},
            )

    def __call__(self, text: str | None) -> str | None:
        return uri_encode(text, "/") if text and self.name else text


def checksum_elements(stored: Mapping[str, str], *, with_type: bool = True) -> str:
    """`<ChecksumCRC32>…` and the type, for what is stored."""
    found = "".join(element(f"Checksum{name.upper()}", value) for name, value in stored.items())
    if found and with_type:
        found += element("ChecksumType", checksums.kind_of(next(iter(stored.values()))))
    return found


def common_prefixes(prefixes: Iterable[str], encode: Encoding) -> str:
    return "".join(
        f"<CommonPrefixes>{element('Prefix', encode(prefix))}</CommonPrefixes>" for prefix in prefixes
    )
