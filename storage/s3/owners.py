"""The owner that a request believes a bucket to have."""

from typing import Final

from storage.index import BucketInfo
from storage.s3.errors import S3Error

HEADER: Final = "x-amz-expected-bucket-owner"
SOURCE: Final = "x-amz-source-expected-bucket-owner"


def check(bucket: BucketInfo, expected: str | None) -> None:
    """Return when the bucket is whose the request says, or it says nothing. Raises AccessDenied."""
    if expected and expected != bucket.owner:
        raise S3Error("AccessDenied")
