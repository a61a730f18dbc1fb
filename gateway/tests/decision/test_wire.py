"""What can be told between the edge and the decision process, and what is refused."""

import pytest

from gateway.decision import reading, rendering
from gateway.decision.tokens import TokenSigner
from gateway.decision.types import Answer, Forward, Handle, RequestHead, SendFile

SIGNER = TokenSigner("a test's secret")


def head_of(target: str = "/", host: str = "h", length: str = "", **headers: str) -> RequestHead:
    raw = [(b"host", host.encode()), (b"x-gw-head", f"GET 1.2.3.4 80 {length} {target}".encode("latin-1"))]
    raw += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return reading.read_head(raw)


@pytest.mark.parametrize(
    ("host", "name", "port"),
    [
        ("Example.ORG", "example.org", 80),
        ("example.org.:8080", "example.org", 8080),
        ("[::1]:9", "::1", 9),
        ("[::1]", "::1", 80),
        ("::1", "::1", 80),
        ("h:port", "h", 80),
        ("h:", "h", 80),
        ("", "", 80),
    ],
)
def test_hosts(host: str, name: str, port: int) -> None:
    head = head_of(host=host)
    assert (head.host, head.port) == (name, port)


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/a?b?c", "/a", "b?c"),
        ("/a b?c d", "/a b", "c d"),
        ("http://h/a?b", "/a", "b"),
        ("http://h?b", "/", "b"),
        ("http://h", "/", ""),
        ("*", "*", ""),
        ("/\xfc", "/\xfc", ""),
    ],
)
def test_targets(target: str, path: str, query: str) -> None:
    head = head_of(target)
    assert (head.raw_path, head.raw_query) == (path, query)


def test_the_scheme_is_the_edges_word() -> None:
    assert head_of(x_forwarded_proto="https").port == 443
    assert head_of(x_forwarded_proto="gopher").scheme == "http"


@pytest.mark.parametrize(
    "forward",
    [
        Forward("h:1", "x"),
        Forward("h:1", "/a b"),
        Forward("h:1", "/a\r\nX: y"),
        Forward("h:1", "/%zz"),
        Forward("h:1", "/a%2"),
        Forward("h", "/"),
        Forward("h:1/x", "/"),
        Forward("h:1{env.X}", "/"),
        Forward("unix/relative", "/"),
        Forward("h:1", "/", set_headers={"X": "a\nb"}),
        Forward("h:1", "/", set_headers={"X": ""}),
        Forward("h:1", "/", set_headers={"X Y": "a"}),
        Forward("h:1", "/", set_headers={f"X-{n}": "1" for n in range(17)}),
        Forward("h:1", "/", remove_headers=[f"X-{n}" for n in range(9)]),
        Forward("h:1", "/", set_response_headers={f"X-{n}": "1" for n in range(17)}),
    ],
)
def test_forwards_that_cannot_be_said(forward: Forward) -> None:
    with pytest.raises(rendering.NotSayable):
        rendering.render(forward, "d", SIGNER)


def test_other_decisions_that_cannot_be_said() -> None:
    for decision in (
        SendFile("../x", (), ""),
        SendFile("disk2/../x", (), ""),
        SendFile("disk2//x", (), ""),
        SendFile("a/b/c/x", (), ""),
        SendFile("ab/x\n", (), ""),
        Answer(200, [("X-Gw-Action", "file")]),
    ):
        with pytest.raises(rendering.NotSayable):
            rendering.render(decision, "d", SIGNER)


def test_a_token_survives_and_cannot_be_altered() -> None:
    _, headers, _ = rendering.render(Handle({"key": "ü"}), "d", SIGNER)
    sealed = dict(headers)[b"x-gw-token"]
    assert SIGNER.open(sealed) == {"key": "ü"}
    for forged in (
        b"",
        b"x",
        sealed[:-8],
        b"A" + sealed[1:],
        TokenSigner("another").seal({"key": "ü"}).encode(),
    ):
        with pytest.raises(ValueError):
            SIGNER.open(forged)


def test_a_head_never_shows_secrets() -> None:
    assert "secret" not in repr(head_of(authorization="secret", cookie="secret"))


def test_answers_without_a_body_have_no_length() -> None:
    for status in (204, 304):
        assert b"content-length" not in dict(rendering.render_answer(Answer(status))[1])
    assert dict(rendering.render_answer(Answer(200, [("Content-Length", "9")]))[1])[b"content-length"] == b"9"


@pytest.mark.parametrize(
    "pair",
    [
        ("x-a: b\r\nx-gw-action", "file"),
        ("x-a b", "c"),
        ("", "c"),
        ("x-a", "b\r\nx-gw-action: file"),
        ("x-a", "b\0"),
    ],
)
def test_a_header_is_one_header(pair: tuple[str, str]) -> None:
    with pytest.raises(rendering.NotSayable):
        rendering.render(Answer(200, [pair]), "s3", SIGNER)
    with pytest.raises(rendering.NotSayable):
        rendering.render(SendFile("ab/c", [pair], ""), "s3", SIGNER)
