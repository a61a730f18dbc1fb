"""Workspaces through the API: their life, what may be asked, and what may not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from gateway.db.scope import platform_scope, tenant_scope
from tenants.models import AuditEntry, Membership, Quota
from tenants.principal import Principal
from tenants.services import users
from tests import factories
from workspaces.models import Template, Workspace
from workspaces.providers.base import Availability, Unavailable
from workspaces.providers.fake import FakeProvider
from workspaces.services import activity, instances, purge, reconciler, standing, templates, waking

from .test_reconciler import happened

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake")]
URL = "/api/v1/workspaces"


@pytest.fixture(autouse=True)
def _templates(fake: FakeProvider) -> None:
    templates.ensure_default_templates()


@pytest.fixture
def api(admin: Principal) -> APIClient:
    return factories.client(admin)


def made(api: APIClient, name: str = "lab", **fields: Any) -> dict[str, Any]:
    answer = api.post(URL, {"name": name, **fields}, "json")
    assert answer.status_code == 202, answer.content
    found: dict[str, Any] = answer.json()["data"]
    return found


def row(item: dict[str, Any]) -> Workspace:
    with platform_scope("tests"):
        found: Workspace = Workspace.objects.select_related("tenant", "owner").get(public_id=item["id"])
        return found


def settled(api: APIClient, item: dict[str, Any]) -> dict[str, Any]:
    reconciler.reconcile(row(item).key)
    found: dict[str, Any] = api.get(f"{URL}/{item['id']}").json()["data"]
    return found


def do(api: APIClient, item: dict[str, Any], verb: str, status: int = 202) -> dict[str, Any]:
    answer = api.post(f"{URL}/{item['id']}/{verb}")
    assert answer.status_code == status, answer.content
    return dict(answer.json().get("data") or answer.json())


def refused(api: APIClient, status: int, **fields: Any) -> dict[str, Any]:
    with platform_scope("tests"):
        before = Workspace.objects.count()
    answer = api.post(URL, {"name": "lab", **fields}, "json")
    assert answer.status_code == status, answer.content
    with platform_scope("tests"):
        assert Workspace.objects.count() == before
    return dict(answer.json())


def change(item: dict[str, Any], **fields: Any) -> None:
    with platform_scope("tests"):
        Workspace.objects.filter(public_id=item["id"]).update(**fields)


# Life


def test_a_life(api: APIClient, admin: Principal, fake: FakeProvider) -> None:
    item = made(api, metadata={"team": "a"})
    assert (item["state"], item["settled"], item["template"]) == ("starting", False, "default")
    item = settled(api, item)
    assert (item["state"], item["metadata"], item["owner"]) == ("running", {"team": "a"}, admin.label)
    assert do(api, item, "stop")["state"] == "stopping"
    assert settled(api, item)["state"] == "stopped"
    assert do(api, item, "stop", 200)["state"] == "stopped"
    do(api, item, "start")
    assert settled(api, item)["state"] == "running"
    run = fake.instances[row(item).key].run
    do(api, item, "restart")
    assert settled(api, item)["state"] == "running"
    assert fake.instances[row(item).key].run != run
    assert api.delete(f"{URL}/{item['id']}").status_code == 204
    assert settled(api, item)["state"] == "deleted"
    assert api.get(URL).json()["data"] == []
    assert [one["id"] for one in api.get(f"{URL}?state=deleted").json()["data"]] == [item["id"]]
    do(api, item, "restore")
    assert settled(api, item)["state"] == "running"
    api.delete(f"{URL}/{item['id']}")
    do(api, item, "purge")
    reconciler.reconcile(row(item).key)
    assert api.get(f"{URL}/{item['id']}").status_code == 404
    assert (fake.instances, fake.volumes) == ({}, {})
    assert happened(admin) == [
        "created", "started", "requested", "stopped", "requested", "started", "requested", "started", "deleted",
        "stopped", "restored", "started", "deleted", "purged",
    ]  # fmt: skip
    with tenant_scope(admin.tenant.pk):
        actions = AuditEntry.objects.filter(action__startswith="workspaces.").values_list("action", flat=True)
        assert {action.rpartition(".")[2] for action in actions} == {
            "create", "stop", "start", "restart", "delete", "restore", "purge",
        }  # fmt: skip


def test_two_starts_at_once_are_one_wish(api: APIClient) -> None:
    item = made(api)
    generation = row(item).generation
    for _ in range(2):
        assert do(api, item, "start")["state"] == "starting"
    assert row(item).generation == generation


def test_what_it_runs_with(api: APIClient, fake: FakeProvider) -> None:
    item = made(
        api,
        git_url="https://git.example.org/team/project.git",
        git_branch="main",
        environment={"COLOUR": "blue", "EMPTY": ""},
        secrets={"GITLAB_TOKEN": "s3cret", "GIT_USERNAME": "bot", "GIT_PASSWORD": "pass"},
        ports={"web": 3000},
        memory_bytes=512 << 20,
        cpu_millis=500,
        pids=99,
        template="shell",
    )
    assert item["secrets"] == ["GITLAB_TOKEN", "GIT_PASSWORD", "GIT_USERNAME"]
    settled(api, item)
    spec = fake.instances[row(item).key].spec
    assert spec.environment == {
        "COLOUR": "blue", "EMPTY": "", "GITLAB_TOKEN": "s3cret", "GATEHOUSE_GIT_USERNAME": "bot",
        "GATEHOUSE_GIT_PASSWORD": "pass", "GATEHOUSE_WORKSPACE": "lab", "GATEHOUSE_GIT_BRANCH": "main",
        "GATEHOUSE_GIT_URL": "https://git.example.org/team/project.git", "GATEHOUSE_PORTS": "3000",
        "GATEHOUSE_RUN_COMMAND": "1",
    }  # fmt: skip
    assert (spec.limits.memory_bytes, spec.limits.cpu_millis, spec.limits.pids) == (512 << 20, 500, 99)
    assert spec.ports == (3000,)
    assert "s3cret" not in str(api.get(f"{URL}/{item['id']}").content)


def test_a_change_makes_a_running_one_anew(api: APIClient, fake: FakeProvider) -> None:
    item = settled(api, made(api, secrets={"A": "1", "B": "2"}))
    run = fake.instances[row(item).key].run
    url = f"{URL}/{item['id']}"
    answer = api.patch(url, {"description": "notes", "idle_minutes": 5, "metadata": {"x": 1}}, "json")
    assert (answer.status_code, answer.json()["data"]["description"]) == (200, "notes")
    answer = api.patch(url, {"memory_bytes": 128 << 20, "secrets": {"A": None, "C": "3"}}, "json")
    assert (answer.status_code, answer.json()["data"]["secrets"]) == (202, ["B", "C"])
    item = settled(api, item)
    assert fake.instances[row(item).key].run != run
    assert fake.instances[row(item).key].spec.limits.memory_bytes == 128 << 20
    assert api.patch(url, {"secrets": {"C": "3"}}, "json").status_code == 200, "nothing changed"
    assert api.patch(url, {"name": "other"}, "json").status_code == 400


# What is refused


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"name": "Upper"}, "name", "invalid_name"),
        ({"name": "-x"}, "name", "invalid_name"),
        ({"name": "a" * 64}, "name", "invalid"),
        ({"name": "mcp"}, "name", "invalid_name"),
        ({"name": "a/b"}, "name", "invalid_name"),
        ({"template": "nothing"}, "template", "unknown_template"),
        ({"template": "00000000-0000-4000-8000-000000000000"}, "template", "unknown_template"),
        ({"metadata": {"x": "y" * 17_000}}, "metadata", "invalid"),
        ({"metadata": {"x": "a\0b"}}, "metadata", "invalid"),
        ({"git_url": "git@example.org:x.git"}, "git_url", "invalid_git_url"),
        ({"git_url": "ext::sh -c id"}, "git_url", "invalid_git_url"),
        ({"git_url": "file:///etc"}, "git_url", "invalid_git_url"),
        ({"git_url": "/etc"}, "git_url", "invalid_git_url"),
        ({"git_url": "https://user:pass@example.org/x.git"}, "git_url", "invalid_git_url"),
        ({"git_url": "https://example.org:99999/x.git"}, "git_url", "invalid_git_url"),
        ({"git_url": "https://example.org/x y"}, "git_url", "invalid_git_url"),
        ({"git_branch": "main"}, "git_branch", "invalid"),
        ({"git_url": "https://example.org/x", "git_branch": "--upload-pack=x"}, "git_branch", "invalid"),
        ({"environment": {"lower": "x"}}, "environment", "invalid"),
        ({"environment": {"GATEHOUSE_ROOT": "/"}}, "environment", "invalid"),
        ({"environment": {"PATH": "/"}}, "environment", "invalid"),
        ({"environment": {"LD_PRELOAD": "x"}}, "environment", "invalid"),
        ({"environment": {"PYTHONPATH": "x"}}, "environment", "invalid"),
        ({"environment": {"X": "y" * 40_000}}, "environment", "invalid"),
        ({"environment": {f"X{n}": "" for n in range(201)}}, "environment", "invalid"),
        ({"environment": {"X": "1"}, "secrets": {"X": "2"}}, "secrets", "invalid"),
        ({"secrets": {"GATEHOUSE_X": "1"}}, "secrets", "invalid"),
        ({"ports": {"web": 80}}, "ports", "invalid"),
        ({"ports": {"web": 8080}}, "ports", "invalid"),
        ({"ports": {"mcp": 3000}}, "ports", "invalid"),
        ({"ports": {"9": 3000}}, "ports", "invalid"),
        ({"ports": {"a": 3000, "b": 3000}}, "ports", "invalid"),
        ({"memory_bytes": 1}, "memory_bytes", "invalid"),
        ({"cpu_millis": 10_000_000}, "cpu_millis", "invalid"),
        ({"pids": 1 << 40}, "pids", "invalid"),
        ({"idle_minutes": -1}, "idle_minutes", "invalid"),
        ({"image": "debian"}, "image", "invalid"),
    ],
)  # fmt: skip
def test_bad_input(api: APIClient, fields: dict[str, Any], field: str, code: str) -> None:
    problem = refused(api, 400, **fields)
    assert problem["code"] == code
    assert field in problem["errors"]


def test_a_name_that_is_taken(api: APIClient) -> None:
    item = made(api)
    problem = refused(api, 409)
    assert (problem["code"], problem["errors"]) == ("workspace_exists", {"name": ["Taken."]})
    api.delete(f"{URL}/{item['id']}")
    made(api)
    assert do(api, item, "restore", 409)["code"] == "workspace_exists"


def test_limits_of_the_tenant(api: APIClient, admin: Principal) -> None:
    def limit(**fields: int | None) -> None:
        with platform_scope("tests"):
            Quota.objects.filter(tenant=admin.tenant).update(**fields)

    limit(instance_memory_bytes=2 << 30, instance_cpu_millis=1500)
    problem = refused(api, 403, memory_bytes=3 << 30)
    assert (problem["code"], list(problem["errors"])) == ("quota_exceeded", ["memory_bytes"])
    assert list(refused(api, 403, cpu_millis=2000)["errors"]) == ["cpu_millis"]
    limit(workspaces=1)
    item = made(api, "one")
    assert "limit of 1 workspaces" in refused(api, 403)["detail"]
    limit(workspaces=None, workspaces_per_user=1)
    assert "workspaces per user" in refused(api, 403)["detail"]
    made(factories.client(factories.member(admin.tenant)), "two")
    api.delete(f"{URL}/{item['id']}")
    made(api, "three")
    assert do(api, item, "restore", 403)["code"] == "quota_exceeded"


def test_deleted_ones_that_are_kept_have_a_most(
    api: APIClient, admin: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or one who makes and deletes all day had all disks and numbers in the end."""
    monkeypatch.setattr(instances, "LEAST_KEPT", 2)
    with platform_scope("tests"):
        Quota.objects.filter(tenant=admin.tenant).update(workspaces=1)
    items = []
    for name in ("one", "two"):
        items.append(made(api, name))
        api.delete(f"{URL}/{items[-1]['id']}")
    assert refused(api, 403)["code"] == "too_many_deleted"
    do(api, items[0], "purge")
    assert reconciler.reconcile(row(items[0]).key) is None
    made(api, "three")


