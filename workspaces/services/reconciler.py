"""Instances made at their providers what their rows wish, by a reconciler that may run at any time.

One holder per key. What is slow happens outside transactions; what was seen is written only while the wish is still
the one that was acted on, else the newer one is next. A call that may work later is tried again after a growing pause;
one that never will ends in `failed`, with the reason in words for the owner, until the next wish.
"""

from __future__ import annotations

import logging
import time
import zlib
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from gateway import crypto
from gateway.db.locks import advisory_lock
from gateway.db.scope import platform_scope
from gateway.queue import after_commit, enqueue
from workspaces import tasks
from workspaces.models import Instance, Sample, Workspace
from workspaces.providers import registry
from workspaces.providers.base import NotThere, Observed, Provider, ProviderError

from . import instances, probing, snapshots, specs

log = logging.getLogger(__name__)

DESIRED, OBSERVED = Instance.Desired, Instance.Observed
LONGEST_PAUSE = 300.0
STEADY = timedelta(minutes=2)
"""Who has run for so long has no crash loop."""
FIRST_PATIENCE, NEXT_PATIENCE, LOOK_EVERY = 5.0, 1.0, 0.3
"""Seconds that an attempt waits for an answer from inside, and how often it looks for other news meanwhile."""
NEXT_PAUSE = 0.6
"""Seconds between such attempts, in which the worker does something else; more than `_SKEW`."""
_SKEW = timedelta(seconds=0.5)  # between the clocks of those who wish and of us
_ENDED = "It ended by itself"


def reconcile(key: str) -> Instance | None:
    """Bring the instance where its row wishes it, or see whether it still is there; the row then.

    Returns at once where somebody else holds it: they look for a newer wish before they leave. What nobody wishes,
    because there is no such row, is removed at its provider.
    """
    with platform_scope("a reconciler works for all tenants"):
        while True:
            with advisory_lock("instance", zlib.crc32(key.encode())) as held:
                instance = instances.find(key)
                if not held:
                    return instance
                if instance is None:
                    _remove_orphan(key)
                    return None
                again = _step(instance)
            newest = instances.find(key)
            if newest is None or (newest.generation == instance.generation and not again):
                return newest


def sweep() -> None:
    """Reconcile what is due: the net under nudges that were lost."""
    with platform_scope("a sweep looks at all tenants"):
        for model in instances.KINDS.values():
            due = model._default_manager.drifted().order_by("next_attempt_at")[:500]  # type: ignore[attr-defined]
            for instance in due:
                tasks.reconcile_instance.delay(instance.key)


def compare() -> None:
    """Hold all that providers have against all rows: the net under events that were missed."""
    with platform_scope("providers hold all tenants' instances"):
        for name in registry.usable():
            try:
                seen = {one.key: one for one in registry.provider(name).every()}
            except ProviderError as e:
                log.warning("%s cannot list its instances: %s", name, e)
                continue
            for instance in instances.every():
                if instance.provider != name:
                    continue
                if _differs(instance, seen.pop(instance.key, None)):
                    tasks.reconcile_instance.delay(instance.key)
            for key in seen:
                tasks.reconcile_instance.delay(key)


def _step(instance: Instance) -> bool:
    """One attempt, or one look where nothing is to be done; whether there is more to do right now."""
    if instance.is_settled:
        return not instances.is_elsewhere(instance) and _look(instance)
    if instance.next_attempt_at > timezone.now() + _SKEW:
        return False
    if instances.is_elsewhere(instance):
        if instance.desired_state == DESIRED.ABSENT:
            forget(instance)
        return False
    try:
        provider = registry.provider(instance.provider)
    except (KeyError, ImportError):
        if instance.desired_state == DESIRED.ABSENT:  # with it, whatever it held is gone
            forget(instance)
            return False
        return _fail(instance, f"The provider {instance.provider} is no longer there.")
    try:
        if (
            isinstance(instance, Workspace)
            and instance.restoring_id
            and instance.desired_state != DESIRED.ABSENT
        ):
            snapshots.restore_volume(instance, provider, specs.of(instance))
        if instance.desired_state == DESIRED.RUNNING:
            return _run(instance, provider)
        if instance.desired_state == DESIRED.STOPPED:
            return _stop(instance, provider)
        return _end(instance, provider)
    except crypto.CannotOpen:
        return _fail(instance, "Its secrets cannot be opened: their key is no longer configured.")
    except ProviderError as e:
        return _fail(instance, str(e)) if e.permanent else _try_later(instance, str(e))
    except Exception:  # a defect of ours, or of a provider's library: never the end of the attempts
        log.exception("%s: an attempt broke", instance.key)
        return _try_later(instance, "The platform failed at this; it tries again.")


