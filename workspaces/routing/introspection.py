"""POST /internal/auth/introspect, for servers in workspaces: asked from their workspace's address, by nobody else."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from gateway.decision import answers
from gateway.decision.registry import Decider
from gateway.decision.types import Answer, Decision, Failure, Forward, Listener, RequestHead
from gateway.errors import DomainError
from workspaces import container_gateway
from workspaces.routing import entry
from workspaces.services.introspection import ASKING
from workspaces.snapshot import WORKSPACES

if TYPE_CHECKING:
    from gateway.decision.context import DecisionContext

PATH: Final = "/internal/auth/introspect"
_MOST_BYTES: Final = 16 << 10


class IntrospectionDecider(Decider):
    """Known by the client's address: a container's own, or what the runner of sandboxes says in its PROXY line.

    The Host header does not count, since a workspace reaches the edge by an address of its network.
    """

    name = "workspace-introspection"
    order = 10

    def claims(self, head: RequestHead, ctx: DecisionContext) -> bool:
        return head.raw_path == PATH

    def listeners(self, ctx: DecisionContext) -> Iterable[Listener]:
        """Where containers find the platform, unless the edge listens on every address anyway."""
        gateway = container_gateway.known(ctx.settings.HOME)
        if gateway and "0.0.0.0" not in ctx.settings.EDGE_BIND:  # noqa: S104
            yield Listener(ctx.settings.HTTP_PORT, host=gateway)

    async def decide(self, head: RequestHead, ctx: DecisionContext) -> Decision:
        found = ctx.snapshot.get(WORKSPACES).at.get(head.client_ip)
        if found is None and _is_internal(head.client_ip):  # started a moment ago
            found = (await ctx.snapshot.refresh(WORKSPACES)).at.get(head.client_ip)
        if found is None:
            return answers.problem(404, head)
        if head.method != "POST":
            return Answer(405, [("Allow", "POST"), *answers.HARMLESS])
        if (head.content_length or 0) > _MOST_BYTES:
            return answers.problem(413, head)
        try:
            entry.take(ctx, "introspect", found.id, ctx.settings.MCP_RATE_LIMIT)
        except DomainError as error:
            return answers.refusal(error, head)
        return Forward(
            ctx.settings.WEB_DIAL,
            PATH,
            set_headers={ASKING: found.key, "Host": ctx.settings.PUBLIC_HOST},
            strip_credentials=True,
            patience="process",
        )

    async def failed(self, head: RequestHead, failure: Failure, ctx: DecisionContext) -> Answer:
        return answers.problem(503 if failure.status == 502 else failure.status, head)


def _is_internal(client_ip: str) -> bool:
    """Whether a workspace can have that address: strangers shall not have the snapshot read again."""
    try:
        address = ip_address(client_ip)
    except ValueError:
        return False
    return address.is_private and not address.is_loopback
