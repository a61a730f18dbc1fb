"""What answers tell of the lifecycle rule that will expire an object."""

from __future__ import annotations

from storage import lifecycle
from storage.index import BucketInfo, ObjectRow, PutCommit


def header(bucket: BucketInfo, row: ObjectRow | PutCommit) -> list[tuple[str, str]]:
    """x-amz-expiration of a current object, in days as they are; empty where no rule is about it."""
    if not bucket.lifecycle:
        return []
    rules = bucket.lifecycle
    found = lifecycle.expiration_header(rules, row.key, row.size, row.tags, row.last_modified)
    return [("x-amz-expiration", found)] if found else []
