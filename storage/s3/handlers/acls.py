"""ACLs where the bucket's owner owns every object: told, and changed to nothing else."""

from gateway.decision.types import Answer, Decision
from storage.s3 import answers
from storage.s3.body import Receive
from storage.s3.documents import acl, ownership
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.handlers import verbs
from storage.s3.request import Request


async def get_bucket(request: Request, front: Front) -> Decision:
    return answers.xml(acl.write(*request.owner))


async def get_object(request: Request, front: Front) -> Decision:
    await _find(request, front)
    return answers.xml(acl.write(*request.owner))


async def put_bucket(request: Request, front: Front, receive_body: Receive) -> Answer:
    await _check(request, receive_body)
    return answers.empty()


async def put_object(request: Request, front: Front, receive_body: Receive) -> Answer:
    await _check(request, receive_body)
    await _find(request, front)
    return answers.empty()


async def _check(request: Request, receive_body: Receive) -> None:
    """Return when headers or body ask for the one access list that there is."""
    body = await verbs.document(request, receive_body, code="MalformedACLError")
    blocked = bool((request.bucket.public_access_block or {}).get("BlockPublicAcls"))
    enforced = request.bucket.ownership == ownership.ENFORCED
    named = acl.check_headers(request.headers, public_blocked=blocked, enforced=enforced)
    if named and body.strip():
        raise S3Error("InvalidRequest", "An ACL is given in headers or in the body, not in both.")
    if not named:
        acl.check_document(body, request.owner.id, public_blocked=blocked)


async def _find(request: Request, front: Front) -> None:
    """Return when the object, or its version that is asked for, is there. Raises NoSuchKey, VersionGone."""
    version = request.query.get("versionId")
    if version is None:
        if await front.index.head(request.bucket, request.key) is None:
            raise S3Error("NoSuchKey", extra={"Key": request.key})
    elif (await front.index.find_version(request.bucket, request.key, version)).is_delete_marker:
        raise S3Error("MethodNotAllowed", headers={"x-amz-delete-marker": "true"})
