"""Versions of objects: looked at, removed one by one, brought back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from django.db import connection

from gateway.errors import Conflict, NotFound
from gateway.queue import after_commit
from realtime import services as realtime
from storage.index.texts import after_all
from storage.models import Bucket, Object, ObjectVersion
from tenants.principal import Principal
from tenants.services import audit

from . import backend_providers, decisions, own_requests, refusals, rows

MOST: Final = 1000
_COLUMNS: Final = (
    "version_id", "size", "etag", "content_type", "last_modified", "metadata", "headers", "checksums", "tags", "lock",
    "sse", "parts", "writer", "is_delete_marker", "is_latest",
)  # fmt: skip

_JSON: Final = frozenset({"metadata", "headers", "checksums", "tags", "lock", "sse", "parts"})


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a key, or a delete marker, which has nothing but version and time."""

    key: str
    version_id: str
    size: int
    etag: str
    content_type: str
    last_modified: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    checksums: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    lock: Mapping[str, Any] = field(default_factory=dict)
    sse: Mapping[str, Any] | None = None
    parts: list[Mapping[str, Any]] | None = None
    writer: str = ""
    is_delete_marker: bool = False
    is_latest: bool = True

    @property
    def locked_until(self) -> datetime | None:
        until = self.lock.get("until")
        return datetime.fromisoformat(until) if until else None

    @property
    def is_held(self) -> bool:
        return bool(self.lock.get("hold"))

    @property
    def sealed_with(self) -> str:
        """`SSE-S3`, `SSE-C` (only the client has the key), or nothing."""
        if not self.sse:
            return ""
        return "SSE-C" if self.is_customers else "SSE-S3"

    @property
    def is_customers(self) -> bool:
        """Whether only whoever has the customer's key can read it."""
        return bool(self.sse) and (self.sse or {}).get("mode") == "customer"


@dataclass(frozen=True, slots=True)
class Listed:
    """A version in a list."""

    key: str
    version_id: str
    size: int
    etag: str
    last_modified: datetime
    is_delete_marker: bool
    is_latest: bool


@dataclass(frozen=True, slots=True)
class VersionLevel:
    """One page of one level, as `objects.Level`. `next` is the key and version id after which the next begins."""

    versions: list[Listed]
    prefixes: list[str]
    next: tuple[str, str] | None


def find(bucket: Bucket, key: str, version_id: str = "") -> Version:
    """A version of the key; without `version_id` the newest, which may be a delete marker.

    Raises NotFound, code `no_such_key` or `no_such_version`.
    """
    found = None
    if "\0" not in key + version_id:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {', '.join(_COLUMNS)} FROM storage_find_version(%s, %s, %s, %s)",  # noqa: S608  constants
                [bucket.tenant_id, bucket.pk, key, version_id or None],
            )
            found = cursor.fetchone()
    if found is None:
        if version_id:
            raise NotFound("No such version.", code="no_such_version")
        raise NotFound("No such object.", code="no_such_key")
    # Beside models Django leaves JSON as text.
    values = [
        json.loads(value) if name in _JSON and value is not None else value
        for name, value in zip(_COLUMNS, found, strict=True)
    ]
    return Version(key, *values)


def browse(
    bucket: Bucket,
    prefix: str = "",
    *,
    after: tuple[str, str] = ("", ""),
    delimiter: str = "/",
    limit: int = 100,
) -> VersionLevel:
    """Versions and delete markers at `prefix` up to the next slash: keys in byte order, of a key the newest first.

    `after` is the last page's `next`. An empty delimiter goes through all that is below.
    """
    key, version_id = after
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT is_prefix, key, version_id, size, etag, last_modified, is_delete_marker, is_latest"
            " FROM storage_list_versions(%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                bucket.tenant_id, bucket.pk, prefix, after_all(prefix), delimiter,
                after_all(delimiter), key, _sequence(bucket, key, version_id), limit + 1,
            ],
        )  # fmt: skip
        found = cursor.fetchall()
    shown = found[:limit]
    return VersionLevel(
        versions=[Listed(*row[1:]) for row in shown if not row[0]],
        prefixes=[row[1] for row in shown if row[0]],
        next=(shown[-1][1], shown[-1][2] or "") if len(found) > limit else None,
    )


def of_key(bucket: Bucket, key: str, limit: int = MOST) -> list[Listed]:
    """All versions of one key, the newest first."""
    if "\0" in key:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT key, version_id, size, etag, last_modified, is_delete_marker, is_latest"
            " FROM storage_list_versions(%s, %s, %s, %s, '', NULL, '', NULL, %s) WHERE key = %s",
            [bucket.tenant_id, bucket.pk, key, after_all(key), limit, key],
        )
        return [Listed(*row) for row in cursor.fetchall()]


