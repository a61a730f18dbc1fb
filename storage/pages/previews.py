"""What browsers may show of an object without trusting it: pictures as pictures, texts as text, and PDFs in a window of
their own, whose answer is sandboxed as all are that come from a bucket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from gateway.errors import NotFound
from gateway.ui import PageRequest
from storage.models import Bucket
from storage.services import objects
from storage.services.versions import Version

from . import shown

MOST_TEXT: Final = 64 << 10
MOST_PICTURE: Final = 20 << 20
_PICTURES: Final = frozenset(
    {
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
        "image/avif",
        "image/svg+xml",
        "image/bmp",
        "image/x-icon",
    }
)
_DOCUMENTS: Final = frozenset({"application/pdf", "application/x-pdf"})
_UNKNOWN: Final = frozenset({"binary/octet-stream", "application/octet-stream"})
_TEXTS: Final = (
    "text/", "application/json", "application/xml", "application/yaml", "application/x-yaml", "application/toml",
    "application/javascript", "application/x-sh", "application/sql", "application/x-ndjson",
)  # fmt: skip
_TEXT_ENDS: Final = (
    ".txt", ".md", ".json", ".csv", ".log", ".yaml", ".yml", ".toml", ".xml", ".py", ".js", ".ts", ".css", ".sql",
    ".ini", ".conf", ".sh",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Preview:
    """A picture stands in `<img>`, which runs nothing; a text is fetched by a script and put in as text; a document is
    opened beside the page."""

    kind: Literal["picture", "text", "document"]
    url: str
    is_cut: bool


def of(request: PageRequest, bucket: Bucket, found: Version) -> Preview | None:
    """None for what is not shown: too large, sealed with a customer's key, or of another kind."""
    if found.is_delete_marker or found.is_customers or not found.size or objects.is_unaddressable(found.key):
        return None
    kind = found.content_type.partition(";")[0].strip().lower()
    if kind in _DOCUMENTS or (kind in _UNKNOWN and found.key.lower().endswith(".pdf")):
        return Preview("document", shown.object_url(bucket, found.key, _version(found), "open-object"), False)
    if kind in _PICTURES and found.size <= MOST_PICTURE:
        return Preview("picture", _url(request, bucket, found), False)
    if kind.startswith(_TEXTS) or (kind in _UNKNOWN and found.key.lower().endswith(_TEXT_ENDS)):
        return Preview("text", _url(request, bucket, found), found.size > MOST_TEXT)
    return None


def document_link(request: PageRequest, bucket: Bucket, found: Version) -> str:
    """Where a browser shows it as a PDF, whatever else it may be. Raises NotFound for what is no document."""
    preview = of(request, bucket, found)
    if preview is None or preview.kind != "document":
        raise NotFound("Only PDFs are shown in a window of their own.")
    return _url(request, bucket, found, {"content-type": "application/pdf", "content-disposition": "inline"})


def _version(found: Version) -> str:
    return "" if found.is_latest else found.version_id


def _url(request: PageRequest, bucket: Bucket, found: Version, answer: dict[str, str] | None = None) -> str:
    link = objects.download_link(
        bucket,
        found.key,
        version_id=_version(found),
        base_url=request.build_absolute_uri("/"),
        answer=answer,
        actor=request.principal,
    )
    return link.url
