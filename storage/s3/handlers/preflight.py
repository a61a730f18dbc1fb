"""OPTIONS: what a browser may ask of a bucket from another origin."""

from gateway.decision.types import Answer, RequestHead
from storage import cors
from storage.index import BucketInfo
from storage.s3 import answers, cross_origin
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.target import Target

_NOT_ALLOWED = (
    "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / "
    "Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec."
)


async def answer(head: RequestHead, target: Target, front: Front) -> Answer:
    """What the bucket's rules allow. Raises BadRequest for what is no preflight, AccessForbidden."""
    origin = head.headers.get("origin")
    method = head.headers.get("access-control-request-method")
    if not origin:
        raise S3Error("BadRequest", "Insufficient information. Origin request header needed.")
    if not method or not cors.is_method(method):
        raise S3Error("BadRequest", f"Invalid Access-Control-Request-Method: {method or 'null'}")
    about = {"Method": method, "ResourceType": "OBJECT" if target.key else "BUCKET"}
    bucket = await _bucket(head, target.bucket, front)
    if bucket is None or not bucket.cors:
        # Whether there is such a bucket is not told to who shows no credential.
        raise S3Error("AccessForbidden", extra=about)
    wanted = ",".join(head.headers.all("access-control-request-headers"))
    allowed = cors.preflight(bucket.cors, origin, method, wanted)
    if allowed is None:
        raise S3Error("AccessForbidden", _NOT_ALLOWED, extra=about)
    return answers.empty(200, allowed)


async def _bucket(head: RequestHead, name: str, front: Front) -> BucketInfo | None:
    """A browser sends no credential with a preflight, but a presigned URL names its key: the bucket is that tenant's.

    Nothing is proven by it, as nothing is let in by it.
    """
    front.count(front.anonymous(head.host), head.client_ip)
    if not name:
        return None
    try:
        access = await cross_origin.presigner(head, front)
    except S3Error:
        return None
    return await front.sought_bucket(access, name)
