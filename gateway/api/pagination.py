"""Pages by number: `?page=&per_page=`, with `{page, per_page, total}` as the envelope's meta."""

from __future__ import annotations

from typing import Any

from rest_framework.pagination import PageNumberPagination
from rest_framework.response import Response


class PageNumbers(PageNumberPagination):
    page_size = 50
    page_size_query_param = "per_page"
    max_page_size = 500

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
