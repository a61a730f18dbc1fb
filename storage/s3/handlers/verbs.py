"""Running the services' verbs for a request: they are Django's and block, so they have threads of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, TypeVar

from django.db import close_old_connections

from gateway.db.scope import platform_scope, tenant_scope
from gateway.errors import (
    Conflict,
    DomainError,
    Forbidden,
    Invalid,
    NotFound,
    QuotaExceeded,
    Unavailable,
    UpstreamTimeout,
)
from storage import snapshot
from storage.models import Bucket
from storage.s3 import receive
from storage.s3.body import Receive
from storage.s3.documents.schema import LIMIT
from storage.s3.errors import CODES, S3Error, word
from storage.s3.front import Front
from storage.s3.handlers import threads
from storage.s3.operation import PERMISSIONS
from storage.s3.request import Request
from storage.services import buckets
from tenants import resolver
from tenants.models import Tenant
from tenants.principal import Credential, Principal

T = TypeVar("T")

_WORDS: Final[dict[str, str]] = {
    **{word(code): code for code in CODES},
    "bucket_busy": "OperationAborted",
    "bucket_exists": "BucketAlreadyOwnedByYou",
    "bucket_name_claimed": "BucketAlreadyExists",
    "public_policy_blocked": "AccessDenied",
}
_KINDS: Final[tuple[tuple[type[DomainError], str], ...]] = (
    (Conflict, "OperationAborted"),
    (Invalid, "InvalidRequest"),
    (NotFound, "NoSuchBucket"),
    (QuotaExceeded, "QuotaExceeded"),
    (Unavailable, "ServiceUnavailable"),
    (UpstreamTimeout, "ServiceUnavailable"),
    (DomainError, "AccessDenied"),
)


async def document(
    request: Request, receive_body: Receive, *, limit: int = LIMIT, code: str = "MalformedXML"
) -> bytes:
    """The request's document. One that is too long raises `code`."""
    try:
        return await receive.document(request, receive_body, limit)
    except S3Error as error:
        if error.code == "EntityTooLarge":
            raise S3Error(code, f"The document has more than {limit} bytes.") from None
        raise


async def change(
    request: Request, front: Front, verb: Callable[[Bucket, Principal], Any], *, asks_backend: bool = False
) -> None:
    """Run a verb on the request's bucket. Once this returns, requests to this process are decided by what it did.

    `asks_backend`: the verb has the bucket's backend carry it out. Raises S3Error.
    """
    bucket = request.bucket
    backend_id = bucket.backend_id if asks_backend and bucket.kind == "s3" else None
    await run(
        request,
        lambda actor: verb(buckets.get_bucket(bucket.name, actor=actor), actor),
        backend_id=backend_id,
    )
    await front.ctx.snapshot.refresh(snapshot.BUCKETS)


async def run(request: Request, verb: Callable[[Principal], T], *, backend_id: int | None = None) -> T:
    """Run a verb as the request's caller, in the tenant of its bucket. Raises S3Error.

    `backend_id` is the remote backend that the verb asks, if it asks one.
    """

    def blocking() -> T:
        close_old_connections()
        try:
            actor = _actor(request)
            with tenant_scope(actor.tenant.pk):
                return verb(actor)
        finally:
            close_old_connections()

    try:
        if backend_id is None:
            return await threads.run(blocking)
        return await threads.run_far(blocking, request.access.tenant_id, backend_id)
    except DomainError as error:
        code = _WORDS.get(error.code) or next(code for kind, code in _KINDS if isinstance(error, kind))
        raise S3Error(code, error.detail, extra={"BucketName": request.bucket_name}) from None


def _actor(request: Request) -> Principal:
    """The caller as of now. What the bucket's policy allows them, the role need not: that was asked at admission."""
    access, bucket = request.access, request.found
    if access.is_anonymous:
        raise Forbidden("Settings are changed by those who show a credential.")
    credential = Credential("s3_key", access.access_key_id)
    actor = resolver.renewed(access.user_id, access.tenant_id, credential, request.head.client_ip)
    if bucket is None:
        return actor
    needed = PERMISSIONS[request.operation]
    if bucket.tenant_id == access.tenant_id:
        return replace(actor, permissions=actor.permissions | {needed}) if bucket.policy else actor
    with platform_scope("the policy of another tenant's bucket lets the caller in"):
        tenant = Tenant.objects.select_related("settings").get(pk=bucket.tenant_id)
    return replace(actor, tenant=tenant, role="", permissions=frozenset({needed}))
