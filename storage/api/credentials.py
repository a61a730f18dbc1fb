"""credentials: temporary ones for S3."""

from __future__ import annotations

import json
from datetime import timedelta

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api.auth import principal
from gateway.api.views import ApiView
from storage.services import credentials

from .serializers import credentials as s


class CredentialsView(ApiView):
    serializer_class = s.TemporaryCredentialsSerializer

    @extend_schema(request=s.AskCredentialsSerializer, responses={201: s.TemporaryCredentialsSerializer})
    def post(self, request: Request) -> Response:
        """Exchange the credential of this request for temporary ones of S3. Nothing of them is kept here."""
        body = self.body(s.AskCredentialsSerializer)
        policy = body.get("policy")
        issued = credentials.issue(
            timedelta(seconds=body["duration_seconds"]),
            policy="" if policy is None else json.dumps(policy, ensure_ascii=False, separators=(",", ":")),
            actor=principal(request),
        )
        return Response(s.TemporaryCredentialsSerializer(issued).data, status=201)
