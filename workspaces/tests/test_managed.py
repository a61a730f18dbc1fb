"""Managed services through the API, on the fake provider."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from gateway.db.scope import platform_scope, tenant_scope
from realtime.models import Event
from tenants.models import AuditEntry, Quota
from tenants.principal import Principal
from tests import factories
from workspaces.models import Port, Sample, Service
from workspaces.providers.fake import FakeProvider
from workspaces.services import purge, reconciler, standing

pytestmark = pytest.mark.django_db
NEW: dict[str, Any] = {
    "name": "web",
    "image": "nginx:1.29",
    "command": ["nginx", "-g", "daemon off;"],
    "environment": {"MODE": "quick"},
    "secrets": {"TOKEN": "hush"},
    "volumes": {"data": "/var/lib/data"},
    "ports": [
        {"name": "http", "container_port": 80},
        {"name": "raw", "container_port": 81, "protocol": "tcp", "access": "public"},
    ],
    "probe_path": "/",
}


@pytest.fixture
def api(admin: Principal, fake: FakeProvider) -> APIClient:
    return factories.client(admin)


def create(api: APIClient, **other: Any) -> dict[str, Any]:
    answer = api.post("/api/v1/services", NEW | other, format="json")
    assert answer.status_code == 202, answer.json()
    found: dict[str, Any] = answer.json()["data"]
    return found


def row_of(told: dict[str, Any]) -> Service:
    with platform_scope("tests"):
        found: Service = Service.objects.select_related("tenant").get(public_id=told["id"])
    return found


def settle(told: dict[str, Any]) -> Service | None:
    with platform_scope("tests"):
        return reconciler.reconcile(row_of(told).key)  # type: ignore[return-value]


def do(api: APIClient, told: dict[str, Any], verb: str, status: int = 202) -> Any:
    answer = api.post(f"/api/v1/services/{told['id']}/{verb}")
    assert answer.status_code == status, answer.json()
    return answer.json().get("data", answer.json())


def test_a_container_with_ports_runs(api: APIClient, fake: FakeProvider, admin: Principal) -> None:
    told = create(api)
    assert (told["state"], told["settled"], told["secrets"]) == ("starting", False, ["TOKEN"])
    assert [port["address"].startswith("http://") for port in told["ports"]] == [True, False]
    settle(told)
    told = api.get(f"/api/v1/services/{told['id']}").json()["data"]
    assert (told["state"], told["settled"], told["error"]) == ("running", True, "")
    spec = fake.instances[row_of(told).key].spec
    assert (spec.kind, spec.image, spec.command) == ("service", "nginx:1.29", tuple(NEW["command"]))
    assert spec.environment == {"MODE": "quick", "TOKEN": "hush"}
    assert [(volume.name, volume.path) for volume in spec.volumes] == [("data", "/var/lib/data")]
    assert "hush" not in str(told)
    with tenant_scope(admin.tenant.pk):
        kinds = list(Event.objects.filter(type__startswith="workspaces.").values_list("type", flat=True))
        assert kinds == ["workspaces.service.created", "workspaces.service.started"]
        assert "hush" not in str(
            [*AuditEntry.objects.values_list("after"), *Event.objects.values_list("data")]
        )


def test_it_stops_starts_and_restarts(api: APIClient, fake: FakeProvider) -> None:
    told = create(api)
    settle(told)
    key = row_of(told).key
    first = fake.instances[key].run
    assert do(api, told, "start", 200)["state"] == "running"
    assert do(api, told, "stop")["state"] == "stopping"
    settle(told)
    assert do(api, told, "stop", 200)["state"] == "stopped"
    assert do(api, told, "start")["state"] == "starting"
    settle(told)
    do(api, told, "restart")
    settle(told)
    assert fake.instances[key].run != first


def test_ports_change_while_it_runs_on(api: APIClient, fake: FakeProvider) -> None:
    told = create(api)
    settle(told)
    run, path = fake.instances[row_of(told).key].run, f"/api/v1/services/{told['id']}/ports"
    made = api.post(path, {"name": "more", "container_port": 82}, format="json")
    assert made.status_code == 201
    port = f"{path}/{made.json()['data']['id']}"
    assert api.patch(port, {"access": "owner"}, format="json").json()["data"]["access"] == "owner"
    assert api.delete(port).status_code == 204
    assert api.get(port).status_code == 404
    assert [each["name"] for each in api.get(path).json()["data"]] == ["http", "raw"]
    settle(told)
    assert fake.instances[row_of(told).key].run == run


def test_public_ports_survive_everything_but_the_purge(api: APIClient, fake: FakeProvider) -> None:
    told = create(api)
    settle(told)
    before = [port["public_port"] for port in told["ports"]]
    api.patch(f"/api/v1/services/{told['id']}", {"image": "nginx:2"}, format="json")
    settle(told)
    assert api.delete(f"/api/v1/services/{told['id']}").status_code == 204
    settle(told)
    assert api.get("/api/v1/services").json()["data"] == []
    again = do(api, told, "restore")
    assert [port["public_port"] for port in again["ports"]] == before
    settle(told)
    assert row_of(told).state == "running"
    api.delete(f"/api/v1/services/{told['id']}")
    do(api, told, "purge")
    assert settle(told) is None
    key = f"s-{told['id'].replace('-', '')[:16]}"
    assert key not in fake.instances and key not in fake.volumes
    with platform_scope("tests"):
        assert not Port.objects.exists()


def test_a_change_makes_it_anew_and_secrets_change_one_by_one(api: APIClient, fake: FakeProvider) -> None:
    told = create(api)
    settle(told)
    path, key = f"/api/v1/services/{told['id']}", row_of(told).key
    body = {"image": "nginx:2", "secrets": {"TOKEN": None, "OTHER": "x"}, "environment": {}}
    assert api.patch(path, body, format="json").status_code == 202
    settle(told)
    spec = fake.instances[key].spec
    assert (spec.image, spec.environment) == ("nginx:2", {"OTHER": "x"})
    run = fake.instances[key].run
    assert api.patch(path, {"description": "said"}, format="json").status_code == 200
    settle(told)
    assert fake.instances[key].run == run


def test_one_that_ends_by_itself_is_started_again_later_and_later(api: APIClient, fake: FakeProvider) -> None:
    told = create(api)
    settle(told)
    row = row_of(told)
    fake.kill(row.key, 1, "Its command ended with 1.")
    settle(told)
    row = row_of(told)
    assert (row.observed_state, row.attempts) == ("running", 1)
    assert "ended with 1" in row.error
    fake.kill(row.key, 1, "Its command ended with 1.")
    settle(told)
    row = row_of(told)
    assert row.next_attempt_at > timezone.now()
    assert (row.state, row.attempts) == ("failed", 2)


def test_an_image_that_is_not_there_is_told(api: APIClient) -> None:
    told = create(api, image="no-such-image:1")
    settle(told)
    found = api.get(f"/api/v1/services/{told['id']}").json()["data"]
    assert (found["state"], found["error"]) == ("failed", "There is no image no-such-image:1.")


def test_nothing_runs_containers_here(
    api: APIClient, fake: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeProvider, "capabilities", frozenset())
    answer = api.post("/api/v1/services", NEW, format="json")
    assert (answer.status_code, answer.json()["code"]) == (503, "no_provider")
    assert "it has no services" in answer.json()["detail"]


def test_the_limit_of_services(api: APIClient, admin: Principal) -> None:
    with platform_scope("tests"):
        Quota.objects.filter(tenant=admin.tenant).update(services=1)
    told = create(api)
    refused = api.post("/api/v1/services", NEW | {"name": "more"}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (403, "quota_exceeded")
    api.delete(f"/api/v1/services/{told['id']}")
    create(api)
    answer = api.post(f"/api/v1/services/{told['id']}/restore")
    assert answer.json()["code"] == "quota_exceeded"


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"name": "Web"}, "name"),
        ({"name": ""}, "name"),
        ({"image": "no image"}, "image"),
        ({"image": "-v"}, "image"),
        ({"url": "http://192.0.9.9/"}, "image"),
        ({"command": ["x" * 2001]}, "command"),
        ({"command": ["x"] * 101}, "command"),
        ({"command": "nginx"}, "command"),
        ({"environment": {"lower": "x"}}, "environment"),
        ({"environment": {"TOKEN": "x"}}, "secrets"),
        ({"secrets": {"PATH": "x"}}, "secrets"),
        ({"volumes": {"Data": "/data"}}, "volumes"),
        ({"volumes": {"data": "data"}}, "volumes"),
        ({"volumes": {"data": "/data/../etc"}}, "volumes"),
        ({"volumes": {"data": "/data/"}}, "volumes"),
        ({"volumes": {"data": "/"}}, "volumes"),
        ({"volumes": {"data": "//data"}}, "volumes"),
        ({"volumes": {"data": "/proc/self"}}, "volumes"),
        ({"volumes": {"data": "/usr/bin"}}, "volumes"),
        ({"volumes": {"data": "/data:ro,/x"}}, "volumes"),
        ({"volumes": {"a": "/data", "b": "/data"}}, "volumes"),
        ({"volumes": {f"v{n}": f"/data/{n}" for n in range(11)}}, "volumes"),
        ({"probe_path": "healthz"}, "probe_path"),
        ({"probe_path": "//elsewhere.example/"}, "probe_path"),
        ({"probe_path": "/a b"}, "probe_path"),
        ({"memory_bytes": 1}, "memory_bytes"),
        ({"cpu_millis": 10**9}, "cpu_millis"),
        ({"ports": [{"name": "http", "container_port": 80, "protocol": "tcp"}]}, "access"),
        ({"ports": [{"name": "http", "container_port": 80}] * 2}, "name"),
        ({"ports": [{"name": f"p{n}", "container_port": n + 1} for n in range(21)]}, ""),
        ({"ports": [{"name": "http", "container_port": 80, "public_port": 22}]}, "public_port"),
    ],
)  # fmt: skip
def test_what_is_no_service_writes_nothing(api: APIClient, wish: dict[str, Any], field: str) -> None:
    answer = api.post("/api/v1/services", NEW | wish, format="json")
    assert answer.status_code in (400, 409), answer.json()
    assert (not field and not answer.json()["errors"]) or field in answer.json()["errors"], answer.json()
    with platform_scope("tests"):
        assert not Service.objects.exists() and not Port.objects.exists()


def test_one_name_a_tenant(api: APIClient) -> None:
    create(api)
    refused = api.post("/api/v1/services", NEW, format="json")
    assert (refused.status_code, refused.json()["code"]) == (409, "service_exists")


def test_an_external_service_is_registered_stopped_and_purged(api: APIClient) -> None:
    answer = api.post(
        "/api/v1/services", {"name": "far", "url": "http://192.0.9.9/", "probe_path": "/up"}, format="json"
    )
    assert answer.status_code == 201
    told = answer.json()["data"]
    assert (told["kind"], told["state"], told["ports"]) == ("external", "running", [])
    for path, body, code in (
        ("ports", {"name": "http", "container_port": 80}, "service_external"),
        ("restart", None, "service_external"),
    ):
        refused = api.post(f"/api/v1/services/{told['id']}/{path}", body, format="json")
        assert (refused.status_code, refused.json()["code"]) == (409, code)
    assert api.get(f"/api/v1/services/{told['id']}/logs").status_code == 409
    assert do(api, told, "stop", 200)["state"] == "stopped"
    assert do(api, told, "start", 200)["state"] == "running"
    assert settle(told) is not None
    api.delete(f"/api/v1/services/{told['id']}")
    with platform_scope("tests"):
        Service.objects.update(purge_at=timezone.now() - timedelta(seconds=1))
        purge.sweep()
    assert settle(told) is None


def test_a_suspended_tenants_services_stop_and_come_back(api: APIClient, admin: Principal) -> None:
    told, far = create(api), {"name": "far", "url": "http://192.0.9.9/"}
    api.post("/api/v1/services", far, format="json")
    settle(told)
    with platform_scope("tests"):
        for status, state in (("suspended", "stopped"), ("active", "running")):
            admin.tenant.status = status
            admin.tenant.save(update_fields=["status"])
            standing.follow_tenant(admin.tenant.pk)
            settle(told)
            assert {row.state for row in Service.objects.all()} == {state}


def test_logs_and_use(api: APIClient, fake: FakeProvider, admin: Principal) -> None:
    told = create(api)
    path = f"/api/v1/services/{told['id']}"
    assert api.get(f"{path}/logs").json()["data"] == {"lines": []}
    settle(told)
    key = row_of(told).key
    for number in range(5):
        fake.say(key, f"line {number}")
    assert api.get(f"{path}/logs?tail=2").json()["data"]["lines"] == ["line 3", "line 4"]
    assert api.get(f"{path}/logs?tail=0").status_code == 400
    led = api.get(f"{path}/logs?follow=true&tail=7")
    assert (led.status_code, led["Location"]) == (307, f"{path}/logs/events?tail=7")
    with tenant_scope(admin.tenant.pk):
        Sample.objects.create(
            tenant=admin.tenant, key=key, at=timezone.now(), cpu_millis=5, cpu_seconds=1, memory_bytes=9
        )
    used = api.get(f"{path}/stats?span=24h").json()["data"]
    assert (used["now"]["cpu_millis"], [each["memory_bytes"] for each in used["history"]]) == (5, [9])
    assert api.get(f"{path}/stats?span=1y").status_code == 400


def test_lists_are_narrowed(api: APIClient) -> None:
    settle(create(api))
    api.post("/api/v1/services", {"name": "far", "url": "http://192.0.9.9/"}, format="json")
    for query, names in (
        ("", ["far", "web"]),
        ("?kind=external", ["far"]),
        ("?state=running", ["far", "web"]),
        ("?state=failed", []),
        ("?health=healthy", []),
        ("?q=we", ["web"]),
        ("?state=deleted", []),
    ):
        assert [each["name"] for each in api.get(f"/api/v1/services{query}").json()["data"]] == names
