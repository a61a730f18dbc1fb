"""The series that more than one app counts, and two cheap kinds of series."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

REGISTRY = CollectorRegistry(auto_describe=False)
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_JOB_SECONDS = (0.01, 0.1, 0.5, 1, 5, 15, 60, 300, 1800)


class Plain(Collector):
    """A counter for hot paths of a single thread: adding is one step in a dict, without a lock."""

    def __init__(self, name: str, text: str, labels: tuple[str, ...]) -> None:
        self._name, self._text, self._labels = name, text, labels
        self._counts: dict[tuple[str | int, ...], int] = {}
        REGISTRY.register(self)

    def add(self, labels: tuple[str | int, ...], count: int = 1) -> None:
        """`labels` in the order of the names."""
        self._counts[labels] = self._counts.get(labels, 0) + count

    def collect(self) -> Iterable[Metric]:
        family = CounterMetricFamily(self._name, self._text, labels=self._labels)
        for labels, count in list(self._counts.items()):
            family.add_metric([str(label) for label in labels], count)
        yield family


class Reading(Collector):
    """A gauge that is read when it is asked for: `read` answers values by the label's value."""

    def __init__(
        self,
        name: str,
        text: str,
        labels: tuple[str, ...],
        read: Callable[[], Mapping[tuple[str, ...], float]],
    ):
        self._name, self._text, self._labels, self._read = name, text, labels, read
        REGISTRY.register(self)

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(self._name, self._text, labels=self._labels)
        for labels, value in self._read().items():
            family.add_metric(labels, value)
        yield family


REQUESTS = Counter(
    "gatehouse_requests",
    "Requests that web or live answered, by the pattern of their path.",
    ("route", "method", "status"),
    registry=REGISTRY,
)
REQUEST_SECONDS = Histogram(
    "gatehouse_request_seconds",
    "How long web took for a request.",
    ("route", "method"),
    buckets=_SECONDS,
    registry=REGISTRY,
)
RATE_LIMITED = Counter(
    "gatehouse_rate_limited",
    "Requests refused because the caller asked too often.",
    ("group",),
    registry=REGISTRY,
)
SIGN_IN_FAILURES = Counter(
    "gatehouse_sign_in_failures",
    "Passwords and second factors that were wrong.",
    ("step",),
    registry=REGISTRY,
)
TASKS = Counter(
    "gatehouse_tasks", "Background jobs that ended, by how.", ("task", "state"), registry=REGISTRY
)
TASK_SECONDS = Histogram(
    "gatehouse_task_seconds",
    "How long a background job took.",
    ("task",),
    buckets=_JOB_SECONDS,
    registry=REGISTRY,
)
DELIVERY_SECONDS = Histogram(
    "gatehouse_event_delivery_seconds",
    "From an event's writing until it was handed to the readers of its tenant.",
    buckets=_SECONDS,
    registry=REGISTRY,
)
DECISIONS = Plain(
    "gatehouse_decisions",
    "What the decision process decided; `status` of answers.",
    ("decider", "outcome", "status"),
)


def _resident() -> Mapping[tuple[str, ...], float]:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError):
        return {}
    return {(): float(pages * os.sysconf("SC_PAGE_SIZE"))}


Reading("gatehouse_resident_bytes", "Memory that the process holds.", (), _resident)
