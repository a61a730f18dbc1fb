"""The order of a key's versions in the index, made that of its backend.

Answers come back in another order than the backend took the writes, and versions are found later than newer ones. What
the index takes for an older version a lifecycle rule removes, so the newest must be the one that reads give.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection, transaction

from storage.models import Bucket
from storage.providers import RemoteEntry

_ORDER = "SELECT storage_order_versions(%s, %s, %s, %s::text[])"


def make_fit(bucket: Bucket, key: str, there: Sequence[RemoteEntry]) -> bool | None:
    """Order a key's versions as `there`, the newest first; whether they stood otherwise.

    None, and nothing is done, where the index knows one that is not `there`: it came since the backend was asked.
    """
    versions = [entry.version_id for entry in there]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_ORDER, [bucket.tenant_id, bucket.pk, key, versions])
        changed: bool | None = cursor.fetchone()[0]
    return changed
