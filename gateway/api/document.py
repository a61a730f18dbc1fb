"""The OpenAPI document as it is served."""

from __future__ import annotations

from functools import cache
from threading import Lock

import orjson
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator

_making = Lock()


@cache
def document() -> bytes:
    """The same for everybody, so made once in each process: it takes seconds, and anybody may ask."""
    made = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return orjson.dumps(made, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS)


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    with _making:
        content = document()
    return HttpResponse(content, content_type="application/vnd.oai.openapi+json; charset=utf-8")
