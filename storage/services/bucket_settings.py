"""Settings of buckets: each verb is one change, for S3, the API and the pages alike.

All take the bucket as somebody found it and change the row as it is now. Each needs storage.bucket.write, writes
an audit entry `storage.bucket.update`, publishes `storage.bucket.updated` with `{"bucket", "setting"}` and answers the
changed row; asking for what is so already changes and tells nothing. What a setting may not be is refused as Invalid
with S3's code in small letters (`malformed_xml`, `invalid_tag`, …) and the setting's name in `errors`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NoReturn, TypeVar

from django.db import IntegrityError, transaction

from gateway.db.scope import platform_scope
from gateway.errors import Conflict, Forbidden, Invalid, NotFound
from gateway.validation import validated
from realtime import services as realtime
from storage.models import Backend, Bucket
from storage.policy import exposure, reader
from storage.policy.errors import PolicyError
from storage.s3.documents import cors, encryption, lifecycle, lock, notification, public_access, tags
from storage.s3.errors import S3Error, word
from tenants.models import Tenant
from tenants.principal import Principal
from tenants.services import audit, snapshot

from . import placements, usage

T = TypeVar("T")

PUBLIC_BUCKETS: Final = "public_buckets"
"""The tenant's feature that, switched off, blocks all public access."""

_LACKS: Final = {
    "versioning": "keeps no versions",
    "object_lock": "cannot lock versions",
    "encryption": "does not encrypt by itself",
}


def set_versioning(bucket: Bucket, status: str, *, actor: Principal) -> Bucket:
    """`Enabled` or `Suspended`; there is no way back to neither.

    Raises Conflict `invalid_bucket_state` for suspending it where objects may be locked, Invalid `not_implemented` on
    a backend that keeps no versions.
    """
    if status not in (Bucket.Versioning.ENABLED, Bucket.Versioning.SUSPENDED):
        _refuse("versioning", S3Error("IllegalVersioningConfigurationException"))

    def check(row: Bucket) -> None:
        check_capability(row.placement.backend, "versioning")
        if row.object_lock and status != Bucket.Versioning.ENABLED:
            raise Conflict(
                "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.",
                code="invalid_bucket_state",
            )

    with _changing(bucket, actor) as row:
        check(row)
    placements.set_versioning(row, enabled=status == Bucket.Versioning.ENABLED)
    with _changing(bucket, actor) as row:
        check(row)
        return _save(row, "versioning", actor, versioning=status)


def set_object_lock(
    bucket: Bucket, default_retention: Mapping[str, Any] | None, *, actor: Principal
) -> Bucket:
    """Let versions be locked, which cannot be undone, and say how new ones are by default.

    `default_retention` is `{"mode": "GOVERNANCE" or "COMPLIANCE", "days" or "years": N}`, or None: not at all.
    Raises Conflict `invalid_bucket_state` without versioning, Invalid.
    """
    default = None
    if default_retention is not None:
        default = _valid("default_retention", lambda: lock.check(dict(default_retention)))

    def check(row: Bucket) -> None:
        check_capability(row.placement.backend, "object_lock")
        if row.versioning != Bucket.Versioning.ENABLED:
            raise Conflict(
                "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
                code="invalid_bucket_state",
            )

    with _changing(bucket, actor) as row:
        check(row)
    placements.set_object_lock(row, default)
    with _changing(bucket, actor) as row:
        check(row)
        return _save(row, "object_lock", actor, object_lock=True, default_retention=default)


def set_encryption(bucket: Bucket, algorithm: str, *, actor: Principal) -> Bucket:
    """`AES256`: new objects are sealed unless they ask otherwise; empty: they are not."""
    wanted = _valid("encryption", lambda: encryption.check(algorithm)) if algorithm else ""
    with _changing(bucket, actor) as row:
        if wanted:
            check_capability(row.placement.backend, "encryption")
        return _save(row, "encryption", actor, encryption=wanted)


def set_policy(bucket: Bucket, text: str, *, actor: Principal) -> Bucket:
    """The bucket policy as JSON text, empty for none.

    One that grants anything to somebody outside the tenant claims the bucket's name platform-wide. Raises Invalid
    `malformed_policy`, Forbidden `public_policy_blocked` where public policies are blocked, Conflict
    `bucket_name_claimed` where another tenant's bucket has the name.
    """
    try:
        policy = reader.bucket_policy(text, bucket.name) if text else None
    except PolicyError as error:
        message = str(error)
        raise Invalid(message, code="malformed_policy", errors={"policy": [message]}) from None
    with _changing(bucket, actor) as row:
        if policy and policy.is_public and public_access_of(row)["BlockPublicPolicy"]:
            raise Forbidden("Public policies are blocked for this bucket.", code="public_policy_blocked")
        outside = policy is not None and exposure.grants_outsiders(policy, _tenant(row).slug)
        try:
            with transaction.atomic():
                return _save(row, "policy", actor, policy=text, public_name=row.name if outside else None)
        except IntegrityError:
            raise Conflict(
                f"Another bucket is known to everybody as {row.name}, so nobody else can be let in to this one.",
                code="bucket_name_claimed",
                errors={"policy": ["The bucket's name is taken platform-wide."]},
            ) from None


def set_public_access_block(bucket: Bucket, flags: Mapping[str, bool] | None, *, actor: Principal) -> Bucket:
    """S3's four flags by their names, those left out off; None: no block of its own."""
    wanted = None
    if flags is not None:
        wanted = _valid("public_access_block", lambda: public_access.check(dict(flags)))
    with _changing(bucket, actor) as row:
        return _save(row, "public_access_block", actor, public_access_block=wanted)


