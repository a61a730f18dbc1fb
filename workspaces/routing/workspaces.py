"""/ws/<name>/mcp and /ws/<name>/<port>/…: a workspace's server and its declared ports, for who may reach it."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from gateway.decision import answers, origins
from gateway.decision.callers import shown
from gateway.decision.lookups import Lookups
from gateway.decision.registry import Decider
from gateway.decision.types import Answer, Decision, Failure, Forward, RequestHead
from gateway.errors import DomainError, Forbidden, NotFound
from workspaces import addresses, assertions
from workspaces.routing import doors, entry, targets
from workspaces.routing.waiting import UNKNOWN, Waiting
from workspaces.snapshot import WORKSPACES, WorkspaceInfo, find_workspace

if TYPE_CHECKING:
    from gateway.decision.context import DecisionContext
    from tenants.principal import Principal

log = logging.getLogger(__name__)

PERMISSION: Final = "workspace.use"
METHODS: Final = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
HEADERS: Final = (
    "authorization, content-type, accept, last-event-id, x-api-key, x-tenant, x-request-id,"
    " mcp-protocol-version, mcp-session-id, mcp-method, mcp-name"
)
_NUDGE_SECONDS: Final = 5.0


class WorkspaceDecider(Decider):
    """Forwards to what runs; the caller's credential stays here."""

    name = "workspaces"
    order = 30

    def __init__(self) -> None:
        self._waiting = Waiting()
        self._lookups: tuple[DecisionContext, Lookups[tuple[int, str], WorkspaceInfo | None]] | None = None
        self._nudged: dict[str, float] = {}

    def claims(self, head: RequestHead, ctx: DecisionContext) -> bool:
        return head.raw_path.startswith(targets.PREFIX) and ctx.is_public_host(head.host)

    async def decide(self, head: RequestHead, ctx: DecisionContext) -> Decision:
        shares = origins.shares(head, ctx.settings)
        if shares and head.method == "OPTIONS" and "access-control-request-method" in head.headers:
            return _preflight(shares)
        try:
            return await self._decide(head, shares, ctx)
        except DomainError as error:
            return answers.refusal(error, head, shares.items())

    async def _decide(self, head: RequestHead, shares: Mapping[str, str], ctx: DecisionContext) -> Decision:
        if head.scheme == "http" and ctx.settings.ENFORCE_HTTPS:
            raise Forbidden("Use https.", code="https_required")
        target = targets.parse(head.raw_path)
        given = shown(head)
        if given is None and (led := _to_sign_in(head, target)):
            return led
        caller = await entry.caller_of(head, given, ctx)
        _check_page(head, target, ctx)
        caller.require(PERMISSION)
        assert caller.user is not None
        entry.take(ctx, "mcp", (caller.tenant.pk, caller.user.pk), ctx.settings.MCP_RATE_LIMIT)
        if target is None:
            raise NotFound("A workspace is reached at /ws/<name>/mcp and /ws/<name>/<port>/.")
        found = await self._reached(caller, target.workspace, ctx)
        port = target.port(found.ports)
        if port is None:
            raise NotFound("The workspace has no such port.", code="port_not_declared")
        if not target.is_mcp and not target.path:
            query = f"?{head.raw_query}" if head.raw_query else ""
            return Answer(308, [("Location", f"{head.raw_path}/{query}"), *answers.HARMLESS])
        if not found.runs:
            look = partial(self._look_up, (caller.tenant.pk, found.name), ctx)
            found = await self._waiting.running(found, look, partial(_wake, caller=caller, ctx=ctx))
        return _forward(head, target, found, port, caller, shares)

    async def failed(self, head: RequestHead, failure: Failure, ctx: DecisionContext) -> Answer:
        """The server inside is gone, too slow, or this process failed."""
        if failure.status == 502:
            await self._tell_reconciler(head, ctx)
            target = targets.parse(head.raw_path)
            if target is None or target.is_mcp:
                detail = "The workspace does not answer; it may have stopped. Try again shortly."
            else:
                detail = "Nothing answers at this port of the workspace: no program listens there, or it has stopped."
            return answers.problem(502, head, detail=detail, code="workspace_unreachable")
        if failure.status == 504:
            detail = "The workspace did not answer in time."
            return answers.problem(504, head, detail=detail, code="workspace_timeout")
        return answers.problem(failure.status, head)

    async def _reached(self, caller: Principal, name: str, ctx: DecisionContext) -> WorkspaceInfo:
        """A workspace within the caller's reach, whatever its state. Raises NotFound."""
        found = ctx.snapshot.get(WORKSPACES).named.get((caller.tenant.pk, name))
        if found is None or not found.is_reached_by(caller):
            found = await self._look_up((caller.tenant.pk, name), ctx)  # made or shared a moment ago
        if found is None or not found.is_reached_by(caller):
            raise NotFound(UNKNOWN, code="workspace_not_found")
        return found

    async def _look_up(self, key: tuple[int, str], ctx: DecisionContext) -> WorkspaceInfo | None:
        if self._lookups is None or self._lookups[0] is not ctx:

            async def ask(asked: tuple[int, str]) -> WorkspaceInfo | None:
                async with ctx.db.wide() as conn:
                    return await find_workspace(conn, *asked)

            self._lookups = (ctx, Lookups(ask))
        return await self._lookups[1](key)

    async def _tell_reconciler(self, head: RequestHead, ctx: DecisionContext) -> None:
        """Have a look taken at the workspace, now and then: it may have died without an event."""
        target, given = targets.parse(head.raw_path), shown(head)
        if target is None or given is None:
            return
        try:
            found = await self._reached(await entry.caller_of(head, given, ctx), target.workspace, ctx)
        except DomainError:
            return
        now = time.monotonic()
        if now - self._nudged.get(found.key, -_NUDGE_SECONDS) < _NUDGE_SECONDS:
            return
        self._nudged = {key: at for key, at in self._nudged.items() if now - at < _NUDGE_SECONDS}
        self._nudged[found.key] = now
        log.warning("%s does not answer at %s", found.key, found.address)
        await ctx.callers.run(partial(doors.nudge, found.key))


