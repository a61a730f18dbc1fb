"""What sandboxes are made with on this machine, looked for once it is needed."""

from __future__ import annotations

import asyncio
import time

from workspaces.providers.base import Unavailable
from workspaces.runner import confinement
from workspaces.runner.confinement import NoSandbox, Tools
from workspaces.runner.settings import Settings

_LOOK_AGAIN_SECONDS = 10.0
"""How long "no sandbox can be made here" holds before it is tried again."""


class Means:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._tools: Tools | None = None
        self._refusal = ""
        self._looked_at = 0.0
        self._looking = asyncio.Lock()

    async def available(self) -> tuple[bool, str]:
        """Whether sandboxes can be made, else why not."""
        found = await self.find()
        return found is not None, self._refusal

    async def need(self) -> Tools:
        """Raises Unavailable where there are none."""
        found = await self.find()
        if found is None:
            raise Unavailable(self._refusal)
        return found

    async def find(self) -> Tools | None:
        """Those that were found once, else another look; None where no sandbox can be made here."""
        async with self._looking:
            stale = time.monotonic() - self._looked_at > _LOOK_AGAIN_SECONDS
            if self._tools is None and (stale or not self._looked_at):
                self._looked_at = time.monotonic()
                self._refusal = self._settings.problem()
                if not self._refusal:
                    try:
                        self._tools = await asyncio.to_thread(confinement.find, self._settings.home)
                    except NoSandbox as error:
                        self._refusal = str(error)
                    except OSError as error:
                        self._refusal = f"No sandbox can be made: {error}"
            return self._tools

    def doubt(self) -> None:
        """Look anew before the next sandbox."""
        self._tools, self._looked_at = None, 0.0
