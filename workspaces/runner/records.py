"""What the runner remembers of instances on disk: no secret is in it, nor the environment that could hold one."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

_WITH_US = "It ended when the platform was restarted."
KEY = re.compile(r"w-[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Record:
    """An instance as it was last made. `started_at` is Unix time."""

    key: str
    digest: str
    running: bool = False
    started_at: float | None = None
    exit_code: int | None = None
    reason: str = ""

    @property
    def started(self) -> datetime | None:
        return None if self.started_at is None else datetime.fromtimestamp(self.started_at, UTC)


class Records:
    """One file per instance; each is replaced whole, so a crash leaves the one before or the one after."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self) -> Iterator[Record]:
        """All, stopped: nothing outlives the runner. A file that cannot be read is as none."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in self._folder.glob("*.json"):
            try:
                found = Record(**json.loads(path.read_text()))
            except (OSError, ValueError, TypeError):
                continue
            if found.key == path.stem and KEY.fullmatch(found.key):
                yield replace(found, running=False, reason=_WITH_US if found.running else found.reason)

    def save(self, record: Record) -> None:
        """Raises OSError."""
        path = self._folder / f"{record.key}.json"
        draft = path.with_suffix(".new")
        with draft.open("w", encoding="utf-8") as file:
            json.dump(asdict(record), file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)

    def forget(self, key: str) -> None:
        (self._folder / f"{key}.json").unlink(missing_ok=True)
