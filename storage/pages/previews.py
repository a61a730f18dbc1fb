"""What browsers may show of an object without trusting it: pictures as pictures, texts as text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from gateway.ui import PageRequest
from storage.models import Bucket
from storage.services import objects
from storage.services.versions import Version

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
    """A picture stands in `<img>`, which runs nothing; a text is fetched by a script and put in as text."""

    kind: Literal["picture", "text"]
    url: str
    is_cut: bool


def of(request: PageRequest, bucket: Bucket, found: Version) -> Preview | None:
    """None for what is not shown: too large, sealed with a customer's key, or of another kind."""
    if found.is_delete_marker or found.is_customers or not found.size or objects.is_unaddressable(found.key):
        return None
    kind = found.content_type.partition(";")[0].strip().lower()
    if kind in _PICTURES and found.size <= MOST_PICTURE:
        return Preview("picture", _url(request, bucket, found), False)
    if kind.startswith(_TEXTS) or (
        kind in ("binary/octet-stream", "application/octet-stream") and found.key.lower().endswith(_TEXT_ENDS)
    ):
        return Preview("text", _url(request, bucket, found), found.size > MOST_TEXT)
    return None


def _url(request: PageRequest, bucket: Bucket, found: Version) -> str:
    link = objects.download_link(
        bucket,
        found.key,
        version_id="" if found.is_latest else found.version_id,
        base_url=request.build_absolute_uri("/"),
        actor=request.principal,
    )
    return link.url
