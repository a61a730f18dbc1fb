"""Samples of what buckets hold: one an hour, thinned to one a day, dropped after two years."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from gateway.db.scope import platform_scope
from storage.models import Bucket, BucketUsage, UsageSample
from storage.services import usage
from tests import factories

pytestmark = pytest.mark.django_db


def test_every_bucket_is_sampled_once_an_hour() -> None:
    tenant = factories.tenant()
    with platform_scope("tests"):
        used, empty = (Bucket.objects.create(tenant=tenant, name=name) for name in ("used", "empty"))
        BucketUsage.objects.create(bucket=used, tenant=tenant, bytes=10, objects_count=3, upload_bytes=5)
    assert usage.sample() == 2
    assert usage.sample() in (0, 2)  # 2: the hour has just ended
    with platform_scope("tests"):
        first = UsageSample.objects.filter(bucket=used).first()
        assert first is not None
        assert (first.bytes, first.objects_count, first.at.minute) == (15, 3, 0)
        assert UsageSample.objects.filter(bucket=empty, bytes=0).exists()


def test_old_samples_become_fewer() -> None:
    tenant = factories.tenant()
    today = timezone.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with platform_scope("tests"):
        bucket = Bucket.objects.create(tenant=tenant, name="docs")
        for days, hour in ((10, 0), (10, 7), (40, 0), (40, 7), (800, 0)):
            at: datetime = today - timedelta(days=days) + timedelta(hours=hour)
            UsageSample.objects.create(tenant=tenant, bucket=bucket, at=at, bytes=days, objects_count=1)
    usage.sample()
    with platform_scope("tests"):
        left = UsageSample.objects.filter(bucket=bucket, objects_count=1).order_by("at")
        assert list(left.values_list("bytes", flat=True)) == [40, 10, 10]
