"""The event log's history, and tickets for its live streams."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Q, QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api.auth import principal
from gateway.api.views import ApiView
from gateway.errors import Invalid
from gateway.validation import moment
from realtime import filters, tickets
from realtime.api.serializers import EventSerializer, TicketSerializer
from realtime.models import Event
from tenants.services.standing import holder_of

_MOMENT = {"type": "string", "format": "date-time"}
_FILTERS = [
    OpenApiParameter("channel", str, description="One or more, comma-separated"),
    OpenApiParameter(
        "type", str, description="One or more, comma-separated: storage.object.created, storage.*"
    ),
    OpenApiParameter("subject", str, description="Exact, or a prefix that ends with *"),
    OpenApiParameter("since", _MOMENT, description="From then on"),
    OpenApiParameter("until", _MOMENT, description="Before then"),
]


class EventsView(ApiView):
    permissions = {"GET": "event.read"}
    serializer_class = EventSerializer

    @extend_schema(parameters=_FILTERS, responses=EventSerializer(many=True))
    def get(self, request: Request) -> Response:
        """What happened in the tenant, newest first."""
        asked = request.query_params
        rows: QuerySet[Event] = Event.objects.visible_to(principal(request))
        rows = rows.select_related("tenant").order_by("-id")
        rows = _of_kind(rows, filters.parse(asked.get("channel", ""), asked.get("type", "")))
        if subject := asked.get("subject"):
            if "\0" in subject:
                raise Invalid(
                    "subject holds a NUL character.", errors={"subject": ["Holds a NUL character."]}
                )
            prefix = subject.endswith("*")
            rows = rows.filter(subject__startswith=subject[:-1]) if prefix else rows.filter(subject=subject)
        for bound, lookup in (("since", "time__gte"), ("until", "time__lt")):
            if (value := asked.get(bound)) is not None:
                rows = rows.filter(**{lookup: moment(bound, value)})
        return self.page(rows, EventSerializer)


class TicketsView(ApiView):
    permissions = {"POST": "event.read"}
    serializer_class = TicketSerializer

    @extend_schema(request=None, responses={201: TicketSerializer})
    def post(self, request: Request) -> Response:
        """A ticket that opens one event stream or WebSocket, as the caller and in the caller's tenant."""
        ticket = tickets.issue(holder_of(principal(request), request._request.session.session_key))
        answer = {"ticket": ticket, "expires_in": tickets.LIFETIME_SECONDS}
        return Response(answer, status=201, headers={"Cache-Control": "no-store"})


def _of_kind(rows: QuerySet[Event], wanted: filters.Filter) -> QuerySet[Event]:
    if wanted.channels:
        rows = rows.filter(_any(f"{channel}." for channel in wanted.channels))
    if wanted.types or wanted.prefixes:
        rows = rows.filter(Q(type__in=wanted.types) | _any(wanted.prefixes))
    return rows


def _any(prefixes: Iterable[str]) -> Q:
    either = Q(pk__in=[])
    for prefix in prefixes:
        either |= Q(type__startswith=prefix)
    return either
