"""The audit log."""

from __future__ import annotations

from typing import Any

from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api.auth import principal
from gateway.api.views import ApiView
from gateway.errors import Invalid
from tenants.models import AuditEntry

from .serializers import audit as s

_AUDIT_FILTERS = [
    OpenApiParameter("action", str, description="Exact, or a prefix that ends with a dot"),
    OpenApiParameter("actor", str),
    OpenApiParameter("target", str),
    OpenApiParameter("request_id", str),
    OpenApiParameter("since", {"type": "string", "format": "date-time"}),
    OpenApiParameter("until", {"type": "string", "format": "date-time"}),
]


class AuditView(ApiView):
    permissions = {"GET": "audit.read"}
    serializer_class = s.AuditEntrySerializer

    @extend_schema(parameters=_AUDIT_FILTERS, responses=s.AuditEntrySerializer(many=True))
    def get(self, request: Request) -> Response:
        """What was done in the tenant, newest first."""
        rows = AuditEntry.objects.visible_to(principal(request))
        asked = request.query_params
        if any("\0" in value for value in asked.values()):
            raise Invalid("A filter holds a NUL character.")
        for field in ("actor", "target", "request_id"):
            if value := asked.get(field):
                rows = rows.filter(**{field: value})
        if action := asked.get("action"):
            rows = (
                rows.filter(action__startswith=action) if action.endswith(".") else rows.filter(action=action)
            )
        for bound, lookup in (("since", "at__gte"), ("until", "at__lt")):
            if (value := asked.get(bound)) is not None:
                rows = rows.filter(**{lookup: _moment(bound, value)})
        return self.page(rows, s.AuditEntrySerializer)


def _moment(name: str, value: str) -> Any:
    try:
        moment = parse_datetime(value)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Invalid(
            f"{name} is not a time with its zone (RFC 3339).", errors={name: ["Not a time with its zone."]}
        )
    return moment
