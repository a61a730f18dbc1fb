"""What a bucket holds, now and before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db.models import QuerySet
from django.utils import timezone

from storage.models import Bucket, BucketUsage, UsageSample

LONGEST: Final = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Held:
    """Noncurrent versions count, delete markers do not; `upload_bytes` are in parts of unfinished uploads."""

    bytes: int = 0
    objects_count: int = 0
    upload_bytes: int = 0


def of(bucket: Bucket) -> Held:
    """Exact as of the last commit. Free of queries where `usage` was selected with the bucket."""
    try:
        kept: BucketUsage = bucket.usage
    except BucketUsage.DoesNotExist:
        return Held()
    return Held(kept.bytes, kept.objects_count, kept.upload_bytes)


def history(bucket: Bucket, span: timedelta) -> QuerySet[UsageSample]:
    """The samples of the last `span`, oldest first."""
    since = timezone.now() - min(span, LONGEST)
    return UsageSample.objects.filter(tenant_id=bucket.tenant_id, bucket=bucket, at__gte=since).order_by("at")
