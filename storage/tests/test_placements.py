"""Buckets on a remote backend that misbehaves: made, renamed, retried, removed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from gateway.db.scope import platform_scope, tenant_scope
from realtime.models import Event
from storage import providers
from storage.models import Backend, Bucket, Placement
from storage.providers.fake import FakeBackend, FakeProvider
from storage.services import buckets, placements
from tenants.principal import Principal
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> FakeBackend:
    """The far side of the default backend, whose kind is the fake."""
    backend = FakeBackend()

    class Kind(FakeProvider):
        def __init__(self, connection: providers.Connection) -> None:
            super().__init__(connection, backend)

    monkeypatch.setitem(providers.KINDS, "fake", Kind)
    with platform_scope("tests"):
        Backend.objects.create(name="far", kind="fake", is_default=True)
    return backend


@pytest.fixture
def admin() -> Principal:
    return factories.member(factories.tenant())


def make(admin: Principal, name: str = "docs") -> Placement:
    with tenant_scope(admin.tenant.pk):
        return buckets.create_bucket(name, actor=admin).placement


def remove(admin: Principal, name: str = "docs") -> None:
    with tenant_scope(admin.tenant.pk):
        buckets.delete_bucket(buckets.get_bucket(name, actor=admin), actor=admin)


def subjects(admin: Principal) -> list[str]:
    with tenant_scope(admin.tenant.pk):
        return [e.type for e in Event.objects.filter(type__startswith="storage.bucket")]


def test_a_bucket_is_made_there_after_the_commit(
    far: FakeBackend, admin: Principal, django_capture_on_commit_callbacks: Any
) -> None:
    placement = make(admin)
    assert far.calls == []
    assert not placement.is_settled
    settled = placements.reconcile(placement.pk)
    assert settled is not None
    assert settled.is_settled
    assert list(far.objects) == [placement.backend_bucket]
    assert subjects(admin) == ["storage.bucket.created", "storage.bucket.ready"]
    placements.reconcile(placement.pk)  # nothing is left to do
    assert len(far.calls) == 1


def test_names_tell_nothing_and_are_each_tenants_own(far: FakeBackend, admin: Principal) -> None:
    mine, theirs = make(admin), make(factories.member(factories.tenant()))
    assert mine.backend_bucket != theirs.backend_bucket
    for placement in (mine, theirs):
        assert placement.backend_bucket.startswith("gh-")
        assert "docs" not in placement.backend_bucket
        assert admin.tenant.slug not in placement.backend_bucket
        buckets.check_name(placement.backend_bucket)
    assert mine.backend_bucket == placements.backend_bucket(admin.tenant.pk, "docs", 0)


def test_a_name_that_somebody_else_has_there(far: FakeBackend, admin: Principal) -> None:
    placement = make(admin)
    far.foreign = {placements.backend_bucket(admin.tenant.pk, "docs", n) for n in (0, 1)}
    for _ in range(3):
        placements.reconcile(placement.pk)
    with platform_scope("tests"):
        placement.refresh_from_db()
    assert placement.is_settled
    assert placement.backend_bucket == placements.backend_bucket(admin.tenant.pk, "docs", 2)


def test_failures_are_noted_and_tried_again_later(far: FakeBackend, admin: Principal) -> None:
    placement = make(admin)
    far.failures = [providers.Unreachable("no answer"), providers.Refused("no rights")]
    pauses = []
    for expected in ("no answer", "no rights"):
        noted = placements.reconcile(placement.pk)
        assert noted is not None
        assert (noted.error, noted.is_settled) == (expected, False)
        pauses.append(noted.next_attempt_at - timezone.now())
    assert timedelta(0) < pauses[0] < pauses[1]
    settled = placements.reconcile(placement.pk)
    assert settled is not None
    assert (settled.is_settled, settled.error, settled.attempts) == (True, "", 0)


def test_an_answer_that_was_lost_does_no_harm(far: FakeBackend, admin: Principal) -> None:
    placement = make(admin)
    far.fails_after = [providers.Unreachable("the answer was lost")]
    placements.reconcile(placement.pk)
    settled = placements.reconcile(placement.pk)
    assert settled is not None
    assert settled.is_settled
    assert len(far.objects) == 1


def test_a_deleted_bucket_goes_there_too_and_may_be_made_again(far: FakeBackend, admin: Principal) -> None:
    first = make(admin)
    placements.reconcile(first.pk)
    remove(admin)
    again = make(admin)  # before the first is gone there
    assert again.backend_bucket != first.backend_bucket
    placements.reconcile(again.pk)
    assert set(far.objects) == {first.backend_bucket, again.backend_bucket}
    assert placements.reconcile(first.pk) is None
    assert set(far.objects) == {again.backend_bucket}
    with platform_scope("tests"):
        assert Placement.objects.count() == 1
        assert Bucket.objects.count() == 1


def test_a_bucket_with_foreign_objects_waits(far: FakeBackend, admin: Principal) -> None:
    placement = make(admin)
    placements.reconcile(placement.pk)
    far.put(placement.backend_bucket, "left", b"x")
    remove(admin)
    noted = placements.reconcile(placement.pk)
    assert noted is not None
    assert "still holds objects" in noted.error


def test_the_sweep_finds_what_no_nudge_reached(
    far: FakeBackend, admin: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    from storage import tasks

    nudged: list[int] = []
    monkeypatch.setattr(tasks.reconcile_placement, "delay", nudged.append)
    settled, drifted, late = (make(admin, name) for name in ("one", "two", "three"))
    placements.reconcile(settled.pk)
    with platform_scope("tests"):
        Placement.objects.filter(pk=late.pk).update(next_attempt_at=timezone.now() + timedelta(hours=1))
    placements.sweep()
    assert nudged == [drifted.pk]
