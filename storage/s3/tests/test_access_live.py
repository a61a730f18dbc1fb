"""Who gets in at the real front: two tenants, their members by role, and strangers by policy."""

from __future__ import annotations

import pytest

from tenants.services import settings
from tests import factories
from tests.stack import Account, Stack

from .accessors import allow, anonymous, colleague, eventually, outcome, plain, put_policy


@pytest.fixture
def owner(stack: Stack) -> Account:
    made = stack.account()
    made.bucket(f"{made.slug}-docs"[:60])
    for key in ("public/a", "private/a", "publicity", "public/../private/b"):
        made.s3().put_object(Bucket=bucket_of(made), Key=key, Body=key.encode())
    return made


def bucket_of(account: Account) -> str:
    return f"{account.slug}-docs"[:60]


def grant(stack: Stack, owner: Account, *statements: dict[str, object], **block: bool) -> None:
    put_policy(stack, owner, *statements, bucket=bucket_of(owner), **block)


def read(who: object, bucket: str, key: str = "public/a") -> str:
    return outcome(who.get_object, Bucket=bucket, Key=key)  # type: ignore[attr-defined]


def test_strangers_find_nothing_where_no_policy_lets_them_in(stack: Stack, owner: Account) -> None:
    bucket, other = bucket_of(owner), stack.account()
    assert read(other.s3(), bucket) == "NoSuchBucket"
    assert read(anonymous(stack), bucket) == "AccessDenied"
    assert read(anonymous(stack), "no-such-bucket-anywhere") == "AccessDenied"
    assert outcome(anonymous(stack).list_buckets) == "AccessDenied"
    assert outcome(anonymous(stack).create_bucket, Bucket="a-new-one") == "AccessDenied"
    assert outcome(other.s3().put_object, Bucket=bucket, Key="x", Body=b"") == "NoSuchBucket"


def test_what_is_public_is_read_by_everybody_and_nothing_else_is(stack: Stack, owner: Account) -> None:
    bucket, other, nobody = bucket_of(owner), stack.account(), anonymous(stack)
    grant(stack, owner, allow(Resource=f"arn:aws:s3:::{bucket}/public/*"))
    eventually(lambda: read(nobody, bucket) == "ok")
    eventually(lambda: read(other.s3(), bucket) == "ok")
    for who in (nobody, other.s3()):
        for key in ("private/a", "publicity", "public", "Public/a", "absent", "public/absent"):
            assert read(who, bucket, key) == "AccessDenied", key
        assert outcome(who.list_objects_v2, Bucket=bucket) == "AccessDenied"
        assert outcome(who.list_object_versions, Bucket=bucket) == "AccessDenied"
        assert outcome(who.put_object, Bucket=bucket, Key="public/x", Body=b"") == "AccessDenied"
        assert outcome(who.delete_object, Bucket=bucket, Key="public/a") == "AccessDenied"
        assert outcome(who.get_object_tagging, Bucket=bucket, Key="public/a") == "AccessDenied"
        assert outcome(
            who.get_object_attributes, Bucket=bucket, Key="public/a", ObjectAttributes=["ETag"]
        ) == ("AccessDenied")
        assert outcome(who.get_bucket_policy, Bucket=bucket) == "AccessDenied"
        assert outcome(who.delete_bucket, Bucket=bucket) == "AccessDenied"
        assert outcome(who.head_bucket, Bucket=bucket) == "403"
        assert outcome(who.create_multipart_upload, Bucket=bucket, Key="public/x") == "AccessDenied"
        assert outcome(who.head_object, Bucket=bucket, Key="private/a") == "403"
        answer = who.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "public/a"}]})
        assert [error["Code"] for error in answer["Errors"]] == ["AccessDenied"]


LEADS_OUT = [
    "public/../private/a",  # a name of its own, which is not there
    "public/%2e%2e/private/a",
    "public/..%2Fprivate/a",
    "public%2F..%2F..%2Fprivate%2Fa",
    "private%2Fa",
    "/private/a",
    "private/a?versionId=null",
    "private/a?response-content-type=public/a",
    "private/a?prefix=public/",
    "public/a?tagging",
    "public/a?acl",
    "?list-type=2&prefix=public/",
    "?policy",
    "?versions",
    "?uploads",
]


