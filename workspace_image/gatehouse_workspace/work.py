"""Long work in a thread that ends when nobody waits for it any more."""

from __future__ import annotations

import time

from anyio import from_thread
from mcp.server.mcpserver.exceptions import ToolError

TIME_LIMIT = 60.0


class Work:
    """Call `step()` in loops. Raises where the call was cancelled or has taken longer than the limit."""

    def __init__(self, limit: float = TIME_LIMIT) -> None:
        self._until = time.monotonic() + limit
        self._limit = limit

    def step(self) -> None:
        """Raises the cancellation of the calling task, or ToolError after the time limit."""
        from_thread.check_cancelled()
        if time.monotonic() > self._until:
            raise ToolError(f"Stopped after {self._limit:g} seconds; ask for a smaller part")
