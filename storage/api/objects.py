"""objects."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api.auth import principal
from gateway.api.views import ApiView
from storage.models import Bucket
from storage.services import amendments, buckets, bulk, decisions, objects, versions

from .buckets import asked_of
from .serializers import objects as s

READ, WRITE, DELETE, LOCK = (f"storage.object.{verb}" for verb in ("read", "write", "delete", "lock"))


def _bucket(request: Request, values: dict[str, Any]) -> Bucket:
    """The bucket that `values` names, which is taken out of them."""
    return buckets.get_bucket(values.pop("bucket"), actor=principal(request))


def _details(bucket: Bucket, key: str, version_id: str = "") -> Response:
    return Response(s.ObjectDetailsSerializer(versions.find(bucket, key, version_id)).data)


class ObjectsView(ApiView):
    permissions = {"GET": READ, "DELETE": DELETE}
    serializer_class = s.ObjectSerializer

    @extend_schema(parameters=[s.ListObjectsSerializer], responses=s.ObjectSerializer(many=True))
    def get(self, request: Request) -> Response:
        """A bucket's objects by key in byte order, those that begin with `prefix`."""
        asked = asked_of(request, s.ListObjectsSerializer)
        bucket = _bucket(request, asked)
        decisions.require(bucket, "s3:ListBucket", prefix=asked["prefix"], actor=principal(request))
        return self.page(objects.in_bucket(bucket, asked["prefix"]), s.ObjectSerializer)

    @extend_schema(parameters=[s.DeleteObjectSerializer], responses={204: None})
    def delete(self, request: Request) -> Response:
        """Delete an object, which stays as a version where versions are kept; or one version, for good."""
        caller = principal(request)
        asked = asked_of(request, s.DeleteObjectSerializer)
        bucket = _bucket(request, asked)
        if asked["version_id"]:
            versions.delete_version(bucket, **asked, actor=caller)
        else:
            objects.delete_object(bucket, asked["key"], actor=caller)
        return Response(status=204)


class ObjectDetailsView(ApiView):
    permissions = {"GET": READ}
    serializer_class = s.ObjectDetailsSerializer

    @extend_schema(parameters=[s.VersionNameSerializer], responses=s.ObjectDetailsSerializer)
    def get(self, request: Request) -> Response:
        """All that is kept of an object, or of one of its versions."""
        asked = asked_of(request, s.VersionNameSerializer)
        bucket = _bucket(request, asked)
        action = "s3:GetObjectVersion" if asked["version_id"] else "s3:GetObject"
        decisions.require(bucket, action, asked["key"], actor=principal(request))
        return _details(bucket, **asked)


class VersionsView(ApiView):
    permissions = {"GET": READ}
    serializer_class = s.VersionPageSerializer

    @extend_schema(parameters=[s.ListVersionsSerializer], responses=s.VersionPageSerializer)
    def get(self, request: Request) -> Response:
        """Versions and delete markers: keys in byte order, of a key the newest first."""
        asked = asked_of(request, s.ListVersionsSerializer)
        bucket = _bucket(request, asked)
        decisions.require(bucket, "s3:ListBucketVersions", prefix=asked["prefix"], actor=principal(request))
        after = (asked["after_key"], asked["after_version"])
        level = versions.browse(
            bucket, asked["prefix"], after=after, delimiter=asked["delimiter"], limit=asked["limit"]
        )
        values = {"versions": level.versions, "prefixes": level.prefixes, **_next(level.next)}
        return Response(s.VersionPageSerializer(values).data)


def _next(after: tuple[str, str] | None) -> dict[str, str | None]:
    return {"next_key": after[0] if after else None, "next_version": after[1] if after else None}


class ObjectTagsView(ApiView):
    permissions = {"GET": READ, "PUT": WRITE}
    serializer_class = s.TagsSerializer

    @extend_schema(parameters=[s.VersionNameSerializer], responses=s.TagsSerializer)
    def get(self, request: Request) -> Response:
        asked = asked_of(request, s.VersionNameSerializer)
        bucket = _bucket(request, asked)
        action = "s3:GetObjectVersionTagging" if asked["version_id"] else "s3:GetObjectTagging"
        decisions.require(bucket, action, asked["key"], actor=principal(request))
        return Response({"tags": dict(versions.find(bucket, **asked).tags)})

    @extend_schema(request=s.PutTagsSerializer, responses=s.TagsSerializer)
    def put(self, request: Request) -> Response:
        """Replace all tags; none to remove them."""
        asked = self.body(s.PutTagsSerializer)
        bucket, tags = _bucket(request, asked), asked.pop("tags")
        amendments.set_tags(
            bucket, asked["key"], tags, version_id=asked["version_id"], actor=principal(request)
        )
        return Response({"tags": tags})


