"""share-links."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api.auth import principal
from gateway.api.views import ApiView
from storage.services import buckets, share_links

from .buckets import asked_of
from .serializers import share_links as s

READ = "storage.object.read"


class ShareLinksView(ApiView):
    permissions = {"GET": READ, "POST": READ}
    serializer_class = s.ShareLinkSerializer

    @extend_schema(parameters=[s.ListShareLinksSerializer], responses=s.ShareLinkSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Own links, all of the tenant's with storage.bucket.write, newest first; of a bucket, or of a key there."""
        asked = asked_of(request, s.ListShareLinksSerializer)
        rows = share_links.visible(principal(request))
        if asked["bucket"]:
            rows = rows.filter(bucket__name=asked["bucket"])
        if asked["key"]:
            rows = rows.filter(key=asked["key"])
        return self.page(rows, s.ShareLinkSerializer)

    @extend_schema(request=s.CreateShareLinkSerializer, responses={201: s.MadeShareLinkSerializer})
    def post(self, request: Request) -> Response:
        """Make a link by which whoever has it downloads an object. Its URL is in this answer alone."""
        caller, asked = principal(request), self.body(s.CreateShareLinkSerializer)
        link, url = share_links.create(
            buckets.get_bucket(asked["bucket"], actor=caller),
            asked["key"],
            version_id=asked["version_id"],
            lasts=timedelta(seconds=asked["expires_in"]),
            base_url=request.build_absolute_uri("/"),
            actor=caller,
        )
        return Response(s.MadeShareLinkSerializer(link, context={"url": url}).data, status=201)


class ShareLinkView(ApiView):
    permissions = {"DELETE": READ}
    serializer_class = s.ShareLinkSerializer

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Revoke."""
        caller = principal(request)
        share_links.revoke(get_object_or_404(share_links.visible(caller), public_id=public_id), actor=caller)
        return Response(status=204)
