"""buckets."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api.auth import principal
from gateway.api.views import ApiView
from storage.models import Bucket
from storage.services import buckets

from .serializers import buckets as s


class BucketsView(ApiView):
    permissions = {"GET": "storage.bucket.read", "POST": "storage.bucket.write"}
    serializer_class = s.BucketSerializer

    @extend_schema(responses=s.BucketSerializer(many=True))
    def get(self, request: Request) -> Response:
        return self.page(visible_buckets(request), s.BucketSerializer)

    @extend_schema(
        request=s.CreateBucketSerializer, responses={201: s.BucketSerializer, 202: s.BucketSerializer}
    )
    def post(self, request: Request) -> Response:
        """Make a bucket. 202: its backend has yet to make it too, see `ready`."""
        bucket = buckets.create_bucket(**self.body(s.CreateBucketSerializer), actor=principal(request))
        status = 201 if bucket.placement.is_settled else 202
        return Response(s.BucketSerializer(bucket).data, status=status)


def visible_buckets(request: Request) -> QuerySet[Bucket]:
    return Bucket.objects.visible_to(principal(request)).select_related("placement__backend")


class BucketView(ApiView):
    permissions = {"GET": "storage.bucket.read", "DELETE": "storage.bucket.delete"}
    serializer_class = s.BucketSerializer

    @extend_schema(responses=s.BucketSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        return Response(
            s.BucketSerializer(get_object_or_404(visible_buckets(request), public_id=public_id)).data
        )

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Remove an empty bucket."""
        bucket = get_object_or_404(visible_buckets(request), public_id=public_id)
        buckets.delete_bucket(bucket, actor=principal(request))
        return Response(status=204)
