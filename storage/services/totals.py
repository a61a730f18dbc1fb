"""What the platform stores in all, for its staff."""

from __future__ import annotations

from django.db.models import Q, Sum

from storage.models import AccessKey, Backend, BlobGarbage, Bucket, Placement, Usage, WriteIntent


def of_platform() -> dict[str, int]:
    """Call within platform_scope."""
    stored = Usage.objects.aggregate(
        bytes=Sum("bytes", default=0),
        uploads=Sum("upload_bytes", default=0),
        objects=Sum("objects_count", default=0),
    )
    return {
        "buckets": Bucket.objects.count(),
        "objects": stored["objects"],
        "bytes": stored["bytes"] + stored["uploads"],
        "access_keys": AccessKey.objects.filter(revoked_at=None, is_internal=False).count(),
        "backends": Backend.objects.count(),
        "failing_backends": Backend.objects.exclude(check_error="").count(),
        "unsettled": Placement.objects.drifted().filter(~Q(error="")).count(),
        "intents": WriteIntent.objects.count(),
    }


def waiting() -> dict[str, int]:
    """What the sweeps have yet to settle. Call within platform_scope."""
    return {
        "write_intents": WriteIntent.objects.count(),
        "placements": Placement.objects.drifted().count(),
        "blob_garbage": BlobGarbage.objects.count(),
    }
