"""Rows made true at a provider that misbehaves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from gateway import crypto
from gateway.db.scope import platform_scope, tenant_scope
from realtime.models import Event
from tenants.principal import Principal
from workspaces.models import Workspace
from workspaces.providers.base import Refused, Unavailable
from workspaces.providers.fake import FakeProvider
from workspaces.services import drift, instances, reconciler

pytestmark = pytest.mark.django_db


def make(admin: Principal, name: str = "lab", **fields: Any) -> Workspace:
    """A workspace's row as its verb leaves it."""
    with tenant_scope(admin.tenant.pk):
        return Workspace.objects.create(
            tenant=admin.tenant,
            owner=admin.user,
            name=name,
            provider="fake",
            offset=instances.take_offset(),
            **fields,
        )


def wish(workspace: Workspace, state: str) -> None:
    with tenant_scope(workspace.tenant_id), transaction.atomic():
        instances.ask(instances.lock(workspace), state)


def reconcile(workspace: Workspace) -> Workspace:
    found = reconciler.reconcile(workspace.key)
    assert isinstance(found, Workspace)
    return found


def again(workspace: Workspace) -> Workspace:
    """The next attempt, as if its pause were over."""
    with platform_scope("tests"):
        Workspace.objects.filter(pk=workspace.pk).update(next_attempt_at=timezone.now())
    return reconcile(workspace)


def happened(admin: Principal) -> list[str]:
    with tenant_scope(admin.tenant.pk):
        return [
            e.type.removeprefix("workspaces.workspace.")
            for e in Event.objects.filter(type__startswith="workspaces.")
        ]


def test_it_runs_once_it_answers(fake: FakeProvider, admin: Principal) -> None:
    workspace = make(admin)
    assert (workspace.state, workspace.is_settled) == ("starting", False)
    settled = reconcile(workspace)
    assert (settled.state, settled.is_settled, settled.error) == ("running", True, "")
    assert settled.address
    assert settled.started_at is not None
    assert settled.observed_digest == fake.instances[workspace.key].spec.digest()
    assert happened(admin) == ["started"]
    calls = list(fake.calls)
    reconcile(workspace)
    assert fake.calls == calls, "nothing is left to do"


def test_it_stops_starts_and_ends(fake: FakeProvider, admin: Principal) -> None:
    workspace = make(admin)
    reconcile(workspace)
    wish(workspace, "stopped")
    assert reconcile(workspace).state == "stopped"
    wish(workspace, "running")
    assert reconcile(workspace).state == "running"
    wish(workspace, "absent")
    assert reconciler.reconcile(workspace.key) is None
    assert (fake.instances, fake.volumes) == ({}, {})
    assert happened(admin) == ["started", "stopped", "started", "purged"]


def test_what_may_work_later_is_tried_later_and_later(fake: FakeProvider, admin: Principal) -> None:
    workspace = make(admin)
    pauses = []
    for n in range(3):
        fake.failures = [Unavailable(f"The engine sleeps {n}.")]
        seen = again(workspace)
        assert (seen.state, seen.error) == ("starting", f"The engine sleeps {n}.")
        pauses.append(seen.next_attempt_at - timezone.now())
    assert timedelta(0) < pauses[0] < pauses[1] < pauses[2]
    calls = list(fake.calls)
    reconcile(workspace)
    assert fake.calls == calls, "its time has not come"
    settled = again(workspace)
    assert (settled.state, settled.error) == ("running", "")


def test_what_never_works_fails_until_the_next_wish(fake: FakeProvider, admin: Principal) -> None:
    workspace = make(admin)
    fake.failures = [Refused("There is no image of that name.")]
    failed = reconcile(workspace)
    assert (failed.state, failed.is_settled) == ("failed", True)
    assert failed.error == "There is no image of that name."
    calls = list(fake.calls)
    drift.compare()
    reconcile(workspace)
    assert fake.calls == calls
    wish(workspace, "running")
    assert reconcile(workspace).state == "running"
    assert happened(admin) == ["failed", "started"]


