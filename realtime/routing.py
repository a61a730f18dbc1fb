"""The paths of event streams in the `live` process."""

from __future__ import annotations

from django.urls import re_path

from realtime.sse import event_stream
from realtime.websocket import event_socket

http = [re_path(r"^api/v1/realtime/events/?$", event_stream)]  # type: ignore[arg-type]
websocket = [re_path(r"^api/v1/realtime/ws/?$", event_socket)]  # type: ignore[arg-type]
