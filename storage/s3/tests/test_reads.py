"""Conditions, ranges and the headers that come back."""

from datetime import UTC, datetime
from typing import Any

import pytest

from storage.index.types import BucketInfo, ObjectRow
from storage.s3 import conditional, headers, lock_headers, ranges
from storage.s3.errors import S3Error

MODIFIED = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
BEFORE, AT, AFTER = (f"Sun, 01 Mar 2026 {time} GMT" for time in ("11:59:59", "12:00:00", "12:00:01"))


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ({}, 200),
        ({"if-match": '"abc"'}, 200),
        ({"if-match": "abc"}, 200),
        ({"if-match": '"x", "abc"'}, 200),
        ({"if-match": "*"}, 200),
        ({"if-match": '"x"'}, 412),
        ({"if-match": ""}, 412),
        ({"if-none-match": '"abc"'}, 304),
        ({"if-none-match": 'W/"abc"'}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-none-match": '"x"'}, 200),
        ({"if-modified-since": BEFORE}, 200),
        ({"if-modified-since": AT}, 304),
        ({"if-modified-since": AFTER}, 304),
        ({"if-modified-since": "yesterday"}, 200),
        ({"if-unmodified-since": BEFORE}, 412),
        ({"if-unmodified-since": AT}, 200),
        ({"if-unmodified-since": AFTER}, 200),
        ({"if-match": '"abc"', "if-unmodified-since": BEFORE}, 200),
        ({"if-none-match": '"x"', "if-modified-since": AFTER}, 200),
        ({"if-match": '"abc"', "if-none-match": '"abc"'}, 304),
        ({"if-match": '"x"', "if-none-match": '"abc"'}, 412),
    ],
)
def test_conditions(condition: dict[str, str], status: int) -> None:
    if status == 200:
        conditional.check_read(condition, "abc", MODIFIED)
        return
    with pytest.raises(S3Error) as caught:
        conditional.check_read(condition, "abc", MODIFIED)
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("condition", "holds"), [(None, True), ('"abc"', True), ('"x"', False), (AT, True), (AFTER, False)]
)
def test_if_range(condition: str | None, holds: bool) -> None:
    sent = {} if condition is None else {"if-range": condition}
    assert conditional.range_holds(sent, "abc", MODIFIED) is holds


@pytest.mark.parametrize(
    ("header", "size", "expected"),
    [
        (None, 10, None),
        ("bytes=0-0", 10, (0, 0)),
        ("bytes=0-9", 10, (0, 9)),
        ("bytes=0-99", 10, (0, 9)),
        ("bytes=5-", 10, (5, 9)),
        ("bytes=-3", 10, (7, 9)),
        ("bytes=-99", 10, (0, 9)),
        ("Bytes = 1 - 2", 10, (1, 2)),
        ("bytes=10-", 10, 416),
        ("bytes=10-12", 10, 416),
        ("bytes=-0", 10, 416),
        ("bytes=0-", 0, 416),
        ("bytes=-1", 0, 416),
        ("bytes=5-2", 10, None),
        ("bytes=a-b", 10, None),
        ("bytes=-", 10, None),
        ("bytes=0-1,3-4", 10, None),
        ("items=0-1", 10, None),
        ("bytes=٣-", 10, None),
        ("bytes=0-" + "9" * 30, 10, None),
    ],
)
def test_ranges(header: str | None, size: int, expected: Any) -> None:
    if expected == 416:
        with pytest.raises(S3Error) as caught:
            ranges.parse(header, size)
        assert caught.value.status == 416
        assert caught.value.headers == {"Content-Range": f"bytes */{size}"}
        return
    found = ranges.parse(header, size)
    assert (tuple(found) if found else None) == expected


def row(**changes: Any) -> ObjectRow:
    fields: dict[str, Any] = {
        "bucket_id": 1,
        "key": "k",
        "size": 3,
        "etag": "abc",
        "content_type": "text/plain",
        "last_modified": MODIFIED,
    }
    return ObjectRow(**(fields | changes))


def test_what_a_put_leaves_is_what_a_get_gives_back() -> None:
    sent = {
        "content-type": "text/plain; charset=utf-8",
        "cache-control": "no-cache",
        "content-disposition": 'attachment; filename="x"',
        "content-encoding": "gzip",
        "content-language": "de",
        "expires": "whenever",
        "x-amz-meta-a": "1",
        "x-amz-meta-name": "\xc3\xbc",  # UTF-8 as the wire has it
        "x-amz-date": "20260301T120000Z",
        "user-agent": "x",
    }
    kept = headers.kept(sent)
    assert kept.metadata == {"a": "1", "name": "ü"}
    back = dict(
        headers.answer(
            row(content_type=kept.content_type, metadata=kept.metadata, headers=kept.headers),
            with_checksum=False,
        )
    )
    assert {name.lower(): value for name, value in back.items()} == {
        "etag": '"abc"',
        "last-modified": AT,
        **{name: value for name, value in sent.items() if name not in ("x-amz-date", "user-agent")},
    }


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("aws-chunked", None),
        ("gzip,aws-chunked", "gzip"),
        ("aws-chunked, gzip", "gzip"),
        ("gzip, br", "gzip, br"),
    ],
)
def test_the_coding_of_the_wire_is_not_kept(sent: str, kept: str | None) -> None:
    assert headers.kept({"content-encoding": sent}).headers.get("content-encoding") == kept


def test_no_type_is_binary() -> None:
    assert headers.kept({}) == headers.Kept("binary/octet-stream", {}, {})


