"""Ports of services: the edge listens on them and asks with the port that the client came to."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import orjson

from gateway.decision import answers
from gateway.decision.callers import Shown, session_of
from gateway.decision.registry import Decider
from gateway.decision.types import Answer, Decision, Failure, Forward, Listener, RequestHead
from gateway.errors import DomainError, Forbidden, NotFound, Unavailable
from workspaces.routing import entry
from workspaces.snapshot import SERVICE_PORTS, PortInfo

if TYPE_CHECKING:
    from gateway.decision.context import DecisionContext
    from tenants.principal import Principal

PERMISSION: Final = "service.read"
_COOKIES: Final = ("gatehouse_", "__Host-gatehouse_")


class ServicePortDecider(Decider):
    """Forwards what the port's rule lets in. What the service asks for itself (its own cookies, its own
    Authorization) passes; what is the platform's stays here."""

    name = "service-ports"
    order = 5

    def claims(self, head: RequestHead, ctx: DecisionContext) -> bool:
        return head.local_port in ctx.snapshot.get(SERVICE_PORTS)

    def listeners(self, ctx: DecisionContext) -> Iterable[Listener]:
        for port in ctx.snapshot.get(SERVICE_PORTS).values():
            if port.protocol == "http":
                yield Listener(port.public_port)
            elif port.dial:
                yield Listener(port.public_port, "tcp", dial=port.dial)

    async def decide(self, head: RequestHead, ctx: DecisionContext) -> Decision:
        try:
            return await self._decide(head, ctx.snapshot.get(SERVICE_PORTS)[head.local_port], ctx)
        except DomainError as error:
            return answers.refusal(error, head)

    async def _decide(self, head: RequestHead, port: PortInfo, ctx: DecisionContext) -> Decision:
        own = _is_ours(head.headers.get("authorization") or "", ctx.settings.JWT_ISSUER)
        said = {} if own or "authorization" not in head.headers else _kept(head, "Authorization")
        if port.access != "public":
            given = _shown(head, own)
            _admit(await entry.caller_of(head, given, ctx, tenant=port.tenant), port)
        if not port.dial:
            raise Unavailable("The service does not run.", code="service_stopped")
        if cookies := _foreign_cookies(head):
            said["Cookie"] = cookies
        return Forward(
            port.dial,
            head.raw_target if head.raw_target.startswith("/") else "/",
            set_headers=said,
            strip_credentials=True,
            confine="host",
            patience="long",
        )

    async def failed(self, head: RequestHead, failure: Failure, ctx: DecisionContext) -> Answer:
        if failure.status == 502:
            detail = "The service does not answer at this port."
            return answers.problem(502, head, detail=detail, code="service_unreachable")
        if failure.status == 504:
            return answers.problem(
                504, head, detail="The service did not answer in time.", code="service_timeout"
            )
        return answers.problem(failure.status, head)


def _admit(caller: Principal, port: PortInfo) -> None:
    """Raises Forbidden, NotFound where the caller belongs to another tenant."""
    if caller.tenant.pk != port.tenant_id:
        raise NotFound("Nothing is served at this port.")
    caller.require(PERMISSION)
    if port.access == "owner" and (caller.user is None or caller.user.pk != port.owner_id):
        raise Forbidden("This port is its owner's alone.", code="owner_only")


def _shown(head: RequestHead, own: bool) -> Shown | None:
    """The platform's credential; an Authorization header of another form is the service's own affair."""
    if own:
        return Shown("token", (head.headers.get("authorization") or "").partition(" ")[2].strip())
    if key := head.headers.get("x-api-key"):
        return Shown("token", key)
    session = session_of(head)
    return Shown("session", session) if session else None


def _is_ours(authorization: str, issuer: str) -> bool:
    """Whether it bears a credential of the platform's, valid or not: an API key, or a token that we are named in."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        return False
    token = token.strip()
    if token.startswith("mcp_"):
        return True
    parts = token.split(".")
    if len(parts) != 3:
        return False
    try:
        claims = orjson.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        return False
    return isinstance(claims, dict) and claims.get("iss") == issuer


def _kept(head: RequestHead, name: str) -> dict[str, str]:
    value = head.headers.get(name)
    return {name: value} if value else {}


def _foreign_cookies(head: RequestHead) -> str:
    """The Cookie header without the platform's own."""
    pairs = (pair.strip() for cookies in head.headers.all("cookie") for pair in cookies.split(";"))
    return "; ".join(pair for pair in pairs if pair and not pair.startswith(_COOKIES))
