"""Objects and versions removed by the platform's own work rather than by somebody's request."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.db import connection, transaction

from gateway.queue import after_commit
from realtime import services as realtime
from storage import providers
from storage.index.commits import FIRST_CHECK
from storage.models import Bucket, Placement, Upload

from . import backends, rows

_COMMIT = """
SELECT verdicts FROM storage_commit(
    %(tenant)s, true, %(delete)s::boolean[], %(bucket)s::bigint[], %(key)s::text[], %(zeros)s::bigint[],
    %(texts)s::text[], %(texts)s::text[], %(jsons)s::jsonb[], %(jsons)s::jsonb[], %(jsons)s::jsonb[],
    %(times)s::timestamptz[], %(nulls)s::text[], %(nulls)s::bytea[], %(writer)s::text[],
    p_expect => %(expect)s::jsonb[], p_version => %(version)s::text[]
)
"""
_BEGIN = """
SELECT storage_begin_intents(
    %s, ARRAY[%s]::uuid[], ARRAY['delete'], ARRAY[%s]::bigint[], ARRAY[%s]::text[], ARRAY[0::bigint], ARRAY[''],
    ARRAY['{}'::jsonb], ARRAY['{}'::jsonb], ARRAY['{}'::jsonb], ARRAY[%s]::text[], %s, ARRAY[%s]::text[]
)
"""
_DONE = """
SELECT storage_commit_intents(%s, ARRAY[%s]::uuid[], ARRAY[''], ARRAY[NULL::bigint], %s, ARRAY[%s]::text[])
"""
_DROP = "DELETE FROM storage_writeintent WHERE tenant_id = %s AND id = %s"


@dataclass(frozen=True, slots=True)
class Doomed:
    """What goes: one version, or without `version_id` the current object as it was seen, and only so."""

    key: str
    version_id: str = ""
    etag: str = ""
    last_modified: datetime | None = None

    @property
    def expectation(self) -> str | None:
        if self.version_id:
            return None
        assert self.last_modified is not None
        at = self.last_modified.replace(microsecond=0).isoformat()
        return json.dumps({"etag": self.etag, "modified": at})


def remove(bucket: Bucket, doomed: Sequence[Doomed], by: str) -> int:
    """Remove at most a thousand, with events in `by`'s name; how many went. What is locked or changed meanwhile stays.

    On a remote backend each goes there first; the journal settles what a crash leaves. Raises ProviderError.
    """
    if not doomed:
        return 0
    if backends.is_remote(bucket.placement.backend):
        return sum(_remove_remote(bucket, one, by) for one in doomed)
    n = len(doomed)
    values: dict[str, Any] = {
        "tenant": bucket.tenant_id,
        "delete": [True] * n,
        "bucket": [bucket.pk] * n,
        "key": [one.key for one in doomed],
        "zeros": [0] * n,
        "texts": [""] * n,
        "jsons": ["{}"] * n,
        "times": ["1970-01-01T00:00:00Z"] * n,
        "nulls": [None] * n,
        "writer": [by] * n,
        "expect": [one.expectation for one in doomed],
        "version": [one.version_id or None for one in doomed],
    }
    with rows.writing(), connection.cursor() as cursor:
        cursor.execute(_COMMIT, values)
        verdicts: list[str | None] = cursor.fetchone()[0]
        after_commit(realtime.ring, bucket.tenant_id)
    return verdicts.count(None)


def end_upload(upload: Upload) -> None:
    """End an unfinished multipart upload, on its backend first. Raises ProviderError."""
    if upload.remote_id:
        placement = Placement.objects.select_related("backend").filter(bucket_id=upload.bucket_id).first()
        if placement is not None:
            provider: Any = backends.provider_of(placement.backend)
            provider.abort_upload(placement.backend_bucket, upload.key, upload.remote_id)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT storage_end_upload(%s, %s, %s)", [upload.tenant_id, upload.bucket_id, upload.pk]
        )


def _remove_remote(bucket: Bucket, one: Doomed, by: str) -> bool:
    placement = bucket.placement
    provider: Any = backends.provider_of(placement.backend)
    if not one.version_id:
        found = provider.head(placement.backend_bucket, one.key)
        if found is not None and found.etag != one.etag:
            return False  # written since
    intent = str(uuid4())
    begin = [bucket.tenant_id, intent, bucket.pk, one.key, by, FIRST_CHECK, one.version_id]
    _execute(_BEGIN, begin, bucket)
    try:
        version_id = "" if not bucket.versioning else one.version_id
        done = provider.delete(placement.backend_bucket, one.key, version_id)
    except providers.Refused:
        _execute(_DROP, [bucket.tenant_id, intent], bucket)
        return False
    made = (done.version_id or None) if done.delete_marker and not one.version_id else None
    _execute(_DONE, [bucket.tenant_id, intent, FIRST_CHECK, made], bucket)
    return True


def _execute(statement: str, values: Sequence[Any], bucket: Bucket) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        after_commit(realtime.ring, bucket.tenant_id)
