"""Ports of services: listened on while they are there, for whom their rule lets in."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from gateway.db.scope import platform_scope
from gateway.edge import further
from tenants.models import TenantSettings
from tenants.principal import Principal
from tenants.services import snapshot
from tests.ports import free_port
from tests.stack import listens
from workspaces.models import Port

from .conftest import Platform
from .inside import Inside


@pytest.fixture
def owner(platform: Platform) -> Principal:
    return platform.member(platform.tenant())


def url(port: Port, path: str = "/") -> str:
    return f"http://127.0.0.1:{port.public_port}{path}"


def opened(port: Port, *, wanted: bool = True) -> Port:
    until = time.monotonic() + 30
    while listens(("127.0.0.1", port.public_port)) is not wanted:
        assert time.monotonic() < until, port
        time.sleep(0.05)
    return port


@pytest.fixture
def make(platform: Platform, owner: Principal, inside: Inside) -> Iterator[Any]:
    made: list[Port] = []

    def port(**fields: Any) -> Port:
        given = {"dial_port": inside.tcp_port, "public_port": free_port(), **fields}
        made.append(platform.service(owner, **given))
        return opened(made[-1])

    yield port
    with platform.stack.database(), platform_scope("tests"):
        Port.objects.filter(pk__in=[port.pk for port in made]).delete()
        snapshot.changed("ports")


def get(port: Port, path: str = "/", **headers: str) -> httpx.Response:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.get(url(port, path), headers=given, trust_env=False, timeout=20)


def test_the_rules(platform: Platform, owner: Principal, make: Any) -> None:
    colleague = platform.member(owner.tenant)
    foreign = platform.member(platform.tenant(), "admin")
    keys = [platform.key(who) for who in (owner, colleague, foreign)]
    for access, statuses in (
        ("public", (200, 200, 200, 200)),
        ("tenant", (401, 200, 200, 404)),
        ("owner", (401, 200, 403, 404)),
    ):
        port = make(access=access)
        found = (get(port).status_code, *(get(port, X_API_Key=key).status_code for key in keys))
        assert found == statuses, access


def test_the_platforms_credentials_stay_here_and_the_services_own_pass(
    platform: Platform, owner: Principal, make: Any
) -> None:
    port, key = make(access="tenant"), platform.key(owner)
    cookies = f"gatehouse_session_{platform.stack.port}=s; app=1; gatehouse_csrf_1=c"
    said = get(
        port, "/a%2Fb?c", X_API_Key=key, Cookie=cookies, Authorization="Basic eDp5", X_Tenant="x"
    ).json()
    headers = said["headers"]
    assert said["target"] == "/a%2Fb?c"
    assert (headers["cookie"], headers["authorization"]) == ("app=1", "Basic eDp5")
    assert "x-api-key" not in headers
    assert "x-tenant" not in headers
    for token in (key, platform.token(owner).partition(" ")[2]):
        assert "authorization" not in get(port, Authorization=f"Bearer {token}").json()["headers"]
    assert get(make(access="public"), Authorization="Bearer its-own").json()["headers"]["authorization"]
    assert headers["host"] == f"127.0.0.1:{port.public_port}"


def test_a_session_counts_for_what_the_services_own_pages_ask(
    platform: Platform, owner: Principal, make: Any
) -> None:
    port, session = make(access="tenant"), {"Cookie": platform.web.cookie(owner.label)}
    assert get(port, **session).status_code == 200
    assert get(port, **session, Origin="http://127.0.0.1:1").status_code == 403
    own = {"Origin": url(port, "")}
    assert httpx.post(url(port), headers=session | own, trust_env=False).status_code == 200
    assert httpx.post(url(port), headers=session, trust_env=False).status_code == 403


def test_answers_keep_their_cookies_and_lose_what_is_for_the_whole_host(make: Any) -> None:
    headers = get(make(access="public"), "/wide").headers
    assert "set-cookie" in headers
    assert headers["content-security-policy"] == "default-src *"
    assert "strict-transport-security" not in headers
    assert "clear-site-data" not in headers


def test_a_service_sets_no_cookie_in_the_place_of_the_platforms(platform: Platform, make: Any) -> None:
    headers = get(make(access="public"), "/cookies").headers
    assert [each for each in headers.get_list("set-cookie") if each] == [
        "app=1; Path=/",
        "a=gatehouse_session",
    ]


def test_nothing_is_served_of_a_tenant_for_whom_services_are_off(
    platform: Platform, owner: Principal, make: Any
) -> None:
    port = make(access="public")
    with platform.stack.database(), platform_scope("tests"):
        TenantSettings.objects.filter(tenant=owner.tenant).update(disabled_features=["services"])
        snapshot.changed("tenants")
    opened(port, wanted=False)
    with platform.stack.database(), platform_scope("tests"):
        TenantSettings.objects.filter(tenant=owner.tenant).update(disabled_features=[])
        snapshot.changed("tenants")
    opened(port)


def test_streams_and_tls(platform: Platform, make: Any) -> None:
    port = make(access="public")
    with connect(f"ws://127.0.0.1:{port.public_port}/socket", proxy=None) as socket_:
        socket_.send("hello")
        assert socket_.recv(timeout=30) == "back: hello"
    assert get(port, "/events").text.count("data:") == 3
    trusted = ssl.create_default_context(cafile=str(platform.stack.ca))
    answer = httpx.get(f"https://127.0.0.1:{port.public_port}/x", verify=trusted, trust_env=False)
    assert answer.json()["headers"]["x-forwarded-proto"] == "https"


def test_one_that_stands_still_is_told_as_such(platform: Platform, owner: Principal, make: Any) -> None:
    port = make(access="public", dial_port=free_port())
    answer = get(port)
    assert (answer.status_code, answer.json()["code"]) == (502, "service_unreachable")


def test_tcp_passes_as_it_is_with_both_ends(platform: Platform, make: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = make(protocol="tcp", access="public", dial_port=server.getsockname()[1])
        big = bytes(range(256)) * 20_000

        def sender() -> None:
            with socket.create_connection(("127.0.0.1", port.public_port)) as client:
                client.sendall(big)
                client.shutdown(socket.SHUT_WR)
                while part := client.recv(65536):
                    back.append(part)

        back: list[bytes] = []
        thread = threading.Thread(target=sender)
        # The probe of `opened` connected too, and left.
        server.settimeout(30)
        thread.start()
        while True:
            connection, _ = server.accept()
            with connection:
                got = b""
                while part := connection.recv(65536):
                    got += part
                if got:
                    connection.sendall(got)  # after the client's end
                    break
        thread.join(60)
        assert got == big == b"".join(back)


def test_a_port_closes_with_its_connections(platform: Platform, make: Any) -> None:
    port = make(access="public")
    with connect(f"ws://127.0.0.1:{port.public_port}/socket", proxy=None) as socket_:
        socket_.send("x")
        socket_.recv(timeout=30)
        with platform.stack.database(), platform_scope("tests"):
            Port.objects.filter(pk=port.pk).delete()
            snapshot.changed("ports")
        opened(port, wanted=False)
        with pytest.raises(Exception, match=r"close|reset"):
            socket_.recv(timeout=30)


def test_a_port_that_is_taken_is_told_and_had_once_it_is_free(
    platform: Platform, owner: Principal, inside: Inside
) -> None:
    number = free_port()
    with socket.create_server(("127.0.0.1", number)):
        port = platform.service(owner, dial_port=inside.tcp_port, public_port=number, access="public")
        until = time.monotonic() + 30
        while number not in further.failures(platform.stack.home):
            assert time.monotonic() < until
            time.sleep(0.05)
        assert further.failures(platform.stack.home)[number] == "Address already in use"
    until = time.monotonic() + 30
    while number in further.failures(platform.stack.home):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert get(port).status_code == 200
    assert json.loads((platform.stack.home / further.REPORT).read_text()) == {}
