"""What of a version changes after it was written: its tags and its lock."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.utils import timezone

from gateway.errors import Conflict, Invalid, NotFound
from gateway.queue import after_commit
from realtime import services as realtime
from storage.models import Bucket
from storage.s3.documents import lock, tags
from storage.s3.errors import S3Error, word
from storage.s3.text import iso
from tenants.principal import Principal
from tenants.services import audit

from . import backend_providers, decisions, own_requests, refusals, rows


def set_tags(
    bucket: Bucket, key: str, wanted: Mapping[str, str], *, version_id: str = "", actor: Principal
) -> None:
    """All tags of the current object, or of a version; none to remove them.

    Raises NotFound, Conflict (code `is_delete_marker`), Invalid for what a tag may not be.
    """
    actor.require("storage.object.write")
    action = "s3:PutObjectVersionTagging" if version_id else "s3:PutObjectTagging"
    decisions.require(bucket, action, key, actor=actor)
    try:
        valid = tags.valid(wanted, tags.MAX_OBJECT_TAGS)
    except S3Error as error:
        raise Invalid(error.message, code=word(error.code), errors={"tags": [error.message]}) from None
    _amend(bucket, key, version_id, "tags", valid, actor)


def set_retention(
    bucket: Bucket,
    key: str,
    mode: str | None,
    until: datetime | None,
    *,
    version_id: str = "",
    bypass_governance: bool = False,
    actor: Principal,
) -> None:
    """Lock a version until a time to come; without mode and time, unlock it.

    What is locked can be locked for longer; for less, or not at all any more, only in governance mode and with
    `bypass_governance`. Raises NotFound, Forbidden (code `object_locked`), Conflict where the bucket has no object
    lock, Invalid.
    """
    _check_lockable(bucket, "s3:PutObjectRetention", key, actor)
    if bypass_governance:
        decisions.require(bucket, "s3:BypassGovernanceRetention", key, actor=actor)
    if (mode is None) != (until is None):
        missing = "mode" if mode is None else "until"
        raise Invalid("A retention has a mode and an end.", errors={missing: ["Missing."]})
    value: dict[str, Any] = {}
    if mode is not None and until is not None:
        if mode not in (lock.GOVERNANCE, lock.COMPLIANCE):
            raise Invalid("The mode is GOVERNANCE or COMPLIANCE.", errors={"mode": ["Neither."]})
        if until <= timezone.now():
            raise Invalid("The end must lie in the future.", errors={"until": ["It is over."]})
        value = {"mode": mode, "until": iso(until.astimezone(UTC))}
    if backend_providers.is_remote(bucket.placement.backend):
        wanted = lock.Retention(mode, until) if mode and until else None
        headers = {"x-amz-bypass-governance-retention": "true"} if bypass_governance else {}
        _send(bucket, key, version_id, "retention", headers, lock.write_retention(wanted), actor)
        return
    _amend(bucket, key, version_id, "retention", value, actor, bypass=bypass_governance)


def set_legal_hold(bucket: Bucket, key: str, held: bool, *, version_id: str = "", actor: Principal) -> None:
    """Hold a version until somebody lets it go. Raises NotFound, Conflict where the bucket has no object lock."""
    _check_lockable(bucket, "s3:PutObjectLegalHold", key, actor)
    if backend_providers.is_remote(bucket.placement.backend):
        _send(bucket, key, version_id, "legal-hold", {}, lock.write_hold(held), actor)
        return
    _amend(bucket, key, version_id, "hold", held, actor)


def _check_lockable(bucket: Bucket, action: str, key: str, actor: Principal) -> None:
    actor.require("storage.object.lock")
    decisions.require(bucket, action, key, actor=actor)
    if not bucket.object_lock:
        raise Conflict("The bucket has no object lock.", code="invalid_bucket_state")


def _amend(
    bucket: Bucket,
    key: str,
    version_id: str,
    what: str,
    value: Any,
    actor: Principal,
    *,
    bypass: bool = False,
) -> None:
    if "\0" in key + version_id:
        raise NotFound("No such object.", code="no_such_key")
    with rows.writing():
        _note(bucket, key, version_id, what, value, actor)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT verdict FROM storage_amend(%s, %s, %s, %s, %s, %s::jsonb, %s, %s)",
                [
                    bucket.tenant_id, bucket.pk, key, version_id or None, what, json.dumps(value), bypass,
                    actor.label,
                ],
            )  # fmt: skip
            verdict = cursor.fetchone()[0]
        if verdict in ("bucket_gone", "version_gone"):
            code = "no_such_version" if version_id else "no_such_key"
            raise NotFound("No such version." if version_id else "No such object.", code=code)
        if verdict == "marker":
            raise Conflict("It is a delete marker.", code="is_delete_marker")
        if verdict == "locked":
            raise refusals.locked()
        after_commit(realtime.ring, bucket.tenant_id)


def _send(
    bucket: Bucket,
    key: str,
    version_id: str,
    what: str,
    headers: dict[str, str],
    body: bytes,
    actor: Principal,
) -> None:
    query = {what: "", **({"versionId": version_id} if version_id else {})}
    own_requests.send("PUT", bucket, key, query, headers, body, actor=actor)
    _note(bucket, key, version_id, what, body.decode(), actor)


def _note(bucket: Bucket, key: str, version_id: str, what: str, value: Any, actor: Principal) -> None:
    after = {what: value, **({"version_id": version_id} if version_id else {})}
    audit.record(actor, "storage.object.update", target=f"{bucket.name}/{key}", after=after)
