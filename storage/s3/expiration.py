"""What answers tell of the lifecycle rule that will expire an object."""

from __future__ import annotations

from storage import lifecycle
from storage.index import BucketInfo, ObjectRow
from storage.s3.front import Front


def header(front: Front, bucket: BucketInfo, row: ObjectRow) -> list[tuple[str, str]]:
    """x-amz-expiration of a current object; empty where no rule is about it."""
    if not bucket.lifecycle:
        return []
    day: int = front.ctx.settings.S3_LIFECYCLE_DAY_SECONDS
    rules = bucket.lifecycle
    found = lifecycle.expiration_header(rules, row.key, row.size, row.tags, row.last_modified, day)
    return [("x-amz-expiration", found)] if found else []
