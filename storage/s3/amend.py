"""Refusals of changes to a version that is there already, in S3's words."""

from collections.abc import Iterator
from contextlib import contextmanager

from storage.errors import IsDeleteMarker, VersionGone
from storage.s3.errors import S3Error
from storage.s3.headers import DELETE_MARKER


@contextmanager
def refusals(key: str, version_id: str | None) -> Iterator[None]:
    """Around a change of a version's tags or lock. Raises NoSuchKey, NoSuchVersion, MethodNotAllowed."""
    try:
        yield
    except VersionGone:
        if version_id is None:
            raise S3Error("NoSuchKey", extra={"Key": key}) from None
        raise S3Error("NoSuchVersion", extra={"Key": key, "VersionId": version_id}) from None
    except IsDeleteMarker:
        raise S3Error("MethodNotAllowed", headers={DELETE_MARKER: "true", "Allow": "DELETE"}) from None
