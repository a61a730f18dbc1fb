"""What no document may be, whichever it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from storage.s3.documents import (
    acl,
    cors,
    creation,
    encryption,
    lifecycle,
    lock,
    notification,
    ownership,
    public_access,
    tags,
    versioning,
)
from storage.s3.documents.schema import NAMESPACE, Moment
from storage.s3.errors import S3Error


def _tagging(body: bytes) -> Any:
    return tags.read(body, tags.MAX_BUCKET_TAGS)


def _acl(body: bytes) -> Any:
    return acl.check_document(body, "acme", public_blocked=False)


READERS: dict[str, Callable[[bytes], Any]] = {
    "VersioningConfiguration": versioning.read,
    "CORSConfiguration": cors.read,
    "Tagging": _tagging,
    "LifecycleConfiguration": lifecycle.read,
    "PublicAccessBlockConfiguration": public_access.read,
    "OwnershipControls": ownership.read,
    "ServerSideEncryptionConfiguration": encryption.read,
    "NotificationConfiguration": notification.read,
    "ObjectLockConfiguration": lock.read,
    "Retention": lock.read_retention,
    "LegalHold": lock.read_hold,
    "AccessControlPolicy": _acl,
    "CreateBucketConfiguration": creation.read,
}
BILLION = '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'


def bad(root: str) -> dict[str, bytes]:
    return {
        "no xml": b"no",
        "cut off": f"<{root}>".encode(),
        "another root": b"<Other/>",
        "wrong case": f"<{root.lower()}/>".encode(),
        "another namespace": f'<{root} xmlns="http://example.org/"/>'.encode(),
        "unknown element": f"<{root}><Surprise/></{root}>".encode(),
        "text": f"<{root}>text</{root}>".encode(),
        "text after": f"<{root}><!-- c -->text</{root}>".encode(),
        "entities": f"{BILLION}<{root}>&b;</{root}>".encode(),
        "a DTD": f"<!DOCTYPE {root}><{root}/>".encode(),
        "an outside entity": f'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><{root}>&x;</{root}>'.encode(),
        "not UTF-8": b"<" + root.encode() + b">\xff</" + root.encode() + b">",
        "unknown coding": f'<?xml version="1.0" encoding="none"?><{root}/>'.encode(),
        "NUL": f"<{root}>\0</{root}>".encode(),
        "depth": b"<a>" * 10_000,
        "a bomb in depth": f"<{root}>".encode() + b"<a>" * 50_000 + b"</a>" * 50_000 + f"</{root}>".encode(),
    }


@pytest.mark.parametrize("root", READERS)
def test_what_is_no_such_document(root: str) -> None:
    for what, body in bad(root).items():
        with pytest.raises(S3Error) as caught:
            READERS[root](body)
        assert caught.value.code in ("MalformedXML", "MalformedACLError"), what
        assert caught.value.status == 400


@pytest.mark.parametrize("root", [name for name in READERS if name != "CreateBucketConfiguration"])
def test_an_empty_body_is_no_document(root: str) -> None:
    with pytest.raises(S3Error) as caught:
        READERS[root](b"")
    expected = "MalformedACLError" if root == "AccessControlPolicy" else "MissingRequestBodyError"
    assert caught.value.code == expected


@pytest.mark.parametrize("space", ["", f' xmlns="{NAMESPACE}"'])
def test_the_namespace_may_be_left_out(space: str) -> None:
    assert lock.read_hold(f"<LegalHold{space}><Status> ON </Status></LegalHold>".encode())


def test_what_is_there_twice() -> None:
    twice = b"<LegalHold><Status>ON</Status><Status>OFF</Status></LegalHold>"
    with pytest.raises(S3Error, match=r"LegalHold\.Status is there twice"):
        lock.read_hold(twice)


def test_elements_where_text_belongs() -> None:
    with pytest.raises(S3Error, match=r"LegalHold\.Status must hold text"):
        lock.read_hold(b"<LegalHold><Status><b>ON</b></Status></LegalHold>")


def test_what_is_missing_is_named() -> None:
    with pytest.raises(S3Error, match=r"LegalHold\.Status is missing"):
        lock.read_hold(b"<LegalHold/>")


def test_text_in_a_list() -> None:
    for body in (
        b"<Tagging><TagSet>x</TagSet></Tagging>",
        b"<Tagging><TagSet><Tag><Key>a</Key><Value/></Tag>x</TagSet></Tagging>",
        b"<Tagging><TagSet><Other/></TagSet></Tagging>",
    ):
        with pytest.raises(S3Error) as caught:
            _tagging(body)
        assert caught.value.code == "MalformedXML"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("2026-01-02", "2026-01-02T00:00:00.000Z"),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000Z"),
        ("2026-01-02T03:04:05.123+02:00", "2026-01-02T01:04:05.123Z"),
    ],
)
def test_moments(text: str, kept: str) -> None:
    assert Moment().parse(text, "Date") == kept


@pytest.mark.parametrize(
    "text", ["", "20260102", "2026-W01-1", "2026-13-01", "0001-01-01T00:00:00+02:00", "soon"]
)
def test_no_moments(text: str) -> None:
    with pytest.raises(S3Error):
        Moment().parse(text, "Date")
