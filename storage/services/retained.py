"""Versions that nobody may remove yet, which a deleted tenant is kept for: in compliance mode, or held.

Of our own store. What a remote backend retains stays there, whatever becomes of the index.
"""

from __future__ import annotations

from django.db import connection
from django.utils import timezone

from gateway.db.scope import tenant_scope
from storage.models import Bucket
from tenants.purge_steps import Kept

_COUNT = """
SELECT
    count(*) FILTER (WHERE lock @> '{"hold": true}'), count(*),
    max((lock->>'until')::timestamptz) FILTER (
        WHERE lock->>'mode' = 'COMPLIANCE' AND (lock->>'until')::timestamptz > %(now)s
    )
FROM (
    SELECT lock FROM storage_object WHERE tenant_id = %(tenant)s AND bucket_id = ANY (%(buckets)s)
    UNION ALL
    SELECT lock FROM storage_objectversion WHERE tenant_id = %(tenant)s AND bucket_id = ANY (%(buckets)s)
) kept
WHERE storage_is_locked(lock, true, %(now)s)
"""


def kept(tenant_id: int) -> Kept | None:
    """How many there are and until when; None where a purge may begin. A hold ends when somebody lets go of it."""
    with tenant_scope(tenant_id):
        lockable = Bucket.objects.filter(
            tenant_id=tenant_id, object_lock=True, placement__backend__kind="local"
        )
        buckets = list(lockable.values_list("pk", flat=True))
        with connection.cursor() as cursor:
            cursor.execute(_COUNT, {"tenant": tenant_id, "buckets": buckets, "now": timezone.now()})
            held, count, until = cursor.fetchone()
    if not count:
        return None
    said = [f"{count} {'versions' if count > 1 else 'version'} of objects may not be removed yet"]
    if until is not None:
        said.append(f"retained in compliance mode until {until:%Y-%m-%d %H:%M} UTC")
    if held:
        said.append(f"{held} under legal hold: restore the tenant to let go of them")
    return Kept(f"{said[0]} ({'; '.join(said[1:])}).", until)
