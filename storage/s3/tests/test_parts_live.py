"""The parts of an object after it was completed: reads by number, attributes, checksums of both types."""

from __future__ import annotations

import os
from base64 import b64encode
from hashlib import sha256
from typing import Any

import pytest

from storage.s3.tests.outcomes import refusal, status
from tests.stack import Account, Stack

MIB = 1 << 20
PARTS = [os.urandom(5 * MIB), os.urandom(5 * MIB), os.urandom(7)]
ALL = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]


@pytest.fixture(scope="module")
def account(stack: Stack) -> Account:
    made = stack.account()
    made.bucket()
    return made


@pytest.fixture(scope="module")
def s3(account: Account) -> Any:
    return account.s3()


def upload(s3: Any, key: str, parts: dict[int, bytes], **options: Any) -> tuple[dict[str, str], Any]:
    """An object made of parts by their numbers, and what Complete answered."""
    which = {"Bucket": "docs", "Key": key}
    ours = {**which, "UploadId": s3.create_multipart_upload(**which, **options)["UploadId"]}
    algorithm = options.get("ChecksumAlgorithm", "CRC32")
    lines = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(**ours, PartNumber=number, Body=body, ChecksumAlgorithm=algorithm)["ETag"],
        }
        for number, body in parts.items()
    ]
    return which, s3.complete_multipart_upload(**ours, MultipartUpload={"Parts": lines})


@pytest.fixture(scope="module")
def composite(s3: Any) -> tuple[dict[str, str], Any]:
    return upload(s3, "composite", dict(enumerate(PARTS, 1)), ChecksumAlgorithm="SHA256")


def test_a_part_is_read_by_its_number(s3: Any, composite: Any) -> None:
    which, done = composite
    first = 0
    for number, body in enumerate(PARTS, 1):
        got = s3.get_object(**which, PartNumber=number)
        assert (got["Body"].read(), status(got), got["PartsCount"]) == (body, 206, 3)
        size = sum(map(len, PARTS))
        assert got["ContentRange"] == f"bytes {first}-{first + len(body) - 1}/{size}"
        assert got["ETag"] == done["ETag"]
        assert got["ChecksumSHA256"] == b64encode(sha256(body).digest()).decode()
        assert got["ChecksumType"] == "COMPOSITE"
        head = s3.head_object(**which, PartNumber=number)
        assert (head["ContentLength"], head["PartsCount"]) == (len(body), 3)
        first += len(body)
    assert refusal(s3.get_object, **which, PartNumber=4) == (400, "InvalidPart")
    assert refusal(s3.get_object, **which, PartNumber=0) == (400, "InvalidArgument")
    assert refusal(s3.get_object, **which, PartNumber=1, Range="bytes=0-1") == (400, "InvalidRequest")


@pytest.mark.parametrize("body", [b"", b"whole", os.urandom(MIB)], ids=len)
def test_what_was_put_whole_is_its_own_first_part(s3: Any, body: bytes) -> None:
    which = {"Bucket": "docs", "Key": "whole"}
    s3.put_object(**which, Body=body)
    got = s3.get_object(**which, PartNumber=1)
    assert got["Body"].read() == body
    assert "PartsCount" not in got
    assert refusal(s3.get_object, **which, PartNumber=2) == (400, "InvalidPart")


def test_attributes(s3: Any, composite: Any) -> None:
    which, done = composite
    found = s3.get_object_attributes(**which, ObjectAttributes=ALL)
    assert found["ETag"] == done["ETag"].strip('"')
    assert (found["ObjectSize"], found["StorageClass"]) == (sum(map(len, PARTS)), "STANDARD")
    assert found["Checksum"] == {"ChecksumSHA256": done["ChecksumSHA256"], "ChecksumType": "COMPOSITE"}
    assert found["ObjectParts"]["TotalPartsCount"] == 3
    assert [(part["PartNumber"], part["Size"]) for part in found["ObjectParts"]["Parts"]] == [
        (number, len(body)) for number, body in enumerate(PARTS, 1)
    ]
    page = s3.get_object_attributes(
        **which, ObjectAttributes=["ObjectParts"], MaxParts=1, PartNumberMarker=1
    )["ObjectParts"]
    assert (page["IsTruncated"], page["NextPartNumberMarker"], page["PartNumberMarker"]) == (True, 2, 1)
    assert [part["PartNumber"] for part in page["Parts"]] == [2]
    assert "ETag" not in s3.get_object_attributes(**which, ObjectAttributes=["ObjectSize"])
    assert refusal(s3.get_object_attributes, **which, ObjectAttributes=["Weight"]) == (400, "InvalidArgument")
    nobody = {"Bucket": "docs", "Key": "nobody"}
    assert refusal(s3.get_object_attributes, **nobody, ObjectAttributes=ALL) == (404, "NoSuchKey")
    s3.put_object(Bucket="docs", Key="whole", Body=b"x")
    whole = s3.get_object_attributes(Bucket="docs", Key="whole", ObjectAttributes=ALL)
    assert "ObjectParts" not in whole
    assert whole["ObjectSize"] == 1


