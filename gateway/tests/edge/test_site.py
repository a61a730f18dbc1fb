"""The site as such: TLS, the admin API, restarts, what holds when nothing else does."""

import asyncio
import json
import ssl
import stat

import aiohttp
import pytest

from gateway.edge import ca, caddy, instance

from .conftest import Client, Decide, raw, until
from .harness import Edge
from .upstream import Upstream, upstream


async def test_https_serves_the_same_site_under_the_instances_authority(edge: Edge, decide: Decide) -> None:
    trust = ssl.create_default_context(cafile=str(edge.ca))
    async with aiohttp.ClientSession() as session:
        for host in ("localhost", "127.0.0.1"):
            url = f"https://{host}:{edge.https_port}/x"
            async with session.get(url, ssl=trust, headers={"X-One": "1"}) as answer:
                head = await answer.json()
            assert (head["scheme"], head["host"], head["local_port"]) == ("https", host, edge.https_port)
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(f"https://localhost:{edge.https_port}/x")


async def test_https_for_virtual_hosts_of_s3(edge: Edge) -> None:
    trust = ssl.create_default_context(cafile=str(edge.ca))
    async with raw(edge, ssl=trust, server_hostname="bucket.s3.localhost") as (reader, writer):
        writer.write(b"GET /k HTTP/1.1\r\nHost: bucket.s3.localhost\r\nConnection: close\r\n\r\n")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert json.loads(body)["host"] == "bucket.s3.localhost"


def test_the_admin_api_is_a_private_socket(edge: Edge) -> None:
    mode = stat.S_IMODE(edge.settings.admin_path.stat().st_mode)
    assert mode == 0o600


async def test_a_reload_keeps_websockets_and_requests(
    edge: Edge, http: Client, backend: Upstream, decide: Decide
) -> None:
    configuration = caddy.build(edge.settings)
    async with http.ws_connect("/x", headers=decide("forward", dial=backend.dial, uri="/ws")) as socket:
        for turn in range(3):
            configuration["apps"]["http"]["grace_period"] = (turn + 1) * 1_000_000_000
            await asyncio.to_thread(instance.load, edge.settings.admin_path, json.dumps(configuration))
            await socket.send_str("still here")
            assert await socket.receive_str() == "echo still here"
        with pytest.raises(instance.EdgeUnreachable, match="refused"):
            instance.load(edge.settings.admin_path, '{"apps": {"http": {"servers": 7}}}')
        await socket.send_str("and here")
        assert await socket.receive_str() == "echo and here"


async def test_a_decision_process_that_restarts_under_load_costs_no_request(
    edge: Edge, http: Client, backend: Upstream, decide: Decide
) -> None:
    done = False
    statuses: list[int] = []

    async def ask() -> None:
        while not done:
            async with http.get("/x", headers=decide("forward", dial=backend.dial, uri="/x")) as answer:
                await answer.read()
                statuses.append(answer.status)

    asking = [asyncio.create_task(ask()) for _ in range(8)]

    async def answers(count: int) -> None:
        wanted = len(statuses) + count
        await until(lambda: len(statuses) >= wanted)

    for sign in (15, 9):
        await answers(25)
        await asyncio.to_thread(edge.stop_decision, sign)
        await asyncio.sleep(0.2)
        await asyncio.to_thread(edge.start_decision)
    await answers(25)
    done = True
    await asyncio.gather(*asking)
    assert set(statuses) == {200}


async def test_an_answer_without_the_decision_process(
    edge: Edge, tmp_path_factory: pytest.TempPathFactory
) -> None:
    alone = Edge(tmp_path_factory.mktemp("alone"), restart_patience=0.2)
    alone.start()
    try:
        alone.stop_decision()
        async with aiohttp.ClientSession(alone.url) as session:
            async with session.get("/api/v1/x") as answer:
                assert (answer.status, answer.content_type) == (503, "application/problem+json")
                problem = await answer.json()
                assert problem["request_id"] == answer.headers["X-Request-ID"]
                assert problem["status"] == 503
            for path, host in (("/s3/b/k", "localhost"), ("/k", "b.s3.localhost")):
                async with session.get(path, headers={"Host": host}) as answer:
                    assert (answer.status, answer.content_type) == (503, "application/xml")
                    assert "<Code>ServiceUnavailable</Code>" in await answer.text()
    finally:
        alone.stop()


