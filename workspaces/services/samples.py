"""What instances use, over time: readings every 15 s for an hour, every five minutes for a week."""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from concurrent.futures import TimeoutError as TooSlow
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from gateway.db.locks import advisory_lock
from gateway.db.scope import platform_scope
from workspaces.models import Instance, Sample, Service, Workspace
from workspaces.providers import registry
from workspaces.providers.base import Capability, ProviderError, Usage

log = logging.getLogger(__name__)

FINE, COARSE = timedelta(hours=1), timedelta(minutes=5)
KEPT = timedelta(days=7)
SPANS = {"1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": KEPT}
MOST_POINTS = 300
FRESH = timedelta(minutes=1)
PASS_SECONDS = 10.0
_AT_ONCE = 8
_OVERLAP = timedelta(hours=6)  # how far back there may be readings that nobody has thinned yet


@dataclass(frozen=True, slots=True)
class Reading:
    """What an instance used, at or up to a moment. Bytes of the network count since its start."""

    at: datetime
    cpu_millis: int
    memory_bytes: int
    pids: int
    received_bytes: int
    sent_bytes: int


def collect() -> int:
    """Read the use of all that runs, once; how many readings were written. One pass at a time on the platform.

    What a provider does not tell within PASS_SECONDS is left out.
    """
    with (
        platform_scope("readings of all tenants' instances"),
        advisory_lock("samples", 0) as held,
    ):
        if not held:
            return 0
        running = _running()
        found = _read([instance for instance in running.values() if _can_tell(instance)])
        before = _latest(list(found))
        rows = [_sample(running[key], usage, at, before.get(key)) for key, (at, usage) in found.items()]
        Sample.objects.bulk_create(rows)
    return len(rows)


def thin() -> None:
    """Of readings older than an hour keep one in five minutes, with the mean of their CPU and the most of their memory;
    remove those older than a week."""
    now = timezone.now()
    with platform_scope("readings of all tenants' instances"), connection.cursor() as cursor:
        cursor.execute(
            _THIN, {"step": f"{COARSE.seconds} s", "since": now - FINE - _OVERLAP, "until": now - FINE}
        )
        cursor.execute("DELETE FROM workspaces_sample WHERE at < %s", [now - KEPT])


def history(key: str, span: timedelta) -> list[Reading]:
    """An instance's readings in the last `span`, oldest first, at most MOST_POINTS; the caller found the instance."""
    step = max(15.0, span.total_seconds() / MOST_POINTS)
    with connection.cursor() as cursor:
        cursor.execute(_HISTORY, {"key": key, "since": timezone.now() - span, "step": f"{step} s"})
        return [Reading(*row) for row in cursor.fetchall()]


def now(key: str) -> Reading | None:
    """The newest reading; None where there is none of the last minute."""
    row = Sample.objects.filter(key=key, at__gte=timezone.now() - FRESH).order_by("-at").first()
    if row is None:
        return None
    return Reading(row.at, row.cpu_millis, row.memory_bytes, row.pids, row.received_bytes, row.sent_bytes)


def _running() -> dict[str, Instance]:
    found: dict[str, Instance] = {}
    for model in (Workspace, Service):
        rows = model.objects.filter(observed_state=Instance.Observed.RUNNING).exclude(provider="")
        fields = ("public_id", "tenant_id", "provider", "started_at")
        found |= {row.key: row for row in rows.only(*fields)}
    return found


def _can_tell(instance: Instance) -> bool:
    try:
        return Capability.USAGE in registry.provider(instance.provider).capabilities
    except (KeyError, ImportError):
        return False


def _read(asked: list[Instance]) -> dict[str, tuple[datetime, Usage]]:
    """By key, what each used when."""

    def ask(instance: Instance) -> tuple[str, datetime, Usage]:
        usage = registry.provider(instance.provider).usage(instance.key)
        return instance.key, timezone.now(), usage

    found: dict[str, tuple[datetime, Usage]] = {}
    threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="samples")
    begun = time.monotonic()
    try:
        for done in as_completed([threads.submit(ask, each) for each in asked], PASS_SECONDS):
            try:
                key, at, usage = done.result()
            except ProviderError as error:
                log.debug("an instance does not tell its use: %s", error)
            else:
                found[key] = at, usage
    except TooSlow:
        log.warning("%s of %s instances told their use in time", len(found), len(asked))
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
    log.debug("the use of %s instances was read in %.2f s", len(found), time.monotonic() - begun)
    return found


def _latest(keys: list[str]) -> dict[str, Sample]:
    """By key, the reading before this pass."""
    rows = Sample.objects.filter(key__in=keys, at__gte=timezone.now() - COARSE)
    return {row.key: row for row in rows.order_by("key", "-at").distinct("key")}


def _sample(instance: Instance, usage: Usage, at: datetime, before: Sample | None) -> Sample:
    return Sample(
        tenant_id=instance.tenant_id,
        key=instance.key,
        at=at,
        cpu_millis=_mean(instance, usage, at, before),
        cpu_seconds=usage.cpu_seconds,
        memory_bytes=usage.memory_bytes,
        pids=usage.pids,
        received_bytes=usage.received_bytes,
        sent_bytes=usage.sent_bytes,
    )


def _mean(instance: Instance, usage: Usage, at: datetime, before: Sample | None) -> int:
    """Thousandths of a core since the reading before, else since its start; a new start counts from 0."""
    if before is not None and usage.cpu_seconds >= before.cpu_seconds:
        used, since = usage.cpu_seconds - before.cpu_seconds, before.at
    elif instance.started_at is not None:
        used, since = usage.cpu_seconds, instance.started_at
    else:
        return 0
    return round(1000 * used / max(0.001, (at - since).total_seconds()))


# The readings of each five minutes become the last of them.
_THIN = """
WITH fine AS (
    SELECT id, key, at, cpu_millis, memory_bytes, date_bin(%(step)s::interval, at, 'epoch') AS bin
    FROM workspaces_sample
    WHERE at >= date_bin(%(step)s::interval, %(since)s, 'epoch')
        AND at < date_bin(%(step)s::interval, %(until)s, 'epoch')
), bins AS (
    SELECT (array_agg(id ORDER BY at DESC))[1] AS kept, array_agg(id) AS ids,
        round(avg(cpu_millis)) AS cpu_millis, max(memory_bytes) AS memory_bytes
    FROM fine GROUP BY key, bin HAVING count(*) > 1
), gone AS (
    DELETE FROM workspaces_sample USING bins WHERE id = ANY (ids) AND id <> kept
)
UPDATE workspaces_sample AS sample SET cpu_millis = bins.cpu_millis, memory_bytes = bins.memory_bytes
FROM bins WHERE sample.id = bins.kept
"""
_HISTORY = """
SELECT max(at), round(avg(cpu_millis))::int, max(memory_bytes), max(pids), max(received_bytes), max(sent_bytes)
FROM workspaces_sample WHERE key = %(key)s AND at > %(since)s
GROUP BY date_bin(%(step)s::interval, at, 'epoch') ORDER BY 1
"""