class RetentionView(ApiView):
    permissions = {"PUT": LOCK}
    serializer_class = s.ObjectDetailsSerializer

    @extend_schema(request=s.RetentionSerializer, responses=s.ObjectDetailsSerializer)
    def put(self, request: Request) -> Response:
        """Lock a version until a time to come. What is locked can be locked for longer."""
        asked = self.body(s.RetentionSerializer)
        bucket = _bucket(request, asked)
        amendments.set_retention(bucket, **asked, actor=principal(request))
        return _details(bucket, asked["key"], asked["version_id"])


class LegalHoldView(ApiView):
    permissions = {"PUT": LOCK}
    serializer_class = s.ObjectDetailsSerializer

    @extend_schema(request=s.LegalHoldSerializer, responses=s.ObjectDetailsSerializer)
    def put(self, request: Request) -> Response:
        """Hold a version until somebody lets it go."""
        asked = self.body(s.LegalHoldSerializer)
        bucket = _bucket(request, asked)
        amendments.set_legal_hold(bucket, **asked, actor=principal(request))
        return _details(bucket, asked["key"], asked["version_id"])


class UndeleteView(ApiView):
    permissions = {"POST": DELETE}
    serializer_class = s.ObjectDetailsSerializer

    @extend_schema(request=s.UndeleteSerializer, responses=s.ObjectDetailsSerializer)
    def post(self, request: Request) -> Response:
        """Bring a deleted object back: its delete marker goes."""
        asked = self.body(s.UndeleteSerializer)
        bucket = _bucket(request, asked)
        versions.undelete(bucket, asked["key"], actor=principal(request))
        return _details(bucket, asked["key"])


class RestoreView(ApiView):
    permissions = {"POST": WRITE}
    serializer_class = s.ObjectDetailsSerializer

    @extend_schema(request=s.RestoreSerializer, responses=s.ObjectDetailsSerializer)
    def post(self, request: Request) -> Response:
        """Make an older version the current one, by copying it over."""
        asked = self.body(s.RestoreSerializer)
        bucket = _bucket(request, asked)
        versions.restore(bucket, **asked, actor=principal(request))
        return _details(bucket, asked["key"])


class BulkDeleteView(ApiView):
    permissions = {"POST": DELETE}
    serializer_class = s.BulkOutcomeSerializer

    @extend_schema(request=s.BulkDeleteSerializer, responses=s.BulkOutcomeSerializer)
    def post(self, request: Request) -> Response:
        """Delete many: those listed, or all below a prefix. One call works for some seconds.

        What of a list was not come to is among the refused; below a prefix go on by `next_*`.
        """
        caller, asked = principal(request), self.body(s.BulkDeleteSerializer)
        bucket = _bucket(request, asked)
        if "objects" in asked:
            named = [(one["key"], one["version_id"]) for one in asked["objects"]]
            outcome = bulk.delete_keys(
                bucket, named, bypass_governance=asked["bypass_governance"], actor=caller
            )
        else:
            outcome = bulk.delete_below(
                bucket,
                asked["prefix"],
                all_versions=asked["all_versions"],
                after=(asked["after_key"], asked["after_version"]),
                bypass_governance=asked["bypass_governance"],
                actor=caller,
            )
        refused = [
            {"key": key, "version_id": version_id, "reason": reason}
            for key, version_id, reason in outcome.refused
        ]
        values = {"deleted": outcome.deleted, "refused": refused, **_next(outcome.next)}
        return Response(s.BulkOutcomeSerializer(values).data)


class ObjectLinksView(ApiView):
    """The method's own permission is the verb's affair: GET needs another than PUT."""

    permissions = {"POST": "storage.bucket.read"}
    serializer_class = s.LinkSerializer

    @extend_schema(request=s.LinkRequestSerializer, responses={201: s.LinkSerializer})
    def post(self, request: Request) -> Response:
        """A presigned link to upload (PUT) or download (GET) one object."""
        asked = self.body(s.LinkRequestSerializer)
        bucket = _bucket(request, asked)
        shared: dict[str, Any] = {
            "base_url": request.build_absolute_uri("/"),
            "lasts": timedelta(seconds=asked["expires_in"]),
            "actor": principal(request),
        }
        if asked["method"] == "PUT":
            link = objects.upload_link(bucket, asked["key"], **shared)
        else:
            link = objects.download_link(bucket, asked["key"], version_id=asked["version_id"], **shared)
        return Response(s.LinkSerializer(link).data, status=201)
