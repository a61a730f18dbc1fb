"""The paths of terminals and logs in the `live` process."""

from __future__ import annotations

from django.urls import re_path

from .logs import log_socket, log_stream
from .terminal import terminal_socket

_ITEM = r"^api/v1/(?P<kind>workspaces|services)/(?P<public_id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"

http = [re_path(_ITEM + r"/logs/events/?$", log_stream)]  # type: ignore[arg-type]
websocket = [
    re_path(_ITEM + r"/terminal/?$", terminal_socket),  # type: ignore[arg-type]
    re_path(_ITEM + r"/logs/ws/?$", log_socket),  # type: ignore[arg-type]
]
