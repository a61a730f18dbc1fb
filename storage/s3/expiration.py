"""What answers tell of the lifecycle rule that will expire an object or end an upload."""

from __future__ import annotations

from datetime import datetime

from storage import lifecycle
from storage.index import BucketInfo, ObjectRow, PutCommit


def header(bucket: BucketInfo, row: ObjectRow | PutCommit) -> list[tuple[str, str]]:
    """x-amz-expiration of a current object, in days as they are; empty where no rule is about it."""
    if not bucket.lifecycle:
        return []
    rules = bucket.lifecycle
    found = lifecycle.expiration_header(rules, row.key, row.size, row.tags, row.last_modified)
    return [("x-amz-expiration", found)] if found else []


def abort_header(bucket: BucketInfo, key: str, initiated_at: datetime) -> list[tuple[str, str]]:
    """x-amz-abort-date and x-amz-abort-rule-id of an unfinished upload; empty where no rule is about it."""
    found = lifecycle.abort_of(bucket.lifecycle, key, initiated_at) if bucket.lifecycle else None
    return [("x-amz-abort-date", found[0]), ("x-amz-abort-rule-id", found[1])] if found else []