def test_secrets_that_the_template_asks_for(api: APIClient, admin: Principal) -> None:
    with tenant_scope(admin.tenant.pk):
        templates.create_template(name="needy", required_secrets=["TOKEN"], is_default=True, actor=admin)
    problem = refused(api, 400)
    assert (problem["code"], problem["errors"]) == ("secrets_missing", {"secrets": ["TOKEN is missing."]})
    item = made(api, secrets={"TOKEN": "x"})
    assert item["template"] == "needy"
    answer = api.patch(f"{URL}/{item['id']}", {"secrets": {"TOKEN": None}}, "json")
    assert answer.json()["code"] == "secrets_missing"


def test_no_provider(api: APIClient, fake: FakeProvider) -> None:
    fake.is_available = Availability(False, "User namespaces are refused here.")
    problem = refused(api, 503)
    assert problem["code"] == "no_provider"
    assert "User namespaces are refused here." in problem["detail"]


def test_a_deleted_one_takes_no_wishes(api: APIClient) -> None:
    item = made(api)
    assert do(api, item, "purge", 409)["code"] == "not_deleted"
    assert do(api, item, "restore", 409)["code"] == "not_deleted"
    api.delete(f"{URL}/{item['id']}")
    for verb in ("start", "stop", "restart"):
        assert do(api, item, verb, 409)["code"] == "workspace_deleted"
    assert api.delete(f"{URL}/{item['id']}").status_code == 204, "again changes nothing"