async def _wake(found: WorkspaceInfo, *, caller: Principal, ctx: DecisionContext) -> None:
    await ctx.callers.run(partial(doors.wake, found.id, caller))


def _forward(
    head: RequestHead,
    target: targets.Target,
    found: WorkspaceInfo,
    port: int,
    caller: Principal,
    shares: Mapping[str, str],
) -> Forward:
    said = {"Host": f"localhost:{port}", **assertions.headers(caller, found.id)}
    if "origin" in head.headers:  # it was judged here; what the server inside compares it with is its own
        said["Origin"] = f"http://localhost:{port}"
    query = f"?{head.raw_query}" if head.raw_query else ""
    return Forward(
        addresses.dial(found.address, port),
        target.upstream_path + query,
        set_headers=said,
        strip_credentials=True,
        confine="site",
        set_response_headers=shares,
        patience="long",
    )


def _check_page(head: RequestHead, target: targets.Target | None, ctx: DecisionContext) -> None:
    """Refuse what a page of another site asks the server of tools (MCP, Streamable HTTP, security warning), and what
    one of our own would take for a script or style of ours. Raises Forbidden."""
    headers = head.headers
    if headers.get("sec-fetch-site") == "same-origin" and headers.get("sec-fetch-dest") not in _FETCHED:
        raise Forbidden("Pages of this site use nothing of a workspace's.", code="origin_refused")
    origin = headers.get("origin")
    if origin is None or target is None or not target.is_mcp or not origins.is_site(origin):
        return
    if not (origins.is_own(origin, head, ctx.settings) or origins.is_shared(origin, ctx.settings)):
        raise Forbidden("Pages of that origin may not call tools here.", code="origin_refused")


_FETCHED = ("document", "empty", "websocket", None)


def _preflight(shares: Mapping[str, str]) -> Answer:
    told = {
        **shares,
        "Access-Control-Allow-Methods": METHODS,
        "Access-Control-Allow-Headers": HEADERS,
        "Access-Control-Max-Age": "600",
    }
    return Answer(204, [*told.items(), *answers.HARMLESS])


def _to_sign_in(head: RequestHead, target: targets.Target | None) -> Answer | None:
    """A person who followed a link to a page of a workspace's is led to sign in."""
    if target is None or target.is_mcp or head.method != "GET":
        return None
    if head.headers.get("sec-fetch-mode") != "navigate" or head.headers.get("sec-fetch-dest") != "document":
        return None
    return Answer(
        303, [("Location", f"/app/login?next={quote(head.raw_target, safe='')}"), *answers.HARMLESS]
    )