def _sequence(bucket: Bucket, key: str, version_id: str) -> int | None:
    """What orders a version; of one that is gone, a number above all: the list begins with its key again."""
    if not version_id:
        return None
    wanted = {"tenant_id": bucket.tenant_id, "bucket": bucket, "key": key, "version_id": version_id}
    for kind in (Object, ObjectVersion):
        seq = kind.objects.filter(**wanted).values_list("version_seq", flat=True).first()
        if seq is not None:
            return int(seq)
    return (1 << 63) - 1


def delete_version(
    bucket: Bucket, key: str, version_id: str, *, bypass_governance: bool = False, actor: Principal
) -> None:
    """Remove one version, or a delete marker, for good.

    `bypass_governance` removes also what is retained in governance mode, which takes storage.object.lock. Raises
    NotFound, Forbidden (code `object_locked` for what is locked), Unavailable.
    """
    actor.require("storage.object.delete")
    decisions.require(bucket, "s3:DeleteObjectVersion", key, actor=actor)
    if bypass_governance:
        actor.require("storage.object.lock")
        decisions.require(bucket, "s3:BypassGovernanceRetention", key, actor=actor)
    if backend_providers.is_remote(bucket.placement.backend):
        find(bucket, key, version_id)
        headers = {"x-amz-bypass-governance-retention": "true"} if bypass_governance else {}
        own_requests.send("DELETE", bucket, key, {"versionId": version_id}, headers, actor=actor)
        audit.record(
            actor, "storage.object.delete", target=_target(bucket, key), after={"version_id": version_id}
        )
        return
    with rows.writing():
        audit.record(
            actor, "storage.object.delete", target=_target(bucket, key), after={"version_id": version_id}
        )
        [verdict] = commit_deletes(bucket, [(key, version_id)], bypass_governance, actor)
        if verdict in ("absent", "bucket_gone"):
            raise NotFound("No such version.", code="no_such_version")
        if verdict == "locked":
            raise refusals.locked()
        after_commit(realtime.ring, bucket.tenant_id)


def undelete(bucket: Bucket, key: str, *, actor: Principal) -> None:
    """Bring a deleted object back as it was: its delete marker goes.

    Raises NotFound, Conflict (code `not_deleted`) where it is not deleted.
    """
    newest = find(bucket, key)
    if not newest.is_delete_marker:
        raise Conflict("The object is not deleted.", code="not_deleted")
    delete_version(bucket, key, newest.version_id, actor=actor)


def restore(bucket: Bucket, key: str, version_id: str, *, actor: Principal) -> str:
    """Make an older version the current one, by copying it over; the new version's id.

    The copy has the older one's metadata and tags. Raises NotFound, Forbidden, Conflict (code `is_current` or
    `is_delete_marker`), Invalid for what is sealed with a customer's key, QuotaExceeded, Unavailable.
    """
    actor.require("storage.object.read")
    actor.require("storage.object.write")
    found = find(bucket, key, version_id)
    if found.is_delete_marker:
        raise Conflict("A delete marker has nothing to restore.", code="is_delete_marker")
    if found.is_latest:
        raise Conflict("It is the current version.", code="is_current")
    source = f"/{bucket.name}/{quote(key, safe='')}?versionId={quote(version_id, safe='')}"
    answer = own_requests.send("PUT", bucket, key, None, {"x-amz-copy-source": source}, actor=actor)
    audit.record(
        actor, "storage.object.restore", target=_target(bucket, key), after={"version_id": version_id}
    )
    return str(answer.get("x-amz-version-id", "null"))


def commit_deletes(
    bucket: Bucket, named: list[tuple[str, str]], bypass_governance: bool, actor: Principal
) -> list[str | None]:
    """Delete keys of a local bucket, each at most once: (key, version id, empty for the current object).

    Call within `rows.writing()`; ring after it. The verdicts of `storage_commit`, None: done.
    """
    keys = [key for key, _ in named]
    ids = [version_id or None for _, version_id in named]
    count = len(named)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT verdicts FROM storage_commit("
            "p_tenant => %s, p_enforce => true, p_delete => %s::boolean[], p_bucket => %s::bigint[],"
            " p_key => %s::text[], p_size => %s::bigint[], p_etag => %s::text[], p_type => %s::text[],"
            " p_metadata => array_fill('{}'::jsonb, ARRAY[%s]), p_headers => array_fill('{}'::jsonb, ARRAY[%s]),"
            " p_checksums => array_fill('{}'::jsonb, ARRAY[%s]), p_modified => array_fill(now(), ARRAY[%s]),"
            " p_blob => array_fill(NULL::text, ARRAY[%s]), p_inline => array_fill(NULL::bytea, ARRAY[%s]),"
            " p_writer => %s::text[], p_version => %s::text[], p_bypass => %s::boolean[])",
            [
                bucket.tenant_id, [True] * count, [bucket.pk] * count, keys, [0] * count, [""] * count, [""] * count,
                *[count] * 6, [actor.label] * count, ids, [bypass_governance] * count,
            ],
        )  # fmt: skip
        verdicts: list[str | None] = cursor.fetchone()[0]
    return verdicts


def _target(bucket: Bucket, key: str) -> str:
    return f"{bucket.name}/{key}"