# Wishes


def _run(instance: Instance, provider: Provider) -> bool:
    spec = specs.of(instance)
    seen = provider.ensure(spec, running=True)
    waited = _wait(instance, provider, seen) if isinstance(instance, Workspace) else "ready"
    if waited == "ready":
        return _is_running(instance, seen)
    if waited == "ended":
        return _crashed(instance, provider.observe(instance.key))
    if waited == "outdated":
        return True
    since = seen.started_at or instance.started_at or timezone.now()
    if timezone.now() - since < timedelta(seconds=settings.WORKSPACE_START_SECONDS):
        return _is_starting(instance, seen, since)
    words = f"It did not answer within {settings.WORKSPACE_START_SECONDS} seconds.{_last_words(provider, instance)}"
    provider.ensure(spec, running=False)
    return _fail(instance, words)


def _wait(instance: Instance, provider: Provider, seen: Observed) -> str:
    """Until the server inside answers: `ready`, `ended`, `outdated` by a newer wish, or `later`."""
    patience = NEXT_PATIENCE if instance.observed_state == OBSERVED.STARTING else FIRST_PATIENCE
    until, look_at, pause = time.monotonic() + patience, time.monotonic() + LOOK_EVERY, 0.005
    while True:
        if seen.address and probing.answers(seen.address, seconds=1.0):
            return "ready"
        now = time.monotonic()
        if now >= until:
            return "later"
        if now >= look_at:
            look_at = now + LOOK_EVERY
            if not _same(instance).exists():
                return "outdated"
            found = provider.observe(instance.key)
            if found is None or found.state == "stopped":
                return "ended"
        time.sleep(pause)
        pause = min(pause * 1.3, 0.05)


def _is_running(instance: Instance, seen: Observed) -> bool:
    values: dict[str, Any] = {"started_at": seen.started_at or timezone.now()}
    if isinstance(instance, Workspace):
        values["last_active_at"] = timezone.now()
    if not (
        instance.attempts and instance.error.startswith(_ENDED)
    ):  # why it ended is told until it is steady
        values["error"] = ""
    with transaction.atomic():
        if not _write(instance, OBSERVED.RUNNING, seen, **values):
            return True
        if isinstance(instance, Workspace):
            enqueue(tasks.look_inside, instance.key)
        instances.tell(instance, "started")
    return False


def _is_starting(instance: Instance, seen: Observed, since: datetime) -> bool:
    with transaction.atomic():
        changed = _same(instance).update(
            observed_state=OBSERVED.STARTING, address=seen.address, observed_at=timezone.now(), started_at=since,
            next_attempt_at=timezone.now() + timedelta(seconds=NEXT_PAUSE),
        )  # fmt: skip
        after_commit(_nudge_in, instance.key, NEXT_PAUSE)
    return not changed


def _stop(instance: Instance, provider: Provider) -> bool:
    try:
        seen = provider.ensure(specs.of(instance), running=False)
    except (crypto.CannotOpen, ProviderError) as e:
        if isinstance(e, ProviderError) and not e.permanent:
            raise
        provider.remove(instance.key, volumes=False)  # what cannot be as specified can still not run
        seen = Observed(instance.key, "stopped", "")
    values: dict[str, Any] = {"error": ""}
    if isinstance(instance, Workspace):
        values["volume_bytes"] = _volume_bytes(instance, provider)
    with transaction.atomic():
        if not _write(instance, OBSERVED.STOPPED, seen, **values):
            return True
        instances.tell(instance, "stopped", reason=instance.stopped_for)
    return False


def _volume_bytes(workspace: Workspace, provider: Provider) -> int | None:
    try:
        return provider.volume_bytes(workspace.key)
    except ProviderError:
        return workspace.volume_bytes


def _end(instance: Instance, provider: Provider) -> bool:
    provider.remove(instance.key, volumes=True)
    forget(instance)
    return False


def forget(instance: Instance) -> None:
    """Remove the row of an instance, with all that the platform itself keeps of it."""
    if isinstance(instance, Workspace):
        snapshots.remove_files(instance)
    with transaction.atomic():
        Sample.objects.filter(tenant_id=instance.tenant_id, key=instance.key).delete()
        instance.delete()
        instances.told(instance)
        instances.tell(instance, "purged")


# What comes of them


def _same(instance: Instance) -> Any:
    """The row while its wish is the one that was acted on."""
    return type(instance)._default_manager.filter(pk=instance.pk, generation=instance.generation)


