"""backends, buckets, access-keys, objects."""

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
from storage.models import AccessKey, Backend, Bucket
from storage.services import access_keys, backends, buckets, objects

from . import serializers as s


class BackendsView(ApiView):
    permissions = {"GET": "storage.backend.read", "POST": "storage.backend.write"}
    serializer_class = s.BackendSerializer

    @extend_schema(responses=s.BackendSerializer(many=True))
    def get(self, request: Request) -> Response:
        """The tenant's own backends and those that the platform shares."""
        return self.page(Backend.objects.visible_to(principal(request)), s.BackendSerializer)

    @extend_schema(request=s.CreateBackendSerializer, responses={201: s.BackendSerializer})
    def post(self, request: Request) -> Response:
        """Add a backend. Try it with `/check`."""
        made = backends.create_backend(**self.body(s.CreateBackendSerializer), actor=principal(request))
        return Response(s.BackendSerializer(made).data, status=201)


class BackendView(ApiView):
    permissions = {
        "GET": "storage.backend.read",
        "PATCH": "storage.backend.write",
        "DELETE": "storage.backend.write",
    }
    serializer_class = s.BackendSerializer

    @extend_schema(responses=s.BackendSerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        return Response(s.BackendSerializer(backends.get_backend(public_id, actor=principal(request))).data)

    @extend_schema(request=s.UpdateBackendSerializer, responses=s.BackendSerializer)
    def patch(self, request: Request, public_id: UUID) -> Response:
        caller = principal(request)
        backend = backends.get_backend(public_id, actor=caller)
        changed = backends.update_backend(backend, **self.body(s.UpdateBackendSerializer), actor=caller)
        return Response(s.BackendSerializer(changed).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Forget a backend that holds no bucket."""
        caller = principal(request)
        backends.delete_backend(backends.get_backend(public_id, actor=caller), actor=caller)
        return Response(status=204)


class BackendCheckView(ApiView):
    permissions = {"POST": "storage.backend.write"}
    serializer_class = s.BackendSerializer

    @extend_schema(request=None, responses=s.BackendSerializer)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Try the connection now; `check_error` says what is wrong, empty: nothing."""
        caller = principal(request)
        checked = backends.check_backend(backends.get_backend(public_id, actor=caller), actor=caller)
        return Response(s.BackendSerializer(checked).data)


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


class AccessKeysView(ApiView):
    permissions = {"GET": "storage.access_key.write", "POST": "storage.access_key.write"}
    serializer_class = s.AccessKeySerializer

    @extend_schema(responses=s.AccessKeySerializer(many=True))
    def get(self, request: Request) -> Response:
        """Own keys; all of the tenant's with storage.access_key.manage."""
        return self.page(visible_keys(request), s.AccessKeySerializer)

    @extend_schema(request=s.CreateAccessKeySerializer, responses={201: s.IssuedAccessKeySerializer})
    def post(self, request: Request) -> Response:
        key, secret = access_keys.issue_access_key(
            **self.body(s.CreateAccessKeySerializer), actor=principal(request)
        )
        issued = {
            "id": key.public_id,
            "name": key.name,
            "access_key_id": key.access_key_id,
            "secret_access_key": secret,
            "warning": "Keep it now: it is not shown again.",
        }
        return Response(issued, status=201)


def visible_keys(request: Request) -> QuerySet[AccessKey]:
    caller = principal(request)
    rows = AccessKey.objects.visible_to(caller).filter(is_internal=False).select_related("user")
    return rows if caller.can("storage.access_key.manage") else rows.filter(user=caller.user)


class AccessKeyView(ApiView):
    permissions = {"GET": "storage.access_key.write", "DELETE": "storage.access_key.write"}
    serializer_class = s.AccessKeySerializer

    @extend_schema(responses=s.AccessKeySerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        return Response(
            s.AccessKeySerializer(get_object_or_404(visible_keys(request), public_id=public_id)).data
        )

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Revoke."""
        key = get_object_or_404(visible_keys(request), public_id=public_id)
        access_keys.revoke_access_key(key, actor=principal(request))
        return Response(status=204)


def asked_of(request: Request, serializer: type[BaseSerializer[Any]]) -> dict[str, Any]:
    """The query's parameters after validation. Raises Invalid input (400) by name."""
    parsed = serializer(data=request.query_params)
    parsed.is_valid(raise_exception=True)
    return dict(parsed.validated_data)


class ObjectsView(ApiView):
    permissions = {"GET": "storage.object.read", "DELETE": "storage.object.delete"}
    serializer_class = s.ObjectSerializer

    @extend_schema(parameters=[s.ListObjectsSerializer], responses=s.ObjectSerializer(many=True))
    def get(self, request: Request) -> Response:
        """A bucket's objects by key in byte order, those that begin with `prefix`."""
        asked = asked_of(request, s.ListObjectsSerializer)
        bucket = buckets.get_bucket(asked["bucket"], actor=principal(request))
        return self.page(objects.in_bucket(bucket, asked["prefix"]), s.ObjectSerializer)

    @extend_schema(parameters=[s.ObjectNameSerializer], responses={204: None})
    def delete(self, request: Request) -> Response:
        caller = principal(request)
        asked = asked_of(request, s.ObjectNameSerializer)
        objects.delete_object(buckets.get_bucket(asked["bucket"], actor=caller), asked["key"], actor=caller)
        return Response(status=204)


class ObjectLinksView(ApiView):
    """The method's own permission is the verb's affair: GET needs another than PUT."""

    permissions = {"POST": "storage.bucket.read"}
    serializer_class = s.LinkSerializer

    @extend_schema(request=s.LinkRequestSerializer, responses={201: s.LinkSerializer})
    def post(self, request: Request) -> Response:
        """A presigned link to upload (PUT) or download (GET) one object."""
        caller = principal(request)
        asked = self.body(s.LinkRequestSerializer)
        bucket = buckets.get_bucket(asked["bucket"], actor=caller)
        make = objects.upload_link if asked["method"] == "PUT" else objects.download_link
        link = make(
            bucket,
            asked["key"],
            base_url=request.build_absolute_uri("/"),
            lasts=timedelta(seconds=asked["expires_in"]),
            actor=caller,
        )
        return Response(s.LinkSerializer(link).data, status=201)
