"""DeleteObjects: what shall go, and what became of it."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from storage.index.types import DeleteOutcome, Expected
from storage.s3 import conditional
from storage.s3.documents import schema
from storage.s3.documents.schema import Boolean, Field, Integer, Struct, Text
from storage.s3.errors import S3Error
from storage.s3.xml import MAX_KEYS, document, element

MAX_DELETE: Final = 8 * 1024**2

_OBJECT: Final = Struct(
    (
        Field("Key", Text(least=1, most=MAX_DELETE), required=True),
        Field("VersionId", Text()),
        Field("ETag", Text()),
        Field("LastModifiedTime", Text()),
        Field("Size", Integer()),
    )
)
_DELETE: Final = Struct((Field("Object", _OBJECT, many=True), Field("Quiet", Boolean())))


class Doomed(NamedTuple):
    """One entry of a DeleteObjects request."""

    key: str
    version_id: str | None
    expected: Expected | None


class Deletion(NamedTuple):
    """A DeleteObjects request."""

    objects: list[Doomed]
    quiet: bool


class Outcome(NamedTuple):
    """What became of one entry: an `error`, or what was `done`."""

    of: Doomed
    done: DeleteOutcome | None = None
    error: S3Error | None = None


def read(body: bytes) -> Deletion:
    """A DeleteObjects document. Raises MalformedXML, or InvalidArgument for a time that is none."""
    found = schema.read(_DELETE, "Delete", body)
    entries = found.get("Object", [])
    if not 1 <= len(entries) <= MAX_KEYS:
        raise S3Error("MalformedXML")
    return Deletion(
        [
            Doomed(
                entry["Key"],
                entry.get("VersionId") or None,
                conditional.of_delete(
                    entry.get("ETag"), entry.get("Size"), entry.get("LastModifiedTime"), "LastModifiedTime"
                ),
            )
            for entry in entries
        ],
        found.get("Quiet", False),
    )


def write(outcomes: Iterable[Outcome], *, quiet: bool) -> bytes:
    """The answer: what failed, and unless quiet what is gone."""
    rows = []
    for doomed, done, error in outcomes:
        which = element("Key", doomed.key) + element("VersionId", doomed.version_id)
        if error is not None:
            rows.append(
                f"<Error>{which}{element('Code', error.code)}{element('Message', error.message)}</Error>"
            )
        elif not quiet:
            rows.append(f"<Deleted>{which}{_marker(done)}</Deleted>")
    return document("DeleteResult", "".join(rows))


def _marker(done: DeleteOutcome | None) -> str:
    if done is None or not done.delete_marker:
        return ""
    return "<DeleteMarker>true</DeleteMarker>" + element("DeleteMarkerVersionId", done.version_id)