def test_a_defect_is_no_end(fake: FakeProvider, admin: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = make(admin)

    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(fake, "ensure", broken)
        seen = reconcile(workspace)
    assert (seen.state, seen.error) == ("starting", "The platform failed at this; it tries again.")
    assert again(workspace).state == "running"


def test_an_answer_that_was_lost_does_no_harm(fake: FakeProvider, admin: Principal) -> None:
    workspace = make(admin)
    fake.fails_after = [Unavailable("The answer was lost.")]
    reconcile(workspace)
    run = fake.instances[workspace.key].run
    assert again(workspace).state == "running"
    assert fake.instances[workspace.key].run == run


def test_a_newer_wish_wins(fake: FakeProvider, admin: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = make(admin)
    ensure, wished = fake.ensure, list[str]()

    def ensure_slowly(spec: Any, *, running: bool) -> Any:
        if not wished:
            wished.append("stopped")
            wish(workspace, "stopped")
        return ensure(spec, running=running)

    monkeypatch.setattr(fake, "ensure", ensure_slowly)
    assert reconcile(workspace).state == "stopped"
    assert fake.calls == [f"run {workspace.key}", f"stop {workspace.key}"]
    assert happened(admin) == ["stopped"]


def test_one_that_does_not_answer(
    fake: FakeProvider, admin: Principal, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciler, "FIRST_PATIENCE", 0.1)
    monkeypatch.setattr(reconciler, "NEXT_PATIENCE", 0.1)
    fake.serves = False
    workspace = make(admin)
    waiting = reconcile(workspace)
    assert (waiting.state, waiting.observed_state) == ("starting", "starting")
    fake.say(workspace.key, "ImportError: no module named x")
    settings.WORKSPACE_START_SECONDS = 0
    failed = again(workspace)
    assert failed.state == "failed"
    assert failed.error == (
        "It did not answer within 0 seconds. Its last words: ImportError: no module named x"
    )
    assert fake.instances[workspace.key].server is None, "it holds nothing any more"


def test_one_that_dies_is_started_again(fake: FakeProvider, admin: Principal) -> None:
    workspace = make(admin)
    reconcile(workspace)
    fake.kill(workspace.key, 137, "It was out of memory.")
    seen = reconcile(workspace)
    assert (seen.state, seen.error) == ("running", "It ended by itself: It was out of memory.")
    fake.kill(workspace.key, 137, "It was out of memory.")
    seen = reconcile(workspace)
    assert seen.state == "failed"
    assert "2 times in a row" in seen.error
    assert seen.next_attempt_at > timezone.now()
    seen = again(workspace)
    assert seen.state == "running"
    assert happened(admin) == ["started", "failed", "started", "failed", "started"]
    with platform_scope("tests"):
        Workspace.objects.filter(pk=seen.pk).update(started_at=timezone.now() - timedelta(hours=1))
    assert (reconcile(workspace).error, reconcile(workspace).attempts) == ("", 0)


def test_one_that_dies_while_it_starts(
    fake: FakeProvider, admin: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.serves = False
    workspace = make(admin)
    observe = fake.observe

    def dead(key: str) -> Any:
        if fake.instances[key].server is not None and fake.calls:
            fake.kill(key, 1, "Its command ended with 1.")
        return observe(key)

    ensure = fake.ensure

    def ensure_then_die(spec: Any, *, running: bool) -> Any:
        found = ensure(spec, running=running)
        monkeypatch.setattr(fake, "observe", dead)
        return found

    monkeypatch.setattr(fake, "ensure", ensure_then_die)
    monkeypatch.setattr(reconciler, "LOOK_EVERY", 0.01)
    seen = reconcile(workspace)
    assert seen.state == "failed"
    assert "Its command ended with 1." in seen.error


def test_what_somebody_started_or_changed_by_hand(fake: FakeProvider, admin: Principal) -> None:
    workspace = make(admin)
    reconcile(workspace)
    wish(workspace, "stopped")
    reconcile(workspace)
    spec = fake.instances[workspace.key].spec
    fake.ensure(spec, running=True)
    assert reconcile(workspace).state == "stopped"
    assert fake.instances[workspace.key].server is None


def test_a_new_address_is_noted(fake: FakeProvider, admin: Principal) -> None:
    workspace = make(admin)
    address = reconcile(workspace).address
    with platform_scope("tests"):
        Workspace.objects.filter(pk=workspace.pk).update(address="/elsewhere")
    assert reconcile(workspace).address == address


def test_what_has_no_row_is_removed_but_its_volume(fake: FakeProvider, admin: Principal) -> None:
    workspace = make(admin)
    reconcile(workspace)
    with platform_scope("tests"):
        Workspace.objects.filter(pk=workspace.pk).delete()
    assert reconciler.reconcile(workspace.key) is None
    assert fake.instances == {}
    assert list(fake.volumes) == [workspace.key]


def test_secrets_whose_key_is_gone(
    fake: FakeProvider, admin: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = make(admin)
    reconcile(workspace)

    def cannot(*_: Any) -> bytes:
        raise crypto.CannotOpen("no key")

    with platform_scope("tests"):
        Workspace.objects.filter(pk=workspace.pk).update(secrets_sealed=b"x")
    monkeypatch.setattr(crypto, "open_sealed", cannot)
    wish(workspace, "stopped")
    assert reconcile(workspace).state == "stopped", "it can still be stopped"
    wish(workspace, "running")
    failed = reconcile(workspace)
    assert failed.state == "failed"
    assert "cannot be opened" in failed.error


def test_the_sweeps_find_what_no_nudge_reached(
    fake: FakeProvider, admin: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workspaces import tasks

    nudged: list[str] = []
    monkeypatch.setattr(tasks.reconcile_instance, "delay", nudged.append)
    settled, drifted, late = (make(admin, name) for name in ("one", "two", "three"))
    reconcile(settled)
    with platform_scope("tests"):
        Workspace.objects.filter(pk=late.pk).update(next_attempt_at=timezone.now() + timedelta(hours=1))
    reconciler.sweep()
    assert nudged == [drifted.key]
    nudged.clear()
    drift.compare()
    assert nudged == []
    fake.kill(settled.key)
    fake.ensure(fake.instances[settled.key].spec, running=False)
    stray = make(admin, "stray")
    reconcile(stray)
    with platform_scope("tests"):
        Workspace.objects.filter(pk=stray.pk).delete()
    drift.compare()
    assert sorted(nudged) == sorted([settled.key, stray.key])


def test_numbers_are_used_again_as_late_as_can_be(fake: FakeProvider, admin: Principal) -> None:
    first = make(admin)
    with platform_scope("tests"):
        Workspace.objects.filter(pk=first.pk).delete()
    taken = [instances.take_offset() for _ in range(3)]
    assert taken == [first.offset + 1, first.offset + 2, first.offset + 3]


def test_rows_are_found_by_key(fake: FakeProvider, admin: Principal) -> None:
    workspace = make(admin)
    with platform_scope("tests"):
        found = instances.find(workspace.key)
        assert found == workspace
        for key in ("", "w-", "w-xyz", "s" + workspace.key[1:], "q" + workspace.key[1:], "w-" + "0" * 16):
            assert instances.find(key) is None
