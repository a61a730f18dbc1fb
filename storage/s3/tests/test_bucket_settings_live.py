"""Settings of buckets through boto3, each put, told, removed, and visible to the next request."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gateway.db.scope import tenant_scope
from realtime.models import Event
from storage.s3.tests.signer import call
from tenants.models import AuditEntry
from tenants.services import roles
from tests.stack import Account, Stack


@pytest.fixture(scope="module")
def account(stack: Stack) -> Account:
    return stack.account()


@pytest.fixture
def bucket(account: Account, request: pytest.FixtureRequest) -> str:
    name = "s-" + request.node.name.replace("_", "-").lower()[:50].rstrip("-[]")
    return account.bucket(name)


def refusal(function: Any, **parameters: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        function(**parameters)
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def status(answer: dict[str, Any]) -> int:
    return int(answer["ResponseMetadata"]["HTTPStatusCode"])


def test_versioning(account: Account, bucket: str) -> None:
    s3 = account.s3()
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    for wanted in ("Suspended", "Enabled", "Enabled", "Suspended"):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": wanted})
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == wanted
    body = b"<VersioningConfiguration/>"
    assert (
        call(account, "PUT", f"/s3/{bucket}?versioning", body).code
        == "IllegalVersioningConfigurationException"
    )
    assert refusal(
        s3.put_bucket_versioning,
        Bucket=bucket,
        VersioningConfiguration={"Status": "Enabled", "MFADelete": "Enabled"},
    ) == (501, "NotImplemented")


def test_a_change_is_told_once(account: Account, stack: Stack, bucket: str) -> None:
    s3 = account.s3()
    for _ in range(2):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    with stack.database(), tenant_scope(account.who.tenant.pk):
        events = Event.objects.filter(type="storage.bucket.updated", subject=bucket)
        assert [event.data for event in events] == [{"bucket": bucket, "setting": "versioning"}]
        [entry] = AuditEntry.objects.filter(action="storage.bucket.update", target=bucket)
        assert (entry.before, entry.after) == ({"versioning": ""}, {"versioning": "Enabled"})
        assert entry.credential == f"s3_key:{account.key_id}"


def test_cors(account: Account, bucket: str) -> None:
    s3 = account.s3()
    rules = [{"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["*.get", "*.put"], "MaxAgeSeconds": 5}]
    assert refusal(s3.get_bucket_cors, Bucket=bucket) == (404, "NoSuchCORSConfiguration")
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == rules
    assert status(s3.delete_bucket_cors(Bucket=bucket)) == 204
    assert refusal(s3.get_bucket_cors, Bucket=bucket) == (404, "NoSuchCORSConfiguration")
    large = b"<CORSConfiguration>" + b" " * (64 << 10) + b"</CORSConfiguration>"
    assert call(account, "PUT", f"/s3/{bucket}?cors", large).code == "MalformedXML"


def test_tagging(account: Account, bucket: str) -> None:
    s3 = account.s3()
    tags = [{"Key": "Hello", "Value": "World"}]
    assert refusal(s3.get_bucket_tagging, Bucket=bucket) == (404, "NoSuchTagSet")
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags
    many = [{"Key": str(n), "Value": ""} for n in range(51)]
    assert refusal(s3.put_bucket_tagging, Bucket=bucket, Tagging={"TagSet": many}) == (400, "InvalidTag")
    assert status(s3.delete_bucket_tagging(Bucket=bucket)) == 204
    assert refusal(s3.get_bucket_tagging, Bucket=bucket) == (404, "NoSuchTagSet")


def test_lifecycle(account: Account, bucket: str) -> None:
    s3 = account.s3()
    rules = [
        {"ID": "a", "Expiration": {"Days": 31}, "Prefix": "a/", "Status": "Enabled"},
        {"ID": "b", "Expiration": {"ExpiredObjectDeleteMarker": True}, "Filter": {}, "Status": "Disabled"},
    ]
    assert refusal(s3.get_bucket_lifecycle_configuration, Bucket=bucket) == (
        404,
        "NoSuchLifecycleConfiguration",
    )
    put = s3.put_bucket_lifecycle_configuration
    put(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == rules
    twice = {"Rules": [rules[0], rules[0]]}
    assert refusal(put, Bucket=bucket, LifecycleConfiguration=twice) == (400, "InvalidArgument")
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == rules
    for _ in range(2):
        assert status(s3.delete_bucket_lifecycle(Bucket=bucket)) == 204
    assert refusal(s3.get_bucket_lifecycle_configuration, Bucket=bucket) == (
        404,
        "NoSuchLifecycleConfiguration",
    )


def test_what_expires_is_told(account: Account, bucket: str) -> None:
    s3 = account.s3()
    tagged = {"And": {"Prefix": "logs/", "Tags": [{"Key": "keep", "Value": "no"}]}}
    rules = [
        {"ID": "all of them", "Expiration": {"Days": 9}, "Filter": {"Prefix": "logs/"}, "Status": "Enabled"},
        {"ID": "tagged", "Expiration": {"Days": 1}, "Filter": tagged, "Status": "Enabled"},
    ]
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    put = s3.put_object(Bucket=bucket, Key="logs/a", Body=b"x")
    assert put["Expiration"].endswith('GMT", rule-id="all%20of%20them"')
    assert s3.head_object(Bucket=bucket, Key="logs/a")["Expiration"] == put["Expiration"]
    copied = s3.copy_object(Bucket=bucket, Key="logs/b", CopySource=f"{bucket}/logs/a")
    assert copied["Expiration"] == s3.head_object(Bucket=bucket, Key="logs/b")["Expiration"]
    assert copied["Expiration"].endswith('GMT", rule-id="all%20of%20them"')
    s3.put_object_tagging(Bucket=bucket, Key="logs/a", Tagging={"TagSet": [{"Key": "keep", "Value": "no"}]})
    assert s3.get_object(Bucket=bucket, Key="logs/a")["Expiration"].endswith('rule-id="tagged"')
    assert "Expiration" not in s3.put_object(Bucket=bucket, Key="other", Body=b"x")
    never = {"ID": "never", "Expiration": {"Days": 2**31 - 1}, "Filter": {}, "Status": "Enabled"}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [never]})
    put = s3.put_object(Bucket=bucket, Key="kept", Body=b"x")
    assert put["Expiration"] == 'expiry-date="Fri, 31 Dec 9999 00:00:00 GMT", rule-id="never"'
    assert s3.get_object(Bucket=bucket, Key="kept")["Expiration"] == put["Expiration"]


def test_when_an_unfinished_upload_ends_is_told(account: Account, bucket: str) -> None:
    s3 = account.s3()
    abort = {"DaysAfterInitiation": 3}
    rule = {
        "ID": "unfinished ones",
        "AbortIncompleteMultipartUpload": abort,
        "Filter": {"Prefix": "logs/"},
        "Status": "Enabled",
    }
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    made = s3.create_multipart_upload(Bucket=bucket, Key="logs/a")
    assert made["AbortRuleId"] == "unfinished%20ones"
    [upload] = s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert timedelta(days=3) <= made["AbortDate"] - upload["Initiated"] <= timedelta(days=4)
    told = s3.list_parts(Bucket=bucket, Key="logs/a", UploadId=made["UploadId"])
    assert (told["AbortDate"], told["AbortRuleId"]) == (made["AbortDate"], made["AbortRuleId"])
    assert "AbortDate" not in s3.create_multipart_upload(Bucket=bucket, Key="other")


def test_public_access_block(account: Account, bucket: str) -> None:
    s3 = account.s3()
    flags = {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
        "BlockPublicPolicy": True,
        "RestrictPublicBuckets": False,
    }
    missing = (404, "NoSuchPublicAccessBlockConfiguration")
    assert refusal(s3.get_public_access_block, Bucket=bucket) == missing
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=flags)
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == flags
    assert refusal(s3.put_bucket_acl, Bucket=bucket, ACL="public-read") == (403, "AccessDenied")
    for _ in range(2):
        assert status(s3.delete_public_access_block(Bucket=bucket)) == 204
    assert refusal(s3.get_public_access_block, Bucket=bucket) == missing


def policy(bucket: str, action: str = "s3:GetObject", principal: Any = "*", **more: Any) -> str:
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    statement = {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": resources, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_policy(account: Account, bucket: str) -> None:
    s3 = account.s3()
    assert refusal(s3.get_bucket_policy, Bucket=bucket) == (404, "NoSuchBucketPolicy")
    assert not s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"]
    text = policy(bucket)
    assert status(s3.put_bucket_policy(Bucket=bucket, Policy=text)) == 204
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == text
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"]
    for bad in ("{", "[]", policy("another-bucket"), policy(bucket, "s3:Surprise"), " " * (20 << 10) + text):
        assert refusal(s3.put_bucket_policy, Bucket=bucket, Policy=bad) == (400, "MalformedPolicy")
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == text
    for _ in range(2):
        assert status(s3.delete_bucket_policy(Bucket=bucket)) == 204
    assert refusal(s3.get_bucket_policy, Bucket=bucket) == (404, "NoSuchBucketPolicy")


def test_public_policies_are_blocked(account: Account, bucket: str) -> None:
    s3 = account.s3()
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={"BlockPublicPolicy": True})
    assert refusal(s3.put_bucket_policy, Bucket=bucket, Policy=policy(bucket)) == (403, "AccessDenied")
    some = policy(bucket, principal={"AWS": "arn:aws:iam::somebody:root"})
    assert status(s3.put_bucket_policy(Bucket=bucket, Policy=some)) == 204


def test_a_name_is_claimed_once(account: Account, stack: Stack, bucket: str) -> None:
    other = stack.account()
    other.bucket(bucket)
    account.s3().put_bucket_policy(Bucket=bucket, Policy=policy(bucket))
    own = policy(bucket, principal={"AWS": f"arn:aws:iam::{other.slug}:root"})
    assert status(other.s3().put_bucket_policy(Bucket=bucket, Policy=own)) == 204
    claimed = (409, "BucketAlreadyExists")
    assert refusal(other.s3().put_bucket_policy, Bucket=bucket, Policy=policy(bucket)) == claimed
    account.s3().delete_bucket_policy(Bucket=bucket)
    assert status(other.s3().put_bucket_policy(Bucket=bucket, Policy=policy(bucket))) == 204


def test_ownership(account: Account, bucket: str) -> None:
    s3 = account.s3()

    def controls(ownership: str) -> dict[str, Any]:
        return {"Bucket": bucket, "OwnershipControls": {"Rules": [{"ObjectOwnership": ownership}]}}

    enforced = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"] == enforced
    for _ in range(2):
        assert status(s3.delete_bucket_ownership_controls(Bucket=bucket)) == 204
    missing = (404, "OwnershipControlsNotFoundError")
    assert refusal(s3.get_bucket_ownership_controls, Bucket=bucket) == missing
    s3.put_bucket_acl(Bucket=bucket, ACL="private")
    s3.put_bucket_ownership_controls(**controls("BucketOwnerEnforced"))
    assert s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"] == enforced
    assert refusal(s3.put_bucket_ownership_controls, **controls("ObjectWriter")) == (501, "NotImplemented")


def test_private_is_refused_where_ownership_was_asked_for(account: Account) -> None:
    s3, which = account.s3(), {"Bucket": "asked-for", "Key": "k"}
    s3.create_bucket(Bucket="asked-for", ObjectOwnership="BucketOwnerEnforced")
    s3.put_object(**which, ACL="bucket-owner-full-control")
    refused = (400, "AccessControlListNotSupported")
    assert refusal(s3.put_object, **which, ACL="private") == refused
    assert refusal(s3.create_multipart_upload, **which, ACL="private") == refused
    assert refusal(s3.copy_object, **which, CopySource="asked-for/k", ACL="private") == refused
    assert refusal(s3.put_object_acl, **which, ACL="private") == refused
    assert refusal(s3.put_bucket_acl, Bucket="asked-for", ACL="private") == refused


def test_encryption(account: Account, bucket: str) -> None:
    s3 = account.s3()
    missing = (404, "ServerSideEncryptionConfigurationNotFoundError")
    assert refusal(s3.get_bucket_encryption, Bucket=bucket) == missing

    def configuration(**default: str) -> dict[str, Any]:
        rules = [{"ApplyServerSideEncryptionByDefault": default}]
        return {"Bucket": bucket, "ServerSideEncryptionConfiguration": {"Rules": rules}}

    s3.put_bucket_encryption(**configuration(SSEAlgorithm="AES256"))
    [rule] = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    kms = configuration(SSEAlgorithm="aws:kms", KMSMasterKeyID="k")
    assert refusal(s3.put_bucket_encryption, **kms) == (501, "NotImplemented")
    for _ in range(2):
        assert status(s3.delete_bucket_encryption(Bucket=bucket)) == 204
    assert refusal(s3.get_bucket_encryption, Bucket=bucket) == missing


def test_notification(account: Account, bucket: str) -> None:
    s3 = account.s3()

    def told() -> dict[str, Any]:
        answer: dict[str, Any] = s3.get_bucket_notification_configuration(Bucket=bucket)
        return {name: value for name, value in answer.items() if name != "ResponseMetadata"}

    def put(**configuration: Any) -> dict[str, Any]:
        return {"Bucket": bucket, "NotificationConfiguration": configuration}

    assert told() == {}
    s3.put_bucket_notification_configuration(**put(EventBridgeConfiguration={}))
    assert told() == {"EventBridgeConfiguration": {}}
    queue = {"QueueArn": "arn:aws:sqs:us-east-1:1:q", "Events": ["s3:ObjectCreated:*"]}
    refused = put(QueueConfigurations=[queue])
    assert refusal(s3.put_bucket_notification_configuration, **refused) == (400, "InvalidArgument")
    s3.put_bucket_notification_configuration(**put())
    assert told() == {}


def test_object_lock(account: Account, bucket: str) -> None:
    s3 = account.s3()
    assert refusal(s3.get_object_lock_configuration, Bucket=bucket) == (
        404,
        "ObjectLockConfigurationNotFoundError",
    )

    def configuration(**default: Any) -> dict[str, Any]:
        rule = {"DefaultRetention": default}
        return {"Bucket": bucket, "ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled", "Rule": rule}}

    day = configuration(Mode="GOVERNANCE", Days=1)
    for wanted in ("", "Suspended"):
        if wanted:
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": wanted})
        assert refusal(s3.put_object_lock_configuration, **day) == (409, "InvalidBucketState")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object_lock_configuration(**day)
    found = s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
    assert found == day["ObjectLockConfiguration"]
    assert refusal(s3.put_object_lock_configuration, **configuration(Mode="GOVERNANCE", Days=0)) == (
        400,
        "InvalidRetentionPeriod",
    )
    suspend = {"Bucket": bucket, "VersioningConfiguration": {"Status": "Suspended"}}
    assert refusal(s3.put_bucket_versioning, **suspend) == (409, "InvalidBucketState")


def test_acl(account: Account, bucket: str) -> None:
    s3 = account.s3()
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    owner = {"ID": account.slug, "DisplayName": account.slug}
    grants = [{"Grantee": {"Type": "CanonicalUser", **owner}, "Permission": "FULL_CONTROL"}]
    for get, put, target in (
        (s3.get_bucket_acl, s3.put_bucket_acl, {"Bucket": bucket}),
        (s3.get_object_acl, s3.put_object_acl, {"Bucket": bucket, "Key": "k"}),
    ):
        found = get(**target)
        assert (found["Owner"], found["Grants"]) == (owner, grants)
        assert status(put(**target, ACL="private")) == 200
        assert status(put(**target, AccessControlPolicy={"Owner": owner, "Grants": grants})) == 200
        assert refusal(put, **target, ACL="public-read") == (400, "AccessControlListNotSupported")
        everybody = {"Grantee": {"Type": "CanonicalUser", "ID": "other"}, "Permission": "READ"}
        wanted = {"Owner": owner, "Grants": [*grants, everybody]}
        assert refusal(put, **target, AccessControlPolicy=wanted) == (400, "AccessControlListNotSupported")
    assert refusal(s3.get_object_acl, Bucket=bucket, Key="nothing") == (404, "NoSuchKey")
    assert refusal(s3.put_object_acl, Bucket=bucket, Key="nothing", ACL="private") == (404, "NoSuchKey")
    assert call(account, "PUT", f"/s3/{bucket}?acl").code == "MalformedACLError"


def test_what_has_one_value(account: Account, bucket: str) -> None:
    s3 = account.s3()
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    assert "Status" not in s3.get_bucket_accelerate_configuration(Bucket=bucket)
    assert refusal(s3.get_bucket_website, Bucket=bucket) == (404, "NoSuchWebsiteConfiguration")
    assert refusal(s3.get_bucket_replication, Bucket=bucket) == (404, "ReplicationConfigurationNotFoundError")


def test_a_bucket_that_is_not_there(account: Account) -> None:
    for subresource in (
        "versioning",
        "cors",
        "lifecycle",
        "policy",
        "acl",
        "tagging",
        "notification",
        "object-lock",
    ):
        assert call(account, "GET", f"/s3/nothing?{subresource}").code == "NoSuchBucket"


def test_settings_need_the_permission(account: Account, stack: Stack, bucket: str) -> None:
    with stack.database():
        may = ["storage.access_key.write", "storage.bucket.read"]
        roles.create_role(account.who.tenant, "Reader", permissions=may, actor=account.who)
    reader = stack.account("reader", tenant=account.who.tenant).s3()
    assert "Status" not in reader.get_bucket_versioning(Bucket=bucket)
    tags = {"TagSet": [{"Key": "a", "Value": "b"}]}
    assert refusal(reader.put_bucket_tagging, Bucket=bucket, Tagging=tags) == (403, "AccessDenied")
