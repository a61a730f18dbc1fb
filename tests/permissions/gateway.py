"""What is open to all, the overview, and paths where there is nothing."""

from __future__ import annotations

from .table import NOBODY, OPEN, PUBLIC, SIGNED_IN, api, page
from .world import Maker

MAKERS: dict[str, Maker] = {}

ROWS = [
    api("GET", "health", PUBLIC),
    api("GET", "nothing/here", NOBODY, 404),
    page("GET", "/health", OPEN),
    page("GET", "/metrics", PUBLIC, 404),  # for its own token and for this machine, and for no account
    page("GET", "/openapi.json", OPEN),
    page("GET", "/docs", OPEN),
    page("GET", "/", OPEN, 302),
    page("GET", "/app", OPEN, 302),
    page("GET", "/app/", SIGNED_IN),
    page("POST", "/app/tenant", SIGNED_IN, 302, {"tenant": "home"}),
]
