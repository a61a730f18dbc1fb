"""Handle: the body streams through Python, and refusals come before it."""

import hashlib

import pytest

from .conftest import Client, Decide, lines, raw
from .harness import Edge


async def test_the_handler_gets_the_clients_head_and_the_token(http: Client, decide: Decide) -> None:
    wish = decide("handle", token={"bucket": 7})
    async with http.put("/s3/b/a%2Fb?x-id=PutObject", data=b"hello", headers=wish) as answer:
        said = await answer.json()
        assert answer.headers["X-Request-ID"] == said["head"]["request_id"]
    assert said["token"] == {"bucket": 7}
    assert said["sha256"] == hashlib.sha256(b"hello").hexdigest()
    head = said["head"]
    assert (head["method"], head["raw_target"]) == ("PUT", "/s3/b/a%2Fb?x-id=PutObject")
    assert head["content_length"] == 5
    assert [value for name, value in head["headers"] if name == "content-length"] == ["5"]
    assert head["client_ip"] == "127.0.0.1"


async def test_a_chunked_body_has_no_length(http: Client, decide: Decide) -> None:
    async def body():
        yield b"hello"
        yield b"world"

    async with http.put("/x", data=body(), headers=decide("handle")) as answer:
        said = await answer.json()
    assert (said["size"], said["head"]["content_length"]) == (10, None)


async def test_an_expecting_client_sends_its_body_after_the_go_ahead(edge: Edge, decide: Decide) -> None:
    head = "PUT /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n"
    async with raw(edge) as (reader, writer):
        writer.write(f"{head}{lines(decide('handle'))}\r\n".encode())
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
        writer.write(b"hello")
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.lower().count(b"x-request-id:") == 1
    async with raw(edge) as (reader, writer):
        writer.write(f"{head}{lines(decide('handle', token={'refuse': True}))}\r\n".encode())
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 403")


async def test_a_crash_before_the_answer_is_the_deciders_to_explain(http: Client, decide: Decide) -> None:
    async with http.put("/x", data=b"hello", headers=decide("handle", token={"crash": True})) as answer:
        assert answer.status == 500
        assert (await answer.json())["failed"] == 500


async def test_head_of_a_handled_request_has_no_body(http: Client, decide: Decide) -> None:
    async with http.head("/x", headers=decide("handle")) as answer:
        assert (answer.status, await answer.read()) == (200, b"")


@pytest.mark.long
@pytest.mark.parametrize("expects", ["", "Expect: 100-continue\r\n"])
async def test_who_falls_silent_within_a_body_is_cut_off(edge: Edge, decide: Decide, expects: str) -> None:
    head = f"PUT /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n{expects}"
    async with raw(edge) as (reader, writer):
        writer.write(f"{head}{lines(decide('handle'))}\r\n".encode())
        if expects:
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
        writer.write(b"hello")
        await reader.read()  # to the connection's end
