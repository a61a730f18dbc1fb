"""Buckets that keep versions: what is overwritten and deleted stays, is read, listed, copied and removed by its id."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.db.scope import platform_scope
from storage.models import BucketUsage
from storage.s3.tests.outcomes import refusal, status
from tests.stack import Account, Stack


@pytest.fixture(scope="module")
def account(stack: Stack) -> Account:
    return stack.account()


@pytest.fixture(scope="module")
def s3(account: Account) -> Any:
    return account.s3()


@pytest.fixture(scope="module")
def bucket(account: Account, s3: Any) -> str:
    name = account.bucket("versions")
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def test_what_one_request_deletes_twice_is_counted_once(account: Account, s3: Any) -> None:
    name = account.bucket("counted")
    for versioning in ("", "Enabled", "Suspended"):
        if versioning:
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": versioning})
        s3.put_object(Bucket=name, Key=f"stays{versioning}", Body=b"x")
        version = s3.put_object(Bucket=name, Key="k", Body=b"1234567").get("VersionId", "null")
        doomed = {"Objects": [{"Key": "k"}, {"Key": "k", "VersionId": version}]}
        assert len(s3.delete_objects(Bucket=name, Delete=doomed)["Deleted"]) == 2
        with account.stack.database(), platform_scope("tests"):
            kept = BucketUsage.objects.get(bucket__name=name, tenant=account.who.tenant)
            there = s3.list_object_versions(Bucket=name)["Versions"]
            assert (kept.bytes, kept.objects_count) == (sum(row["Size"] for row in there), len(there))


def test_each_write_is_a_version(s3: Any, bucket: str) -> None:
    which = {"Bucket": bucket, "Key": "k"}
    first, second = (s3.put_object(**which, Body=body)["VersionId"] for body in (b"one", b"two two"))
    assert s3.get_object(**which)["VersionId"] == second
    for version, body in ((first, b"one"), (second, b"two two")):
        got = s3.get_object(**which, VersionId=version)
        assert (got["Body"].read(), got["VersionId"]) == (body, version)
        head = s3.head_object(**which, VersionId=version)
        assert (head["ContentLength"], head["VersionId"]) == (len(body), version)
    part = s3.get_object(**which, VersionId=first, Range="bytes=1-")
    assert (part["Body"].read(), status(part)) == (b"ne", 206)
    assert (
        s3.get_object_attributes(**which, VersionId=first, ObjectAttributes=["ObjectSize"])["ObjectSize"] == 3
    )
    assert refusal(s3.get_object, **which, VersionId="A" * 32) == (404, "NoSuchVersion")
    assert refusal(s3.get_object, **which, VersionId="no id") == (400, "InvalidArgument")


def test_a_delete_leaves_a_marker(s3: Any, bucket: str) -> None:
    which = {"Bucket": bucket, "Key": "gone"}
    version = s3.put_object(**which, Body=b"x")["VersionId"]
    marker = s3.delete_object(**which)
    assert marker["DeleteMarker"] is True
    assert refusal(s3.get_object, **which) == (404, "NoSuchKey")
    with pytest.raises(s3.exceptions.ClientError) as caught:
        s3.head_object(**which)
    told = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert (told["x-amz-delete-marker"], told["x-amz-version-id"]) == ("true", marker["VersionId"])
    with pytest.raises(s3.exceptions.ClientError) as caught:
        s3.get_object(**which, VersionId=marker["VersionId"])
    answer = caught.value.response
    told = answer["ResponseMetadata"]["HTTPHeaders"]
    assert (status(answer), answer["Error"]["Code"]) == (405, "MethodNotAllowed")
    assert (told["x-amz-delete-marker"], told["allow"]) == ("true", "DELETE")
    assert "last-modified" in told
    assert s3.get_object(**which, VersionId=version)["Body"].read() == b"x"

    removed = s3.delete_object(**which, VersionId=marker["VersionId"])
    assert (removed["DeleteMarker"], removed["VersionId"]) == (True, marker["VersionId"])
    assert s3.get_object(**which)["Body"].read() == b"x"
    removed = s3.delete_object(**which, VersionId=version)
    assert ("DeleteMarker" in removed, removed["VersionId"]) == (False, version)
    assert status(s3.delete_object(**which, VersionId=version)) == 204
    assert refusal(s3.get_object, **which) == (404, "NoSuchKey")


def test_many_at_once(s3: Any, bucket: str) -> None:
    versions = [s3.put_object(Bucket=bucket, Key=f"many/{n}", Body=b"x")["VersionId"] for n in range(3)]
    marked = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "many/0"}]})["Deleted"]
    assert marked[0]["DeleteMarker"] is True
    doomed = [
        {"Key": "many/0", "VersionId": marked[0]["DeleteMarkerVersionId"]},
        {"Key": "many/1", "VersionId": versions[1]},
        {"Key": "many/2", "VersionId": "no id"},
        {"Key": "many/2", "VersionId": "abc"},
        {"Key": "many/2", "VersionId": "A" * 32},
    ]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": doomed})
    gone = {row["Key"]: row for row in answer["Deleted"]}
    assert gone["many/0"]["DeleteMarker"] is True
    assert gone["many/1"] == {"Key": "many/1", "VersionId": versions[1]}
    assert gone["many/2"] == {"Key": "many/2", "VersionId": "A" * 32}  # could be one, and is gone already
    assert [(row["Key"], row["VersionId"], row["Code"]) for row in answer["Errors"]] == [
        ("many/2", "no id", "NoSuchVersion"),
        ("many/2", "abc", "NoSuchVersion"),
    ]
    assert s3.get_object(Bucket=bucket, Key="many/0")["VersionId"] == versions[0]
    assert refusal(s3.get_object, Bucket=bucket, Key="many/1") == (404, "NoSuchKey")


def test_lists_of_versions(account: Account, s3: Any) -> None:
    name = account.bucket("listed")
    s3.put_object(Bucket=name, Key="a", Body=b"before")
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    made = [s3.put_object(Bucket=name, Key=key, Body=b"x")["VersionId"] for key in ("a", "b/1", "b/2", "ü +")]
    marker = s3.delete_object(Bucket=name, Key="a")["VersionId"]
    whole = s3.list_object_versions(Bucket=name)
    assert [(row["Key"], row["VersionId"], row["IsLatest"]) for row in whole["Versions"]] == [
        ("a", made[0], False),
        ("a", "null", False),
        ("b/1", made[1], True),
        ("b/2", made[2], True),
        ("ü +", made[3], True),
    ]
    [row] = whole["DeleteMarkers"]
    assert (row["Key"], row["VersionId"], row["IsLatest"]) == ("a", marker, True)
    assert (whole["IsTruncated"], whole["Name"]) == (False, name)
    assert whole["Versions"][0]["Owner"]["ID"] == account.slug
    assert whole["Versions"][0]["StorageClass"] == "STANDARD"

    seen: list[tuple[str, str]] = []
    after: dict[str, str] = {}
    while True:
        page = s3.list_object_versions(Bucket=name, MaxKeys=1, Delimiter="/", **after)
        seen += [
            (row["Key"], row["VersionId"]) for row in page.get("DeleteMarkers", []) + page.get("Versions", [])
        ]
        seen += [(row["Prefix"], "") for row in page.get("CommonPrefixes", [])]
        if not page["IsTruncated"]:
            break
        after = {"KeyMarker": page["NextKeyMarker"]}
        if page.get("NextVersionIdMarker"):
            after["VersionIdMarker"] = page["NextVersionIdMarker"]
    assert seen == [("a", marker), ("a", made[0]), ("a", "null"), ("b/", ""), ("ü +", made[3])]
    assert [row["Key"] for row in s3.list_object_versions(Bucket=name, Prefix="b/")["Versions"]] == [
        "b/1",
        "b/2",
    ]
    assert refusal(s3.list_object_versions, Bucket=name, VersionIdMarker=marker) == (400, "InvalidArgument")
    assert refusal(s3.list_object_versions, Bucket=name, EncodingType="base64") == (400, "InvalidArgument")


def test_the_null_version(account: Account, s3: Any) -> None:
    name = account.bucket("nulls")
    which = {"Bucket": name, "Key": "k"}
    assert "VersionId" not in s3.put_object(**which, Body=b"before")
    assert s3.get_object(**which, VersionId="null")["Body"].read() == b"before"
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_object(**which)["VersionId"] == "null"
    kept = s3.put_object(**which, Body=b"kept")["VersionId"]
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})
    assert "VersionId" not in s3.put_object(**which, Body=b"after")
    assert s3.get_object(**which, VersionId="null")["Body"].read() == b"after"
    assert s3.get_object(**which, VersionId=kept)["Body"].read() == b"kept"
    marker = s3.delete_object(**which)
    assert (marker["DeleteMarker"], marker["VersionId"]) == (True, "null")
    listed = s3.list_object_versions(Bucket=name)
    assert [row["VersionId"] for row in listed["Versions"]] == [kept]
    assert [row["VersionId"] for row in listed["DeleteMarkers"]] == ["null"]


def test_a_version_is_copied_back(s3: Any, bucket: str) -> None:
    which = {"Bucket": bucket, "Key": "restored"}
    old = s3.put_object(**which, Body=b"old", Metadata={"a": "1"})["VersionId"]
    s3.put_object(**which, Body=b"new")
    done = s3.copy_object(**which, CopySource={**which, "VersionId": old})
    assert done["CopySourceVersionId"] == old
    got = s3.get_object(**which)
    assert (got["Body"].read(), got["VersionId"], got["Metadata"]) == (b"old", done["VersionId"], {"a": "1"})
    marker = s3.delete_object(**which)["VersionId"]
    copy = {"Bucket": bucket, "Key": "copy"}
    assert refusal(s3.copy_object, **copy, CopySource=which) == (404, "NoSuchKey")
    assert refusal(s3.copy_object, **copy, CopySource={**which, "VersionId": marker}) == (
        400,
        "InvalidRequest",
    )
    assert refusal(s3.copy_object, **copy, CopySource={**which, "VersionId": "A" * 32}) == (
        404,
        "NoSuchVersion",
    )


def test_an_upload_in_parts_is_a_version(s3: Any, bucket: str) -> None:
    which = {"Bucket": bucket, "Key": "parts"}
    upload = {**which, "UploadId": s3.create_multipart_upload(**which)["UploadId"]}
    etag = s3.upload_part(**upload, PartNumber=1, Body=b"part")["ETag"]
    lines = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    done = s3.complete_multipart_upload(**upload, MultipartUpload=lines)
    assert s3.get_object(**which, VersionId=done["VersionId"])["Body"].read() == b"part"
    assert s3.complete_multipart_upload(**upload, MultipartUpload=lines)["VersionId"] == done["VersionId"]
