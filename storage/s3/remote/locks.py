"""Retention and legal hold of versions on a backend that can lock: there first, then in the index."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from datetime import datetime

from storage.errors import ObjectLocked
from storage.index import BucketInfo, ObjectRow
from storage.s3.documents import lock
from storage.s3.front import Front

from . import wishes
from .objects import is_locked, unheld, version_query
from .writing import backend_of


async def set_retention(
    bucket: BucketInfo,
    row: ObjectRow,
    mode: str | None,
    until: datetime | None,
    front: Front,
    *,
    bypass_governance: bool,
) -> None:
    """Retain a version on the backend (None, None: not any more); the index is the caller's.

    Raises S3Error, ObjectLocked.
    """
    if _shortens(row, mode, until) and is_locked(unheld(row), bypass=bypass_governance):
        raise ObjectLocked
    retention = lock.Retention(mode, until) if mode and until else None
    await _put(bucket, row, "retention", lock.write_retention(retention), front, bypass=bypass_governance)


async def set_legal_hold(bucket: BucketInfo, row: ObjectRow, front: Front, *, hold: bool) -> None:
    """Hold a version on the backend, or let go of it; the index is the caller's. Raises S3Error."""
    await _put(bucket, row, "legal-hold", lock.write_hold(hold), front, bypass=False)


def _shortens(row: ObjectRow, mode: str | None, until: datetime | None) -> bool:
    """Whether a retention would be less than the one that is there."""
    if "until" not in row.lock:
        return False
    weaker = row.lock.get("mode") != mode
    return weaker or until is None or until < datetime.fromisoformat(row.lock["until"])


async def _put(
    bucket: BucketInfo, row: ObjectRow, what: str, document: bytes, front: Front, *, bypass: bool
) -> None:
    backend = await backend_of(bucket, front)
    wishes.require(backend.info, "object_lock")
    digest = hashlib.md5(document, usedforsecurity=False).digest()
    sent = {"Content-MD5": b64encode(digest).decode(), "Content-Type": "application/xml"}
    sent |= wishes.of_bypass(bypass=bypass, backend=backend.info)
    query = "&".join(filter(None, (what, version_query(bucket, row.version_id))))
    async with backend.request("PUT", row.key, query, headers=sent, body=document):
        pass
