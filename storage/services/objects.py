"""Objects as the API and the pages see them: listed, deleted, and links that move bytes past Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Literal
from urllib.parse import quote, urlencode

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from django.conf import settings
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from gateway.errors import Conflict, Invalid, NotFound, Unavailable, UpstreamTimeout
from gateway.queue import after_commit
from realtime import services as realtime
from storage import providers
from storage.index.texts import after_all
from storage.models import Bucket, Object
from tenants.principal import Principal
from tenants.services import audit

from . import access_keys, backend_providers, connections, decisions, refusals, removals, rows, versions

LONGEST_KEY = 1024
LINK_LASTS = timedelta(minutes=15)
LINK_LASTS_AT_MOST = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Entry:
    key: str
    size: int
    etag: str
    last_modified: datetime


@dataclass(frozen=True, slots=True)
class Level:
    """One page of one level: its objects, the levels below it, and where the next page starts (None: the end)."""

    objects: list[Entry]
    prefixes: list[str]
    next: str | None


Method = Literal["GET", "PUT", "POST", "DELETE"]
STEPS: Final[Mapping[str, Method]] = {"create": "POST", "part": "PUT", "complete": "POST", "abort": "DELETE"}
"""Of an upload in parts."""


@dataclass(frozen=True, slots=True)
class Link:
    """What moves one object's bytes without further credentials, until it expires."""

    method: Method
    url: str
    headers: dict[str, str]
    expires_at: datetime


def check_key(key: str) -> None:
    """Raises Invalid for what cannot be a key: empty, over 1,024 bytes, with a NUL."""
    if not key or "\0" in key or len(key.encode()) > LONGEST_KEY:
        raise Invalid(
            "A key has 1 to 1,024 bytes of UTF-8 and no NUL.",
            errors={"key": ["Not a key."]},
            code="invalid_key",
        )


def in_bucket(bucket: Bucket, prefix: str = "") -> QuerySet[Object]:
    """The bucket's objects by key in byte order, those that begin with `prefix`."""
    found = Object.objects.filter(tenant_id=bucket.tenant_id, bucket=bucket).order_by("key")
    if prefix:
        found = found.filter(key__gte=prefix)
        end = after_all(prefix)
        if end is not None:
            found = found.filter(key__lt=end)
    return found.defer("inline")


