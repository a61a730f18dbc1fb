"""The ASGI application of the `live` process: streams and WebSockets; Django serves everything else.

`uvicorn gateway.asgi:application --uds <home>/run/live.sock`; daphne serves it under `manage.py runserver`.
"""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import re_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
pages = get_asgi_application()  # sets Django up, which what follows needs

from gateway.checks import refuse_weak_settings  # noqa: E402
from gateway.metrics import files  # noqa: E402
from realtime import routing as realtime  # noqa: E402
from realtime.lifespan import lifespan  # noqa: E402
from realtime.websocket import nothing_here  # noqa: E402
from workspaces.consumers import routing as workspaces  # noqa: E402

refuse_weak_settings()
files.keep()
application = ProtocolTypeRouter(
    {
        "http": URLRouter([*realtime.http, *workspaces.http, re_path(r"", pages)]),  # type: ignore[arg-type]
        "websocket": URLRouter([*realtime.websocket, *workspaces.websocket, re_path(r"", nothing_here)]),  # type: ignore[arg-type]
        "lifespan": lifespan,
    }
)