async def test_settings_of_a_site_behind_a_proxy(tmp_path_factory: pytest.TempPathFactory) -> None:
    behind = Edge(
        tmp_path_factory.mktemp("behind"),
        trusted_proxies=("127.0.0.1/32", "10.0.0.0/8"),
        metadata_names=("my_key", "a.b", "both_of.them"),
        access_log=True,
    )
    behind.start()
    try:
        forwarded = {"X-Forwarded-For": "6.6.6.6, 9.9.9.9, 10.1.1.1", "X-Forwarded-Proto": "https"}
        names = ("x-amz-meta-my_key", "x-amz-meta-a.b", "x-amz-meta-both_of.them", "x-amz-meta-plain")
        secret = {
            **dict.fromkeys(names, "m"),
            "x-amz-meta-other_key": "dropped",
            "Authorization": "Bearer secret-1",
            "X-API-Key": "secret-2",
            "Cookie": "secret-3",
            "X-Amz-Server-Side-Encryption-Customer-Key": "secret-7",
            "X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key": "secret-8",
        }
        query = "?X-Amz-Signature=secret-4&X-Amz-Security-Token=secret-5&plain=shown"
        query += "&x-amz-server-side-encryption-customer-key=secret-9&x-amz-security-token=secret-9"
        async with (
            aiohttp.ClientSession(behind.url) as session,
            session.get("/x" + query, headers={**forwarded, **secret}) as answer,
        ):
            head = await answer.json()
            request_id = answer.headers["X-Request-ID"]
            for page in ("invitations", "password-reset"):
                async with session.get(f"/app/{page}/secret-6") as link:
                    assert link.status == 200
        assert (head["client_ip"], head["scheme"], head["port"]) == ("9.9.9.9", "https", behind.http_port)
        assert {name for name, _ in head["headers"] if "meta" in name} == set(names)
        await until(lambda: "plain=shown" in behind.log and request_id in behind.log)
        assert "secret-" not in behind.log
    finally:
        behind.stop()


async def test_strict_transport_is_told_on_every_answer(
    tmp_path_factory: pytest.TempPathFactory, backend: Upstream, decide: Decide
) -> None:
    strict = Edge(
        tmp_path_factory.mktemp("strict"), strict_transport="max-age=60; preload", restart_patience=0.2
    )
    strict.start()
    try:
        async with aiohttp.ClientSession(strict.url) as session:
            for asked in ({}, decide("forward", dial=backend.dial, uri="/x"), decide("answer", status=404)):
                async with session.get("/x", headers=asked) as answer:
                    assert answer.headers.getall("Strict-Transport-Security") == ["max-age=60; preload"]
            strict.stop_decision()
            async with session.get("/x") as answer:
                assert answer.status == 503
                assert answer.headers["Strict-Transport-Security"] == "max-age=60; preload"
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert answer.headers["X-Frame-Options"] == "DENY"
    finally:
        strict.stop()


async def test_https_upstreams_are_verified_by_the_name_that_is_dialled(
    tmp_path_factory: pytest.TempPathFactory, decide: Decide
) -> None:
    trusted = ca.ensure(tmp_path_factory.mktemp("trusted"), ["localhost"])
    foreign = ca.ensure(tmp_path_factory.mktemp("foreign"), ["localhost"])
    edge = Edge(tmp_path_factory.mktemp("tls"), backend_ca_files=(trusted.ca,))
    edge.start()
    try:
        for made, host, status in (
            (trusted, "localhost", 200),
            (trusted, "127.0.0.1", 502),
            (foreign, "localhost", 502),
        ):
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(made.certificate, made.private_key)
            async with upstream(ssl_context=context) as backend, aiohttp.ClientSession(edge.url) as session:
                dial = f"{host}:{backend.dial.rpartition(':')[2]}"
                wish = decide(
                    "forward", dial=dial, uri="/x", scheme="https", set_headers={"Host": "b.example"}
                )
                async with session.get("/x", headers=wish) as answer:
                    assert answer.status == status
    finally:
        edge.stop()
