"""Tags, by every door."""

from __future__ import annotations

import pytest

from storage.s3.documents import tags
from storage.s3.errors import S3Error


def document(*pairs: tuple[str, str]) -> bytes:
    listed = "".join(f"<Tag><Key>{key}</Key><Value>{value}</Value></Tag>" for key, value in pairs)
    return f"<Tagging><TagSet>{listed}</TagSet></Tagging>".encode()


def test_read_and_written_in_order() -> None:
    found = tags.read(document(("b", "2"), ("a", ""), ("ü+-=._:/@ 1", "x")), 10)
    assert found == {"b": "2", "a": "", "ü+-=._:/@ 1": "x"}
    written = tags.write(found)
    assert written.index(b"<Key>a</Key><Value></Value>") < written.index(b"<Key>b</Key>")
    assert tags.read(written, 10) == found
    assert tags.read(b"<Tagging><TagSet/></Tagging>", 10) == {}


@pytest.mark.parametrize(
    "pairs",
    [
        [("a", "1"), ("a", "2")],
        [(str(n), "") for n in range(11)],
        [("k" * 129, "")],
        [("", "v")],
        [("k", "v" * 257)],
        [("aws:this", "v")],
        [("AWS:this", "v")],
        [("k;", "v")],
        [("k", "v\n")],
    ],
    ids=["twice", "many", "long key", "no key", "long value", "aws", "AWS", "mark", "line"],
)
def test_no_tags(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(S3Error) as caught:
        tags.read(document(*pairs), tags.MAX_OBJECT_TAGS)
    assert caught.value.code == "InvalidTag"


def test_a_bucket_may_have_more() -> None:
    many = [(str(n), "v") for n in range(50)]
    assert len(tags.read(document(*many), tags.MAX_BUCKET_TAGS)) == 50
    with pytest.raises(S3Error):
        tags.read(document(*many, ("one", "more")), tags.MAX_BUCKET_TAGS)


@pytest.mark.parametrize(
    "body", [b"<Tagging/>", b"<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>"]
)
def test_what_is_left_out(body: bytes) -> None:
    with pytest.raises(S3Error) as caught:
        tags.read(body, 10)
    assert caught.value.code == "MalformedXML"


def test_the_header() -> None:
    assert tags.from_header("") == {}
    assert tags.from_header("a=1&&b=2") == {"a": "1", "b": "2"}
    assert tags.from_header("Hello=World&foo=&bare&a+b=%C3%BC%2F") == {
        "Hello": "World",
        "foo": "",
        "bare": "",
        "a b": "ü/",
    }


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a=1&a=2", "InvalidArgument"),
        ("=1", "InvalidArgument"),
        ("a=%FF", "InvalidArgument"),
        ("&".join(f"{n}=1" for n in range(11)), "InvalidTag"),
    ],
)
def test_no_header(text: str, code: str) -> None:
    with pytest.raises(S3Error) as caught:
        tags.from_header(text)
    assert caught.value.code == code


def test_json_of_the_wrong_type() -> None:
    with pytest.raises(S3Error) as caught:
        tags.valid({"a": 1}, 10)
    assert caught.value.code == "InvalidTag"
