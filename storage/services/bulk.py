"""Many objects deleted at once: those of a list, or all below a prefix, a bounded number per call."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from gateway.errors import DomainError, Forbidden, Invalid, NotFound
from gateway.queue import after_commit
from realtime import services as realtime
from storage.models import Bucket
from tenants.principal import Principal
from tenants.services import audit

from . import backends, decisions, objects, rows, versions

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
    """Delete at most MOST_KEYS: (key, version id); without a version the current object. Raises Forbidden, Invalid."""
    _check(bypass_governance, actor)
    if len(named) > MOST_KEYS:
        raise Invalid(f"At most {MOST_KEYS} at once.", errors={"keys": [f"At most {MOST_KEYS}."]})
    outcome = Outcome()
    for batch in _batches(dict.fromkeys(named)):
        _delete(bucket, batch, outcome, bypass_governance, actor)
    return outcome


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

    `all_versions` removes every version and delete marker for good; else current objects alone go.
    """
    _check(bypass_governance, actor)
    outcome = Outcome()
    end = time.monotonic() + _SECONDS
    while True:
        named, following = _page(bucket, prefix, after, all_versions)
        for batch in _batches(named):
            _delete(bucket, batch, outcome, bypass_governance, actor)
        if following is None:
            return outcome
        after = following
        if time.monotonic() > end:
            outcome.next = after
            return outcome


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


def _batches(named: Iterable[Named]) -> Iterable[list[Named]]:
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


def _delete(
    bucket: Bucket, batch: list[Named], outcome: Outcome, bypass_governance: bool, actor: Principal
) -> None:
    allowed = []
    for key, version_id in batch:
        try:
            action = "s3:DeleteObjectVersion" if version_id else "s3:DeleteObject"
            decisions.require(bucket, action, key, actor=actor)
            if bypass_governance:
                decisions.require(bucket, "s3:BypassGovernanceRetention", key, actor=actor)
        except Forbidden as error:
            outcome.refused.append((key, version_id, error.detail))
        else:
            allowed.append((key, version_id))
    if backends.is_remote(bucket.placement.backend):
        _one_by_one(bucket, allowed, outcome, bypass_governance, actor)
        return
    if not allowed:
        return
    with rows.writing():
        told = [f"{key} {version_id}".strip() for key, version_id in islice(allowed, _TOLD)]
        audit.record(
            actor, "storage.object.delete", target=bucket.name, after={"count": len(allowed), "keys": told}
        )
        verdicts = versions.commit_deletes(bucket, allowed, bypass_governance, actor)
        after_commit(realtime.ring, bucket.tenant_id)
    for (key, version_id), verdict in zip(allowed, verdicts, strict=True):
        if verdict is None:
            outcome.deleted += 1
        elif verdict == "locked":
            outcome.refused.append((key, version_id, versions.locked().detail))


def _one_by_one(
    bucket: Bucket, named: list[Named], outcome: Outcome, bypass_governance: bool, actor: Principal
) -> None:
    for key, version_id in named:
        try:
            if version_id:
                versions.delete_version(
                    bucket, key, version_id, bypass_governance=bypass_governance, actor=actor
                )
            else:
                objects.delete_object(bucket, key, actor=actor)
        except NotFound:
            continue
        except DomainError as error:
            outcome.refused.append((key, version_id, error.detail))
        else:
            outcome.deleted += 1
