"""Forms as they arrive: however they are cut, whatever is wrong with them, without holding the file."""

from typing import Any

import pytest

from storage.s3.body import Receive
from storage.s3.errors import S3Error
from storage.s3.form import Form

BOUNDARY = "----gatehouse"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def part(name: str, content: bytes, *, filename: str | None = None, more: str = "") -> bytes:
    said = f'; filename="{filename}"' if filename is not None else ""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{said}\r\n{more}\r\n'
    return head.encode() + content + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()
FILE = b"some\r\n--bytes\r\n" * 100
WIRE = (
    part("kEy", "ü.txt".encode()) + part("policy", b"cG9saWN5") + part("file", FILE, filename="a b.txt") + END
)


def receiver(wire: bytes, step: int = 0, *, cut: bool = False) -> Receive:
    pieces = [wire[at : at + step] for at in range(0, len(wire), step)] if step else [wire]
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    messages.append({"type": "http.disconnect"} if cut else {"type": "http.request", "body": b""})
    source = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(source)

    return receive


async def read(
    wire: bytes, step: int = 0, *, kind: str = TYPE, cut: bool = False
) -> tuple[dict[str, str], str, bytes]:
    form = Form(kind, receiver(wire, step, cut=cut))
    fields = dict(await form.fields())
    return fields, form.filename, b"".join([piece async for piece in form])


async def refused(wire: bytes, *, kind: str = TYPE, cut: bool = False) -> S3Error:
    with pytest.raises(S3Error) as caught:
        await read(wire, kind=kind, cut=cut)
    return caught.value


@pytest.mark.asyncio
@pytest.mark.parametrize("step", [1, 2, 3, 17, 64, 100_000])
async def test_fields_and_the_file(step: int) -> None:
    fields, filename, content = await read(WIRE, step)
    assert fields == {"key": "ü.txt", "policy": "cG9saWN5"}
    assert filename == "a b.txt"
    assert content == FILE


@pytest.mark.asyncio
@pytest.mark.parametrize("step", [1, 100_000])
@pytest.mark.parametrize(
    "rest",
    [
        part("submit", b"Upload") + END,
        part("file", b"another", filename="b") + END,
        part("key", b"other") + END,
        END + b"tail that is ignored",
        f"--{BOUNDARY}\r\nnonsense".encode(),
        END.rstrip(),
    ],
)
async def test_what_follows_the_file_is_ignored(rest: bytes, step: int) -> None:
    assert await read(WIRE.removesuffix(END) + rest, step) == await read(WIRE)


@pytest.mark.asyncio
async def test_a_client_that_leaves_after_the_file_has_sent_it_all() -> None:
    wire = WIRE.removesuffix(END) + f"--{BOUNDARY}\r\n".encode()
    assert (await read(wire, cut=True))[2] == FILE


@pytest.mark.asyncio
async def test_what_follows_is_not_read() -> None:
    """Whoever answers takes it, for a while."""
    source = iter([WIRE, b"x", b"x"])

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": next(source), "more_body": True}

    form = Form(TYPE, receive)
    await form.fields()
    assert b"".join([piece async for piece in form]) == FILE
    assert len(list(source)) == 2


@pytest.mark.asyncio
async def test_the_file_is_the_part_of_that_name() -> None:
    """Some libraries give every field a file's name."""
    wire = part("key", b"k", filename="key") + part("FILE", b"content") + END
    assert await read(wire) == ({"key": "k"}, "", b"content")


@pytest.mark.asyncio
async def test_an_empty_file_and_empty_fields() -> None:
    wire = part("key", b"") + part("file", b"", filename="") + END
    assert await read(wire) == ({"key": ""}, "", b"")


@pytest.mark.asyncio
async def test_the_file_is_not_held() -> None:
    """At most one piece of it is here at any time."""
    pieces = [part("key", b"k"), part("file", b"", filename="f")[:-2], *[b"x" * 65536] * 50, b"\r\n", END]
    source = iter(pieces)
    asked = 0

    async def receive() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": next(source, b""), "more_body": asked < len(pieces)}

    form = Form(TYPE, receive)
    await form.fields()
    size = 0
    async for piece in form:
        size += len(piece)
        assert asked <= size // 65536 + 4
    assert size == 50 * 65536


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "kind", ["", "application/json", "text/plain; boundary=x", "multipart/mixed; boundary=x"]
)
async def test_what_is_no_form(kind: str) -> None:
    assert (await refused(WIRE, kind=kind)).code == "PreconditionFailed"


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=", TYPE + "x" * 300])
async def test_a_form_without_a_boundary(kind: str) -> None:
    assert (await refused(WIRE, kind=kind)).code == "MalformedPOSTRequest"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "wire",
    [
        b"nonsense",
        WIRE[: -len(END)],
        WIRE[: len(WIRE) // 2],
        f"--{BOUNDARY}\r\nContent-Disposition: form-data\r\n\r\nx\r\n".encode() + END,
        f'--{BOUNDARY}\r\nContent-Disposition: attachment; name="key"\r\n\r\nx\r\n'.encode() + END,
        f"--{BOUNDARY}\r\n\r\nx\r\n".encode() + END,
        f"--{BOUNDARY}\r\nno colon\r\n\r\nx\r\n".encode() + END,
        f"--{BOUNDARY}\r\n{'a: b' * 3000}\r\n\r\nx\r\n".encode() + END,
        part("key", b"\xff") + part("file", b"x") + END,
        part("key", b"k", more="a: b\r\n" * 20) + END,
    ],
)
async def test_a_malformed_form(wire: bytes) -> None:
    assert (await refused(wire)).code == "MalformedPOSTRequest"


@pytest.mark.asyncio
@pytest.mark.parametrize("wire", [b"", END, part("key", b"k") + END])
async def test_a_form_without_a_file(wire: bytes) -> None:
    error = await refused(wire)
    assert (error.code, error.extra["ArgumentName"]) == ("InvalidArgument", "file")


@pytest.mark.asyncio
async def test_a_field_counts_once() -> None:
    error = await refused(part("key", b"a") + part("KEY", b"b") + part("file", b"x") + END)
    assert (error.code, error.extra["ArgumentName"]) == ("InvalidArgument", "key")


@pytest.mark.asyncio
async def test_a_client_that_leaves_in_the_middle() -> None:
    for at in (10, 200, len(WIRE) - 200):
        assert (await refused(WIRE[:at], cut=True)).code == "IncompleteBody"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "wire",
    [
        part("policy", b"x" * 21_000) + part("file", b"x") + END,
        b"".join(part(f"x-ignore-{number}", b"x" * 100) for number in range(200)) + part("file", b"x") + END,
        b"".join(part(str(number), b"") for number in range(1000)) + part("file", b"x") + END,
    ],
)
async def test_fields_have_a_limit(wire: bytes) -> None:
    assert (await refused(wire)).code == "MaxPostPreDataLengthExceededError"
