"""The platform itself: pages, API, admin and live sockets, on its own host names only."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from gateway.decision import answers
from gateway.decision.context import PUBLIC_HOSTS, DecisionContext
from gateway.decision.database import Connection
from gateway.decision.registry import Decider, registry
from gateway.decision.snapshot import SnapshotPart
from gateway.decision.types import Answer, Decision, Failure, Forward, RequestHead

WEB = ("/api", "/admin", "/app", "/docs", "/openapi.json", "/static", "/health", "/jwks", "/metrics")
LIVE = ("/api/v1/realtime/ws", "/api/v1/realtime/events")
_LIVE_OF_INSTANCE = re.compile(r"/api/v1/(?:workspaces|services)/[^/]+/(?:terminal|logs/ws|logs/events)/?")
PROGRAMS = ("/api", "/openapi.json", "/jwks")
PROBED = ("/health", "/api/v1/health", "/metrics")
"""Probes come over plain HTTP and follow no redirect."""
_EXACT: Mapping[str, str] = {"/favicon.ico": "/static/favicon.ico"}


async def load_public_hosts(conn: Connection) -> frozenset[str]:
    """The tenants' verified domains."""
    rows = await conn.fetch(
        "SELECT lower(d.hostname) FROM tenants_domain d JOIN tenants_tenant t ON t.id = d.tenant_id "
        "WHERE d.verified_at IS NOT NULL AND t.status IN ('active', 'suspended')"
    )
    return frozenset(row[0] for row in rows)


HOSTS = SnapshotPart(PUBLIC_HOSTS, topics={"tenants"}, load=load_public_hosts)


class PlatformDecider(Decider):
    """Forwards to `web`, and the live paths to `live`; they authenticate for themselves."""

    name = "platform"
    order = 50

    def claims(self, head: RequestHead, ctx: DecisionContext) -> bool:
        path = head.raw_path
        return (path == "/" or path in _EXACT or _below(path, WEB)) and ctx.is_public_host(head.host)

    async def decide(self, head: RequestHead, ctx: DecisionContext) -> Decision:
        path = head.raw_path
        if head.scheme == "http" and ctx.settings.ENFORCE_HTTPS and not _below(path, PROBED):
            if _below(
                path, PROGRAMS
            ):  # to be led on would hide that a credential went over the network in clear
                return answers.problem(403, head, detail="Use https.", code="https_required")
            return Answer(308, [("Location", _secure(head, ctx)), *answers.HARMLESS])
        if path == "/":
            return Answer(302, [("Location", "/app/")])
        if path in _EXACT:
            return Answer(302, [("Location", _EXACT[path])])
        if (head.content_length or 0) > ctx.settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            return answers.problem(413, head)
        if _is_live(path) and head.method != "OPTIONS":  # a preflight is web's, as the API's are
            shared = _sharing(head, ctx)
            return Forward(
                ctx.settings.LIVE_DIAL, head.raw_target, patience="process", set_response_headers=shared
            )
        return Forward(ctx.settings.WEB_DIAL, head.raw_target, patience="process")

    async def failed(self, head: RequestHead, failure: Failure, ctx: DecisionContext) -> Answer:
        status = 503 if failure.status == 502 else failure.status  # our own process is down: come back
        return answers.problem(status, head)


def _secure(head: RequestHead, ctx: DecisionContext) -> str:
    """The same address over https: at the public one's port, or the edge's own."""
    public = urlsplit(ctx.settings.PUBLIC_BASE_URL)
    port = (public.port or 443) if public.scheme == "https" else ctx.settings.HTTPS_PORT
    host = f"[{head.host}]" if ":" in head.host else head.host
    return f"https://{host}{'' if port == 443 else f':{port}'}{head.raw_target}"


def _sharing(head: RequestHead, ctx: DecisionContext) -> Mapping[str, str]:
    """What lets another site's script read a stream (the Fetch standard, section 3.2.3), as web says for the API."""
    origin = head.headers.get("origin")
    if not origin or not (ctx.settings.CORS_ALLOW_ALL_ORIGINS or origin in ctx.settings.CORS_ALLOWED_ORIGINS):
        return {}
    allowed = "*" if ctx.settings.CORS_ALLOW_ALL_ORIGINS else origin
    return {"Access-Control-Allow-Origin": allowed, "Vary": "Origin"}


def _is_live(path: str) -> bool:
    return _below(path, LIVE) or _LIVE_OF_INSTANCE.fullmatch(path) is not None


def _below(path: str, prefixes: tuple[str, ...]) -> bool:
    return path.startswith(prefixes) and any(
        path == prefix or path.startswith(prefix + "/") for prefix in prefixes
    )


registry.register(PlatformDecider(), parts=[HOSTS])
