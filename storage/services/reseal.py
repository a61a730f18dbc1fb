"""The data keys of sealed objects under the newest encryption key: their bodies stay as they are."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

from django.db import connection

from gateway import crypto
from gateway.resealing import Outcome
from storage.models import Object, ObjectVersion, Upload
from storage.s3.encryption import AES256, place_of

from . import rows, usage

_AT_ONCE: Final = 500
_UPDATE: Final = """
UPDATE {table} SET sse = jsonb_set(sse, '{{key}}', to_jsonb(%s::text)) WHERE id = %s AND sse->>'key' = %s
"""


def data_keys() -> Iterator[Outcome]:
    """A step of `gateway.resealing`. An object whose place changes meanwhile is left to the next run."""
    # Uploads first: what is completed meanwhile takes its key along. Then objects, which move to the versions.
    for model in (Upload, Object, ObjectVersion):
        yield _of(model)


def _of(model: Any) -> Outcome:
    outcome = Outcome(f"{model._meta.label}.sse")
    sealed = model.objects.filter(sse__mode=AES256).order_by("pk")
    page = sealed
    while found := list(page.values_list("pk", "tenant_id", "sse__key")[:_AT_ONCE]):
        changes = []
        for pk, tenant_id, old in found:
            try:
                new = crypto.resealed(b64decode(old), place_of(tenant_id))
            except crypto.CannotOpen:
                outcome.lost += 1
                continue
            if new is not None:
                changes.append((tenant_id, b64encode(new).decode(), pk, old))
        for tenant_id, of_tenant in groupby(sorted(changes, key=lambda change: change[0]), lambda c: c[0]):
            outcome.sealed += _write(model, tenant_id, [change[1:] for change in of_tenant])
        page = sealed.filter(pk__gt=found[-1][0])
    return outcome


def _write(model: Any, tenant_id: int, changes: list[tuple[Any, ...]]) -> int:
    with rows.writing(), connection.cursor() as cursor:
        usage.lock(tenant_id)
        cursor.executemany(_UPDATE.format(table=model._meta.db_table), changes)
        return int(cursor.rowcount)
