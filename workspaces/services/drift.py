"""Instances that are no longer as they were left: seen at their providers, and wished again."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from gateway.db.scope import platform_scope
from workspaces import tasks
from workspaces.models import Instance
from workspaces.providers import registry
from workspaces.providers.base import NotThere, Observed, ProviderError

from . import instances, outcomes

log = logging.getLogger(__name__)

DESIRED, OBSERVED = Instance.Desired, Instance.Observed
STEADY = timedelta(minutes=2)
"""Who has run for so long has no crash loop."""


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


def look(instance: Instance) -> bool:
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
            return outcomes.crashed(instance, seen)
        if seen.digest == instance.observed_digest:
            return _note(instance, seen)
    log.warning("%s is not as it was left: it is made so again", instance.key)
    changed = outcomes.same(instance).update(observed_generation=0, next_attempt_at=timezone.now())
    return bool(changed)


def _note(instance: Instance, seen: Observed) -> bool:
    """Write what changed of one that runs: its address, or that it has kept running."""
    with transaction.atomic():
        values: dict[str, Any] = {"address": seen.address, "observed_at": timezone.now()}
        if _is_steady_again(instance):
            values |= {"attempts": 0, "error": ""}
        if outcomes.same(instance).update(**values) and seen.address != instance.address:
            instances.told(instance)
    return False


def remove_orphan(key: str) -> None:
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
