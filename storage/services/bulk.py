"""Many objects deleted at once: those of a list, or all below a prefix, a bounded number per call."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from gateway.errors import DomainError, Forbidden, Invalid, NotFound, Unavailable, UpstreamTimeout
from gateway.queue import after_commit
from realtime import services as realtime
from storage.models import Bucket
from tenants.principal import Principal
from tenants.services import audit

from . import backend_providers, decisions, objects, refusals, rows, versions

MOST_KEYS: Final = 1000
_BATCH: Final = 250
_SECONDS: Final = 8.0
_TOLD: Final = 100

Named = tuple[str, str]


@dataclass(slots=True)
class Outcome:
    """`refused` are (key, version id, why). What was gone already is as good as deleted, and not counted.

    `next` is where to go on with the same call, None where all was seen.
    """

    deleted: int = 0
    refused: list[tuple[str, str, str]] = field(default_factory=list)
    next: Named | None = None


def delete_keys(
    bucket: Bucket, named: list[Named], *, bypass_governance: bool = False, actor: Principal
) -> Outcome:
    """Delete at most MOST_KEYS: (key, version id); without a version the current object.

    It works for some seconds; what it did not come to is refused, with these words. Raises Forbidden, Invalid,
    Unavailable where a backend does not answer and nothing was deleted yet.
    """
    _check(bypass_governance, actor)
    if len(named) > MOST_KEYS:
        raise Invalid(f"At most {MOST_KEYS} at once.", errors={"keys": [f"At most {MOST_KEYS}."]})
    work = _Work(bucket, bypass_governance, actor)
    left = work.delete(list(dict.fromkeys(named)))
    work.outcome.refused += [(*one, work.stopped) for one in left]
    return work.outcome


def delete_below(
    bucket: Bucket,
    prefix: str,
    *,
    all_versions: bool = False,
    after: Named = ("", ""),
    bypass_governance: bool = False,
    actor: Principal,
) -> Outcome:
    """Delete what begins with `prefix` (empty: all), for some seconds; `next` says where to go on.

    `all_versions` removes every version and delete marker for good; else current objects alone go. Raises Forbidden,
    Unavailable where a backend does not answer and nothing was deleted yet.
    """
    _check(bypass_governance, actor)
    work = _Work(bucket, bypass_governance, actor)
    while True:
        named, following = _page(bucket, prefix, after, all_versions)
        left = work.delete(named)
        if left:
            done = len(named) - len(left)
            work.outcome.next = named[done - 1] if done else after
            return work.outcome
        if following is None:
            return work.outcome
        after = following
        if work.is_over:
            work.outcome.next = after
            return work.outcome


def _check(bypass_governance: bool, actor: Principal) -> None:
    actor.require("storage.object.delete")
    if bypass_governance:
        actor.require("storage.object.lock")


def _page(bucket: Bucket, prefix: str, after: Named, all_versions: bool) -> tuple[list[Named], Named | None]:
    if all_versions:
        level = versions.browse(bucket, prefix, after=after, delimiter="", limit=MOST_KEYS)
        return [(row.key, row.version_id) for row in level.versions], level.next
    found = objects.in_bucket(bucket, prefix)
    if after[0]:
        found = found.filter(key__gt=after[0])
    keys = list(found.values_list("key", flat=True)[: MOST_KEYS + 1])
    following = (keys[MOST_KEYS - 1], "") if len(keys) > MOST_KEYS else None
    return [(key, "") for key in keys[:MOST_KEYS]], following


def _batches(named: Iterable[Named]) -> Iterator[list[Named]]:
    """What one commit takes: of a key one version each."""
    left = list(named)
    while left:
        batch: dict[str, str] = {}
        later: list[Named] = []
        for key, version_id in left:
            if key in batch or len(batch) == _BATCH:
                later.append((key, version_id))
            else:
                batch[key] = version_id
        yield list(batch.items())
        left = later


class _Work:
    """One call's deletions, until its time is over."""

    def __init__(self, bucket: Bucket, bypass_governance: bool, actor: Principal) -> None:
        self._bucket, self._bypass, self._actor = bucket, bypass_governance, actor
        self._end = time.monotonic() + _SECONDS
        self.outcome = Outcome()
        self.stopped = "There was no time left for it: ask again."

    @property
    def is_over(self) -> bool:
        return time.monotonic() > self._end

    def delete(self, named: list[Named]) -> list[Named]:
        """Delete them; of a backend's those are left that there was no time for, or no answer."""
        if backend_providers.is_remote(self._bucket.placement.backend):
            return self._remotely(named)
        for batch in _batches(named):
            allowed = [one for one in batch if self._allows(*one)]
            if allowed:
                self._here(allowed)
        return []

    def _allows(self, key: str, version_id: str) -> bool:
        action = "s3:DeleteObjectVersion" if version_id else "s3:DeleteObject"
        try:
            decisions.require(self._bucket, action, key, actor=self._actor)
            if self._bypass:
                decisions.require(self._bucket, "s3:BypassGovernanceRetention", key, actor=self._actor)
        except Forbidden as error:
            self.outcome.refused.append((key, version_id, error.detail))
            return False
        return True

    def _here(self, allowed: list[Named]) -> None:
        bucket, actor = self._bucket, self._actor
        with rows.writing():
            told = [f"{key} {version_id}".strip() for key, version_id in islice(allowed, _TOLD)]
            audit.record(
                actor,
                "storage.object.delete",
                target=bucket.name,
                after={"count": len(allowed), "keys": told},
            )
            verdicts = versions.commit_deletes(bucket, allowed, self._bypass, actor)
            after_commit(realtime.ring, bucket.tenant_id)
        for (key, version_id), verdict in zip(allowed, verdicts, strict=True):
            if verdict is None:
                self.outcome.deleted += 1
            elif verdict == "locked":
                self.outcome.refused.append((key, version_id, refusals.locked().detail))

    def _remotely(self, named: list[Named]) -> list[Named]:
        """One by one, in their order. Raises Unavailable where the backend did not answer from the beginning on."""
        bucket, actor = self._bucket, self._actor
        for at, (key, version_id) in enumerate(named):
            if self.is_over:
                return named[at:]
            if not self._allows(key, version_id):
                continue
            try:
                if version_id:
                    versions.delete_version(
                        bucket, key, version_id, bypass_governance=self._bypass, actor=actor
                    )
                else:
                    objects.delete_object(bucket, key, actor=actor)
            except NotFound:
                continue
            except (Unavailable, UpstreamTimeout) as error:
                if not self.outcome.deleted:
                    raise
                self.stopped = error.detail
                return named[at:]
            except DomainError as error:
                self.outcome.refused.append((key, version_id, error.detail))
            else:
                self.outcome.deleted += 1
        return []