def set_ownership(bucket: Bucket, ownership: str, *, actor: Principal) -> Bucket:
    """What is told of who owns the objects, who is the bucket's tenant anyway: one of `Bucket.Ownership`.

    Where it was asked for, the ACL `private` is refused like any other, as S3 does it.
    """
    with _changing(bucket, actor) as row:
        return _save(row, "ownership", actor, ownership=ownership)


def set_cors(bucket: Bucket, rules: list[dict[str, Any]], *, actor: Principal) -> Bucket:
    """Rules as `storage.s3.documents.cors` has them; none to remove them."""
    wanted = _valid("cors", lambda: cors.check(rules)) if rules else []
    with _changing(bucket, actor) as row:
        return _save(row, "cors", actor, cors=wanted)


def set_tags(bucket: Bucket, wanted: Mapping[str, str], *, actor: Principal) -> Bucket:
    """All tags of the bucket, at most 50; none to remove them."""
    valid = valid_tags(wanted)
    with _changing(bucket, actor) as row:
        return _save(row, "tags", actor, tags=valid)


def set_lifecycle(bucket: Bucket, rules: list[dict[str, Any]], *, actor: Principal) -> Bucket:
    """Rules as `storage.s3.documents.lifecycle` has them, at most 1,000; none to remove them."""
    wanted = _valid("lifecycle", lambda: lifecycle.check(rules)) if rules else []
    with _changing(bucket, actor) as row:
        return _save(row, "lifecycle", actor, lifecycle=wanted)


def set_notifications(bucket: Bucket, configuration: Mapping[str, Any], *, actor: Principal) -> Bucket:
    """`{}` or `{"EventBridgeConfiguration": {}}`: changes of objects are in the event log with either."""
    wanted = _valid("notifications", lambda: notification.check(dict(configuration)))
    with _changing(bucket, actor) as row:
        return _save(row, "notifications", actor, notifications=wanted)


def set_quota(
    bucket: Bucket, *, quota_bytes: int | None, quota_objects: int | None, actor: Principal
) -> Bucket:
    """Most that the bucket may hold, noncurrent versions included; None: no limit but the tenant's.

    A limit below what is there already refuses whatever brings more and removes nothing. Raises Invalid.
    """
    with _changing(bucket, actor) as row:
        return _save(row, "quota", actor, quota_bytes=quota_bytes, quota_objects=quota_objects)


def public_access_of(bucket: Bucket) -> dict[str, bool]:
    """S3's four flags as they act: the bucket's own, all on where the tenant may have no public buckets."""
    if PUBLIC_BUCKETS in _tenant(bucket).settings.disabled_features:
        return dict.fromkeys(public_access.NAMES, True)
    return {name: bool((bucket.public_access_block or {}).get(name)) for name in public_access.NAMES}


@contextmanager
def _changing(bucket: Bucket, actor: Principal) -> Iterator[Bucket]:
    """The bucket's row as it is now, locked, in a transaction. Raises Forbidden, NotFound.

    The usage row first, as writes of objects take it: each of them is wholly before the change or wholly after it.
    """
    actor.require("storage.bucket.write")
    with transaction.atomic():
        usage.lock(actor.tenant.pk)
        rows = Bucket.objects.visible_to(actor).select_for_update(of=("self",))
        row: Bucket | None = rows.filter(pk=bucket.pk).first()
        if row is None:
            raise NotFound("No such bucket.", code="no_such_bucket")
        yield row


def _save(row: Bucket, setting: str, actor: Principal, **values: object) -> Bucket:
    before = {name: getattr(row, name) for name in values}
    if before == values:
        return row
    for name, value in values.items():
        setattr(row, name, value)
    validated(row, exclude=tuple(field.name for field in Bucket._meta.fields if field.name not in values))
    row.save(update_fields=list(values))
    audit.record(actor, "storage.bucket.update", target=row.name, before=before, after=values)
    snapshot.changed("buckets")
    realtime.publish(
        row.tenant_id,
        "storage.bucket.updated",
        subject=row.name,
        data={"bucket": row.name, "setting": setting},
        actor=actor,
    )
    return row


def valid_tags(wanted: Mapping[str, str]) -> dict[str, str]:
    """Raises Invalid, code `invalid_tag`."""
    return _valid("tags", lambda: tags.valid(wanted, tags.MAX_BUCKET_TAGS))


def check_capability(backend: Backend, setting: str) -> None:
    """Raises Invalid, code `not_implemented`, for what `lacking` says."""
    if text := lacking(backend, setting):
        _refuse(setting, S3Error("NotImplemented", text))


def lacking(backend: Backend, setting: str) -> str:
    """Why a bucket there cannot have `versioning`, `object_lock` or `encryption`; empty where it can.

    Our own store can all; what somebody's S3 can is known from its connection test.
    """
    if backend.kind == "local" or backend.capabilities.get(setting):
        return ""
    if not backend.capabilities:
        return f"What the backend {backend.name} can is not known before a connection test of it succeeds."
    return f"The backend {backend.name}, where the objects lie, {_LACKS[setting]}."


def _tenant(bucket: Bucket) -> Tenant:
    with platform_scope("a bucket's tenant and its settings"):
        return Tenant.objects.select_related("settings").get(pk=bucket.tenant_id)


def _valid(setting: str, check: Callable[[], T]) -> T:
    try:
        return check()
    except S3Error as error:
        _refuse(setting, error)


def _refuse(setting: str, error: S3Error) -> NoReturn:
    raise Invalid(error.message, code=word(error.code), errors={setting: [error.message]})