def _write(instance: Instance, state: str, seen: Observed, **values: Any) -> bool:
    """Note that the wish has come true; False where a newer one was made meanwhile."""
    changed = _same(instance).update(
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


def _fail(instance: Instance, words: str) -> bool:
    log.warning("%s failed: %s", instance.key, words)
    with transaction.atomic():
        changed = _same(instance).update(
            observed_state=OBSERVED.FAILED, observed_generation=instance.generation, observed_at=timezone.now(),
            error=words[:500],
        )  # fmt: skip
        if changed:
            instances.told(instance)
            instances.tell(instance, "failed", error=words[:500])
    return not changed


def _try_later(instance: Instance, words: str) -> bool:
    pause = min(LONGEST_PAUSE, 2.0 ** min(instance.attempts, 10))
    log.warning("%s, again in %.0f s: %s", instance.key, pause, words)
    with transaction.atomic():
        changed = _same(instance).update(
            attempts=instance.attempts + 1, error=words[:500],
            next_attempt_at=timezone.now() + timedelta(seconds=pause),
        )  # fmt: skip
        after_commit(_nudge_in, instance.key, pause)
    return not changed


def _nudge_in(key: str, seconds: float) -> None:
    tasks.reconcile_instance.apply_async((key,), countdown=seconds, retry=False)


def _last_words(provider: Provider, instance: Instance) -> str:
    """The last line that it wrote, as a hint."""
    try:
        lines = list(provider.logs(instance.key, tail=5))
    except ProviderError:
        return ""
    texts = [line.decode(errors="replace").strip() for line in lines]
    return next((f" Its last words: {text[:300]}" for text in reversed(texts) if text), "")


# Without a wish


def _differs(instance: Instance, seen: Observed | None) -> bool:
    """Whether a settled instance is not what its row says."""
    if (
        not instance.is_settled
        or instance.observed_state == OBSERVED.FAILED
        or instances.is_elsewhere(instance)
    ):
        return False
    runs = seen is not None and seen.state != "stopped"
    if instance.desired_state != DESIRED.RUNNING:
        return runs
    if seen is None or not runs:
        return True
    is_as_made = (seen.digest, seen.address) == (instance.observed_digest, instance.address)
    return not is_as_made or _is_steady_again(instance)


def _is_steady_again(instance: Instance) -> bool:
    return (
        instance.attempts > 0
        and instance.started_at is not None
        and (timezone.now() - instance.started_at > STEADY)
    )


def _look(instance: Instance) -> bool:
    """See a settled instance, and wish again what is no longer so; whether that is to be done now."""
    try:
        seen = registry.provider(instance.provider).observe(instance.key)
    except (KeyError, ImportError, ProviderError) as e:
        log.warning("%s cannot be seen: %s", instance.key, e)
        return False
    if not _differs(instance, seen):
        return False
    if instance.desired_state == DESIRED.RUNNING:
        if seen is None or seen.state == "stopped":
            return _crashed(instance, seen)
        if seen.digest == instance.observed_digest:
            return _note(instance, seen)
    log.warning("%s is not as it was left: it is made so again", instance.key)
    changed = _same(instance).update(observed_generation=0, next_attempt_at=timezone.now())
    return bool(changed)


def _note(instance: Instance, seen: Observed) -> bool:
    """Write what changed of one that runs: its address, or that it has kept running."""
    with transaction.atomic():
        values: dict[str, Any] = {"address": seen.address, "observed_at": timezone.now()}
        if _is_steady_again(instance):
            values |= {"attempts": 0, "error": ""}
        if _same(instance).update(**values) and seen.address != instance.address:
            instances.told(instance)
    return False


def _crashed(instance: Instance, seen: Observed | None) -> bool:
    """It ended though it shall run: started again at once, and if that does not help, later and later."""
    attempts = instance.attempts + 1
    pause = 0.0 if attempts == 1 else min(LONGEST_PAUSE, 2.0 ** min(attempts - 1, 10))
    reason = (seen.reason if seen is not None else "") or "it is gone"
    words = f"{_ENDED}: {reason}" if attempts == 1 else f"{_ENDED} {attempts} times in a row: {reason}"
    log.warning("%s: %s", instance.key, words)
    with transaction.atomic():
        changed = _same(instance).update(
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


def _remove_orphan(key: str) -> None:
    """What runs though nothing wishes it; its volumes are left, for the case that its row was lost by accident."""
    for name in registry.usable():
        try:
            provider = registry.provider(name)
            if provider.observe(key) is not None:
                log.warning("%s at %s has no row: removed", key, name)
                provider.remove(key, volumes=False)
        except NotThere:
            continue
        except ProviderError as e:
            log.warning("%s at %s could not be removed: %s", key, name, e)