def test_metadata_has_a_limit() -> None:
    headers.kept({"x-amz-meta-a": "x" * 2047})
    with pytest.raises(S3Error, match="metadata"):
        headers.kept({"x-amz-meta-a": "x" * 2048})
    with pytest.raises(S3Error, match="UTF-8"):
        headers.kept({"x-amz-meta-a": "\xff"})


def test_a_checksum_comes_with_its_type() -> None:
    stored = {"crc32": "AAAAAA=="}
    found = headers.answer(row(checksums=stored), with_checksum=True)
    assert found[-2:] == [("x-amz-checksum-crc32", "AAAAAA=="), ("x-amz-checksum-type", "FULL_OBJECT")]
    assert headers.checksum({"crc32": "AAAAAA==-2"})[-1] == ("x-amz-checksum-type", "COMPOSITE")
    assert not [
        name for name, _ in headers.answer(row(checksums=stored), with_checksum=False) if "check" in name
    ]


def test_a_query_may_override_headers() -> None:
    found = headers.answer(row(headers={"cache-control": "no-store"}), with_checksum=False)
    query = {"response-content-type": "a/b", "response-cache-control": "max-age=1", "response-expires": "ü"}
    changed = dict(headers.override(found, query))
    assert changed["Content-Type"] == "a/b"
    assert changed["Cache-Control"] == "max-age=1"
    assert changed["Expires"] == "\xc3\xbc"
    with pytest.raises(S3Error, match="control characters"):
        headers.override(found, {"response-content-type": "a\r\nset-cookie: x"})


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("x-amz-storage-class", "STANDARD", None),
        ("x-amz-storage-class", "GLACIER", "InvalidStorageClass"),
        ("x-amz-mfa", "123456", "NotImplemented"),
        ("x-amz-write-offset-bytes", "5", "NotImplemented"),
        ("x-amz-rename-source", "/a/b", "NotImplemented"),
        ("x-goog-copy-source", "/theirs/b", "NotImplemented"),
        ("x-oss-copy-source", "/theirs/b", "NotImplemented"),
        ("x-amz-meta-x-amz-mfa", "123456", None),
        ("x-amz-meta-x-goog-copy-source", "/theirs/b", None),
        ("x-amz-user-agent", "x", None),
    ],
)
def test_no_wish_is_dropped_in_silence(name: str, value: str, code: str | None) -> None:
    if code is None:
        headers.refuse_unsupported({name: value})
        return
    with pytest.raises(S3Error) as caught:
        headers.refuse_unsupported({name: value})
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"x-amz-acl": "private"}, None),
        ({"x-amz-acl": "public-read"}, "AccessControlListNotSupported"),
        ({"x-amz-acl": "everybody"}, "InvalidArgument"),
        ({"x-amz-grant-read": "id=1"}, "AccessControlListNotSupported"),
        ({"x-amz-tagging": "a=b&c"}, None),
        ({"x-amz-tagging": "&".join(f"{n}=x" for n in range(11))}, "InvalidTag"),
        ({"x-amz-tagging": "a=1&a=2"}, "InvalidArgument"),
        ({"x-amz-tagging": "=1"}, "InvalidArgument"),
        ({"x-amz-tagging": "a%=1"}, "InvalidArgument"),
        ({"x-amz-website-redirect-location": "/x"}, None),
        ({"x-amz-website-redirect-location": "ftp://x"}, "InvalidRedirectLocation"),
        ({"x-amz-object-lock-legal-hold": "ON"}, "InvalidRequest"),
    ],
)
def test_what_a_write_may_ask_for(sent: dict[str, str], code: str | None) -> None:
    bucket = BucketInfo(1, 1, "b", 1, "local", "", MODIFIED)
    if code is None:
        headers.wanted(bucket, sent)
        return
    with pytest.raises(S3Error) as caught:
        headers.wanted(bucket, sent)
    assert caught.value.code == code


UNTIL = "2199-01-01T00:00:00Z"
MODE_AND_UNTIL = {"x-amz-object-lock-mode": "GOVERNANCE", "x-amz-object-lock-retain-until-date": UNTIL}


@pytest.mark.parametrize(
    ("sent", "lock"),
    [
        ({}, {}),
        (MODE_AND_UNTIL, {"mode": "GOVERNANCE", "until": "2199-01-01T00:00:00.000Z"}),
        ({"x-amz-object-lock-legal-hold": "ON"}, {"hold": True}),
        ({"x-amz-object-lock-legal-hold": "OFF"}, {"hold": False}),
        ({"x-amz-object-lock-legal-hold": "on"}, None),
        ({"x-amz-object-lock-mode": "GOVERNANCE"}, None),
        ({"x-amz-object-lock-retain-until-date": UNTIL}, None),
        (MODE_AND_UNTIL | {"x-amz-object-lock-mode": "governance"}, None),
        (MODE_AND_UNTIL | {"x-amz-object-lock-retain-until-date": "tomorrow"}, None),
        (MODE_AND_UNTIL | {"x-amz-object-lock-retain-until-date": "2001-01-01T00:00:00Z"}, None),
        (MODE_AND_UNTIL | {"x-amz-object-lock-retain-until-date": "9999-99-99T00:00:00Z"}, None),
    ],
)
def test_locks_in_headers(sent: dict[str, str], lock: dict[str, Any] | None) -> None:
    if lock is None:
        with pytest.raises(S3Error) as caught:
            lock_headers.read(sent)
        assert caught.value.code == "InvalidArgument"
        return
    assert lock_headers.read(sent) == lock
    back = dict(lock_headers.answer(lock))
    assert back.keys() == sent.keys()
