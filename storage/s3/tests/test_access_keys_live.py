"""Keys with limits, and temporary credentials, at the real front."""

from __future__ import annotations

import http.client
import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from django.utils import timezone

from gateway.db.scope import tenant_scope
from storage.models import AccessKey
from storage.services import access_keys, credentials
from storage.temporary import Issued
from tenants.models import Membership
from tenants.services import api_keys, snapshot
from tests import aws
from tests.stack import Account, Stack

from .accessors import allow, as_key, eventually, limited, outcome, put_policy

SOMEWHERE_ELSE = "203.0.113.0/24"


@pytest.fixture
def owner(stack: Stack) -> Account:
    made = stack.account()
    made.bucket()
    made.bucket("other")
    for key in ("in/a", "out/a"):
        made.s3().put_object(Bucket="docs", Key=key, Body=b"x")
    return made


def temporary_s3(account: Account, issued: Issued, token: str | None = None) -> Any:
    return session_s3(
        account.stack, issued.access_key_id, issued.secret_access_key, token or issued.session_token
    )


def session_s3(stack: Stack, key_id: str, secret: str, token: str) -> Any:
    return aws.client(
        "s3",
        endpoint_url=stack.url + "/s3",
        region_name="us-east-1",
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}, proxies={}),
    )


def sts(stack: Stack, key_id: str = "x", secret: str = "x", token: str | None = None) -> Any:
    return aws.client(
        "sts",
        endpoint_url=stack.url + "/s3",
        region_name="us-east-1",
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(retries={"max_attempts": 1}, proxies={}),
    )


def test_a_key_reaches_no_further_than_its_limits(stack: Stack, owner: Account) -> None:
    name = owner.bucket(f"{owner.slug}-open")  # once it is public, its name means it to everybody
    for key in ("in/a", "out/a"):
        owner.s3().put_object(Bucket=name, Key=key, Body=b"x")
    s3 = limited(stack, owner, buckets=[name], prefixes=["in/"], actions=["s3:Get*", "s3:List*"]).s3()
    assert outcome(s3.get_object, Bucket=name, Key="in/a") == "ok"
    assert outcome(s3.get_object, Bucket=name, Key="out/a") == "AccessDenied"
    assert outcome(s3.get_object, Bucket="other", Key="in/a") == "AccessDenied"
    assert outcome(s3.put_object, Bucket=name, Key="in/b", Body=b"") == "AccessDenied"
    assert outcome(s3.list_objects_v2, Bucket=name, Prefix="in/") == "ok"
    assert outcome(s3.list_objects_v2, Bucket=name) == "AccessDenied"
    assert outcome(s3.head_bucket, Bucket=name) == "ok"
    assert outcome(s3.create_bucket, Bucket="third") == "AccessDenied"
    source = {"Bucket": name, "Key": "out/a"}
    writer = limited(stack, owner, buckets=["other"]).s3()
    assert outcome(writer.put_object, Bucket="other", Key="x", Body=b"") == "ok"
    assert outcome(writer.copy_object, Bucket="other", Key="y", CopySource=source) == "AccessDenied"
    assert [bucket["Name"] for bucket in writer.list_buckets()["Buckets"]] == ["other"]
    # No policy of a bucket widens a key.
    put_policy(stack, owner, allow(bucket=name, Action="s3:*"), bucket=name)
    eventually(lambda: outcome(limited(stack, owner).s3().get_object, Bucket=name, Key="out/a") == "ok")
    assert outcome(s3.get_object, Bucket=name, Key="out/a") == "AccessDenied"
    assert outcome(writer.get_object, Bucket=name, Key="in/a") == "AccessDenied"