def test_half_a_character(api: APIClient) -> None:
    answer = api.generic("POST", URL, '{"name": "lab", "metadata": {"x": "\\ud800"}}', "application/json")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["metadata"])


# Lists and shares


def test_lists_are_narrowed(api: APIClient, admin: Principal) -> None:
    one = settled(api, made(api, "one", description="the first"))
    two = made(api, "two")
    member = factories.client(factories.member(admin.tenant, "member"))
    made(member, "three")

    def names(query: str, of: APIClient = api) -> list[str]:
        return [item["name"] for item in of.get(f"{URL}?{query}").json()["data"]]

    assert names("") == ["one", "three", "two"]
    assert names("state=running") == [one["name"]]
    assert names("state=starting&owner=me") == [two["name"]]
    assert names("q=FIRST") == ["one"]
    assert names("", member) == ["three"]
    assert api.get(f"{URL}?state=odd").status_code == 400


def test_who_reaches_it(api: APIClient, admin: Principal) -> None:
    owner, other = (factories.member(admin.tenant, "member") for _ in range(2))
    item = made(factories.client(owner))
    url, theirs = f"{URL}/{item['id']}", factories.client(other)
    assert theirs.get(url).status_code == 404
    assert other.user is not None
    body = {"user": str(other.user.public_id)}
    assert factories.client(owner).post(f"{url}/shares", body, "json").status_code == 201
    assert theirs.get(url).status_code == 200
    assert theirs.post(f"{url}/stop").json()["code"] == "not_the_owner"
    assert [one["username"] for one in theirs.get(f"{url}/shares").json()["data"]] == [other.label]
    stranger = factories.member(factories.tenant()).user
    assert stranger is not None
    answer = api.post(f"{url}/shares", {"user": str(stranger.public_id)}, "json")
    assert (answer.status_code, answer.json()["errors"]) == (400, {"user": ["No such member."]})
    assert api.delete(f"{url}/shares/{other.user.public_id}").status_code == 204
    assert theirs.get(url).status_code == 404
    for name, status in ((other.user.username, 201), (stranger.username, 400), ("nobody", 400)):
        answer = factories.client(owner).post(f"{url}/shares", {"user": name}, "json")
        assert answer.status_code == status, answer.content
    assert theirs.get(url).status_code == 200


