"""Instances made at their providers what their rows wish, by a reconciler that may run at any time.

One holder per key. What is slow happens outside transactions; what was seen is written only while the wish is still
the one that was acted on, else the newer one is next. A call that may work later is tried again after a growing pause;
one that never will ends in `failed`, with the reason in words for the owner, until the next wish.
"""

from __future__ import annotations

import logging
import time
import zlib
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from gateway import crypto
from gateway.db.locks import advisory_lock
from gateway.db.scope import platform_scope
from workspaces import tasks
from workspaces.models import Instance, Sample, Workspace
from workspaces.providers import registry
from workspaces.providers.base import Observed, Provider, ProviderError

from . import drift, instances, outcomes, probing, snapshots, specs

log = logging.getLogger(__name__)

DESIRED, OBSERVED = Instance.Desired, Instance.Observed
FIRST_PATIENCE, NEXT_PATIENCE, LOOK_EVERY = 5.0, 1.0, 0.3
"""Seconds that an attempt waits for an answer from inside, and how often it looks for other news meanwhile."""
_SKEW = timedelta(seconds=0.5)  # between the clocks of those who wish and of us


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
                    drift.remove_orphan(key)
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


def _step(instance: Instance) -> bool:
    """One attempt, or one look where nothing is to be done; whether there is more to do right now."""
    if instance.is_settled:
        return not instances.is_elsewhere(instance) and drift.look(instance)
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
        return outcomes.fail(instance, f"The provider {instance.provider} is no longer there.")
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
        return outcomes.fail(instance, "Its secrets cannot be opened: their key is no longer configured.")
    except ProviderError as e:
        return outcomes.fail(instance, str(e)) if e.permanent else outcomes.try_later(instance, str(e))
    except Exception:  # a defect of ours, or of a provider's library: never the end of the attempts
        log.exception("%s: an attempt broke", instance.key)
        return outcomes.try_later(instance, "The platform failed at this; it tries again.")


def _run(instance: Instance, provider: Provider) -> bool:
    spec = specs.of(instance)
    seen = provider.ensure(spec, running=True)
    waited = _wait(instance, provider, seen) if isinstance(instance, Workspace) else "ready"
    if waited == "ready":
        return outcomes.started(instance, seen)
    if waited == "ended":
        return outcomes.crashed(instance, provider.observe(instance.key))
    if waited == "outdated":
        return True
    since = seen.started_at or instance.started_at or timezone.now()
    if timezone.now() - since < timedelta(seconds=settings.WORKSPACE_START_SECONDS):
        return outcomes.starting(instance, seen, since)
    words = f"It did not answer within {settings.WORKSPACE_START_SECONDS} seconds.{_last_words(provider, instance)}"
    provider.ensure(spec, running=False)
    return outcomes.fail(instance, words)


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
            if not outcomes.same(instance).exists():
                return "outdated"
            found = provider.observe(instance.key)
            if found is None or found.state == "stopped":
                return "ended"
        time.sleep(pause)
        pause = min(pause * 1.3, 0.05)


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
        if not outcomes.write(instance, OBSERVED.STOPPED, seen, **values):
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


def _last_words(provider: Provider, instance: Instance) -> str:
    """The last line that it wrote, as a hint."""
    try:
        lines = list(provider.logs(instance.key, tail=5))
    except ProviderError:
        return ""
    texts = [line.decode(errors="replace").strip() for line in lines]
    return next((f" Its last words: {text[:300]}" for text in reversed(texts) if text), "")
