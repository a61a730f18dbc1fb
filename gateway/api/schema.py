"""The OpenAPI document: the envelope around answers, problem details beside them, how callers authenticate."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

_PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457 problem details",
    "required": ["type", "title", "status", "detail", "code", "errors", "request_id", "error"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "error": {"type": "string", "description": "The same as title"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "errors": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
        "request_id": {"type": "string"},
        "retry_after": {"type": "integer", "description": "Seconds; with status 429"},
    },
}


class EnvelopeSchema(AutoSchema):
    def get_tags(self) -> list[str]:
        return [self.path.removeprefix("/api/v1/").split("/")[0]]


class PrincipalScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "gateway.api.auth.PrincipalAuthentication"
    name = ["bearer", "apiKey", "session"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:
        from django.conf import settings

        return [
            {
                "type": "http",
                "scheme": "bearer",
                "description": "A JWT, or an API key `mcp_<prefix>_<secret>`",
            },
            {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME},
        ]


def envelope(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Postprocessing hook: wrap what the renderer wraps, and say that any operation may answer with a problem.

    An operation whose answer is not wrapped says so by the extension `x-plain`.
    """
    result["components"]["schemas"]["Problem"] = _PROBLEM
    problem = {"content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    for methods in result["paths"].values():
        for operation in methods.values():
            plain = operation.pop("x-plain", False)
            for answer in operation["responses"].values():
                content = answer.get("content", {}).get("application/json")
                if content and not plain and "Paginated" not in content["schema"].get("$ref", ""):
                    content["schema"] = {
                        "type": "object",
                        "required": ["data", "meta"],
                        "properties": {"data": content["schema"], "meta": {"type": "object"}},
                    }
            operation["responses"]["default"] = {"description": "The request was refused", **problem}
    return result
