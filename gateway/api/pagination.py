"""Pages by number: `?page=&per_page=`, with `{page, per_page, total}` as the envelope's meta."""

from __future__ import annotations

import re
from typing import Any

from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.errors import Invalid

MOST_PAGES = 1_000_000


class PageNumbers(PageNumberPagination):
    page_size = 50
    page_size_query_param = "per_page"
    max_page_size = 500

    def get_page_size(self, request: Request) -> int:
        return self._number(request, self.page_size_query_param, self.page_size, self.max_page_size)

    def get_page_number(self, request: Request, paginator: Any) -> int:
        return self._number(request, self.page_query_param, 1, MOST_PAGES)

    def _number(self, request: Request, name: str, default: int, most: int) -> int:
        """A whole number from the query. Raises Invalid."""
        given = request.query_params.get(name)
        if given is None:
            return default
        if not re.fullmatch(r"[0-9]{1,9}", given) or not 1 <= int(given) <= most:
            raise Invalid(
                f"{name} is not a number from 1 to {most}.", errors={name: [f"A number from 1 to {most}."]}
            )
        return int(given)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        def parameter(name: str, default: int, most: int) -> dict[str, Any]:
            schema = {"type": "integer", "minimum": 1, "maximum": most, "default": default}
            return {"name": name, "in": "query", "required": False, "schema": schema}

        return [
            parameter(self.page_query_param, 1, MOST_PAGES),
            parameter(self.page_size_query_param, self.page_size, self.max_page_size),
        ]

    def get_paginated_response(self, data: Any) -> Response:
        assert self.page is not None
        response = Response(data)
        response.meta = {  # type: ignore[attr-defined]
            "page": self.page.number,
            "per_page": self.page.paginator.per_page,
            "total": self.page.paginator.count,
        }
        return response

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        number = {"type": "integer", "minimum": 0}
        return {
            "type": "object",
            "required": ["data", "meta"],
            "properties": {
                "data": schema,
                "meta": {
                    "type": "object",
                    "required": ["page", "per_page", "total"],
                    "properties": {"page": number, "per_page": number, "total": number},
                },
            },
        }