# What the platform does by itself


def test_a_deactivated_owners_stop_and_hide(api: APIClient, admin: Principal) -> None:
    owner, other = (factories.member(admin.tenant, "member") for _ in range(2))
    item = settled(factories.client(owner), made(factories.client(owner)))
    assert other.user is not None
    api.post(f"{URL}/{item['id']}/shares", {"user": str(other.user.public_id)}, "json")
    with platform_scope("tests"):
        membership = Membership.objects.get(user=owner.user)
    users.deactivate_user(membership, actor=admin)
    found = settled(api, item)
    assert (found["state"], found["stopped_for"]) == ("stopped", "deactivated")
    assert factories.client(other).get(f"{URL}/{item['id']}").status_code == 404
    assert do(api, item, "start", 409)["code"] == "owner_deactivated"
    users.reactivate_user(membership, actor=admin)
    assert settled(api, item)["state"] == "asleep"
    with tenant_scope(admin.tenant.pk):
        waking.wake(row(item), actor=other)
    assert settled(api, item)["state"] == "running"


def test_a_deactivated_owners_are_not_woken(api: APIClient, admin: Principal) -> None:
    owner = factories.member(admin.tenant, "member")
    item = settled(factories.client(owner), made(factories.client(owner)))
    change(item, desired_state="stopped", observed_state="stopped", stopped_for="idle")
    with platform_scope("tests"):
        users.deactivate_user(Membership.objects.get(user=owner.user), actor=admin)
    with tenant_scope(admin.tenant.pk):
        waking.wake(row(item), actor=admin)
    assert row(item).desired_state == "stopped"


