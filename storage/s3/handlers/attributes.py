"""GetObjectAttributes."""

from typing import Final

from gateway.decision.types import Decision
from storage.index import ObjectRow
from storage.s3 import answers, encryption, parts, versions, xml, xml_attributes
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.request import Request
from storage.s3.text import http_date
from storage.s3.xml_attributes import Parts

_ASKED: Final = "x-amz-object-attributes"
_MOST: Final = "x-amz-max-parts"
_MARKER: Final = "x-amz-part-number-marker"


async def get(request: Request, front: Front) -> Decision:
    """What the index knows of an object, as far as it was asked for."""
    asked = _attributes(request.headers.get(_ASKED, ""))
    most = _number(request, _MOST, xml.MAX_KEYS)
    marker = _number(request, _MARKER, 0)
    version_id = versions.asked(request)
    row = await versions.find(front, request.bucket, request.key, version_id)
    encryption.reading(request, request.bucket, row)
    described = [("Last-Modified", http_date(row.last_modified))]
    described += versions.named(request.bucket, row, version_id)
    return answers.xml(xml_attributes.write(row, asked, _page(row, marker, most)), described)


def _attributes(text: str) -> set[str]:
    if not text.strip():
        raise S3Error(
            "InvalidRequest",
            f"The {_ASKED} header specifying the attributes to be retrieved is either missing or empty",
        )
    asked = {name.strip() for name in text.split(",")}
    if not asked <= set(xml_attributes.NAMES):
        raise S3Error(
            "InvalidArgument",
            "Invalid attribute name specified.",
            extra={"ArgumentName": _ASKED, "ArgumentValue": text},
        )
    return asked


def _number(request: Request, name: str, default: int) -> int:
    text = request.headers.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise S3Error(
            "InvalidArgument",
            f"Argument {name} must be an integer between 0 and 2147483647",
            extra={"ArgumentName": name, "ArgumentValue": text},
        )
    return int(text)


def _page(row: ObjectRow, marker: int, most: int) -> Parts | None:
    if row.parts is None:
        return None
    most = min(most, xml.MAX_KEYS)
    left = [(number, part) for number, part in parts.numbered(row) if number > marker]
    page = left[:most]
    following = page[-1][0] if page and len(left) > len(page) else None
    return Parts(len(row.parts), marker, most, page, following)
