"""Connection tests: when they run, what they leave, and who is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from gateway.db.scope import platform_scope
from realtime.models import Event
from storage import providers, tasks
from storage.models import Backend, Bucket, Placement
from storage.providers.fake import FakeBackend, FakeProvider
from storage.services import connections
from tenants.models import Tenant
from tests import factories

pytestmark = pytest.mark.django_db

DEAD = providers.Unreachable("no answer")


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> FakeBackend:
    backend = FakeBackend()

    class Kind(FakeProvider):
        def __init__(self, connection: providers.Connection) -> None:
            super().__init__(connection, backend)

    monkeypatch.setitem(providers.KINDS, "fake", Kind)
    return backend


@pytest.fixture
def tenant() -> Tenant:
    return factories.tenant()


@pytest.fixture
def backend(tenant: Tenant, far: FakeBackend) -> Backend:
    with platform_scope("tests"):
        made = Backend.objects.create(name="far", kind="fake", tenant=tenant)
        return connections.examine(made)


def events(tenant: Tenant) -> list[str]:
    with platform_scope("tests"):
        rows = Event.objects.filter(tenant=tenant, type__startswith="storage.backend").order_by("pk")
        return [row.type.rpartition(".")[2] for row in rows]


def pause(backend: Backend) -> timedelta:
    assert backend.checked_at
    return backend.next_check_at - backend.checked_at


def test_a_failure_is_told_once_and_so_is_its_end(far: FakeBackend, tenant: Tenant, backend: Backend) -> None:
    assert (backend.failing_since, pause(backend)) == (None, connections.EVERY)
    far.failures = [DEAD, DEAD]
    backend = connections.examine(backend)
    since = backend.failing_since
    assert backend.check_error and since and pause(backend) == connections.SOONEST
    backend = connections.examine(backend)
    assert backend.failing_since == since
    assert events(tenant) == ["failed"]
    backend = connections.examine(backend)
    assert (backend.check_error, backend.failing_since, pause(backend)) == ("", None, connections.EVERY)
    assert events(tenant) == ["failed", "recovered"]


def test_what_fails_for_long_is_tested_more_rarely(far: FakeBackend, backend: Backend) -> None:
    for since, expected in (
        (timedelta(minutes=6), timedelta(minutes=3)),
        (timedelta(days=1), connections.LATEST),
    ):
        with platform_scope("tests"):
            Backend.objects.update(failing_since=timezone.now() - since, check_error="no answer")
        far.failures = [DEAD]
        assert abs(pause(connections.examine(backend)) - expected) < timedelta(seconds=5)


def test_a_shared_one_is_told_to_who_has_buckets_there(far: FakeBackend, tenant: Tenant) -> None:
    other = factories.tenant()
    with platform_scope("tests"):
        shared = Backend.objects.create(name="all", kind="fake")
        for name in ("one", "two"):
            bucket = Bucket.objects.create(tenant=tenant, name=name)
            Placement.objects.create(
                tenant=tenant, bucket=bucket, backend=shared, backend_bucket=f"gh-{name}"
            )
    far.failures = [DEAD]
    connections.examine(shared)
    assert (events(tenant), events(other)) == (["failed"], [])


def test_what_was_found_of_another_connection_counts_nothing(far: FakeBackend, backend: Backend) -> None:
    with platform_scope("tests"):
        Backend.objects.update(access_key="another")
    far.failures = [DEAD]
    assert connections.examine(backend).check_error == ""


def test_a_doubt_has_it_tested_once_a_minute_at_most(
    far: FakeBackend, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(tasks.check_backend, "delay", asked.append)
    connections.sweep()
    asked.clear()
    connections.doubt(backend)
    connections.sweep()
    assert asked == []
    with platform_scope("tests"):
        backend.refresh_from_db()
    assert pause(backend) == connections.SOONEST
    with platform_scope("tests"):
        Backend.objects.update(
            checked_at=timezone.now() - timedelta(minutes=2), next_check_at=timezone.now() + connections.EVERY
        )
    with platform_scope("tests"):
        backend.refresh_from_db()
    connections.doubt(backend)
    connections.sweep()
    connections.sweep()
    assert asked == [backend.pk]
