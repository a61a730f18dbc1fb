"""The platform itself: pages, API, admin and live sockets, on its own host names only."""

from collections.abc import Mapping

from gateway.decision import answers
from gateway.decision.context import PUBLIC_HOSTS, DecisionContext
from gateway.decision.database import Connection
from gateway.decision.registry import Decider, registry
from gateway.decision.snapshot import SnapshotPart
from gateway.decision.types import Answer, Decision, Failure, Forward, RequestHead

WEB = ("/api", "/admin", "/app", "/docs", "/openapi.json", "/static", "/health", "/jwks", "/metrics")
LIVE = ("/api/v1/realtime/ws", "/api/v1/realtime/events")
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
        if path == "/":
            return Answer(302, [("Location", "/app/")])
        if path in _EXACT:
            return Answer(302, [("Location", _EXACT[path])])
        if (head.content_length or 0) > ctx.settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            return answers.problem(413, head)
        dial = ctx.settings.LIVE_DIAL if _below(path, LIVE) else ctx.settings.WEB_DIAL
        return Forward(dial, head.raw_target, patience="process")

    async def failed(self, head: RequestHead, failure: Failure, ctx: DecisionContext) -> Answer:
        status = 503 if failure.status == 502 else failure.status  # our own process is down: come back
        return answers.problem(status, head)


def _below(path: str, prefixes: tuple[str, ...]) -> bool:
    return path.startswith(prefixes) and any(
        path == prefix or path.startswith(prefix + "/") for prefix in prefixes
    )


registry.register(PlatformDecider(), parts=[HOSTS])
