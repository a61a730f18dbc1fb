"""Objects and versions removed by the platform's own work rather than by somebody's request."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from gateway.errors import Unavailable, UpstreamTimeout
from gateway.queue import after_commit
from realtime import services as realtime
from storage import providers
from storage.index.commits import FIRST_CHECK
from storage.models import Bucket, Object, ObjectVersion, Placement, Upload, WriteIntent

from . import backend_providers, far, rows, usage

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
_END = """
UPDATE storage_writeintent SET ended_at = clock_timestamp() + %s, next_check_at = clock_timestamp()
WHERE tenant_id = %s AND id = %s
"""
# `storage.providers.s3.client` gives each of two attempts less than half.
LONGEST_CALL = timedelta(minutes=2)
_DROP = "DELETE FROM storage_writeintent WHERE tenant_id = %s AND id = %s"


@dataclass(frozen=True, slots=True)
class Doomed:
    """What goes: the current object or, by `version_id`, one version, as it was seen and only so.

    A version is known by its id, but for the null version, which a later write replaces under the same id. Without
    `last_modified` it goes whatever it is.
    """

    key: str
    version_id: str = ""
    etag: str = ""
    last_modified: datetime | None = None

    @property
    def expectation(self) -> str | None:
        if self.last_modified is None:
            assert self.version_id
            return None
        at = self.last_modified.replace(microsecond=0).isoformat()
        return json.dumps({"etag": self.etag, "modified": at})


def remove(bucket: Bucket, doomed: Sequence[Doomed], by: str) -> int:
    """Remove at most a thousand, with events in `by`'s name; how many went. What is locked or changed meanwhile stays.

    So does a version that has become what the key is: one that was named as older is removed as an older one only.
    On a remote backend each goes there first; the journal settles what a crash leaves. Raises ProviderError.
    """
    unique = list(dict.fromkeys(doomed))
    if backend_providers.is_remote(bucket.placement.backend):
        return sum(_remove_remote(bucket, one, by) for one in unique)
    # A commit takes of a key its current object or versions by their ids: the same row as both would count twice.
    current, named = ([one for one in unique if bool(one.version_id) is wanted] for wanted in (False, True))
    return sum(_remove_here(bucket, some, by) for some in (current, named) if some)


def end_upload(upload: Upload) -> None:
    """End an unfinished multipart upload, on its backend first. Raises ProviderError."""
    if upload.remote_id:
        placement = Placement.objects.select_related("backend").filter(bucket_id=upload.bucket_id).first()
        if placement is not None:
            provider: Any = backend_providers.provider_of(placement.backend)
            provider.abort_upload(placement.backend_bucket, upload.key, upload.remote_id)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT storage_end_upload(%s, %s, %s)", [upload.tenant_id, upload.bucket_id, upload.pk]
        )


def _remove_here(bucket: Bucket, doomed: Sequence[Doomed], by: str) -> int:
    with rows.writing(), connection.cursor() as cursor:
        usage.lock(bucket.tenant_id)  # what is older now is so until the commit
        older = set(_older(bucket, doomed).values_list("key", "version_id"))
        doomed = [one for one in doomed if not one.version_id or (one.key, one.version_id) in older]
        if not doomed:
            return 0
        cursor.execute(_COMMIT, _values(bucket, doomed, by))
        verdicts: list[str | None] = cursor.fetchone()[0]
        after_commit(realtime.ring, bucket.tenant_id)
    return verdicts.count(None)


def _values(bucket: Bucket, doomed: Sequence[Doomed], by: str) -> dict[str, Any]:
    n = len(doomed)
    return {
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


def _older(bucket: Bucket, doomed: Sequence[Doomed]) -> QuerySet[ObjectVersion]:
    """Those of the named versions whose going leaves the key what it is; a marker alone leaves it nothing."""
    named = [one for one in doomed if one.version_id]
    below = ObjectVersion.objects.filter(bucket=bucket, key=OuterRef("key")).exclude(pk=OuterRef("pk"))
    return ObjectVersion.objects.filter(
        Q(noncurrent_since__isnull=False) | ~Exists(below),
        bucket=bucket,
        key__in={one.key for one in named},
        version_id__in={one.version_id for one in named},
    )


def delete_remote(
    bucket: Bucket,
    key: str,
    version_id: str,
    by: str,
    *,
    noted: Callable[[], object] | None = None,
    waited_for: bool = False,
) -> None:
    """Remove the object, or one version, from its backend and then from the index, with its event.

    `noted` is called in the transaction of the latter. `waited_for`: somebody waits, but not for long (`far`). Raises
    Refused, after which nothing has changed, Unreachable, and where somebody waits UpstreamTimeout, after which the
    journal settles what became of it, and Unavailable, where nothing was asked.
    """
    placement = bucket.placement
    provider: Any = backend_providers.provider_of(placement.backend)
    intent = str(uuid4())
    run = (
        partial(far.ask, tenant_id=bucket.tenant_id, backend_id=placement.backend_id)
        if waited_for
        else _at_once
    )
    begin = [bucket.tenant_id, intent, bucket.pk, key, by, FIRST_CHECK, version_id]
    _execute(_BEGIN, begin, bucket)
    try:
        done = run(
            lambda: provider.delete(placement.backend_bucket, key, version_id if bucket.versioning else "")
        )
    except (providers.Refused, Unavailable):
        _execute(_DROP, [bucket.tenant_id, intent], bucket)
        raise
    except providers.ProviderError:
        _execute(_END, [timedelta(0), bucket.tenant_id, intent], bucket)
        raise
    except UpstreamTimeout:
        _execute(_END, [LONGEST_CALL, bucket.tenant_id, intent], bucket)  # the call is still under way
        raise
    # A delete marker has the id that the backend gave it, or it could not be removed again.
    made = (done.version_id or None) if done.delete_marker and not version_id else None
    _execute(_DONE, [bucket.tenant_id, intent, FIRST_CHECK, made], bucket, noted)


def _at_once(work: Callable[[], Any]) -> Any:
    return work()


def _remove_remote(bucket: Bucket, one: Doomed, by: str) -> bool:
    placement = bucket.placement
    provider: Any = backend_providers.provider_of(placement.backend)
    if not one.version_id:
        found = provider.head(placement.backend_bucket, one.key)
        if found is not None and found.etag != one.etag:
            return False  # written since
    if not _is_still(bucket, one):
        return False
    try:
        delete_remote(bucket, one.key, one.version_id, by)
    except providers.Refused:
        return False
    return True


def _is_still(bucket: Bucket, one: Doomed) -> bool:
    """Whether it is still what was seen, the current object or an older version, and is not being written again.

    The same bytes have the same ETag: that they were written again, only the time tells.
    """
    if one.last_modified is None:
        return True
    seen: QuerySet[Object] | QuerySet[ObjectVersion] = _older(bucket, [one])
    if not one.version_id:
        if WriteIntent.objects.filter(bucket=bucket, key=one.key).exists():
            return False
        seen = Object.objects.filter(bucket=bucket, key=one.key)
    return seen.filter(etag=one.etag, last_modified=one.last_modified).exists()


def _execute(
    statement: str, values: Sequence[Any], bucket: Bucket, noted: Callable[[], object] | None = None
) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        if noted:
            noted()
        cursor.execute(statement, values)
        after_commit(realtime.ring, bucket.tenant_id)
