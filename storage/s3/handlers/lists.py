"""ListObjects, its second version, and DeleteObjects: what works on many keys of a bucket."""

import asyncio
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from typing import Final

from gateway.decision.types import Answer, Decision
from storage.errors import StorageRefusal
from storage.index import DeleteCommit
from storage.s3 import answers, receive, remote, xml
from storage.s3.body import Receive
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.operation import MAX_KEY_BYTES
from storage.s3.request import Request
from storage.s3.xml import Outcome

_REMOTE_AT_ONCE: Final = 16


async def list_v2(request: Request, front: Front) -> Decision:
    query = request.query
    xml.Encoding(query)
    max_keys = request.number("max-keys", xml.MAX_KEYS)
    token = query.get("continuation-token")
    start = query.get("start-after", "") if token is None else _open_token(token)
    bucket = request.bucket
    page = await front.index.list_objects(
        bucket, query.get("prefix", ""), query.get("delimiter", ""), start, max_keys
    )
    following = None if page.next is None else _token(page.next)
    owner = request.owner if query.get("fetch-owner") == "true" else None
    return answers.xml(xml.list_objects_v2(bucket.name, query, page, max_keys, following, owner))


async def list_v1(request: Request, front: Front) -> Decision:
    query = request.query
    xml.Encoding(query)
    max_keys = request.number("max-keys", xml.MAX_KEYS)
    bucket = request.bucket
    page = await front.index.list_objects(
        bucket, query.get("prefix", ""), query.get("delimiter", ""), query.get("marker", ""), max_keys
    )
    return answers.xml(xml.list_objects(bucket.name, query, page, max_keys, page.next, request.owner))


async def delete_many(request: Request, front: Front, receive_body: Receive) -> Answer:
    """Remove up to 1,000 keys; each has its own outcome."""
    bucket = request.bucket
    deletion = xml.read_delete(await receive.document(request, receive_body, xml.MAX_DELETE))
    slots = asyncio.Semaphore(_REMOTE_AT_ONCE)

    async def remove(key: str) -> Outcome:
        change = DeleteCommit(bucket, key, request.access.actor)
        try:
            if len(key.encode()) > MAX_KEY_BYTES:
                raise S3Error("KeyTooLongError")
            if bucket.kind == "s3":
                async with slots:
                    await remote.delete(change, front)
            else:
                await front.index.delete_object(change)
        except S3Error as error:
            return Outcome(key, error)
        except StorageRefusal as refusal:
            return Outcome(key, answers.translate(refusal))
        return Outcome(key, None)

    # The same key twice is one deletion with two answers.
    unique = list(dict.fromkeys(deletion.keys))
    done = dict(zip(unique, await asyncio.gather(*map(remove, unique)), strict=True))
    return answers.xml(xml.deleted([done[key] for key in deletion.keys], quiet=deletion.quiet))


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