def browse(bucket: Bucket, prefix: str = "", *, after: str = "", limit: int = 100) -> Level:
    """One level as a folder: what is at `prefix` up to the next slash."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT is_prefix, key, size, etag, last_modified FROM storage_list(%s, %s, %s, %s, '/', '0', %s, %s)",
            [bucket.tenant_id, bucket.pk, prefix, after_all(prefix), after, limit + 1],
        )
        found = cursor.fetchall()
    shown = found[:limit]
    return Level(
        objects=[Entry(key, size, etag, at) for is_prefix, key, size, etag, at in shown if not is_prefix],
        prefixes=[row[1] for row in shown if row[0]],
        next=shown[-1][1] if len(found) > limit else None,
    )


def get_object(bucket: Bucket, key: str) -> Object:
    """Raises NotFound, code `no_such_key`."""
    found = in_bucket(bucket).filter(key=key).first() if "\0" not in key else None
    if found is None:
        raise NotFound("No such object.", code="no_such_key")
    return found


def delete_object(bucket: Bucket, key: str, *, actor: Principal) -> None:
    """Remove an object, with row, audit and event in one transaction; where versions are kept it stays as one.

    Raises NotFound, Forbidden (code `policy_denied` or `object_locked`), Unavailable, UpstreamTimeout.
    On a remote backend it goes there first; the journal settles it if this process dies in between.
    """
    actor.require("storage.object.delete")
    decisions.require(bucket, "s3:DeleteObject", key, actor=actor)
    get_object(bucket, key)
    noted = partial(audit.record, actor, "storage.object.delete", target=f"{bucket.name}/{key}")
    if backend_providers.is_remote(bucket.placement.backend):
        try:
            removals.delete_remote(bucket, key, "", actor.label, noted=noted, waited_for=True)
        except UpstreamTimeout:
            connections.doubt(bucket.placement.backend)
            raise
        except providers.ProviderError as error:
            connections.doubt(bucket.placement.backend)
            raise Unavailable(f"The backend did not delete it: {error}", code="backend_failed") from error
        return
    with rows.writing():
        noted()
        [verdict] = versions.commit_deletes(bucket, [(key, "")], False, actor)
        if verdict in ("absent", "bucket_gone"):
            raise NotFound("No such object.", code="no_such_key")
        if verdict == "locked":
            raise refusals.locked()
        after_commit(realtime.ring, bucket.tenant_id)


def upload_link(
    bucket: Bucket, key: str, *, base_url: str | None = None, lasts: timedelta = LINK_LASTS, actor: Principal
) -> Link:
    """A link that takes one PUT of the object's bytes. `base_url`: the origin the caller sees us at.

    Raises Forbidden, Invalid.
    """
    actor.require("storage.object.write")
    return _link("PUT", bucket, key, base_url, lasts, actor)


def download_link(
    bucket: Bucket,
    key: str,
    *,
    version_id: str = "",
    base_url: str | None = None,
    lasts: timedelta = LINK_LASTS,
    answer: Mapping[str, str] | None = None,
    actor: Principal,
) -> Link:
    """A link that gives the bytes of the object, or of one of its versions.

    `answer` are headers that the answer has in place of the object's own: `content-type`, `content-disposition`, ….
    Raises Forbidden, NotFound.
    """
    actor.require("storage.object.read")
    decisions.require(bucket, "s3:GetObjectVersion" if version_id else "s3:GetObject", key, actor=actor)
    query = {f"response-{name}": value for name, value in (answer or {}).items()}
    if version_id:
        if versions.find(bucket, key, version_id).is_delete_marker:
            raise NotFound("A delete marker has no bytes.", code="no_such_version")
        query["versionId"] = version_id
    else:
        get_object(bucket, key)
    return _link("GET", bucket, key, base_url, lasts, actor, query)


def part_link(
    bucket: Bucket,
    key: str,
    step: str,
    upload_id: str = "",
    part: int = 0,
    *,
    is_new: bool = False,
    base_url: str | None = None,
    actor: Principal,
) -> Link:
    """A link for one of STEPS of an upload in parts, as S3 has it. Raises Forbidden, Invalid.

    To begin one that `is_new` raises Conflict, code `object_exists`, where there is such an object now.
    """
    actor.require("storage.object.write")
    if step == "create":
        if is_new and "\0" not in key and in_bucket(bucket).filter(key=key).exists():
            raise Conflict("There is an object of this name already.", code="object_exists")
        query = {"uploads": ""}
    elif not upload_id or len(upload_id) > LONGEST_KEY:
        raise Invalid("Name the upload.", errors={"upload": ["Missing."]})
    elif step == "part":
        if not isinstance(part, int) or not 1 <= part <= 10_000:
            raise Invalid("A part's number is 1 to 10,000.", errors={"part": ["Out of range."]})
        query = {"partNumber": str(part), "uploadId": upload_id}
    else:
        query = {"uploadId": upload_id}
    return _link(STEPS[step], bucket, key, base_url, LINK_LASTS, actor, query)


def is_unaddressable(key: str) -> bool:
    """Whether browsers would ask for another object: they resolve `.` and `..` in a path, encoded or not."""
    return not {".", ".."}.isdisjoint(key.split("/"))


def _link(
    method: Method,
    bucket: Bucket,
    key: str,
    base_url: str | None,
    lasts: timedelta,
    actor: Principal,
    query: Mapping[str, str] | None = None,
) -> Link:
    check_key(key)
    if not timedelta(seconds=1) <= lasts <= LINK_LASTS_AT_MOST:
        raise Invalid("A link lasts 1 second to 12 hours.", errors={"expires_in": ["Out of range."]})
    key_id, secret = access_keys.signing_key(actor=actor)
    base = (base_url or settings.PUBLIC_BASE_URL).rstrip("/")
    asked = f"?{urlencode(query, quote_via=quote)}" if query else ""
    request = AWSRequest(method, f"{base}/s3/{bucket.name}/{quote(key, safe='/~')}{asked}")
    seconds = int(lasts.total_seconds())
    S3SigV4QueryAuth(Credentials(key_id, secret), "s3", "us-east-1", expires=seconds).add_auth(request)
    return Link(method, request.url, {}, timezone.now() + lasts)
