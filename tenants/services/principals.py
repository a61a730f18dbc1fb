"""Principals that this process established a moment ago, so that a busy caller does not cost a look-up each time.

What is kept was read at most KEPT_SECONDS ago, and is dropped once this process commits a change of anything it
rests on (`snapshot.changed`): a credential that ended is refused everywhere after as many seconds. Refusals are
never kept. Keys are keyed digests, so that a dump of the process holds no credential.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from threading import Lock
from typing import TypeVar

from django.db.models import Model
from django.db.models.base import ModelState

from gateway import crypto
from tenants.principal import Principal

KEPT_SECONDS = 1.0
MOST = 10_000
Row = TypeVar("Row", bound=Model)


class Cache:
    """`size` principals at most, of which the oldest go first."""

    def __init__(self, size: int = MOST) -> None:
        self._kept: OrderedDict[bytes, tuple[float, Principal]] = OrderedDict()
        self._lock = Lock()
        self._size = size
        self._changes = 0

    def get(self, asked: str, establish: Callable[[], Principal]) -> Principal:
        """The principal that `establish` found for the same question a moment ago, or finds now.

        `asked` is all that the answer depends on: the credential, the tenant, host and address. What it raises
        passes.
        """
        name = crypto.keyed_digest("principal", asked)
        began, changes = time.monotonic(), self._changes
        kept = self._kept.get(name)
        if kept is not None and began < kept[0]:
            return _copied(kept[1])
        found = establish()
        until = began + min(KEPT_SECONDS, _left(found))
        with self._lock:
            if changes == self._changes:  # else it may have been read before the change
                self._kept[name] = (until, _copied(found))
                self._kept.move_to_end(name)
                while len(self._kept) > self._size:
                    self._kept.popitem(last=False)
        return found

    def kept(self, asked: str) -> Principal | None:
        """The principal that `get` would answer without a look-up. Its rows are shared: for who changes none."""
        kept = self._kept.get(crypto.keyed_digest("principal", asked))
        return kept[1] if kept is not None and time.monotonic() < kept[0] else None

    def clear(self) -> None:
        with self._lock:
            self._changes += 1
            self._kept.clear()


def _left(found: Principal) -> float:
    """Seconds until the credential ends by itself."""
    ends = found.credential.expires_at
    return KEPT_SECONDS if ends is None else (ends - datetime.now(UTC)).total_seconds()


def _copied(found: Principal) -> Principal:
    """With rows of its own, for a request that changes what it was given must not change another's."""
    user = None if found.user is None else _copy(found.user)
    tenant = _copy(found.tenant)
    if (
        settings := found.tenant._state.fields_cache.get("settings")
    ) is not None:  # asked for by every request
        tenant._state.fields_cache["settings"] = _copy(settings)
    return replace(found, user=user, tenant=tenant)


def _copy(row: Row) -> Row:
    """The row without what hangs on it, which would be shared."""
    copied = object.__new__(type(row))
    copied.__dict__.update(row.__dict__)
    copied._state = ModelState()
    copied._state.db, copied._state.adding = row._state.db, row._state.adding
    return copied


cache = Cache()
