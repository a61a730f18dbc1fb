"""What the decision process is asked, and that its answers reach the client."""

import json
from typing import Any

import pytest

from .conftest import Client, Decide, lines, raw
from .harness import Edge


async def asked(http: Client, method: str = "GET", path: str = "/", **options: object) -> Any:
    async with http.request(method, path, **options) as answer:
        assert answer.status == 200
        return await answer.json()


async def test_the_head_arrives_as_it_was_on_the_wire(edge: Edge, http: Client) -> None:
    target = "/s3/b//a%2Fb/%C3%BC%20+$&'()!;:@=,~*/../x?list-type=2&prefix=&k=%2f&&z="
    head = await asked(http, "GET", target, headers={"X-One": "1", "Host": "LocalHost.:8080"})
    assert head["raw_target"] == target
    assert head["raw_path"], head["raw_query"] == target.split("?")
    assert (head["host"], head["port"], head["scheme"]) == ("localhost", 8080, "http")
    assert head["local_port"] == edge.http_port
    assert head["client_ip"] == "127.0.0.1"
    assert ["x-one", "1"] in head["headers"]
    assert ["host", "LocalHost.:8080"] in head["headers"]


@pytest.mark.parametrize(("port", "told"), [("", 80), ("x", 80), ("99999", 99999), ("1" * 5000, 80)])
async def test_a_port_that_is_none_counts_as_left_out(edge: Edge, port: str, told: int) -> None:
    async with raw(edge) as (reader, writer):
        writer.write(f"GET /x HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n".encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    said = json.loads(body)
    assert (said["host"], said["port"]) == ("localhost", told)


async def test_method_and_length_are_told(http: Client) -> None:
    head = await asked(http, "PUT", "/x", data=b"12345")
    assert (head["method"], head["content_length"]) == ("PUT", 5)
    assert ["content-length", "5"] in head["headers"]


async def test_words_of_the_edge_cannot_be_forged(http: Client) -> None:
    forged = {
        "X-Gw-Method": "DELETE",
        "X-Gw-Token": "x",
        "x-gW-client-ip": "1.2.3.4",
        "X-Client-Cert": "mine",
        "X-Forwarded-For": "1.2.3.4",
        "X-Forwarded-Proto": "https",
        "X-Real-IP": "1.2.3.4",
        "Forwarded": "for=1.2.3.4",
    }
    head = await asked(http, "GET", "/x", headers=forged)
    assert (head["method"], head["client_ip"], head["scheme"]) == ("GET", "127.0.0.1", "http")
    names = {name for name, _ in head["headers"]}
    assert not {name for name in names if name.startswith(("x-gw-", "x-client-"))}
    assert "forwarded" not in names
    assert dict(head["headers"])["x-real-ip"] == "127.0.0.1"
    assert "x-forwarded-for" not in names


@pytest.mark.parametrize(
    ("given", "kept"),
    [("abcdef-123.X_y", True), ("short", False), ("with space and more", False), ("{env.HOME}aaaa", False)],
)
async def test_a_harmless_request_id_is_kept(http: Client, given: str, kept: bool) -> None:
    async with http.get("/x", headers={"X-Request-ID": given}) as answer:
        said = (await answer.json())["request_id"]
        assert answer.headers.getall("X-Request-ID") == [said]
    assert (said == given) is kept
    assert len(said) >= 8


async def test_placeholders_of_the_edge_are_not_expanded_from_a_request(http: Client, decide: Decide) -> None:
    head = await asked(http, "GET", "/{env.HOME}?{env.HOME}", headers={"X-It": "{env.HOME}"})
    assert head["raw_target"] == "/{env.HOME}?{env.HOME}"
    assert dict(head["headers"])["x-it"] == "{env.HOME}"


async def test_an_answer_reaches_the_client_unchanged(http: Client, decide: Decide) -> None:
    wish = decide(
        "answer", status=207, headers=[["X-A", "1"], ["X-A", "2"], ["Content-Type", "text/x"]], body="hi"
    )
    async with http.get("/x", headers=wish) as answer:
        assert (answer.status, await answer.text()) == (207, "hi")
        assert answer.headers.getall("X-A") == ["1", "2"]
        assert answer.headers["Content-Type"] == "text/x"
        assert "uvicorn" not in answer.headers.get("Server", "")
    async with http.head("/x", headers=wish) as answer:
        assert (answer.status, answer.headers["Content-Length"], await answer.read()) == (207, "2", b"")


async def test_unknown_hosts_are_misdirected_and_unknown_paths_not_found(http: Client) -> None:
    for host, status in (("unknown.example", 421), ("known.example", 404)):
        async with http.get("/x", headers={"Host": host}) as answer:
            assert answer.status == status
            assert answer.content_type == "application/problem+json"
            problem = await answer.json()
        assert problem["status"] == status
        assert problem["request_id"] == answer.headers["X-Request-ID"]


async def test_a_defect_of_a_decider_is_an_error_in_its_language(http: Client, decide: Decide) -> None:
    for wish in (decide("crash"), decide("forward", dial="no dial", uri="/"), decide("file", path="../x")):
        async with http.get("/x", headers=wish) as answer:
            assert answer.status == 500
            assert (await answer.json())["failed"] == 500


async def test_a_denial_arrives_before_the_body(edge: Edge, decide: Decide) -> None:
    async with raw(edge) as (reader, writer):
        head = "PUT /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n"
        writer.write(f"{head}{lines(decide('answer', status=403, body='no'))}\r\n".encode())
        answer = await reader.read()  # to the end: the connection closes, the body can no longer come
    assert answer.startswith(b"HTTP/1.1 403")
    assert answer.endswith(b"no")


async def test_a_malformed_request_gets_a_problem(edge: Edge) -> None:
    async with raw(edge) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert json.loads(body)["status"] == 400
