"""Tags, retention and legal holds of objects through boto3."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from storage.s3.tests.outcomes import refusal, status
from storage.s3.tests.signer import call
from tests.stack import Account, Stack

LATER = (datetime.now(UTC) + timedelta(days=30)).replace(microsecond=0)
LATEST = LATER + timedelta(days=30)
RETAINED = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": LATER}


@pytest.fixture(scope="module")
def account(stack: Stack) -> Account:
    made = stack.account()
    made.bucket()
    return made


@pytest.fixture(scope="module")
def s3(account: Account) -> Any:
    return account.s3()


@pytest.fixture(scope="module")
def locked(s3: Any) -> str:
    s3.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    return "locked"


def tags_of(s3: Any, **which: Any) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in s3.get_object_tagging(**which)["TagSet"]}


def test_tags(s3: Any) -> None:
    which = {"Bucket": "docs", "Key": "tagged"}
    s3.put_object(**which, Body=b"x", Tagging="a=1&b=x%20y&c")
    assert tags_of(s3, **which) == {"a": "1", "b": "x y", "c": ""}
    for read in (s3.get_object, s3.head_object):
        assert read(**which)["ResponseMetadata"]["HTTPHeaders"]["x-amz-tagging-count"] == "3"
    s3.put_object_tagging(**which, Tagging={"TagSet": [{"Key": "only", "Value": "ü"}]})
    assert tags_of(s3, **which) == {"only": "ü"}
    assert status(s3.delete_object_tagging(**which)) == 204
    assert tags_of(s3, **which) == {}
    assert "x-amz-tagging-count" not in s3.head_object(**which)["ResponseMetadata"]["HTTPHeaders"]
    many = {"TagSet": [{"Key": str(n), "Value": ""} for n in range(11)]}
    assert refusal(s3.put_object_tagging, **which, Tagging=many) == (400, "InvalidTag")
    assert refusal(s3.put_object, **which, Tagging="a=1&a=2") == (400, "InvalidArgument")
    nobody = {"Bucket": "docs", "Key": "nobody"}
    assert refusal(s3.get_object_tagging, **nobody) == (404, "NoSuchKey")
    assert refusal(s3.put_object_tagging, **nobody, Tagging={"TagSet": []}) == (404, "NoSuchKey")
    assert refusal(s3.delete_object_tagging, **nobody) == (404, "NoSuchKey")


def test_tags_of_copies_and_uploads(s3: Any) -> None:
    source = {"Bucket": "docs", "Key": "source"}
    s3.put_object(**source, Body=b"x", Tagging="a=1")
    s3.copy_object(Bucket="docs", Key="same", CopySource=source)
    assert tags_of(s3, Bucket="docs", Key="same") == {"a": "1"}
    s3.copy_object(Bucket="docs", Key="new", CopySource=source, Tagging="b=2", TaggingDirective="REPLACE")
    assert tags_of(s3, Bucket="docs", Key="new") == {"b": "2"}
    which = {"Bucket": "docs", "Key": "parts"}
    upload = {**which, "UploadId": s3.create_multipart_upload(**which, Tagging="c=3")["UploadId"]}
    etag = s3.upload_part(**upload, PartNumber=1, Body=b"x")["ETag"]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    assert tags_of(s3, **which) == {"c": "3"}


def test_tags_of_a_version(s3: Any, locked: str) -> None:
    which = {"Bucket": locked, "Key": "tagged"}
    old, new = (s3.put_object(**which, Body=b"x", Tagging=f"n={n}")["VersionId"] for n in (1, 2))
    put = s3.put_object_tagging(**which, VersionId=old, Tagging={"TagSet": [{"Key": "n", "Value": "3"}]})
    assert put["VersionId"] == old
    assert tags_of(s3, **which, VersionId=old) == {"n": "3"}
    assert tags_of(s3, **which) == tags_of(s3, **which, VersionId=new) == {"n": "2"}
    marker = s3.delete_object(**which)["VersionId"]
    assert refusal(s3.get_object_tagging, **which, VersionId=marker) == (405, "MethodNotAllowed")
    assert refusal(s3.delete_object_tagging, **which, VersionId=marker) == (405, "MethodNotAllowed")


def test_retention(s3: Any, locked: str) -> None:
    which = {"Bucket": locked, "Key": "retained"}
    version = {**which, "VersionId": s3.put_object(**which, Body=b"x", **RETAINED)["VersionId"]}
    head = s3.head_object(**which)
    assert (head["ObjectLockMode"], head["ObjectLockRetainUntilDate"]) == ("GOVERNANCE", LATER)
    assert s3.get_object_retention(**which)["Retention"] == {"Mode": "GOVERNANCE", "RetainUntilDate": LATER}
    assert refusal(s3.delete_object, **version) == (403, "AccessDenied")
    assert s3.delete_object(**which)["DeleteMarker"] is True
    longer, shorter = ({"Mode": "GOVERNANCE", "RetainUntilDate": when} for when in (LATEST, LATER))
    s3.put_object_retention(**version, Retention=longer)
    assert refusal(s3.put_object_retention, **version, Retention=shorter) == (403, "AccessDenied")
    s3.put_object_retention(**version, Retention=shorter, BypassGovernanceRetention=True)
    assert s3.get_object_retention(**version)["Retention"] == shorter
    past = {"Mode": "GOVERNANCE", "RetainUntilDate": datetime(2001, 1, 1, tzinfo=UTC)}
    assert refusal(s3.put_object_retention, **version, Retention=past) == (400, "InvalidArgument")
    [told] = s3.delete_objects(
        Bucket=locked, Delete={"Objects": [{"Key": "retained", "VersionId": version["VersionId"]}]}
    )["Errors"]
    assert (told["Code"], told["VersionId"]) == ("AccessDenied", version["VersionId"])
    assert status(s3.delete_object(**version, BypassGovernanceRetention=True)) == 204
    assert refusal(s3.get_object, **version) == (404, "NoSuchVersion")


def test_compliance_ends_by_time_alone(s3: Any, locked: str) -> None:
    which = {"Bucket": locked, "Key": "compliant"}
    version = s3.put_object(**which, Body=b"x", **(RETAINED | {"ObjectLockMode": "COMPLIANCE"}))["VersionId"]
    weaker = {"Mode": "GOVERNANCE", "RetainUntilDate": LATEST}
    bypass = {"BypassGovernanceRetention": True}
    assert refusal(s3.put_object_retention, **which, Retention=weaker, **bypass) == (403, "AccessDenied")
    assert refusal(s3.delete_object, **which, VersionId=version, **bypass) == (403, "AccessDenied")


def test_a_legal_hold(s3: Any, locked: str) -> None:
    which = {"Bucket": locked, "Key": "held"}
    version = s3.put_object(**which, Body=b"x", ObjectLockLegalHoldStatus="ON")["VersionId"]
    assert s3.head_object(**which)["ObjectLockLegalHoldStatus"] == "ON"
    assert s3.get_object_legal_hold(**which)["LegalHold"] == {"Status": "ON"}
    bypass = {"BypassGovernanceRetention": True}
    assert refusal(s3.delete_object, **which, VersionId=version, **bypass) == (403, "AccessDenied")
    s3.put_object_legal_hold(**which, LegalHold={"Status": "OFF"})
    assert s3.get_object_legal_hold(**which)["LegalHold"] == {"Status": "OFF"}
    assert status(s3.delete_object(**which, VersionId=version)) == 204
    s3.put_object(**which, Body=b"x")
    assert refusal(s3.get_object_legal_hold, **which) == (404, "NoSuchObjectLockConfiguration")
    s3.put_object_retention(**which, Retention={"Mode": "GOVERNANCE", "RetainUntilDate": LATER})
    assert refusal(s3.get_object_legal_hold, **which) == (404, "NoSuchObjectLockConfiguration")
    s3.put_object_legal_hold(**which, LegalHold={"Status": "OFF"})
    assert s3.get_object_legal_hold(**which)["LegalHold"] == {"Status": "OFF"}
    assert s3.get_object_retention(**which)["Retention"]["Mode"] == "GOVERNANCE"


def test_an_upload_is_locked_when_it_is_complete(s3: Any, locked: str) -> None:
    which = {"Bucket": locked, "Key": "parts"}
    upload = {**which, "UploadId": s3.create_multipart_upload(**which, **RETAINED)["UploadId"]}
    etag = s3.upload_part(**upload, PartNumber=1, Body=b"x")["ETag"]
    lines = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    version = s3.complete_multipart_upload(**upload, MultipartUpload=lines)["VersionId"]
    assert s3.head_object(**which)["ObjectLockRetainUntilDate"] == LATER
    assert refusal(s3.delete_object, **which, VersionId=version) == (403, "AccessDenied")
    copy = s3.copy_object(Bucket=locked, Key="copy", CopySource=which)["VersionId"]
    assert "ObjectLockMode" not in s3.head_object(Bucket=locked, Key="copy")
    assert status(s3.delete_object(Bucket=locked, Key="copy", VersionId=copy)) == 204


def test_a_bucket_retains_by_default(s3: Any) -> None:
    s3.create_bucket(Bucket="retaining", ObjectLockEnabledForBucket=True)
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 3}}
    s3.put_object_lock_configuration(
        Bucket="retaining", ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )
    version = s3.put_object(Bucket="retaining", Key="k", Body=b"x")["VersionId"]
    head = s3.head_object(Bucket="retaining", Key="k")
    assert head["ObjectLockMode"] == "GOVERNANCE"
    assert timedelta(days=2) < head["ObjectLockRetainUntilDate"] - datetime.now(UTC) < timedelta(days=4)
    assert refusal(s3.delete_object, Bucket="retaining", Key="k", VersionId=version) == (403, "AccessDenied")


def test_locks_need_a_bucket_that_has_them(account: Account, s3: Any, locked: str) -> None:
    which = {"Bucket": "docs", "Key": "free"}
    s3.put_object(**which, Body=b"x")
    retention = {"Mode": "GOVERNANCE", "RetainUntilDate": LATER}
    hold = {"Status": "ON"}
    for function, more in (
        (s3.put_object, {"Body": b"x", **RETAINED}),
        (s3.get_object_retention, {}),
        (s3.get_object_legal_hold, {}),
        (s3.put_object_retention, {"Retention": retention}),
        (s3.put_object_legal_hold, {"LegalHold": hold}),
    ):
        assert refusal(function, **which, **more) == (400, "InvalidRequest")
    s3.put_object(Bucket=locked, Key="free", Body=b"x")
    free = {"Bucket": locked, "Key": "free"}
    assert refusal(s3.get_object_retention, **free) == (404, "NoSuchObjectLockConfiguration")
    assert refusal(s3.put_object_legal_hold, **free, LegalHold={"Status": "abc"}) == (400, "MalformedXML")
    body = b"<LegalHold><Status>ON</Status></LegalHold>"
    assert call(account, "PUT", f"/s3/{locked}/free?legal-hold", body).code == "InvalidRequest"  # no digest
