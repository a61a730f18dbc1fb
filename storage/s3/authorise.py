"""Whether a proven caller may do what it asks for: the role, the key, the bucket's policy, its public access block.

A bucket without a policy, asked by a plain key of its own tenant, costs a look into a set of permissions. Everything
else is `storage.policy.decision`, with what only a request knows: whether the object is there, its tags.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from storage.errors import StorageRefusal
from storage.index import BucketInfo, ObjectRow
from storage.policy import reader
from storage.policy.actions import DELETE
from storage.policy.decision import Decision, Rules, decide
from storage.policy.errors import PolicyError
from storage.s3 import demands
from storage.s3.context import Context
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.operation import Operation
from storage.s3.request import Request
from tenants import networks

Values = Mapping[str, Sequence[str] | None]

# Whoever may list may also know that a key is not there; others are told no more than that they may not.
_OF_OBJECTS: Final = frozenset(
    {
        Operation.GET_OBJECT,
        Operation.HEAD_OBJECT,
        Operation.GET_OBJECT_ATTRIBUTES,
        Operation.GET_OBJECT_ACL,
        Operation.GET_OBJECT_TAGGING,
        Operation.GET_OBJECT_RETENTION,
        Operation.GET_OBJECT_LEGAL_HOLD,
    }
)


# Policies ask for what stands in the body, so nobody can say before it is read.
_SAID_IN_BODY: Final = frozenset(
    {Operation.PUT_OBJECT_TAGGING, Operation.PUT_OBJECT_RETENTION, Operation.PUT_OBJECT_LEGAL_HOLD}
)


async def authorise(request: Request, front: Front) -> None:
    """Return when the caller may do all that the request asks for. Raises AccessDenied, NoSuchKey.

    What is `_SAID_IN_BODY` is decided by `authorise_said` where a bucket has a policy or the key has limits.
    """
    check_credential(request)
    actions = demands.actions_of(request.operation, request.query, request.headers)
    if request.found is None:
        await _authorise_service(request, actions)
        return
    bucket = request.found
    if _by_permissions_alone(request, bucket):
        for action in actions:
            permission = demands.PERMISSIONS[action]
            if permission not in request.access.permissions:
                raise S3Error("AccessDenied", f"The key's role lacks the permission {permission}.")
        return
    if request.operation in _SAID_IN_BODY:
        return
    versions = request.query.get("versionId", "")
    for action in actions:
        decision = await may(request, front, action, request.key, version_id=versions)
        if not decision.allowed and request.operation is Operation.HEAD_BUCKET:
            decision = _seen(request, bucket, decision)
        if not decision.allowed:
            await _refuse(request, front, decision)
        elif request.operation in _OF_OBJECTS and decision.reason == "policy_allow":
            await _hide_absence(request, front)


async def authorise_said(
    request: Request, front: Front, values: Values | None = None, tags: Mapping[str, str] | None = None
) -> None:
    """Return when the caller may do what the body says: what `authorise` leaves to whoever reads the body.

    `tags` are those that shall be set, `values` other condition keys'. Raises AccessDenied.
    """
    if _by_permissions_alone(request, request.bucket):
        return
    version_id = request.query.get("versionId", "")
    for action in demands.actions_of(request.operation, request.query, request.headers):
        decision = await may(
            request, front, action, request.key, version_id=version_id, values=values, asked_tags=tags
        )
        if not decision.allowed:
            raise _denied(request, request.bucket, decision)


async def may(
    request: Request,
    front: Front,
    action: str,
    key: str = "",
    *,
    bucket: BucketInfo | None = None,
    version_id: str = "",
    values: Values | None = None,
    asked_tags: Mapping[str, str] | None = None,
) -> Decision:
    """Whether the request's caller may do `action` (`s3:GetObject`) to `key`, or to the bucket.

    `bucket` is another one than the request's (a copy's source). `values` of condition keys override the request's,
    by lower-case name: of one key among many, or of what the body says.
    """
    bucket = bucket or request.bucket
    overrides = dict(values or {})
    if version_id and "s3:versionid" not in overrides:
        overrides["s3:versionid"] = (version_id,)
    rules = rules_of(bucket)
    if bucket.is_off:
        return Decision(False, "not_granted", "The bucket's tenant has storage switched off.")
    tags: Mapping[str, str] = {}
    policies = (rules.policy, request.access.caller.session)
    if key and any(policy is not None and policy.asks_tags for policy in policies):
        row = await _row(front, bucket, key, version_id)
        tags = row.tags if row is not None else {}
    context = Context(request, bucket, tags, overrides, asked_tags)
    return decide(rules, request.access.caller, action, key, context)


async def require(
    request: Request, front: Front, action: str, key: str = "", *, version_id: str = ""
) -> None:
    """Return when `may` says yes. Raises AccessDenied."""
    decision = await may(request, front, action, key, version_id=version_id)
    if not decision.allowed:
        raise _denied(request, request.bucket, decision)


async def require_delete(request: Request, front: Front, key: str, version_id: str = "") -> None:
    """Return when the caller may delete a key of DeleteObjects, or one version of it. Raises AccessDenied."""
    if _by_permissions_alone(request, request.bucket) and DELETE in request.access.permissions:
        if not demands.is_bypassing(request.headers):
            return
    action = "s3:DeleteObjectVersion" if version_id else "s3:DeleteObject"
    await require(request, front, action, key, version_id=version_id)
    if demands.is_bypassing(request.headers):
        await require(request, front, "s3:BypassGovernanceRetention", key, version_id=version_id)


async def source_bucket(
    request: Request, front: Front, name: str, key: str, version_id: str = ""
) -> BucketInfo:
    """The bucket of a copy's source, which the caller may read there: its own, or another's that lets it in.

    Raises NoSuchBucket, AccessDenied.
    """
    bucket = await front.sought_bucket(request.access, name)
    if bucket is None:
        if request.access.is_anonymous:
            raise S3Error("AccessDenied")
        raise S3Error("NoSuchBucket", extra={"BucketName": name})
    action = "s3:GetObjectVersion" if version_id else "s3:GetObject"
    decision = await may(request, front, action, key, bucket=bucket, version_id=version_id)
    if not decision.allowed:
        raise _denied(request, bucket, decision)
    return bucket


def rules_of(bucket: BucketInfo) -> Rules:
    """What the bucket says of who may. A policy that cannot be read any more lets nobody in beside its tenant."""
    policy = None
    if bucket.policy:
        try:
            policy = reader.bucket_policy(bucket.policy, bucket.name)
        except PolicyError:
            policy = reader.bucket_policy(_LOCKED, bucket.name)
    block = bucket.public_access_block or {}
    restricted = bucket.never_public or bool(block.get("RestrictPublicBuckets"))
    return Rules(bucket.owner, bucket.name, policy, restricted)


_LOCKED: Final = (
    '{"Version": "2012-10-17", "Statement": {"Sid": "Unreadable", "Effect": "Deny", "Principal": "*",'
    ' "Action": "s3:*", "Resource": "*"}}'
)


def check_credential(request: Request) -> None:
    """Return when the credential may be used now and from there. Raises S3Error."""
    access = request.access
    if access.expires_at is not None and access.expires_at <= datetime.now(UTC):
        if access.kept:
            raise S3Error("InvalidAccessKeyId", "The access key has expired.")
        raise S3Error("ExpiredToken")
    if access.networks and not networks.allow(request.head.client_ip, access.networks):
        raise S3Error("AccessDenied", "The key is not taken from this address.")


def _by_permissions_alone(request: Request, bucket: BucketInfo) -> bool:
    access = request.access
    return (
        access.is_plain and not bucket.policy and bucket.tenant_id == access.tenant_id and not bucket.is_off
    )


async def _authorise_service(request: Request, actions: Sequence[str]) -> None:
    """ListBuckets and CreateBucket, which no bucket's policy can grant."""
    access = request.access
    if access.is_anonymous:
        raise S3Error("AccessDenied")
    rules = Rules(access.tenant_slug, request.bucket_name)
    for action in actions:
        decision = decide(rules, access.caller, action, "", Context(request))
        if not decision.allowed:
            raise S3Error("AccessDenied", decision.text)


