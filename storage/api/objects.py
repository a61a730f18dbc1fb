"""objects."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from gateway.api.auth import principal
from gateway.api.views import ApiView
from storage.services import buckets, objects

from .serializers import objects as s


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