def test_a_key_s_bucket_is_never_another_tenants_of_that_name(stack: Stack, owner: Account) -> None:
    other = stack.account()
    name = f"{other.slug}-open"
    other.bucket(name)
    other.s3().put_object(Bucket=name, Key="in/a", Body=b"theirs")
    put_policy(stack, other, allow(bucket=name, Action=["s3:GetObject", "s3:PutObject"]), bucket=name)
    read = {"Bucket": name, "Key": "in/a"}
    eventually(lambda: outcome(owner.s3().get_object, **read) == "ok")
    by_name = limited(stack, owner, buckets=[name]).s3()
    assert outcome(by_name.get_object, **read) == "AccessDenied"
    assert outcome(by_name.put_object, **read, Body=b"ours") == "AccessDenied"
    by_owner = limited(stack, owner, buckets=[f"{other.slug}:{name}", "docs"]).s3()
    assert outcome(by_owner.get_object, **read) == "ok"
    assert outcome(by_owner.copy_object, Bucket="docs", Key="copy", CopySource=read) == "ok"
    source = {"Bucket": "docs", "Key": "in/a"}
    assert outcome(by_name.copy_object, Bucket=name, Key="copy", CopySource=source) == "AccessDenied"
    # One of the own tenant that comes later is what the name means then, and not what the tenant's means.
    owner.bucket(name)
    owner.s3().put_object(**read, Body=b"ours")
    eventually(lambda: outcome(by_name.get_object, **read) == "ok")
    assert by_name.get_object(**read)["Body"].read() == b"ours"
    assert outcome(by_owner.get_object, **read) == "AccessDenied"


def test_a_key_is_taken_from_its_networks_alone_and_until_its_end(stack: Stack, owner: Account) -> None:
    read = {"Bucket": "docs", "Key": "in/a"}
    away = limited(stack, owner, allowed_networks=[SOMEWHERE_ELSE])
    assert outcome(away.s3().get_object, **read) == "AccessDenied"
    assert outcome(limited(stack, owner, allowed_networks=["127.0.0.1"]).s3().get_object, **read) == "ok"
    short = limited(stack, owner, expires_at=timezone.now() + timedelta(hours=1))
    url = short.s3().generate_presigned_url("get_object", Params=read, ExpiresIn=3600)
    assert outcome(short.s3().get_object, **read) == "ok"
    assert _status(stack, url) == 200
    with stack.database(), tenant_scope(owner.who.tenant.pk):
        ended = AccessKey.objects.filter(access_key_id=short.key_id)
        ended.update(expires_at=timezone.now() - timedelta(seconds=1))
        snapshot.changed("access_keys")
    eventually(lambda: outcome(short.s3().get_object, **read) == "InvalidAccessKeyId")
    assert _status(stack, url) == 403


def test_a_rotated_key_and_the_one_before_work_side_by_side(stack: Stack, owner: Account) -> None:
    old = limited(stack, owner, prefixes=["in/"])
    with stack.database(), tenant_scope(owner.who.tenant.pk):
        row = AccessKey.objects.select_related("user").get(access_key_id=old.key_id)
        made, secret = access_keys.rotate_access_key(row, timedelta(hours=1), actor=owner.who)
    new = as_key(owner, made.access_key_id, secret)
    for account in (old, new):
        assert outcome(account.s3().get_object, Bucket="docs", Key="in/a") == "ok"
        assert outcome(account.s3().get_object, Bucket="docs", Key="out/a") == "AccessDenied"


