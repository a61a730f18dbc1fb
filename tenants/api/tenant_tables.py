"""Tenants in bulk, for platform staff."""

from __future__ import annotations

from dataclasses import asdict

from django.http import HttpResponse, HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api.auth import principal
from gateway.api.parsers import Json
from gateway.api.views import ApiView
from gateway.errors import Invalid
from gateway.tables import csv_text, read_csv, read_json
from tenants.services import transfer

from .people import Csv
from .serializers import tenants as s
from .serializers.people import OutcomeSerializer


class TenantTableView(ApiView):
    permissions = {"GET": "platform.tenants"}

    @extend_schema(responses={(200, "text/csv"): str})
    def get(self, request: Request) -> HttpResponseBase:
        """Tenants with their domains and limits as CSV."""
        content = "".join(csv_text(transfer.COLUMNS, transfer.export_tenants(actor=principal(request))))
        headers = {"Content-Disposition": 'attachment; filename="tenants.csv"'}
        return HttpResponse(content, content_type="text/csv; charset=utf-8", headers=headers)


class TenantListView(ApiView):
    permissions = {"GET": "platform.tenants"}
    pagination_class = None

    @extend_schema(responses=s.TenantRowSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Tenants with their domains and limits, as an import takes them."""
        return Response(list(transfer.export_tenants(actor=principal(request))))


class ImportTenantsView(ApiView):
    permissions = {"POST": "platform.tenants"}
    parser_classes = [Json, Csv]
    pagination_class = None

    @extend_schema(
        request={"application/json": s.ImportTenantsSerializer, "text/csv": str},
        parameters=[
            OpenApiParameter("dry_run", bool, description="true: tell what would become of each row")
        ],
        responses=OutcomeSerializer(many=True),
    )
    def post(self, request: Request) -> Response:
        """Make a tenant of each row, all or none."""
        asked = request.query_params.get("dry_run", "false")
        if asked not in ("true", "false"):
            raise Invalid("dry_run is true or false.", errors={"dry_run": ["true or false."]})
        table = request.data.get("csv") if isinstance(request.data, dict) else None
        if isinstance(table, bytes):  # which JSON has not
            rows = read_csv(table, transfer.COLUMNS)
        else:
            rows = read_json(self.body(s.ImportTenantsSerializer)["tenants"], transfer.COLUMNS)
        outcomes = transfer.import_tenants(rows, dry_run=asked == "true", actor=principal(request))
        return Response(OutcomeSerializer(list(map(asdict, outcomes)), many=True).data)