def test_a_removed_members_are_left_to_managers(api: APIClient, admin: Principal) -> None:
    owner = factories.member(admin.tenant, "member")
    item = settled(factories.client(owner), made(factories.client(owner)))
    with platform_scope("tests"):
        users.remove_member(Membership.objects.get(user=owner.user), actor=admin)
    assert settled(api, item)["stopped_for"] == "deactivated"
    assert api.delete(f"{URL}/{item['id']}").status_code == 204


def test_a_suspended_tenants_stop(api: APIClient, admin: Principal) -> None:
    running, stopped = settled(api, made(api, "one")), settled(api, made(api, "two"))
    do(api, stopped, "stop")
    settled(api, stopped)
    with platform_scope("tests"):
        type(admin.tenant).objects.filter(pk=admin.tenant.pk).update(status="suspended")
    standing.sweep()
    reconciler.reconcile(row(running).key)
    assert (row(running).state, row(running).stopped_for) == ("stopped", "tenant")
    with platform_scope("tests"):
        type(admin.tenant).objects.filter(pk=admin.tenant.pk).update(status="active")
    standing.sweep()
    assert (row(running).state, row(stopped).stopped_for) == ("asleep", "person")


def test_a_purged_tenant_leaves_nothing(api: APIClient, admin: Principal, fake: FakeProvider) -> None:
    for name in ("one", "two"):
        settled(api, made(api, name))
    assert purge.purge_tenant(admin.tenant.pk) == ""
    assert (fake.instances, fake.volumes) == ({}, {})
    with platform_scope("tests"):
        assert not Workspace.objects.filter(tenant=admin.tenant).exists()


def test_a_provider_that_holds_up_a_purge_is_forsaken_in_the_end(
    api: APIClient, admin: Principal, fake: FakeProvider
) -> None:
    item = settled(api, made(api))
    fake.failures = [Unavailable("The engine sleeps.")]
    assert purge.purge_tenant(admin.tenant.pk) == f"{row(item).key}: The engine sleeps."
    with platform_scope("tests"):
        long_ago = timezone.now() - timedelta(days=31)
        type(admin.tenant).objects.filter(pk=admin.tenant.pk).update(purge_at=long_ago)
    fake.failures = [Unavailable("The engine sleeps.")]
    assert purge.purge_tenant(admin.tenant.pk) == ""
    with tenant_scope(admin.tenant.pk):
        assert not Workspace.objects.exists()
        assert AuditEntry.objects.filter(action="workspaces.instance.forsake", target="lab").count() == 1


def test_what_a_provider_held_that_is_no_longer_there(api: APIClient, admin: Principal) -> None:
    item = made(api)
    change(item, provider="punch-cards")
    found = settled(api, item)
    assert (found["state"], found["error"]) == ("failed", "The provider punch-cards is no longer there.")
    api.delete(f"{URL}/{item['id']}")
    do(api, item, "purge")
    assert reconciler.reconcile(row(item).key) is None


