"""From a workspace as it is to one that runs: what a request waits for, and what it is told instead."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from gateway.errors import Conflict, NotFound, Unavailable

if TYPE_CHECKING:
    from workspaces.snapshot import WorkspaceInfo

log = logging.getLogger(__name__)

HOLD_SECONDS = 12.0
"""Less than the edge waits for a decision (`EdgeSettings.question_timeout`)."""
LOOK_SECONDS = 0.1
MOST_HELD, MOST_OF_TENANT = 500, 200

UNKNOWN = "No such workspace."
Look = Callable[[], Awaitable["WorkspaceInfo | None"]]
Wake = Callable[["WorkspaceInfo"], Awaitable[None]]


class Waiting:
    """Requests that are held until their workspace runs; at most MOST_HELD, MOST_OF_TENANT of one tenant's."""

    def __init__(self, *, hold: float = HOLD_SECONDS) -> None:
        self._hold = hold
        self._held: Counter[int] = Counter()

    async def running(self, found: WorkspaceInfo, look: Look, wake: Wake) -> WorkspaceInfo:
        """The workspace once it runs. `look` finds it as it is now, `wake` starts one that sleeps.

        Raises Conflict where a person or the platform stopped it, Unavailable where it failed or takes too long,
        NotFound where it was deleted meanwhile.
        """
        if found.runs:
            return found
        tenant = found.tenant_id
        if self._held.total() >= MOST_HELD or self._held[tenant] >= MOST_OF_TENANT:
            raise Unavailable("Too many requests wait for workspaces to start.", code="workspace_starting")
        self._held[tenant] += 1
        try:
            return await self._wait(found, look, wake)
        finally:
            self._held[tenant] -= 1
            if not self._held[tenant]:
                del self._held[tenant]

    async def _wait(self, known: WorkspaceInfo, look: Look, wake: Wake) -> WorkspaceInfo:
        loop = asyncio.get_running_loop()
        until, woken = loop.time() + self._hold, False
        found: WorkspaceInfo | None = known
        while True:
            found = await look()  # what is known may be a moment old
            if found is None:
                raise NotFound(UNKNOWN, code="workspace_not_found")
            if found.runs:
                return found
            _refuse(found)
            if found.desired_state == "stopped" and not woken:
                await wake(found)
                woken = True
            if loop.time() >= until:
                raise Unavailable("The workspace is starting; try again shortly.", code="workspace_starting")
            await asyncio.sleep(LOOK_SECONDS)


def _refuse(found: WorkspaceInfo) -> None:
    """Raises what waiting would not change."""
    if found.desired_state == "absent":
        raise NotFound(UNKNOWN, code="workspace_not_found")
    if found.desired_state == "stopped" and found.stopped_for != "idle":
        if found.stopped_for in ("", "person"):
            raise Conflict("The workspace is stopped; start it first.", code="workspace_stopped")
        raise Conflict("The workspace is stopped with its owner or tenant.", code="workspace_stopped")
    if found.observed_state == "failed":
        why = found.error or "it says no more"
        raise Unavailable(f"The workspace could not be started: {why}", code="workspace_failed")
