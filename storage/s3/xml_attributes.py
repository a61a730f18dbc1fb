"""GetObjectAttributes' answer."""

from collections.abc import Collection, Sequence
from typing import Any, Final, NamedTuple

from storage.index.types import ObjectRow
from storage.s3.xml import checksum_elements, document, element

NAMES: Final = ("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize")


class Parts(NamedTuple):
    """A page of an object's parts, each {"size", "checksums"} and its number; `following` None: that was all."""

    total: int
    marker: int
    most: int
    page: Sequence[tuple[int, Any]]
    following: int | None


def write(row: ObjectRow, asked: Collection[str], parts: Parts | None) -> bytes:
    """The attributes that were asked for; `parts` is None for an object that was made in one."""
    content = ""
    if "ETag" in asked:
        content += element("ETag", row.etag)
    if "Checksum" in asked and row.checksums:
        content += f"<Checksum>{checksum_elements(row.checksums)}</Checksum>"
    if "ObjectParts" in asked and parts is not None:
        content += f"<ObjectParts>{_parts(parts)}</ObjectParts>"
    if "StorageClass" in asked:
        content += element("StorageClass", "STANDARD")
    if "ObjectSize" in asked:
        content += element("ObjectSize", row.size)
    return document("GetObjectAttributesResponse", content)


def _parts(parts: Parts) -> str:
    lines = "".join(
        f"<Part>{element('PartNumber', number)}{element('Size', part['size'])}"
        f"{checksum_elements(part.get('checksums', {}), with_type=False)}</Part>"
        for number, part in parts.page
    )
    return (
        element("PartsCount", parts.total)
        + element("PartNumberMarker", parts.marker)
        + element("NextPartNumberMarker", parts.page[-1][0] if parts.page else 0)
        + element("MaxParts", parts.most)
        + element("IsTruncated", "false" if parts.following is None else "true")
        + lines
    )
