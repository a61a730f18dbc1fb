"""The base of every API view."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.conf import settings
from django.db.models import QuerySet
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from gateway.db.scope import enter_tenant
from gateway.errors import DomainError, LengthRequired, TooLarge
from tenants.principal import Principal

from . import ratelimit


class ApiView(GenericAPIView[Any]):
    """A door to services: authenticates, counts the request, narrows the database to the caller's tenant.

    `permissions` names the one that a method needs; `public` lets anybody in; `account` lets in who must show or set up
    a second factor before anything else; `limit` is which rate applies.
    """

    permissions: ClassVar[Mapping[str, str]] = {}
    public: ClassVar[bool] = False
    account: ClassVar[bool] = False
    limit: ClassVar[ratelimit.Group] = "api"

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.format_kwarg = None
        request.accepted_renderer, request.accepted_media_type = self.perform_content_negotiation(request)
        if "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower():
            raise LengthRequired("Send the body with its Content-Length.")
        if int(request.META.get("CONTENT_LENGTH") or 0) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise TooLarge(f"A body has at most {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes here.")
        caller = self._caller(request)
        self.check_permissions(request)
        if caller is not None:
            enter_tenant(caller.tenant.pk)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """What one caller is told is kept for nobody else, and tokens and keys nowhere (RFC 9111, section 5.2.2.5)."""
        answer = super().finalize_response(request, response, *args, **kwargs)
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer

    def _caller(self, request: Request) -> Principal | None:
        """Who asks, once the request is counted; one whose credential is refused counts as its address."""
        plain = request._request
        try:
            caller = None if self.public else request.auth
        except DomainError:
            ratelimit.count_address(self.limit, plain)
            raise
        if isinstance(caller, Principal):
            ratelimit.count_caller(self.limit, plain, caller)
            return caller
        ratelimit.count_address(self.limit, plain)
        return None

    def body(self, serializer: type[BaseSerializer[Any]], *, partial: bool = False) -> dict[str, Any]:
        """The request's body after validation. Raises Invalid input (400) by field."""
        parsed = serializer(data=self.request.data, partial=partial)
        parsed.is_valid(raise_exception=True)
        return dict(parsed.validated_data)

    def page(self, rows: QuerySet[Any], serializer: type[BaseSerializer[Any]]) -> Response:
        """One page of rows, in the envelope with `page`, `per_page` and `total`."""
        return self.get_paginated_response(serializer(self.paginate_queryset(rows), many=True).data)