def _seen(request: Request, bucket: BucketInfo, refused: Decision) -> Decision:
    """HeadBucket needs less than a list within the tenant: to see buckets at all."""
    if refused.reason == "policy_deny":
        return refused
    found = decide(
        rules_of(bucket), request.access.caller, "s3:GetBucketLocation", "", Context(request, bucket)
    )
    return found if found.reason == "role" else refused


async def _refuse(request: Request, front: Front, decision: Decision) -> None:
    """Raise AccessDenied, or NoSuchKey to who may know of it."""
    if request.operation in _OF_OBJECTS and decision.reason != "policy_deny":
        listing = await _may_list(request, front)
        if listing and await _row(front, request.bucket, request.key, "") is None:
            raise S3Error("NoSuchKey", extra={"Key": request.key})
    raise _denied(request, request.bucket, decision)


def _denied(request: Request, bucket: BucketInfo, decision: Decision) -> S3Error:
    """What a stranger is told about the policy would help only those who look for a way around it."""
    inside = request.access.tenant_id == bucket.tenant_id and not request.access.is_anonymous
    return S3Error("AccessDenied", decision.text if inside else None)


async def _hide_absence(request: Request, front: Front) -> None:
    """Raise AccessDenied where the object is not there and the caller may not list."""
    version_id = request.query.get("versionId", "")
    if await _row(front, request.bucket, request.key, version_id) is not None:
        return
    if not await _may_list(request, front):
        raise S3Error("AccessDenied")


async def _may_list(request: Request, front: Front) -> bool:
    action = "s3:ListBucketVersions" if "versionId" in request.query else "s3:ListBucket"
    asked = await may(request, front, action, values={"s3:prefix": (request.key,)})
    return asked.allowed


async def _row(front: Front, bucket: BucketInfo, key: str, version_id: str) -> ObjectRow | None:
    if not version_id:
        return await front.index.head(bucket, key)
    try:
        return await front.index.find_version(bucket, key, version_id)
    except StorageRefusal:
        return None
