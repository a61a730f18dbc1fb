"""The volume at the start: an empty one becomes a repository, by `git init` or by cloning what was asked for."""

from __future__ import annotations

import asyncio

from gatehouse_workspace.settings import Settings


class Repository:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.state = "none"
        self.error = ""

    def as_json(self) -> dict[str, object]:
        return {"repository": self.state, "error": self.error}

    async def prepare(self) -> None:
        process = await asyncio.create_subprocess_exec(
            "git", "init", "-q", "-b", "main", cwd=self._settings.root
        )
        await process.wait()
        self.state = "ready"