def test_numbers_with_gaps_are_kept(s3: Any) -> None:
    which, _ = upload(s3, "gaps", {3: PARTS[0], 10_000: b"last"})
    assert s3.get_object(**which, PartNumber=10_000)["Body"].read() == b"last"
    assert refusal(s3.get_object, **which, PartNumber=1) == (400, "InvalidPart")
    found = s3.get_object_attributes(**which, ObjectAttributes=["ObjectParts"])["ObjectParts"]
    assert [part["PartNumber"] for part in found["Parts"]] == [3, 10_000]


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [("CRC32", "COMPOSITE"), ("CRC32", "FULL_OBJECT"), ("CRC64NVME", "FULL_OBJECT"), ("SHA1", "COMPOSITE")],
)
def test_checksums_of_both_types(s3: Any, algorithm: str, kind: str) -> None:
    name = f"Checksum{algorithm}"
    parts = {1: PARTS[0], 2: PARTS[2]}
    which, done = upload(s3, "sums", parts, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    assert done["ChecksumType"] == kind
    assert done[name].endswith("-2") == (kind == "COMPOSITE")
    head = s3.head_object(**which, ChecksumMode="ENABLED")
    assert (head[name], head["ChecksumType"]) == (done[name], kind)
    if kind == "FULL_OBJECT":
        whole = s3.put_object(
            Bucket="docs", Key="whole", Body=PARTS[0] + PARTS[2], ChecksumAlgorithm=algorithm
        )
        assert whole[name] == done[name]
    [row] = s3.list_objects_v2(Bucket="docs", Prefix="sums")["Contents"]
    assert (row["ChecksumAlgorithm"], row["ChecksumType"]) == ([algorithm], kind)


def test_of_a_part_named_twice_the_last_counts(s3: Any) -> None:
    which = {"Bucket": "docs", "Key": "twice"}
    ours = {**which, "UploadId": s3.create_multipart_upload(**which)["UploadId"]}
    lines = [
        {"PartNumber": 1, "ETag": s3.upload_part(**ours, PartNumber=1, Body=body)["ETag"]}
        for body in (b"first", b"second")
    ]
    s3.complete_multipart_upload(**ours, MultipartUpload={"Parts": lines})
    assert s3.get_object(**which)["Body"].read() == b"second"


def test_what_complete_refuses(s3: Any) -> None:
    which = {"Bucket": "docs", "Key": "refused"}
    made = s3.create_multipart_upload(**which, ChecksumAlgorithm="SHA256")
    ours = {**which, "UploadId": made["UploadId"]}
    assert (made["ChecksumAlgorithm"], made["ChecksumType"]) == ("SHA256", "COMPOSITE")
    other = refusal(s3.upload_part, **ours, PartNumber=1, Body=b"x", ChecksumAlgorithm="CRC32")
    assert other == (400, "InvalidRequest")
    etag = s3.upload_part(**ours, PartNumber=1, Body=b"x", ChecksumAlgorithm="SHA256")["ETag"]
    s3.upload_part(**ours, PartNumber=2, Body=b"y", ChecksumAlgorithm="SHA256")
    [row, _] = s3.list_parts(**ours)["Parts"]
    assert row["ChecksumSHA256"] == b64encode(sha256(b"x").digest()).decode()
    listed = s3.list_parts(**ours, MaxParts=1)
    assert (listed["ChecksumAlgorithm"], listed["NextPartNumberMarker"], listed["IsTruncated"]) == (
        "SHA256",
        1,
        True,
    )
    good = {"PartNumber": 1, "ETag": etag}
    for lines, more, code in (
        ([good | {"ETag": '"' + "0" * 32 + '"'}], {}, "InvalidPart"),
        ([good | {"PartNumber": 3}], {}, "InvalidPart"),
        ([good | {"PartNumber": 2}, good], {}, "InvalidPartOrder"),
        ([good, {"PartNumber": 2, "ETag": row["ETag"]}], {}, "InvalidPart"),
        ([good | {"PartNumber": 10_001}], {}, "InvalidArgument"),
        ([good | {"ChecksumSHA256": "bad"}], {}, "InvalidPart"),
        ([good], {"ChecksumSHA256": "bad"}, "BadDigest"),
        ([good], {"ChecksumType": "FULL_OBJECT"}, "InvalidRequest"),
        ([good], {"ChecksumType": "other"}, "InvalidRequest"),
        ([good], {"MpuObjectSize": 2}, "InvalidRequest"),
        ([good], {"MpuObjectSize": -1}, "InvalidRequest"),
        ([], {}, "MalformedXML"),
    ):
        told = refusal(s3.complete_multipart_upload, **ours, MultipartUpload={"Parts": lines}, **more)
        assert told == (400, code), (lines, more)
    s3.abort_multipart_upload(**ours)
    assert refusal(s3.create_multipart_upload, **which, ChecksumType="FULL_OBJECT") == (400, "InvalidRequest")
    assert refusal(
        s3.create_multipart_upload, **which, ChecksumAlgorithm="SHA1", ChecksumType="FULL_OBJECT"
    ) == (400, "InvalidRequest")
