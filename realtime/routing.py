"""The paths of the `live` process; any other goes to Django."""

from __future__ import annotations

from channels.routing import URLRouter
from django.urls import re_path

from realtime.sse import event_stream
from realtime.websocket import event_socket, nothing_here

http = [re_path(r"^api/v1/realtime/events/?$", event_stream)]  # type: ignore[arg-type]
websocket = URLRouter(
    [
        re_path(r"^api/v1/realtime/ws/?$", event_socket),  # type: ignore[arg-type]
        re_path(r"", nothing_here),  # type: ignore[arg-type]
    ]
)