def test_temporary_credentials_act_as_their_maker_and_only_with_their_token(
    stack: Stack, owner: Account
) -> None:
    with stack.database(), tenant_scope(owner.who.tenant.pk):
        issued = credentials.issue(actor=owner.who)
        another = credentials.issue(actor=owner.who)
        reads = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::docs/in/*"}}'  # noqa: E501
        narrow = credentials.issue(policy=reads, actor=owner.who)
    read = {"Bucket": "docs", "Key": "in/a"}
    assert outcome(temporary_s3(owner, issued).get_object, **read) == "ok"
    assert outcome(temporary_s3(owner, issued).put_object, Bucket="docs", Key="t", Body=b"x") == "ok"
    assert outcome(temporary_s3(owner, issued, another.session_token).get_object, **read) == "InvalidToken"
    assert (
        outcome(temporary_s3(owner, issued, issued.session_token[:-6]).get_object, **read) == "InvalidToken"
    )
    bare = as_key(owner, issued.access_key_id, issued.secret_access_key)
    assert outcome(bare.s3().get_object, **read) == "InvalidAccessKeyId"
    stolen = session_s3(stack, issued.access_key_id, "x" * 40, issued.session_token)
    assert outcome(stolen.get_object, **read) == "SignatureDoesNotMatch"
    url = temporary_s3(owner, issued).generate_presigned_url("get_object", Params=read)
    assert _status(stack, url) == 200
    s3 = temporary_s3(owner, narrow)
    assert outcome(s3.get_object, **read) == "ok"
    assert outcome(s3.get_object, Bucket="docs", Key="out/a") == "AccessDenied"
    assert outcome(s3.put_object, Bucket="docs", Key="in/b", Body=b"") == "AccessDenied"
    assert outcome(s3.list_buckets) == "AccessDenied"
    with stack.database(), tenant_scope(owner.who.tenant.pk):
        Membership.objects.filter(user=owner.who.user).update(is_active=False)
        snapshot.changed("members")
    eventually(lambda: outcome(temporary_s3(owner, issued).get_object, **read) == "InvalidAccessKeyId")


def test_a_sessions_policy_sees_the_tags_that_objects_have(stack: Stack, owner: Account) -> None:
    owner.s3().put_object(Bucket="docs", Key="in/secret", Body=b"x", Tagging="secret=yes")
    statements = [
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
        {
            "Effect": "Deny",
            "Action": "s3:GetObject",
            "Resource": "*",
            "Condition": {"StringEquals": {"s3:ExistingObjectTag/secret": "yes"}},
        },
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    with stack.database(), tenant_scope(owner.who.tenant.pk):
        issued = credentials.issue(policy=policy, actor=owner.who)
    s3 = temporary_s3(owner, issued)
    assert outcome(s3.get_object, Bucket="docs", Key="in/a") == "ok"
    assert outcome(s3.get_object, Bucket="docs", Key="in/secret") == "AccessDenied"


def test_a_copy_takes_tags_along_only_for_who_may_read_and_set_them(stack: Stack, owner: Account) -> None:
    owner.s3().put_object(Bucket="docs", Key="in/tagged", Body=b"x", Tagging="secret=yes")
    copier = limited(stack, owner, actions=["s3:GetObject", "s3:PutObject"]).s3()
    where = {"Bucket": "docs", "Key": "copy"}
    assert outcome(copier.copy_object, CopySource="docs/in/a", **where) == "ok"
    assert outcome(copier.copy_object, CopySource="docs/in/tagged", **where) == "AccessDenied"
    replaced = {"CopySource": "docs/in/tagged", "TaggingDirective": "REPLACE", **where}
    assert outcome(copier.copy_object, **replaced) == "ok"
    assert owner.s3().get_object_tagging(**where)["TagSet"] == []


def test_the_api_exchanges_any_credential(stack: Stack, owner: Account) -> None:
    with stack.database(), tenant_scope(owner.who.tenant.pk):
        _, text = api_keys.issue_key("reader", permissions=["storage.object.read"], actor=owner.who)
    status, made = _api(stack, text, {"duration_seconds": 900})
    assert status == 201, made
    data = made["data"]
    s3 = session_s3(stack, data["access_key_id"], data["secret_access_key"], data["session_token"])
    assert outcome(s3.get_object, Bucket="docs", Key="in/a") == "ok"
    assert outcome(s3.put_object, Bucket="docs", Key="in/b", Body=b"") == "AccessDenied"
    for wrong, field in (
        ({"duration_seconds": 60}, "duration_seconds"),
        ({"policy": {"Statement": []}}, "policy"),
    ):
        status, refused = _api(stack, text, wrong)
        assert status == 400 and field in refused["errors"]


def test_what_an_api_key_was_exchanged_for_ends_with_it(stack: Stack, owner: Account) -> None:
    with stack.database(), tenant_scope(owner.who.tenant.pk):
        key, text = api_keys.issue_key("revoked", actor=owner.who)
        _, other = api_keys.issue_key("stays", actor=owner.who)

    def exchanged(credential: str) -> Any:
        data = _api(stack, credential, {})[1]["data"]
        return session_s3(stack, data["access_key_id"], data["secret_access_key"], data["session_token"])

    s3, stays = exchanged(text), exchanged(other)
    part = {"Bucket": "docs", "Key": "parts", "PartNumber": 1, "Body": b"x"}
    part["UploadId"] = s3.create_multipart_upload(Bucket="docs", Key="parts")["UploadId"]
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "docs", "Key": "in/a"})
    assert _status(stack, url) == 200
    with stack.database(), tenant_scope(owner.who.tenant.pk):
        api_keys.revoke_key(key, actor=owner.who)
    eventually(lambda: outcome(s3.upload_part, **part) == "InvalidAccessKeyId")
    assert _status(stack, url) == 403
    assert outcome(stays.upload_part, **part) == "ok"


def test_sdks_get_credentials_for_a_token_by_themselves(
    stack: Stack, owner: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stack.database(), tenant_scope(owner.who.tenant.pk):
        _, text = api_keys.issue_key("web identity", actor=owner.who)
    assume = sts(stack).assume_role_with_web_identity
    asked = {
        "RoleArn": f"arn:aws:iam::{owner.slug}:role/anything",
        "RoleSessionName": "test",
        "WebIdentityToken": text,
    }
    made = assume(**asked, DurationSeconds=900)
    given = made["Credentials"]
    assert made["AssumedRoleUser"]["Arn"].startswith(f"arn:aws:sts::{owner.slug}:assumed-role/")
    assert given["Expiration"] <= timezone.now() + timedelta(seconds=900)
    s3 = session_s3(stack, given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    assert outcome(s3.get_object, Bucket="docs", Key="in/a") == "ok"
    # As a workload has it: nothing but a token's file in its environment.
    (tmp_path / "token").write_text(text)
    for name, value in {
        "AWS_ROLE_ARN": asked["RoleArn"],
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
        "AWS_ENDPOINT_URL": stack.url + "/s3",
        "AWS_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "*",
    }.items():
        monkeypatch.setenv(name, value)
    found = boto3.session.Session().client("s3", config=Config(s3={"addressing_style": "path"}))
    assert outcome(found.get_object, Bucket="docs", Key="in/a") == "ok"
    other = stack.account()
    refusals: list[tuple[dict[str, Any], str]] = [
        ({"WebIdentityToken": "mcp_nonsense_nonsense"}, "InvalidIdentityToken"),
        ({"WebIdentityToken": "x.y.z"}, "InvalidIdentityToken"),
        ({"RoleArn": "arn:aws:iam::no-such-tenant-here:role/x"}, "AccessDenied"),
        ({"RoleArn": f"arn:aws:iam::{other.slug}:role/x"}, "AccessDenied"),
        ({"RoleArn": "nonsense-nonsense-nonsense"}, "ValidationError"),
        ({"DurationSeconds": 43201}, "ValidationError"),
        ({"Policy": '{"Statement": [{"Effect": "Allow", "Principal": "*"}]}'}, "MalformedPolicyDocument"),
    ]
    for change, code in refusals:
        assert outcome(assume, **(asked | change)) in (code, "IDPCommunicationError"), change


def test_sts_tells_who_asks_and_makes_sessions_of_keys(stack: Stack, owner: Account) -> None:
    key = limited(stack, owner, prefixes=["in/"])
    client = sts(stack, key.key_id, key.secret)
    assert client.get_caller_identity()["Arn"] == f"arn:aws:iam::{owner.slug}:user/{owner.who.label}"
    assert client.get_caller_identity()["Account"] == owner.slug
    given = client.get_session_token(DurationSeconds=900)["Credentials"]
    session = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    s3 = session_s3(stack, *session)
    assert outcome(s3.get_object, Bucket="docs", Key="in/a") == "ok"
    assert outcome(s3.get_object, Bucket="docs", Key="out/a") == "AccessDenied"
    assert outcome(sts(stack, *session).get_session_token) == "AccessDenied"
    assert sts(stack, *session).get_caller_identity()["Account"] == owner.slug
    for wrong in (sts(stack, key.key_id, "x" * 40), sts(stack, "GH" + "X" * 18, "x" * 40)):
        with pytest.raises(ClientError, match=r"SignatureDoesNotMatch|InvalidClientTokenId"):
            wrong.get_caller_identity()
    away = limited(stack, owner, allowed_networks=[SOMEWHERE_ELSE])
    assert outcome(sts(stack, away.key_id, away.secret).get_session_token) == "AccessDenied"


def _status(stack: Stack, url: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=30)
    connection.request("GET", url.partition(stack.url)[2])
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def _api(stack: Stack, key: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=30)
    headers = {"X-API-Key": key, "Content-Type": "application/json"}
    connection.request("POST", "/api/v1/storage/credentials", json.dumps(body), headers)
    answer = connection.getresponse()
    found = json.loads(answer.read())
    connection.close()
    return answer.status, found
