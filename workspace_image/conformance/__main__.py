"""`python -m conformance`: the fixtures in the place of the workspace's tools, on GATEHOUSE_PORT (8080).

The suite's 2025 scenarios ask clients questions and resume streams, which needs sessions; the workspace has none.
"""

from __future__ import annotations

import warnings
from collections.abc import Awaitable, Callable
from typing import Any

from gatehouse_workspace.__main__ import main
from gatehouse_workspace.activity import Activity
from gatehouse_workspace.run import Build
from gatehouse_workspace.settings import Settings

RETRY = 100
"""Milliseconds after which a client comes back to a stream that the server closed."""


def load() -> Build:
    """Imports late, as the workspace does."""
    from gatehouse_workspace.transport import Transport
    from mcp.server.mcpserver import MCPServer
    from mcp.server.request_state import RequestStateSecurity

    from conformance import asks, catalogue, content, events, rounds

    def build(settings: Settings, activity: Activity) -> tuple[Transport, Callable[[], Awaitable[None]]]:
        server: MCPServer[Any] = MCPServer(
            "gatehouse-conformance",
            version="1",
            log_level="ERROR",
            request_state_security=RequestStateSecurity(keys=[b"a key of tests, which keep no secrets"]),
        )
        for part in (content, asks, rounds, catalogue):
            part.register(server)
        options = {"stateless_http": False, "event_store": events.Events(), "retry_interval": RETRY}
        return Transport(server, activity, lambda: {"repository": "none", "error": ""}, **options), _nothing

    return build


async def _nothing() -> None:
    """The fixtures have no volume to prepare."""


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # the suite asks for what the newest revision calls old
    main(load)
