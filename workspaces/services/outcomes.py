"""What an attempt at an instance came to, written only while the wish is still the one that was acted on.

All but `write` return whether there is more to do right now: a newer wish, or a start that is due at once.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from gateway.queue import after_commit, enqueue
from workspaces import tasks
from workspaces.models import Instance, Workspace
from workspaces.providers.base import Observed

from . import instances

log = logging.getLogger(__name__)

OBSERVED = Instance.Observed
LONGEST_PAUSE = 300.0
NEXT_PAUSE = 0.6
"""Seconds between attempts at one that starts, while the worker does other things; more than `reconciler._SKEW`."""
_ENDED = "It ended by itself"


def started(instance: Instance, seen: Observed) -> bool:
    """It runs, and answers."""
    values: dict[str, Any] = {"started_at": seen.started_at or timezone.now()}
    if isinstance(instance, Workspace):
        values["last_active_at"] = timezone.now()
    if not (
        instance.attempts and instance.error.startswith(_ENDED)
    ):  # why it ended is told until it is steady
        values["error"] = ""
    with transaction.atomic():
        if not write(instance, OBSERVED.RUNNING, seen, **values):
            return True
        if isinstance(instance, Workspace):
            enqueue(tasks.look_inside, instance.key)
        instances.tell(instance, "started")
    return False


def starting(instance: Instance, seen: Observed, since: datetime) -> bool:
    """It runs `since` then and does not answer yet: looked at again after NEXT_PAUSE."""
    with transaction.atomic():
        changed = same(instance).update(
            observed_state=OBSERVED.STARTING, address=seen.address, observed_at=timezone.now(), started_at=since,
            next_attempt_at=timezone.now() + timedelta(seconds=NEXT_PAUSE),
        )  # fmt: skip
        after_commit(_nudge_in, instance.key, NEXT_PAUSE)
    return not changed


def crashed(instance: Instance, seen: Observed | None) -> bool:
    """It ended though it shall run: started again at once, and if that does not help, later and later."""
    attempts = instance.attempts + 1
    pause = 0.0 if attempts == 1 else min(LONGEST_PAUSE, 2.0 ** min(attempts - 1, 10))
    reason = (seen.reason if seen is not None else "") or "it is gone"
    words = f"{_ENDED}: {reason}" if attempts == 1 else f"{_ENDED} {attempts} times in a row: {reason}"
    log.warning("%s: %s", instance.key, words)
    with transaction.atomic():
        changed = same(instance).update(
            observed_state=OBSERVED.STOPPED if pause == 0 else OBSERVED.FAILED,
            observed_generation=0,
            observed_at=timezone.now(),
            attempts=attempts,
            error=words[:500],
            next_attempt_at=timezone.now() + timedelta(seconds=pause),
        )
        if changed:
            instances.told(instance)
            if pause:
                after_commit(_nudge_in, instance.key, pause)
            instances.tell(instance, "failed", error=words[:500], again_in=round(pause))
    return pause == 0 or not changed


def same(instance: Instance) -> Any:
    """The row while its wish is the one that was acted on."""
    return type(instance)._default_manager.filter(pk=instance.pk, generation=instance.generation)


def write(instance: Instance, state: str, seen: Observed, **values: Any) -> bool:
    """Note that the wish has come true; False where a newer one was made meanwhile."""
    changed = same(instance).update(
        observed_state=state,
        observed_generation=instance.generation,
        observed_digest=seen.digest,
        observed_at=timezone.now(),
        address=seen.address or instance.address,
        **values,
    )
    if changed:
        instances.told(instance)
    return bool(changed)


def fail(instance: Instance, words: str) -> bool:
    """This wish never comes true: why, in words for the owner."""
    log.warning("%s failed: %s", instance.key, words)
    with transaction.atomic():
        changed = same(instance).update(
            observed_state=OBSERVED.FAILED, observed_generation=instance.generation, observed_at=timezone.now(),
            error=words[:500],
        )  # fmt: skip
        if changed:
            instances.told(instance)
            instances.tell(instance, "failed", error=words[:500])
    return not changed


def try_later(instance: Instance, words: str) -> bool:
    """This wish may yet come true: again after a pause, longer each time."""
    pause = min(LONGEST_PAUSE, 2.0 ** min(instance.attempts, 10))
    log.warning("%s, again in %.0f s: %s", instance.key, pause, words)
    with transaction.atomic():
        changed = same(instance).update(
            attempts=instance.attempts + 1, error=words[:500],
            next_attempt_at=timezone.now() + timedelta(seconds=pause),
        )  # fmt: skip
        after_commit(_nudge_in, instance.key, pause)
    return not changed


def _nudge_in(key: str, seconds: float) -> None:
    tasks.reconcile_instance.apply_async((key,), countdown=seconds, retry=False)
