"""What is open to all, the overview, and paths where there is nothing."""

from __future__ import annotations

from .table import NOBODY, OPEN, PUBLIC, SIGNED_IN, api, page
from .world import Maker

MAKERS: dict[str, Maker] = {}
SIGN_IN = {"username": "nobody", "password": "wrong"}
# The sign-in page sends on whoever is signed in.
AT_THE_DOOR = OPEN.but(viewer=302, member=302, admin=302, staff=302)

ROWS = [
    api("GET", "health", PUBLIC),
    api("GET", "nothing/here", NOBODY, 404),
    page("GET", "/health", OPEN),
    page("GET", "/openapi.json", OPEN),
    page("GET", "/docs", OPEN),
    page("GET", "/", OPEN, 302),
    page("GET", "/app", OPEN, 302),
    page("GET", "/app/", SIGNED_IN),
    page("GET", "/app/login", AT_THE_DOOR),
    page("POST", "/app/login", OPEN, 422, SIGN_IN),
    page("POST", "/app/logout", OPEN, 302),
    page("POST", "/app/tenant", SIGNED_IN, 302, {"tenant": "home"}),
]
