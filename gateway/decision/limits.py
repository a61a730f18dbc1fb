"""How often a caller may ask a decider: counted in this process, in memory alone, in microseconds.

A decider names its group and its rate::

    if wait := ctx.limits.take("s3", access_key_id, per_minute):
        return slow_down(retry_after=wait)

The rate is a bucket that holds a minute's requests and fills evenly (the generic cell rate algorithm, ATM Forum
TM 4.0, section 4.4.2): a caller may spend a minute's worth at once, then goes on at the pace of the rate. Each
decision process counts for itself, so with N of them a caller may ask up to N times as often.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable

CALLERS = 50_000
"""Callers remembered per process; beyond, those who asked longest ago are forgotten, and start anew."""


class Limits:
    """One per process. A caller costs about 200 bytes while their bucket is not full again."""

    __slots__ = ("_callers", "_full_at", "_now")

    def __init__(self, *, callers: int = CALLERS, now: Callable[[], float] = time.monotonic) -> None:
        self._callers = callers
        self._now = now
        self._full_at: dict[tuple[str, Hashable], float] = {}  # the one who asked last is last

    def take(self, group: str, caller: Hashable, per_minute: int) -> int:
        """Count a request: 0 when it may pass, else the whole seconds to wait. `per_minute` 0 is no limit.

        A refused request costs nothing, so who keeps asking is served at the rate.
        """
        if not per_minute:
            return 0
        now = self._now()
        full_at = self._full_at.pop((group, caller), now)
        begins = max(full_at, now) + 60.0 / per_minute
        early = begins - now - 60.0
        if early > 1e-9:
            self._full_at[group, caller] = full_at
            return math.ceil(early)
        self._full_at[group, caller] = begins
        if len(self._full_at) > self._callers:
            self._forget(now)
        return 0

    def _forget(self, now: float) -> None:
        """Make room for a tenth: of those whose buckets are full again, and then of those who asked longest ago."""
        room = self._callers // 10 + 1
        full = [key for key, full_at in self._full_at.items() if full_at <= now]
        for key in full:
            del self._full_at[key]
        for key in list(self._full_at)[: max(0, room - len(full))]:
            del self._full_at[key]

    def __len__(self) -> int:
        return len(self._full_at)
