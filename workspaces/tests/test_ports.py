"""Public ports: one each on the whole platform, kept by their service."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connection

from gateway.db.scope import platform_scope, tenant_scope
from gateway.errors import Conflict, DomainError, Invalid
from tenants.principal import Principal
from tests import factories
from workspaces.models import Port, Service
from workspaces.services import ports

FIRST = 14_000


@pytest.fixture(autouse=True)
def few(settings: Any) -> None:
    settings.SERVICE_PORTS = range(FIRST, FIRST + 4)


def service_of(admin: Principal, name: str = "web", **fields: Any) -> Service:
    with platform_scope("tests"):
        offset = Service.objects.count() + 1
        made: Service = Service.objects.create(
            tenant=admin.tenant, owner=admin.user, name=name, offset=offset, **fields
        )
    return made


def add(admin: Principal, service: Service, name: str = "http", number: int = 80, **wish: Any) -> Port:
    with tenant_scope(admin.tenant.pk):
        return ports.add_port(
            service, {"name": name, "container_port": number, **wish}, actor=admin  # type: ignore[typeddict-item]
        )  # fmt: skip


@pytest.mark.django_db
def test_a_service_gets_the_port_its_names_stand_for_again() -> None:
    admin = factories.member(factories.tenant())
    service = service_of(admin)
    first = add(admin, service)
    with tenant_scope(admin.tenant.pk):
        ports.remove_port(first, actor=admin)
    assert add(admin, service).public_port == first.public_port


@pytest.mark.django_db
def test_a_port_that_another_tenant_has_is_passed_over_and_the_last_is_the_last() -> None:
    one, other = factories.member(factories.tenant()), factories.member(factories.tenant())
    here, there = service_of(one), service_of(other)
    given = [add(one, here, f"p{n}", n).public_port for n in (1, 2)]
    given += [add(other, there, f"p{n}", n).public_port for n in (1, 2)]
    assert sorted(given) == [FIRST, FIRST + 1, FIRST + 2, FIRST + 3]
    with pytest.raises(Conflict, match="14000 to 14003, are taken") as none_left:
        add(one, here, "more", 3)
    assert none_left.value.code == "ports_exhausted"


@pytest.mark.django_db
def test_a_wished_port_is_had_where_it_is_free_and_in_the_range(settings: Any) -> None:
    one, other = factories.member(factories.tenant()), factories.member(factories.tenant())
    settings.HTTP_PORT = FIRST + 3
    assert add(one, service_of(one), public_port=FIRST + 2).public_port == FIRST + 2
    for wished, code in ((FIRST + 2, "port_taken"), (FIRST + 3, "port_taken"), (80, "invalid")):
        with pytest.raises(DomainError) as refused:
            add(other, service_of(other, f"web-{wished}"), public_port=wished)
        assert (refused.value.code, [*refused.value.errors]) == (code, ["public_port"])


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"name": "Http"}, "name"),
        ({"name": ""}, "name"),
        ({"container_port": 0}, "container_port"),
        ({"container_port": 65_536}, "container_port"),
        ({"protocol": "udp"}, "protocol"),
        ({"access": "everybody"}, "access"),
        ({"protocol": "tcp", "access": "tenant"}, "access"),
    ],
)
def test_what_is_no_port_is_refused_by_field(wish: dict[str, Any], field: str) -> None:
    admin = factories.member(factories.tenant())
    with pytest.raises(Invalid) as refused, tenant_scope(admin.tenant.pk):
        ports.add_port(
            service_of(admin), {"name": "http", "container_port": 80, **wish}, actor=admin  # type: ignore[typeddict-item]
        )  # fmt: skip
    assert [*refused.value.errors] == [field]


@pytest.mark.django_db
def test_one_name_and_one_container_port_a_service() -> None:
    admin = factories.member(factories.tenant())
    service = service_of(admin)
    add(admin, service)
    for name, number, field in (("http", 81, "name"), ("more", 80, "container_port")):
        with pytest.raises(Conflict) as refused:
            add(admin, service, name, number)
        assert [*refused.value.errors] == [field]
    add(admin, service, "raw", 80, protocol="tcp", access="public")


@pytest.mark.django_db
def test_rules_change_and_the_public_port_stays() -> None:
    admin = factories.member(factories.tenant())
    port = add(admin, service_of(admin))
    with tenant_scope(admin.tenant.pk):
        changed = ports.update_port(port, name="site", access="public", actor=admin)
        with pytest.raises(Invalid):
            ports.update_port(port, protocol="tcp", access="owner", actor=admin)
    assert (changed.name, changed.access, changed.public_port) == ("site", "public", port.public_port)


@pytest.mark.django_db
def test_no_ports_of_what_is_deleted_or_elsewhere() -> None:
    admin = factories.member(factories.tenant())
    for fields, code in (
        ({"kind": "external"}, "service_external"),
        ({"deleted_at": "2026-01-01T00:00:00Z"}, "service_deleted"),
    ):
        with pytest.raises(Conflict) as refused:
            add(admin, service_of(admin, code.replace("_", "-"), **fields))
        assert refused.value.code == code


def together(jobs: list[Callable[[], object]]) -> list[object]:
    """What each answers or raises, all begun at one moment, each on a connection of its own."""
    found: list[object] = [None] * len(jobs)
    gate = threading.Barrier(len(jobs))

    def run(number: int) -> None:
        try:
            gate.wait()
            found[number] = jobs[number]()
        except DomainError as error:
            found[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return found


@pytest.mark.django_db(transaction=True)
def test_many_at_once_get_a_port_each_and_the_rest_a_reason() -> None:
    admins = [factories.member(factories.tenant()) for _ in range(6)]
    services = [service_of(admin) for admin in admins]
    pairs = zip(admins, services, strict=True)
    found = together([partial(add, admin, service) for admin, service in pairs])
    given = [each.public_port for each in found if isinstance(each, Port)]
    refused = [each.code for each in found if isinstance(each, DomainError)]
    assert (sorted(given), refused) == ([*range(FIRST, FIRST + 4)], ["ports_exhausted"] * 2)


@pytest.mark.django_db(transaction=True)
def test_two_wishes_for_one_port() -> None:
    admins = [factories.member(factories.tenant()) for _ in range(2)]
    services = [service_of(admin) for admin in admins]
    pairs = zip(admins, services, strict=True)
    found = together([partial(add, admin, service, public_port=FIRST) for admin, service in pairs])
    assert [getattr(each, "code", "") for each in found if isinstance(each, DomainError)] == ["port_taken"]
    with platform_scope("tests"):
        assert Port.objects.filter(public_port=FIRST).count() == 1
