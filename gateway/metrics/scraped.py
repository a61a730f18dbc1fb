"""What is looked up when somebody asks for `/metrics`, at most every few seconds."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from importlib.metadata import version
from platform import python_version

from django.conf import settings
from django.db import Error as DatabaseError
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from gateway import health
from gateway.celery import app as celery_app
from gateway.db.scope import platform_scope
from gateway.health.probes import broker_client
from storage.services import totals
from tenants.services import counts
from workspaces.services import counts as running

log = logging.getLogger(__name__)
_KEPT_SECONDS = 5.0


class Scraped(Collector):
    """Components, the broker's queue, and what waits in tables."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: list[Metric] = []
        self._at = float("-inf")

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            if time.monotonic() - self._at >= _KEPT_SECONDS:
                self._found = [_build(), _components(), *_queue(), *_waiting(), *_instances()]
                self._at = time.monotonic()
            yield from self._found


def _build() -> Metric:
    told = {"version": _version(), "python": python_version(), "django": version("django")}
    return InfoMetricFamily("gatehouse_build", "What runs.", told)


def _version() -> str:
    with (settings.BASE_DIR / "pyproject.toml").open() as file:
        found = next((line for line in file if line.startswith("version = ")), 'version = "unknown"')
    return found.split('"')[1]


def _components() -> Metric:
    family = GaugeMetricFamily(
        "gatehouse_component_up",
        "1 where the component works; absent ones are left out.",
        labels=["component"],
    )
    for name, found in health.look().components.items():
        if found.status != "absent":
            family.add_metric([name], found.status == "ok")
    return family


def _queue() -> Iterator[Metric]:
    try:
        length = broker_client(settings.CELERY_BROKER_URL).llen(celery_app.conf.task_default_queue)
    except RedisError as error:
        log.warning("the length of the queue is not known: %s", error)
        return
    family = GaugeMetricFamily("gatehouse_queue_length", "Jobs that no worker has taken yet.")
    family.add_metric([], length)
    yield family


def _waiting() -> Iterator[Metric]:
    try:
        with platform_scope("figures of the whole platform, which name no tenant"):
            found = {**totals.waiting(), **counts.waiting(), **running.waiting()}
    except DatabaseError as error:
        log.warning("what waits in the database is not known: %s", error)
        return
    family = GaugeMetricFamily(
        "gatehouse_waiting", "Rows that a background job has yet to settle.", labels=["what"]
    )
    for what, count in found.items():
        family.add_metric([what], count)
    yield family


def _instances() -> Iterator[Metric]:
    try:
        with platform_scope("figures of the whole platform, which name no tenant"):
            found = running.states()
    except DatabaseError as error:
        log.warning("what runs is not known: %s", error)
        return
    family = GaugeMetricFamily(
        "gatehouse_instances",
        "Workspaces and services that are not deleted, by what was seen of them.",
        labels=["kind", "state"],
    )
    for labels, count in found.items():
        family.add_metric(labels, count)
    yield family
