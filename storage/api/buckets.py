"""buckets."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from gateway.api.auth import principal
from gateway.api.views import ApiView
from storage.models import Bucket
from storage.services import bucket_updates, bucket_usage, buckets, scanner

from .serializers import buckets as s


def visible_buckets(request: Request) -> QuerySet[Bucket]:
    return Bucket.objects.visible_to(principal(request)).select_related("placement__backend", "usage")


def bucket_of(request: Request, public_id: UUID) -> Bucket:
    """One of the tenant's; another is 404."""
    found: Bucket = get_object_or_404(visible_buckets(request), public_id=public_id)
    return found


def asked_of(request: Request, serializer: type[BaseSerializer[Any]]) -> dict[str, Any]:
    """The query's parameters after validation. Raises Invalid input (400) by name."""
    # As a plain mapping: of a form's data DRF takes an empty text for one that was not given.
    parsed = serializer(data=request.query_params.dict())
    parsed.is_valid(raise_exception=True)
    return dict(parsed.validated_data)


class BucketsView(ApiView):
    permissions = {"GET": "storage.bucket.read", "POST": "storage.bucket.write"}
    serializer_class = s.BucketSerializer

    @extend_schema(responses=s.BucketSerializer(many=True))
    def get(self, request: Request) -> Response:
        return self.page(visible_buckets(request), s.BucketSerializer)

    @extend_schema(
        request=s.CreateBucketSerializer,
        responses={201: s.BucketDetailsSerializer, 202: s.BucketDetailsSerializer},
    )
    def post(self, request: Request) -> Response:
        """Make a bucket. 202: its backend has yet to make it too, see `ready`."""
        bucket = buckets.create_bucket(**self.body(s.CreateBucketSerializer), actor=principal(request))
        status = 201 if bucket.placement.is_settled else 202
        return Response(s.BucketDetailsSerializer(bucket).data, status=status)


class BucketView(ApiView):
    permissions = {
        "GET": "storage.bucket.read",
        "PATCH": "storage.bucket.write",
        "DELETE": "storage.bucket.delete",
    }
    serializer_class = s.BucketDetailsSerializer

    @extend_schema(responses=s.BucketDetailsSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        return Response(s.BucketDetailsSerializer(bucket_of(request, public_id)).data)

    @extend_schema(request=s.UpdateBucketSerializer, responses=s.BucketDetailsSerializer)
    def patch(self, request: Request, public_id: UUID) -> Response:
        """Change settings: all that are named or, where one is refused, none. The policy is at `/policy`."""
        bucket = bucket_of(request, public_id)
        changes = self.body(s.UpdateBucketSerializer)
        changed = bucket_updates.update_bucket(bucket, actor=principal(request), **changes)
        return Response(s.BucketDetailsSerializer(changed).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Remove an empty bucket."""
        buckets.delete_bucket(bucket_of(request, public_id), actor=principal(request))
        return Response(status=204)


class BucketUsageView(ApiView):
    permissions = {"GET": "storage.bucket.read"}
    serializer_class = s.BucketUsageSerializer

    @extend_schema(parameters=[s.BucketUsageQuerySerializer], responses=s.BucketUsageSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        """What it holds, now and in the last days."""
        bucket = bucket_of(request, public_id)
        held = bucket_usage.of(bucket)
        span = timedelta(days=asked_of(request, s.BucketUsageQuerySerializer)["days"])
        usage = {
            "bytes": held.bytes,
            "objects_count": held.objects_count,
            "upload_bytes": held.upload_bytes,
            "quota_bytes": bucket.quota_bytes,
            "quota_objects": bucket.quota_objects,
            "history": bucket_usage.history(bucket, span),
        }
        return Response(s.BucketUsageSerializer(usage).data)


class ScanBucketView(ApiView):
    permissions = {"POST": "storage.bucket.write"}

    @extend_schema(request=None, responses={202: None})
    def post(self, request: Request, public_id: UUID) -> Response:
        """Have a bucket on a remote backend read through for what changed behind our back."""
        scanner.scan_bucket(bucket_of(request, public_id), actor=principal(request))
        return Response(status=202)
