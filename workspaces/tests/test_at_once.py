"""Wishes and reconcilers at the same moment, on connections of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.db.scope import platform_scope, tenant_scope
from tenants.models import Membership, Quota
from tenants.principal import Principal
from tenants.services import users
from tenants.tests.test_people_at_once import at_once
from tests import factories
from workspaces.models import Workspace
from workspaces.providers.fake import FakeProvider
from workspaces.services import instances, reconciler, templates, waking, workspaces

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fake")]


@pytest.fixture
def owner(fake: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> Principal:
    from workspaces import tasks

    monkeypatch.setattr(tasks.reconcile_instance, "apply_async", lambda *_, **__: None)
    monkeypatch.setattr(tasks.look_inside, "apply_async", lambda *_, **__: None)
    templates.ensure_default_templates()
    return factories.member(factories.tenant())


def within(who: Principal, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[[], Any]:
    def run() -> Any:
        with tenant_scope(who.tenant.pk):
            return work(*args, actor=who, **kwargs)

    return run


def make(owner: Principal, name: str = "lab") -> Workspace:
    made: Workspace = within(owner, workspaces.create_workspace, name)()
    return made


def now(workspace: Workspace) -> Workspace:
    with platform_scope("tests"):
        found: Workspace = Workspace.objects.get(pk=workspace.pk)
        return found


def test_one_name_is_made_once(owner: Principal) -> None:
    ended = at_once(*[within(owner, workspaces.create_workspace, "lab")] * 4)
    assert sorted(ended) == ["", *["workspace_exists"] * 3]


def test_the_last_place_is_taken_once(owner: Principal) -> None:
    with platform_scope("tests"):
        Quota.objects.filter(tenant=owner.tenant).update(workspaces=1)
    ended = at_once(*[within(owner, workspaces.create_workspace, f"lab-{n}") for n in range(4)])
    assert sorted(ended) == ["", *["quota_exceeded"] * 3]


def test_numbers_are_each_ones_own(owner: Principal) -> None:
    taken: list[int] = []
    at_once(*[lambda: taken.append(instances.take_offset())] * 8)
    assert len(set(taken)) == 8


def test_two_starts_are_one_wish(owner: Principal) -> None:
    made = make(owner)
    reconciler.reconcile(made.key)
    within(owner, workspaces.stop_workspace, made)()
    generation = now(made).generation
    assert at_once(*[within(owner, workspaces.start_workspace, made)] * 4) == [""] * 4
    assert now(made).generation == generation + 1


def test_many_wake_it_once(owner: Principal) -> None:
    made = make(owner)
    reconciler.reconcile(made.key)
    with platform_scope("tests"):
        Workspace.objects.filter(pk=made.pk).update(desired_state="stopped", stopped_for="idle")
    assert at_once(*[within(owner, waking.wake, made)] * 4) == [""] * 4
    assert now(made).generation == made.generation + 1


def test_two_reconcilers_are_one(owner: Principal, fake: FakeProvider) -> None:
    made = make(owner)
    assert at_once(*[lambda: reconciler.reconcile(made.key)] * 4) == [""] * 4
    assert fake.calls == [f"run {made.key}"]
    assert now(made).state == "running"


def test_a_start_and_a_deactivation(owner: Principal) -> None:
    member = factories.member(owner.tenant, "member")
    made = make(member)
    with platform_scope("tests"):
        membership = Membership.objects.select_related("user", "role", "tenant").get(user=member.user)
    within(member, workspaces.stop_workspace, made)()
    ended = at_once(
        within(member, workspaces.start_workspace, made),
        lambda: users.deactivate_user(membership, actor=owner),
    )
    assert ended in (["", ""], ["owner_deactivated", ""])
    seen = now(made)
    assert (seen.desired_state, seen.is_hidden) == ("stopped", True)


def test_a_wish_while_the_reconciler_works(
    owner: Principal, fake: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is nudged by it finds the instance held; its holder looks again before it leaves."""
    made, ensure, wished = make(owner), fake.ensure, list[str]()

    def slowly(spec: Any, *, running: bool) -> Any:
        found = ensure(spec, running=running)
        if not wished:
            wished.append("stop")
            assert at_once(
                within(owner, workspaces.stop_workspace, made), lambda: reconciler.reconcile(made.key)
            ) == ["", ""]
        return found

    monkeypatch.setattr(fake, "ensure", slowly)
    reconciler.reconcile(made.key)
    assert now(made).state == "stopped"
    assert fake.instances[made.key].server is None
