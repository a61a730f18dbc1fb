"""What requests to write and delete say, without a server: conditions, documents, parts, sources."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from storage.index import Expected, ObjectRow
from storage.index.types import DeleteOutcome
from storage.s3 import conditional, copy_source, parts, ranges, versions, xml_deletes, xml_multipart
from storage.s3.context import _copy_source
from storage.s3.errors import S3Error
from storage.s3.xml_deletes import Doomed, Outcome

TIME = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({}, None),
        ({"if-none-match": "*"}, Expected(absent=True)),
        ({"if-none-match": '"abc"'}, Expected(not_etag="abc")),
        ({"if-match": '"abc"'}, Expected(etag="abc")),
        ({"if-match": "abc"}, Expected(etag="abc")),
        ({"if-match": "*"}, Expected(etag="*")),
        ({"if-match": '"a", "b"'}, "NotImplemented"),
        ({"if-match": ""}, "NotImplemented"),
        ({"if-match": "*", "if-none-match": "*"}, "NotImplemented"),
    ],
)
def test_conditions_of_writes(sent: dict[str, str], expected: Any) -> None:
    if isinstance(expected, str):
        with pytest.raises(S3Error) as caught:
            conditional.expectation(sent)
        assert caught.value.code == expected
    else:
        assert conditional.expectation(sent) == expected


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({}, None),
        ({"if-match": '"abc"'}, Expected(etag="abc")),
        ({"x-amz-if-match-size": "5"}, Expected(size=5)),
        ({"x-amz-if-match-size": "-5"}, "InvalidArgument"),
        (
            {"x-amz-if-match-last-modified-time": "Sun, 01 Mar 2026 12:00:00 GMT"},
            Expected(last_modified=TIME),
        ),
        ({"x-amz-if-match-last-modified-time": "2026-03-01T12:00:00.5Z"}, Expected(last_modified=TIME)),
        ({"x-amz-if-match-last-modified-time": "2026-03-02T11:59:00+23:59"}, Expected(last_modified=TIME)),
        ({"x-amz-if-match-last-modified-time": "0001-01-01T00:00:00+23:59"}, "InvalidArgument"),
        ({"x-amz-if-match-last-modified-time": "yesterday"}, "InvalidArgument"),
    ],
)
def test_conditions_of_deletes(sent: dict[str, str], expected: Any) -> None:
    if isinstance(expected, str):
        with pytest.raises(S3Error) as caught:
            conditional.deletion(sent)
        assert caught.value.code == expected
    else:
        found = conditional.deletion(sent)
        assert found == expected
        assert found is None or found.last_modified is None or found.last_modified.tzinfo is UTC


def test_what_shall_be_deleted() -> None:
    document = (
        b'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key> a </Key></Object>'
        b"<Object><Key>b</Key><VersionId>v</VersionId><ETag>&quot;e&quot;</ETag><Size>3</Size></Object>"
        b"<Quiet>true</Quiet></Delete>"
    )
    found = xml_deletes.read(document)
    assert found.quiet
    assert found.objects == [Doomed(" a ", None, None), Doomed("b", "v", Expected(etag="e", size=3))]


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<Delete/>",
        b"<Delete><Object/></Delete>",
        b"<Delete><Object><Key></Key></Object></Delete>",
        b"<Delete><Object><Key>a</Key><Weight>3</Weight></Object></Delete>",
        b"<Delete><Object><Key>a</Key><Size>many</Size></Object></Delete>",
        b"<Remove><Object><Key>a</Key></Object></Remove>",
        b"<Delete>" + b"<Object><Key>a</Key></Object>" * 1001 + b"</Delete>",
        b'<!DOCTYPE x [<!ENTITY a "aaaa">]><Delete><Object><Key>&a;</Key></Object></Delete>',
    ],
    ids=range(9),
)
def test_deletions_that_are_none(document: bytes) -> None:
    with pytest.raises(S3Error, match="MalformedXML" if document else "MissingRequestBodyError"):
        xml_deletes.read(document)


def test_what_became_of_deletions() -> None:
    told = xml_deletes.write(
        [
            Outcome(Doomed("a", None, None), DeleteOutcome(True, "m", delete_marker=True)),
            Outcome(Doomed("b", "v", None), DeleteOutcome(True, "v")),
            Outcome(Doomed("c", "v", None), error=S3Error("AccessDenied")),
        ],
        quiet=False,
    ).decode()
    assert (
        "<Deleted><Key>a</Key><DeleteMarker>true</DeleteMarker>"
        "<DeleteMarkerVersionId>m</DeleteMarkerVersionId></Deleted>"
        "<Deleted><Key>b</Key><VersionId>v</VersionId></Deleted>"
        "<Error><Key>c</Key><VersionId>v</VersionId><Code>AccessDenied</Code>"
    ) in told


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ("<PartNumber>0</PartNumber><ETag>e</ETag>", "InvalidArgument"),
        ("<PartNumber>10001</PartNumber><ETag>e</ETag>", "InvalidArgument"),
        ("<PartNumber>x</PartNumber><ETag>e</ETag>", "MalformedXML"),
        ("<PartNumber>1</PartNumber>", "MalformedXML"),
        ("<PartNumber>1</PartNumber><ETag></ETag>", "MalformedXML"),
        ("<PartNumber>1</PartNumber><ETag>e</ETag><Size>3</Size>", "MalformedXML"),
    ],
)
def test_completions_that_are_none(part: str, code: str) -> None:
    document = f"<CompleteMultipartUpload><Part>{part}</Part></CompleteMultipartUpload>"
    with pytest.raises(S3Error) as caught:
        xml_multipart.read_complete(document.encode())
    assert caught.value.code == code


def test_a_part_of_an_object() -> None:
    row = ObjectRow(
        1, "k", 10, "e-3", "a/b", TIME, parts=[{"size": 4}, {"size": 6}, {"size": 0, "number": 7}]
    )
    assert parts.find(row, 1) == parts.Part(ranges.ByteRange(0, 3), {}, 3)
    assert parts.find(row, 2) == parts.Part(ranges.ByteRange(4, 9), {}, 3)
    assert parts.find(row, 7) == parts.Part(None, {}, 3)
    for number in (3, 8):
        with pytest.raises(S3Error, match="InvalidPart"):
            parts.find(row, number)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("b/k", ("b", "k", None)),
        ("/b/k/l%20%2B", ("b", "k/l +", None)),
        ("b%2Fk%2Fl", ("b", "k/l", None)),
        ("/%2Fb%2Fk", ("b", "k", None)),
        ("b/%3FversionId", ("b", "?versionId", None)),
        ("b/k?versionId=null", ("b", "k", "null")),
        ("b/k?versionId=a.b-c_%2D", ("b", "k", "a.b-c_-")),
    ],
)
def test_sources_of_copies(header: str, expected: tuple[str, str, str | None]) -> None:
    assert tuple(copy_source.parse(header)) == expected
    # What policies are asked about is what is copied.
    said = f"{expected[0]}/{expected[1]}"
    assert _copy_source({copy_source.HEADER: header}) == (said, f"/{said}")


@pytest.mark.parametrize("version_id", ["", "a b", "a/b", "ü", "a" * 1025])
def test_ids_that_are_none(version_id: str) -> None:
    with pytest.raises(S3Error, match="InvalidArgument"):
        versions.valid(version_id)


@pytest.mark.parametrize(
    "content",
    [b"<a/>" * 50_000, b"<a>" * 50_000, b"<Object " + b"a = '' " * 50_000 + b"/>"],
    ids=["many", "deep", "attributes"],
)
def test_a_document_of_too_many_tags_is_not_parsed(content: bytes) -> None:
    with pytest.raises(S3Error, match="more than 40000 tags"):
        xml_deletes.read(b"<Delete>" + content + b"</Delete>")
