"""Versions and locks that a backend keeps, as the gateway shows them."""

from __future__ import annotations

import base64
import hashlib
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from tests.stack import Account, Stack

pytestmark = pytest.mark.parametrize(
    "backend", ["moto", pytest.param("radosgw", marks=pytest.mark.long)], indirect=True, scope="module"
)

MIB = 1 << 20


@pytest.fixture(scope="module")
def account(stack: Stack, backend: str) -> Account:
    made = stack.account()
    made.bucket("plain", backend=backend)
    made.bucket("versioned", backend=backend)
    made.bucket("locked", backend=backend, object_lock=True)
    s3 = made.s3()
    s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    return made


@pytest.fixture(scope="module")
def s3(account: Account) -> Any:
    return account.s3()


def code_of(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def shown(s3: Any, key: str, bucket: str = "versioned") -> list[tuple[str, bool, bool]]:
    """(version id, is a delete marker, is the latest) of a key, newest first."""
    page = s3.list_object_versions(Bucket=bucket, Prefix=key)
    entries = [(v["LastModified"], v["VersionId"], False, v["IsLatest"]) for v in page.get("Versions", [])]
    entries += [
        (v["LastModified"], v["VersionId"], True, v["IsLatest"]) for v in page.get("DeleteMarkers", [])
    ]
    return [entry[1:] for entry in sorted(entries, key=lambda e: (e[3], e[0]), reverse=True)]


def test_versions_come_go_and_come_back(s3: Any) -> None:
    which = {"Bucket": "versioned", "Key": "a b/ü+"}
    first = s3.put_object(**which, Body=b"first")["VersionId"]
    second = s3.put_object(**which, Body=b"second")["VersionId"]
    assert first != second
    assert s3.get_object(**which, VersionId=first)["Body"].read() == b"first"
    got = s3.get_object(**which)
    assert (got["Body"].read(), got["VersionId"]) == (b"second", second)
    marker = s3.delete_object(**which)
    assert marker["DeleteMarker"] and marker["VersionId"]
    with pytest.raises(ClientError) as caught:
        s3.get_object(**which)
    assert code_of(caught) == ("NoSuchKey", 404)
    assert caught.value.response["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true"
    with pytest.raises(ClientError) as caught:
        s3.get_object(**which, VersionId=marker["VersionId"])
    assert code_of(caught) == ("MethodNotAllowed", 405)
    assert [entry[0] for entry in shown(s3, "a b/ü+")] == [marker["VersionId"], second, first]
    gone = s3.delete_object(**which, VersionId=marker["VersionId"])
    assert gone["DeleteMarker"] and gone["VersionId"] == marker["VersionId"]
    assert s3.get_object(**which)["Body"].read() == b"second"
    assert s3.delete_object(**which, VersionId=second)["VersionId"] == second
    assert s3.get_object(**which)["Body"].read() == b"first"
    assert shown(s3, "a b/ü+") == [(first, False, True)]
    with pytest.raises(ClientError) as caught:
        s3.get_object(**which, VersionId=second)
    assert code_of(caught) == ("NoSuchVersion", 404)
    assert s3.delete_object(**which, VersionId=second)["ResponseMetadata"]["HTTPStatusCode"] == 204


def test_joined_and_copied_objects_have_versions(s3: Any) -> None:
    body = bytes(6 * MIB)
    config = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)
    s3.upload_fileobj(io.BytesIO(body), "versioned", "joined", Config=config)
    [(joined, _, _)] = shown(s3, "joined")
    assert s3.head_object(Bucket="versioned", Key="joined", VersionId=joined)["ContentLength"] == len(body)
    part = s3.get_object(Bucket="versioned", Key="joined", PartNumber=2)
    assert (part["ContentLength"], part["PartsCount"]) == (MIB, 2)
    s3.put_object(Bucket="versioned", Key="joined", Body=b"newer")
    source = {"Bucket": "versioned", "Key": "joined", "VersionId": joined}
    copied = s3.copy_object(Bucket="versioned", Key="copied", CopySource=source)
    assert copied["CopySourceVersionId"] == joined
    assert shown(s3, "copied") == [(copied["VersionId"], False, True)]
    assert s3.head_object(Bucket="versioned", Key="copied")["ContentLength"] == len(body)


def test_many_versions_are_deleted_at_once(s3: Any) -> None:
    made = [s3.put_object(Bucket="versioned", Key="many", Body=b"x")["VersionId"] for _ in range(5)]
    doomed = [{"Key": "many", "VersionId": version} for version in [*made, "no id"]]
    answer = s3.delete_objects(Bucket="versioned", Delete={"Objects": doomed})
    assert len(answer["Deleted"]) == 5
    assert [(row["VersionId"], row["Code"]) for row in answer["Errors"]] == [("no id", "NoSuchVersion")]
    assert shown(s3, "many") == []


def test_suspended_versioning_writes_the_null_version(s3: Any, backend: str) -> None:
    if backend == "moto":
        pytest.skip("moto forgets the versions of a key that is written while versioning is suspended")
    s3.put_bucket_versioning(Bucket="plain", VersioningConfiguration={"Status": "Enabled"})
    kept = s3.put_object(Bucket="plain", Key="k", Body=b"kept")["VersionId"]
    s3.put_bucket_versioning(Bucket="plain", VersioningConfiguration={"Status": "Suspended"})
    assert s3.get_bucket_versioning(Bucket="plain")["Status"] == "Suspended"
    for body in (b"one", b"two"):
        s3.put_object(Bucket="plain", Key="k", Body=body)
    assert [version for version, _, _ in shown(s3, "k", "plain")] == ["null", kept]
    assert s3.get_object(Bucket="plain", Key="k", VersionId="null")["Body"].read() == b"two"
    assert s3.get_object(Bucket="plain", Key="k")["Body"].read() == b"two"
    assert s3.get_object(Bucket="plain", Key="k", VersionId=kept)["Body"].read() == b"kept"


def test_tags_are_ours_whatever_the_backend(s3: Any) -> None:
    which = {"Bucket": "versioned", "Key": "tagged"}
    s3.put_object(**which, Body=b"x", Tagging="a=1&b=2")
    assert s3.get_object(**which)["TagCount"] == 2
    s3.put_object_tagging(**which, Tagging={"TagSet": [{"Key": "c", "Value": "3"}]})
    assert s3.get_object_tagging(**which)["TagSet"] == [{"Key": "c", "Value": "3"}]


def test_conditions_hold(s3: Any) -> None:
    which = {"Bucket": "versioned", "Key": "conditional"}
    etag = s3.put_object(**which, Body=b"x", IfNoneMatch="*")["ETag"]
    for condition in ({"IfNoneMatch": "*"}, {"IfMatch": '"0"'}):
        with pytest.raises(ClientError) as caught:
            s3.put_object(**which, Body=b"y", **condition)
        assert code_of(caught) == ("PreconditionFailed", 412)
    with pytest.raises(ClientError) as caught:
        s3.delete_object(**which, IfMatch='"0"')
    assert code_of(caught) == ("PreconditionFailed", 412)
    s3.put_object(**which, Body=b"z", IfMatch=etag)
    assert s3.get_object(**which)["Body"].read() == b"z"


def test_locked_versions_stay(s3: Any) -> None:
    until = datetime.now(UTC) + timedelta(days=1)
    md5 = base64.b64encode(hashlib.md5(b"x", usedforsecurity=False).digest()).decode()
    which = {"Bucket": "locked", "Key": "held"}
    made = s3.put_object(
        **which, Body=b"x", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until, ContentMD5=md5
    )["VersionId"]
    with pytest.raises(ClientError) as caught:
        s3.delete_object(**which, VersionId=made)
    assert code_of(caught) == ("AccessDenied", 403)
    s3.put_object_legal_hold(**which, VersionId=made, LegalHold={"Status": "ON"})
    assert s3.get_object_legal_hold(**which, VersionId=made)["LegalHold"]["Status"] == "ON"
    with pytest.raises(ClientError) as caught:
        s3.delete_object(**which, VersionId=made, BypassGovernanceRetention=True)
    assert code_of(caught) == ("AccessDenied", 403)
    s3.put_object_legal_hold(**which, VersionId=made, LegalHold={"Status": "OFF"})
    s3.delete_object(**which, VersionId=made, BypassGovernanceRetention=True)
    assert shown(s3, "held", "locked") == []
