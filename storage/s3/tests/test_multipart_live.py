"""Multipart uploads and copies through the real stack."""

from __future__ import annotations

import hashlib
import io
import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from tests.stack import Account, Stack

MIB = 1 << 20
BODY = os.urandom(12 * MIB + 5)
PARTS = [BODY[: 5 * MIB], BODY[5 * MIB : 10 * MIB], BODY[10 * MIB :]]
ETAG = '"' + hashlib.md5(b"".join(hashlib.md5(part).digest() for part in PARTS)).hexdigest() + '-3"'


@pytest.fixture(scope="module")
def account(stack: Stack) -> Account:
    made = stack.account()
    made.bucket()
    return made


@pytest.fixture(scope="module", params=["http", "https"])
def s3(request: pytest.FixtureRequest, account: Account) -> Any:
    return account.s3(https=request.param == "https")


def code_of(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def upload(
    s3: Any, key: str, parts: list[bytes], **options: Any
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Start an upload and send its parts; what identifies it, and the lines for Complete."""
    made = s3.create_multipart_upload(Bucket="docs", Key=key, **options)
    which = {"Bucket": "docs", "Key": key, "UploadId": made["UploadId"]}
    lines = []
    same = {name: options[name] for name in ("ChecksumAlgorithm",) if name in options}
    for number, part in enumerate(parts, 1):
        sent = s3.upload_part(**which, PartNumber=number, Body=part, **same)
        sums = {name: value for name, value in sent.items() if name.startswith("Checksum")}
        lines.append({"PartNumber": number, "ETag": sent["ETag"], **sums})
    return which, lines


def complete(s3: Any, which: dict[str, Any], lines: list[dict[str, Any]], **options: Any) -> Any:
    return s3.complete_multipart_upload(**which, MultipartUpload={"Parts": lines}, **options)


def test_parts_become_the_object(s3: Any) -> None:
    which, lines = upload(s3, "m/ü", PARTS, ContentType="a/b", Metadata={"n": "1"}, CacheControl="no-cache")
    listed = s3.list_parts(**which)
    assert [(row["PartNumber"], row["Size"]) for row in listed["Parts"]] == [
        (number, len(part)) for number, part in enumerate(PARTS, 1)
    ]
    assert which["UploadId"] in [
        row["UploadId"] for row in s3.list_multipart_uploads(Bucket="docs")["Uploads"]
    ]
    done = complete(s3, which, lines)
    assert (done["ETag"], done["Bucket"], done["Key"]) == (ETAG, "docs", "m/ü")
    got = s3.get_object(Bucket="docs", Key="m/ü")
    assert got["Body"].read() == BODY
    assert (got["ETag"], got["ContentType"], got["CacheControl"]) == (ETAG, "a/b", "no-cache")
    part = s3.get_object(Bucket="docs", Key="m/ü", Range=f"bytes={5 * MIB - 2}-{5 * MIB + 1}")
    assert part["Body"].read() == BODY[5 * MIB - 2 : 5 * MIB + 2]
    assert complete(s3, which, lines)["ETag"] == ETAG  # a client that lost the answer asks again
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="docs", Prefix="m/")
    with pytest.raises(ClientError) as caught:
        s3.list_parts(**which)
    assert code_of(caught) == ("NoSuchUpload", 404)


def test_the_transfer_manager_with_its_defaults(s3: Any) -> None:
    s3.upload_fileobj(io.BytesIO(BODY), "docs", "t", Config=TransferConfig(multipart_chunksize=5 * MIB))
    back = io.BytesIO()
    s3.download_fileobj("docs", "t", back)
    assert back.getvalue() == BODY
    assert s3.head_object(Bucket="docs", Key="t")["ETag"] == ETAG


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [
        ("CRC32", "COMPOSITE"),
        ("CRC32", "FULL_OBJECT"),
        ("CRC32C", "FULL_OBJECT"),
        ("CRC64NVME", "FULL_OBJECT"),
        ("SHA256", "COMPOSITE"),
        ("SHA1", "COMPOSITE"),
    ],
)
def test_checksums_of_uploads(s3: Any, algorithm: str, kind: str) -> None:
    which, lines = upload(s3, f"c/{algorithm}", PARTS, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    name = f"Checksum{algorithm}"
    done = complete(s3, which, lines, ChecksumType=kind)
    assert done["ChecksumType"] == kind
    got = s3.get_object(Bucket="docs", Key=f"c/{algorithm}", ChecksumMode="ENABLED")
    assert got["Body"].read() == BODY  # boto3 compares a full checksum
    assert (got[name], got["ChecksumType"]) == (done[name], kind)
    assert ("-3" in got[name]) is (kind == "COMPOSITE")


def test_composite_checksums_are_given_for_each_part(account: Account, s3: Any) -> None:
    unasked = account.s3(request_checksum_calculation="when_required")
    which, lines = upload(s3, "composite", [b"x"], ChecksumAlgorithm="SHA256", ChecksumType="COMPOSITE")
    with pytest.raises(ClientError) as caught:
        unasked.upload_part(**which, PartNumber=2, Body=b"y")
    assert code_of(caught) == ("InvalidRequest", 400)
    assert "expected checksum Type: sha256, actual checksum Type: null" in str(caught.value)
    wrong = {"ChecksumSHA256": "A" * 43 + "="}
    with pytest.raises(ClientError) as caught:
        complete(s3, which, [{**lines[0], **wrong}])
    assert code_of(caught) == ("InvalidPart", 400)
    assert complete(s3, which, lines)["ChecksumType"] == "COMPOSITE"


def test_the_checksum_of_a_whole_object_needs_none_of_its_parts(account: Account) -> None:
    s3 = account.s3(request_checksum_calculation="when_required")
    made = s3.create_multipart_upload(
        Bucket="docs", Key="full", ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT"
    )
    which = {"Bucket": "docs", "Key": "full", "UploadId": made["UploadId"]}
    sent = s3.upload_part(**which, PartNumber=1, Body=b"123456789")
    done = complete(s3, which, [{"PartNumber": 1, "ETag": sent["ETag"]}])
    assert (done["ChecksumType"], done["ChecksumCRC32"]) == ("FULL_OBJECT", "y/Q5Jg==")


def test_what_complete_refuses(s3: Any) -> None:
    which, lines = upload(s3, "bad", [PARTS[0], b"too small", b"end"])
    wrong = [{**lines[0], "ETag": '"0123456789abcdef0123456789abcdef"'}]
    for parts, code in (
        (lines, "EntityTooSmall"),
        (lines[::-1], "InvalidPartOrder"),
        (wrong, "InvalidPart"),
        ([{**lines[0], "PartNumber": 9}], "InvalidPart"),
        ([{**lines[0], "ChecksumCRC32": "AAAAAA=="}], "InvalidPart"),
        ([], "MalformedXML"),
    ):
        with pytest.raises(ClientError) as caught:
            complete(s3, which, parts)
        assert code_of(caught) == (code, 400)
    with pytest.raises(ClientError) as caught:
        s3.head_object(Bucket="docs", Key="bad")
    assert code_of(caught)[1] == 404
    s3.abort_multipart_upload(**which)
    for call in (
        lambda: s3.abort_multipart_upload(**which),
        lambda: s3.upload_part(**which, PartNumber=1, Body=b"x"),
        lambda: complete(s3, which, lines),
        lambda: s3.list_parts(**{**which, "UploadId": "no-such-id"}),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert code_of(caught) == ("NoSuchUpload", 404)


@pytest.mark.parametrize("number", [0, 10001])
def test_part_numbers(s3: Any, number: int) -> None:
    which, _ = upload(s3, "n", [])
    with pytest.raises(ClientError) as caught:
        s3.upload_part(**which, PartNumber=number, Body=b"x")
    assert code_of(caught) == ("InvalidArgument", 400)


def test_several_who_complete_at_once_are_all_told(s3: Any) -> None:
    which, lines = upload(s3, "at once", PARTS)
    together = Barrier(3)

    def ask(_: int) -> Any:
        together.wait(30)
        return complete(s3, which, lines)["ETag"]

    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(ask, range(3))) == [ETAG] * 3


def test_a_part_may_be_sent_again(s3: Any) -> None:
    which, _ = upload(s3, "again", [b"first"])
    last = s3.upload_part(**which, PartNumber=1, Body=b"second")
    complete(s3, which, [{"PartNumber": 1, "ETag": last["ETag"]}])
    assert s3.get_object(Bucket="docs", Key="again")["Body"].read() == b"second"


def test_uploads_and_parts_are_listed_in_pages(account: Account) -> None:
    s3 = account.s3()
    account.bucket("pages")
    keys = ("a", "a", "b/1", "b/2", "c")
    made = [(key, s3.create_multipart_upload(Bucket="pages", Key=key)["UploadId"]) for key in keys]
    pages = s3.get_paginator("list_multipart_uploads").paginate(
        Bucket="pages", PaginationConfig={"PageSize": 2}
    )
    listed = [(row["Key"], row["UploadId"]) for page in pages for row in page.get("Uploads", [])]
    assert sorted(listed) == sorted(made)
    assert [key for key, _ in listed] == [key for key, _ in made]
    rolled = s3.list_multipart_uploads(Bucket="pages", Delimiter="/")
    assert [row["Prefix"] for row in rolled["CommonPrefixes"]] == ["b/"]
    which = {"Bucket": "pages", "Key": "c", "UploadId": made[-1][1]}
    for number in range(1, 6):
        s3.upload_part(**which, PartNumber=number, Body=b"x")
    found = []
    for page in s3.get_paginator("list_parts").paginate(**which, PaginationConfig={"PageSize": 2}):
        found += [row["PartNumber"] for row in page["Parts"]]
    assert found == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("body", [b"small", BODY], ids=len)
def test_copies(s3: Any, body: bytes) -> None:
    fields = {"ContentType": "a/b", "Metadata": {"n": "1"}}
    put = s3.put_object(Bucket="docs", Key="from/ü +", Body=body, **fields)
    source = {"Bucket": "docs", "Key": "from/ü +"}
    done = s3.copy_object(Bucket="docs", Key="to", CopySource=source)
    assert done["CopyObjectResult"]["ETag"] == put["ETag"]
    got = s3.get_object(Bucket="docs", Key="to")
    assert (got["Body"].read(), got["ContentType"]) == (body, "a/b")
    s3.copy_object(
        Bucket="docs",
        Key="to",
        CopySource=source,
        MetadataDirective="REPLACE",
        ContentType="c/d",
        Metadata={"m": "2"},
    )
    got = s3.head_object(Bucket="docs", Key="to")
    assert (got["ContentType"], [name.lower() for name in got["Metadata"]]) == ("c/d", ["m"])
    s3.delete_object(Bucket="docs", Key="from/ü +")
    assert s3.get_object(Bucket="docs", Key="to")["Body"].read() == body
    s3.copy_object(
        Bucket="docs", Key="to", CopySource="docs/to", ChecksumAlgorithm="SHA256", MetadataDirective="REPLACE"
    )
    assert s3.head_object(Bucket="docs", Key="to", ChecksumMode="ENABLED")["ChecksumSHA256"]
    assert s3.get_object(Bucket="docs", Key="to")["Body"].read() == body


def test_what_a_copy_refuses(s3: Any) -> None:
    etag = s3.put_object(Bucket="docs", Key="src", Body=b"x")["ETag"]
    for options, code in (
        ({"CopySource": "docs/none"}, ("NoSuchKey", 404)),
        ({"CopySource": "elsewhere/src"}, ("NoSuchBucket", 404)),
        ({"CopySource": "docs"}, ("InvalidArgument", 400)),
        ({"CopySource": "docs/src", "CopySourceIfNoneMatch": etag}, ("PreconditionFailed", 412)),
        ({"CopySource": "docs/src", "CopySourceIfMatch": '"x"'}, ("PreconditionFailed", 412)),
        ({"CopySource": "docs/src", "Key": "src"}, ("InvalidRequest", 400)),
        ({"CopySource": "docs/src?versionId=7"}, ("InvalidArgument", 400)),
        ({"CopySource": f"docs/src?versionId={'7' * 32}"}, ("NoSuchVersion", 404)),
        ({"CopySource": "docs/src", "MetadataDirective": "KEEP"}, ("InvalidArgument", 400)),
    ):
        with pytest.raises(ClientError) as caught:
            s3.copy_object(**{"Bucket": "docs", "Key": "dst", **options})
        assert code_of(caught) == code


def test_parts_copied_from_an_object(s3: Any) -> None:
    s3.put_object(Bucket="docs", Key="whole", Body=BODY)
    which, _ = upload(s3, "copied", [])
    lines = []
    for number, (first, last) in enumerate(
        [(0, 5 * MIB - 1), (5 * MIB, 10 * MIB - 1), (10 * MIB, len(BODY) - 1)], 1
    ):
        done = s3.upload_part_copy(
            **which, PartNumber=number, CopySource="docs/whole", CopySourceRange=f"bytes={first}-{last}"
        )
        lines.append({"PartNumber": number, "ETag": done["CopyPartResult"]["ETag"]})
    assert complete(s3, which, lines)["ETag"] == ETAG
    assert s3.get_object(Bucket="docs", Key="copied")["Body"].read() == BODY
    which, _ = upload(s3, "copied", [])
    malformed = dict.fromkeys(("bytes=5-", "bytes=-5", "0-4"), ("InvalidArgument", 400))
    for wrong, code in {f"bytes=0-{len(BODY)}": ("InvalidRange", 416), **malformed}.items():
        with pytest.raises(ClientError) as caught:
            s3.upload_part_copy(**which, PartNumber=1, CopySource="docs/whole", CopySourceRange=wrong)
        assert code_of(caught) == code
