"""JSON in the envelope: `{"data": …, "meta": …}`; problems as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from rest_framework.renderers import BaseRenderer
from rest_framework.response import Response

PROBLEM = "application/problem+json"


class EnvelopeRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        response: Response = (renderer_context or {})["response"]
        if response.status_code == 204 or (data is None and response.status_code >= 400):
            return b""
        if response.content_type != PROBLEM and getattr(response, "enveloped", True):
            data = {"data": data, "meta": getattr(response, "meta", {})}
        return orjson.dumps(data, default=_plain, option=orjson.OPT_NON_STR_KEYS)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)
    return str(value)
