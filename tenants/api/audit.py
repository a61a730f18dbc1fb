"""The audit log."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api.auth import principal
from gateway.api.views import ApiView
from gateway.downloads import attachment
from tenants.models import AuditEntry, AuditSeal
from tenants.services.audit import export, filters, verification

from .serializers import audit as s

_TIME = {"type": "string", "format": "date-time"}
_FILTERS = [
    OpenApiParameter("actor", str, description="A username"),
    OpenApiParameter("action", str, description="Exact, or its beginning, which ends with a dot or `*`"),
    OpenApiParameter("target", str, description="Exact, or its beginning and `*`"),
    OpenApiParameter("credential", str, description="A kind (`api_key`), or `kind:id`"),
    OpenApiParameter("ip", str, description="An address or a network"),
    OpenApiParameter("request_id", str),
    OpenApiParameter("since", _TIME),
    OpenApiParameter("until", _TIME, description="Does not count itself"),
    OpenApiParameter("q", str, description="Anywhere in target, actor, action and what changed"),
]


class AuditView(ApiView):
    permissions = {"GET": "audit.read"}
    serializer_class = s.AuditEntrySerializer

    @extend_schema(parameters=_FILTERS, responses=s.AuditEntrySerializer(many=True))
    def get(self, request: Request) -> Response:
        """What was done in the tenant, newest first."""
        asked = filters.parse(request.query_params)
        return self.page(
            asked.apply(AuditEntry.objects.visible_to(principal(request))), s.AuditEntrySerializer
        )


class AuditSealsView(ApiView):
    permissions = {"GET": "audit.read"}
    serializer_class = s.AuditSealSerializer

    @extend_schema(responses=s.AuditSealSerializer(many=True))
    def get(self, request: Request) -> Response:
        """The chain of the tenant's audit log, newest first."""
        seals = AuditSeal.objects.visible_to(principal(request)).defer("digests", "entry_ids")
        return self.page(seals, s.AuditSealSerializer)


class AuditVerifyView(ApiView):
    permissions = {"POST": "audit.read"}
    serializer_class = s.VerdictSerializer

    @extend_schema(request=None, responses=s.VerdictSerializer)
    def post(self, request: Request) -> Response:
        """Verify the chain now: all its links, and the newest 20,000 entries or more."""
        verdict = verification.look(actor=principal(request))
        return Response(s.VerdictSerializer(verdict).data)


class _OwnFormats(DefaultContentNegotiation):
    """`?format=` names the file's, not a renderer of problems."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class AuditExportView(ApiView):
    permissions = {"GET": "audit.export"}
    content_negotiation_class = _OwnFormats

    @extend_schema(
        parameters=[OpenApiParameter("format", str, enum=list(export.FORMATS), default="jsonl"), *_FILTERS],
        responses={
            (200, "application/x-ndjson"): OpenApiTypes.STR,
            (200, "text/csv"): OpenApiTypes.STR,
        },
    )
    def get(self, request: Request) -> HttpResponseBase:
        """The entries with their seals, as a file that can be verified offline (docs/audit.md)."""
        form = request.query_params.get("format", "jsonl")
        who = principal(request)
        pieces = export.export(filters.parse(request.query_params), form, actor=who)
        return attachment(pieces, export.FORMATS[form], export.filename(form, who.tenant))
