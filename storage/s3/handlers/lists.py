"""ListObjects and its second version."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error

from gateway.decision.types import Decision
from storage.s3 import answers, xml, xml_lists
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.request import Request


async def list_v2(request: Request, front: Front) -> Decision:
    query = request.query
    xml.Encoding(query)
    max_keys = request.number("max-keys", xml.MAX_KEYS)
    token = query.get("continuation-token")
    start = _open_token(token) if token else query.get("start-after", "")
    bucket = request.bucket
    page = await front.index.list_objects(
        bucket, query.get("prefix", ""), query.get("delimiter", ""), start, max_keys
    )
    following = None if page.next is None else _token(page.next)
    owner = request.owner if query.get("fetch-owner") == "true" else None
    return answers.xml(xml_lists.objects_v2(bucket.name, query, page, max_keys, following, owner))


async def list_v1(request: Request, front: Front) -> Decision:
    query = request.query
    xml.Encoding(query)
    max_keys = request.number("max-keys", xml.MAX_KEYS)
    bucket = request.bucket
    page = await front.index.list_objects(
        bucket, query.get("prefix", ""), query.get("delimiter", ""), query.get("marker", ""), max_keys
    )
    return answers.xml(xml_lists.objects(bucket.name, query, page, max_keys, page.next, request.owner))


def _token(key: str) -> str:
    return urlsafe_b64encode(key.encode()).decode()


def _open_token(token: str) -> str:
    try:
        key = urlsafe_b64decode(token).decode()
    except (Base64Error, ValueError):
        key = ""
    if not key or "\0" in key:
        raise S3Error(
            "InvalidArgument",
            "The continuation token provided is incorrect",
            extra={"ArgumentName": "continuation-token"},
        )
    return key
