"""buckets/{id}/policy."""

from __future__ import annotations

import json
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api.auth import principal
from gateway.api.views import ApiView
from storage.models import Bucket
from storage.services import bucket_settings, decisions

from .buckets import bucket_of
from .serializers import policies as s


def _shown(bucket: Bucket) -> Response:
    values = {
        "policy": json.loads(bucket.policy) if bucket.policy else None,
        "is_public": decisions.is_public(bucket),
        "warnings": decisions.warnings(bucket),
    }
    return Response(s.PolicySerializer(values).data)


class PolicyView(ApiView):
    permissions = {
        "GET": "storage.bucket.read",
        "PUT": "storage.bucket.write",
        "DELETE": "storage.bucket.write",
    }
    serializer_class = s.PolicySerializer

    @extend_schema(responses=s.PolicySerializer)
    def get(self, request: Request, public_id: UUID) -> Response:
        return _shown(bucket_of(request, public_id))

    @extend_schema(request=s.PutPolicySerializer, responses=s.PolicySerializer)
    def put(self, request: Request, public_id: UUID) -> Response:
        """Replace it. One that opens the bucket to others than the tenant reserves its name platform-wide."""
        bucket = bucket_of(request, public_id)
        text = json.dumps(self.body(s.PutPolicySerializer)["policy"], ensure_ascii=False)
        return _shown(bucket_settings.set_policy(bucket, text, actor=principal(request)))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID) -> Response:
        bucket_settings.set_policy(bucket_of(request, public_id), "", actor=principal(request))
        return Response(status=204)


class SimulateView(ApiView):
    permissions = {"POST": "storage.bucket.read"}
    serializer_class = s.DecisionSerializer

    @extend_schema(request=s.SimulateSerializer, responses=s.DecisionSerializer)
    def post(self, request: Request, public_id: UUID) -> Response:
        """Whether somebody may do something, and why. Nothing is done; the same engine decides requests."""
        bucket = bucket_of(request, public_id)
        asked = self.body(s.SimulateSerializer)
        draft = asked["policy"]
        found = decisions.simulate(
            bucket,
            asked["principal"],
            asked["action"],
            asked["key"],
            ip=asked["source_ip"],
            secure=asked["secure"],
            policy=None if draft is None else json.dumps(draft, ensure_ascii=False),
            context=asked["context"],
            actor=principal(request),
        )
        return Response(s.DecisionSerializer(found).data)
