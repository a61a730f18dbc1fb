"""What the platform asks to know whether a workspace is in use."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass
class Activity:
    """Counts of one process. `connections` gives the streams to declared ports that are open now."""

    connections: Callable[[], int]
    in_flight: int = 0
    last_request_at: float = field(default=0.0)

    @contextlib.contextmanager
    def request(self) -> Iterator[None]:
        """Around one MCP request; a long one is activity until it ends."""
        self.in_flight += 1
        self.last_request_at = time.time()
        try:
            yield
        finally:
            self.in_flight -= 1
            self.last_request_at = time.time()

    def as_json(self) -> dict[str, object]:
        """`last_request_at` in Unix seconds, 0 where none came yet."""
        return {
            "in_flight": self.in_flight,
            "last_request_at": self.last_request_at,
            "connections": self.connections(),
        }