def test_what_is_due_is_purged(api: APIClient, fake: FakeProvider) -> None:
    item, kept = settled(api, made(api, "one")), settled(api, made(api, "two"))
    for one in (item, kept):
        api.delete(f"{URL}/{one['id']}")
    change(item, purge_at=timezone.now() - timedelta(seconds=1))
    purge.sweep()
    assert reconciler.reconcile(row(item).key) is None
    assert row(kept).desired_state == "stopped"
    assert list(fake.volumes) == [row(kept).key]


def test_idleness(api: APIClient, fake: FakeProvider, admin: Principal) -> None:
    item = settled(api, made(api, idle_minutes=10))
    key, long_ago = row(item).key, timezone.now() - timedelta(minutes=11)

    def swept(**status: Any) -> str:
        change(item, started_at=long_ago, last_active_at=long_ago)
        fake.status[key] = status
        activity.sweep()
        return row(item).desired_state

    assert swept(in_flight=1) == "running"
    assert swept(connections=2) == "running"
    assert swept(last_request_at=(timezone.now() - timedelta(minutes=9)).timestamp()) == "running"
    for nonsense in ({"in_flight": "many"}, {"last_request_at": "x"}, {"last_request_at": 1e300}):
        understood = activity.understood(nonsense)
        assert (understood.is_busy, understood.active_at) == (False, None)
    change(item, idle_minutes=0)
    assert swept() == "running"
    change(item, idle_minutes=10)
    assert swept() == "stopped"
    assert settled(api, item)["state"] == "asleep"
    with tenant_scope(admin.tenant.pk):
        for _ in range(2):
            waking.wake(row(item), actor=admin)
    assert settled(api, item)["state"] == "running"


def test_what_it_says_of_its_repository(api: APIClient, fake: FakeProvider) -> None:
    item = settled(api, made(api, git_url="https://git.example.org/private.git"))
    fake.status[row(item).key] = {"repository": "failed", "error": "It asks for a password."}
    activity.look(row(item).key)
    found = api.get(f"{URL}/{item['id']}").json()["data"]
    assert (found["repository_state"], found["repository_error"]) == ("failed", "It asks for a password.")
    fake.status[row(item).key] = {"repository": "x" * 99, "error": 7}
    activity.look(row(item).key)
    assert row(item).repository_state == "failed"


def test_logs_and_usage(api: APIClient, fake: FakeProvider) -> None:
    item = settled(api, made(api))
    fake.say(row(item).key, "hello")
    lines = api.get(f"{URL}/{item['id']}/logs?tail=1").json()["data"]["lines"]
    assert lines == ["hello"]
    assert api.get(f"{URL}/{item['id']}/logs?tail=0").status_code == 400
    stats = api.get(f"{URL}/{item['id']}/stats").json()["data"]
    assert stats == {"now": None, "volume_bytes": 0, "history": []}


# Templates


def test_templates(api: APIClient, admin: Principal) -> None:
    url = "/api/v1/templates"
    body = {"name": "web", "ports": {"web": 3000}, "environment": {"A": "1"}, "is_default": True}
    answer = api.post(url, body, "json")
    assert answer.status_code == 201
    item = answer.json()["data"]
    made_of_it = made(api, environment={"B": "2"})
    assert (made_of_it["ports"], made_of_it["environment"]) == ({"web": 3000}, {"A": "1", "B": "2"})
    assert api.post(url, body, "json").status_code == 409
    assert api.patch(f"{url}/{item['id']}", {"memory_bytes": 1}, "json").status_code == 400
    assert api.patch(f"{url}/{item['id']}", {"provider": "cloud"}, "json").status_code == 400
    assert api.patch(f"{url}/{item['id']}", {"name": "site"}, "json").json()["data"]["name"] == "site"
    with platform_scope("tests"):
        shared = Template.objects.get(tenant=None, name="default")
    assert api.delete(f"{url}/{shared.public_id}").status_code == 403
    assert api.delete(f"{url}/{item['id']}").status_code == 204
    assert api.get(f"{URL}/{made_of_it['id']}").json()["data"]["template"] is None
    assert [one["name"] for one in api.get(url).json()["data"]] == ["default", "shell"]
    offered = api.get(f"{url}/providers").json()["data"]
    assert [(one["name"], one["available"]) for one in offered] == [("fake", True)]


def test_numbers_of_addresses_are_found_in_both_tables(admin: Principal) -> None:
    assert instances.take_offset() != instances.take_offset()