def test_no_spelling_of_a_path_leads_out_of_what_is_public(stack: Stack, owner: Account) -> None:
    bucket = bucket_of(owner)
    grant(stack, owner, allow(Resource=f"arn:aws:s3:::{bucket}/public/*"))
    eventually(lambda: plain(stack, "GET", f"/s3/{bucket}/public/a").status == 200)
    for target in LEADS_OUT:
        assert plain(stack, "GET", f"/s3/{bucket}/{target}").status == 403, target
    # The key that is spelt like a way out is its own object, and lies below public/.
    assert plain(stack, "GET", f"/s3/{bucket}/public/../private/b").status == 200


def test_a_members_role_and_the_policy_add_up_and_a_deny_wins(stack: Stack, owner: Account) -> None:
    bucket, viewer = bucket_of(owner), colleague(stack, owner)
    write = {"Bucket": bucket, "Key": "inbox/x", "Body": b"x"}
    assert outcome(viewer.s3().put_object, **write) == "AccessDenied"
    arn = f"arn:aws:iam::{owner.slug}:user/{viewer.who.label}"
    resource = f"arn:aws:s3:::{bucket}/inbox/*"
    grant(stack, owner, allow(Principal={"AWS": arn}, Action="s3:PutObject", Resource=resource))
    eventually(lambda: outcome(viewer.s3().put_object, **write) == "ok")
    assert outcome(viewer.s3().put_object, **(write | {"Key": "x"})) == "AccessDenied"
    assert (
        outcome(stack.account().s3().put_object, **write) == "NoSuchBucket"
    )  # not claimed by a grant inside
    deny = allow(
        Effect="Deny", Action="s3:*", Resource=[f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    )
    grant(stack, owner, deny)
    eventually(lambda: read(viewer.s3(), bucket) == "AccessDenied")
    assert read(owner.s3(), bucket) == "AccessDenied"
    assert outcome(owner.s3().delete_bucket_policy, Bucket=bucket) == "AccessDenied"
    chief = colleague(stack, owner, "owner")  # owners of the tenant reach the policy itself
    assert outcome(chief.s3().get_bucket_policy, Bucket=bucket) == "ok"
    assert outcome(chief.s3().delete_bucket_policy, Bucket=bucket) == "ok"
    eventually(lambda: read(owner.s3(), bucket) == "ok")


def test_another_tenant_is_let_in_by_name_and_by_its_roles(stack: Stack, owner: Account) -> None:
    bucket, guest = bucket_of(owner), stack.account()
    third, guests_viewer = stack.account(), colleague(stack, guest)
    grant(
        stack,
        owner,
        allow(
            Principal={"AWS": f"arn:aws:iam::{guest.slug}:root"},
            Action=["s3:GetObject", "s3:PutObject"],
            Resource=f"arn:aws:s3:::{bucket}/*",
        ),
    )
    eventually(lambda: read(guest.s3(), bucket) == "ok")
    assert outcome(guest.s3().put_object, Bucket=bucket, Key="gift", Body=b"x") == "ok"
    assert read(owner.s3(), bucket, "gift") == "ok"
    assert read(guests_viewer.s3(), bucket) == "ok"
    assert outcome(guests_viewer.s3().put_object, Bucket=bucket, Key="gift", Body=b"") == "AccessDenied"
    assert read(third.s3(), bucket) == "AccessDenied"
    assert read(anonymous(stack), bucket) == "AccessDenied"


def test_the_public_access_block_and_the_feature_keep_strangers_out(stack: Stack, owner: Account) -> None:
    bucket, nobody = bucket_of(owner), anonymous(stack)
    statement = allow(Resource=f"arn:aws:s3:::{bucket}/*")
    grant(stack, owner, statement)
    eventually(lambda: read(nobody, bucket) == "ok")
    grant(stack, owner, statement, RestrictPublicBuckets=True)
    eventually(lambda: read(nobody, bucket) == "AccessDenied")
    assert read(owner.s3(), bucket) == "ok"
    grant(stack, owner, statement)
    eventually(lambda: read(nobody, bucket) == "ok")
    with stack.database():
        settings.change(owner.who.tenant, {"disabled_features": ["public_buckets"]}, actor=factories.staff())
    eventually(lambda: read(nobody, bucket) == "AccessDenied")
    assert read(stack.account().s3(), bucket) == "AccessDenied"
    assert read(owner.s3(), bucket) == "ok"


def test_copies_need_their_source(stack: Stack, owner: Account) -> None:
    bucket, thief = bucket_of(owner), stack.account()
    thief.bucket("loot")
    grant(stack, owner, allow(Resource=f"arn:aws:s3:::{bucket}/public/*"))
    target = {"Bucket": "loot", "Key": "x"}
    eventually(lambda: outcome(thief.s3().copy_object, **target, CopySource=f"{bucket}/public/a") == "ok")
    for source in (
        f"{bucket}/private/a",
        f"{bucket}/private%2Fa",
        f"/{bucket}/private/a",
        f"{bucket}%2Fprivate%2Fa",
        f"{bucket}/private/a?versionId=null",
    ):
        refused = outcome(thief.s3().copy_object, **target, CopySource=source)
        assert refused in ("AccessDenied", "InvalidArgument"), source
    hidden = stack.account()
    hidden.bucket("hidden-one")
    assert outcome(thief.s3().copy_object, **target, CopySource="hidden-one/x") == "NoSuchBucket"
    upload = thief.s3().create_multipart_upload(**target)["UploadId"]
    part = {**target, "UploadId": upload, "PartNumber": 1}
    assert outcome(thief.s3().upload_part_copy, **part, CopySource=f"{bucket}/private/a") == "AccessDenied"


def test_who_may_list_is_told_what_is_not_there(stack: Stack, owner: Account) -> None:
    bucket, guest = bucket_of(owner), stack.account()
    grant(
        stack,
        owner,
        allow(
            Action="s3:ListBucket",
            Resource=f"arn:aws:s3:::{bucket}",
            Condition={"StringLike": {"s3:prefix": "public/*"}},
        ),
    )
    s3 = guest.s3()
    eventually(lambda: outcome(s3.list_objects_v2, Bucket=bucket, Prefix="public/") == "ok")
    assert outcome(s3.list_objects_v2, Bucket=bucket) == "AccessDenied"
    assert outcome(s3.list_objects_v2, Bucket=bucket, Prefix="p") == "AccessDenied"
    assert outcome(s3.head_object, Bucket=bucket, Key="public/absent") == "404"
    assert outcome(s3.head_object, Bucket=bucket, Key="private/absent") == "403"
    assert outcome(s3.head_object, Bucket=bucket, Key="public/a") == "403"


def test_conditions_see_the_request(stack: Stack, owner: Account) -> None:
    bucket = bucket_of(owner)
    plain_http = {"Bool": {"aws:SecureTransport": "false"}}
    grant(
        stack,
        owner,
        allow(
            Effect="Deny", Action="s3:GetObject", Resource=f"arn:aws:s3:::{bucket}/*", Condition=plain_http
        ),
    )
    eventually(lambda: read(owner.s3(), bucket) == "AccessDenied")
    assert read(owner.s3(https=True), bucket) == "ok"
    here = {"IpAddress": {"aws:SourceIp": ["127.0.0.0/8", "::1/128"]}}
    grant(stack, owner, allow(Resource=f"arn:aws:s3:::{bucket}/*", Condition=here))
    eventually(lambda: read(anonymous(stack), bucket) == "ok")
    grant(
        stack,
        owner,
        allow(
            Resource=f"arn:aws:s3:::{bucket}/*",
            Condition={"StringLike": {"aws:Referer": "https://example.com/*"}},
        ),
    )
    path = f"/s3/{bucket}/public/a"
    eventually(lambda: plain(stack, "GET", path, Referer="https://example.com/x").status == 200)
    eventually(lambda: plain(stack, "GET", path).status == 403)
    assert plain(stack, "GET", path, Referer="https://evil.example/?https://example.com/").status == 403


def test_a_policy_can_ask_for_signed_bodies(stack: Stack, owner: Account) -> None:
    """Which keeps presigned URLs out: their bodies are not (S3 API reference, "Signature Version 4 policy keys")."""
    bucket, s3 = bucket_of(owner), owner.s3()
    put = {"Bucket": bucket, "Key": "new"}
    unsigned = {"StringEquals": {"s3:x-amz-content-sha256": "UNSIGNED-PAYLOAD"}}
    objects = f"arn:aws:s3:::{bucket}/*"
    grant(stack, owner, allow(Effect="Deny", Action="s3:PutObject", Resource=objects, Condition=unsigned))
    url = owner.s3(signature_version="s3v4").generate_presigned_url("put_object", Params=put)
    target = url.partition(f":{stack.port}")[2]
    eventually(lambda: plain(stack, "PUT", target, Content_Length="0").code == "AccessDenied")
    assert outcome(s3.put_object, **put, Body=b"x") == "ok"


def test_a_policy_can_ask_for_conditional_writes(stack: Stack, owner: Account) -> None:
    """AWS' own example (S3 user guide, "Enforce conditional writes"): what makes an object has the condition."""
    bucket, s3 = bucket_of(owner), owner.s3()
    unconditional = {"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}}
    objects = f"arn:aws:s3:::{bucket}/*"
    grant(
        stack,
        owner,
        allow(Effect="Deny", Action="s3:PutObject", Resource=objects, Condition=unconditional),
    )
    probe, put = ({"Bucket": bucket, "Key": key, "Body": b""} for key in ("probe", "new"))
    eventually(lambda: outcome(s3.put_object, **probe) == "AccessDenied")
    assert outcome(s3.put_object, **put, IfNoneMatch="*") == "ok"
    copy = {"Bucket": bucket, "Key": "copy", "CopySource": f"{bucket}/new"}
    assert outcome(s3.copy_object, **copy) == "AccessDenied"
    upload = {
        "Bucket": bucket,
        "Key": "parts",
        "UploadId": s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"],
    }
    part = s3.upload_part(**upload, PartNumber=1, Body=b"x")
    parts = {"MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}}
    assert outcome(s3.complete_multipart_upload, **upload, **parts) == "AccessDenied"
    assert outcome(s3.complete_multipart_upload, **upload, **parts, IfNoneMatch="*") == "ok"


def test_the_name_of_another_tenants_bucket_is_never_mistaken(stack: Stack) -> None:
    first, second = stack.account(), stack.account()
    for account in (first, second):
        account.bucket("same-name")
        account.s3().put_object(Bucket="same-name", Key="k", Body=account.slug.encode())
    put_policy(stack, first, allow(bucket="same-name"), bucket="same-name")
    eventually(lambda: read(anonymous(stack), "same-name", "k") == "ok")
    assert anonymous(stack).get_object(Bucket="same-name", Key="k")["Body"].read() == first.slug.encode()
    assert second.s3().get_object(Bucket="same-name", Key="k")["Body"].read() == second.slug.encode()
    path = f"/s3/{first.slug}:same-name/k"
    assert plain(stack, "GET", path).status == 200
    assert plain(stack, "GET", f"/s3/{second.slug}:same-name/k").status == 403


def test_what_a_body_says_is_asked_of_the_policy_too(stack: Stack, owner: Account) -> None:
    bucket, viewer = bucket_of(owner), colleague(stack, owner)
    objects = f"arn:aws:s3:::{bucket}/*"
    arn = f"arn:aws:iam::{owner.slug}:user/{viewer.who.label}"
    secret = {"StringEquals": {"s3:RequestObjectTag/level": "secret"}}
    only = {"ForAllValues:StringEquals": {"s3:RequestObjectTagKeys": ["level"]}}
    grant(
        stack,
        owner,
        allow(Effect="Deny", Action="s3:PutObjectTagging", Resource=objects, Condition=secret),
        allow(Principal={"AWS": arn}, Action="s3:PutObjectTagging", Resource=objects, Condition=only),
    )

    def tag(who: Account, **tags: str) -> str:
        said = {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}
        return outcome(who.s3().put_object_tagging, Bucket=bucket, Key="public/a", Tagging=said)

    eventually(lambda: tag(viewer, level="open") == "ok")
    assert tag(viewer, level="secret") == "AccessDenied"
    assert tag(viewer, level="open", other="x") == "AccessDenied"
    assert tag(owner, level="secret") == "AccessDenied"
    assert tag(owner, level="open", other="x") == "ok"
    assert tag(stack.account(), level="open") == "NoSuchBucket"
    put = {"Bucket": bucket, "Key": "t", "Body": b"x"}
    assert outcome(owner.s3().put_object, **put, Tagging="level=secret") == "AccessDenied"
    assert outcome(owner.s3().put_object, **put, Tagging="level=open") == "ok"
    reads = allow(
        Principal={"AWS": arn},
        Resource=objects,
        Condition={"StringEquals": {"s3:ExistingObjectTag/level": "open"}},
    )
    nobody = anonymous(stack)
    grant(stack, owner, reads | {"Principal": "*"})
    eventually(lambda: read(nobody, bucket, "t") == "ok")
    assert read(nobody, bucket, "private/a") == "AccessDenied"
    # Who comes from outside finds the bucket by another name than its tenant, so each sees a change at its own time.
    eventually(lambda: tag(owner, level="secret") == "ok")
    assert read(nobody, bucket, "public/a") == "AccessDenied"


def test_who_may_not_read_learns_nothing_from_conditions(stack: Stack, owner: Account) -> None:
    bucket, writer = bucket_of(owner), colleague(stack, owner, "viewer")
    arn = f"arn:aws:iam::{owner.slug}:user/{writer.who.label}"
    allowed = ["s3:PutObject", "s3:DeleteObject"]
    objects = f"arn:aws:s3:::{bucket}/public/*"
    write = allow(Principal={"AWS": arn}, Action=allowed, Resource=objects)
    unread = allow(Effect="Deny", Principal={"AWS": arn}, Resource=objects)
    grant(stack, owner, write, unread)
    s3, which = writer.s3(), {"Bucket": bucket, "Key": "public/a"}
    eventually(lambda: outcome(s3.put_object, **which, Body=b"x") == "ok")
    tag = owner.s3().head_object(**which)["ETag"]
    upload = s3.create_multipart_upload(**which)["UploadId"]
    part = s3.upload_part(**which, UploadId=upload, PartNumber=1, Body=b"x")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    for given in (tag, '"0123"'):
        for condition in ({"IfMatch": given}, {"IfNoneMatch": given}):
            assert outcome(s3.put_object, **which, Body=b"x", **condition) == "AccessDenied"
            assert (
                outcome(
                    s3.complete_multipart_upload,
                    **which,
                    UploadId=upload,
                    MultipartUpload=parts,
                    **condition,
                )
                == "AccessDenied"
            )
        assert outcome(s3.delete_object, **which, IfMatch=given) == "AccessDenied"
        doomed = {"Objects": [{"Key": "public/a", "ETag": given}]}
        answer = s3.delete_objects(Bucket=bucket, Delete=doomed)
        assert [error["Code"] for error in answer["Errors"]] == ["AccessDenied"]
    assert outcome(s3.delete_object, **which, IfMatchSize=1) == "AccessDenied"
    # That something is there is told, as at AWS.
    assert outcome(s3.put_object, **which, Body=b"x", IfNoneMatch="*") == "PreconditionFailed"
    assert outcome(s3.delete_object, **which, IfMatch="*") == "ok"
    grant(stack, owner, write)
    owner.s3().put_object(**which, Body=b"x")
    eventually(lambda: outcome(s3.put_object, **which, Body=b"y", IfMatch=tag) == "ok")
