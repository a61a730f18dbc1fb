"""Buckets: made, found, removed."""

from __future__ import annotations

import re
from collections.abc import Mapping

from django.db import IntegrityError, connection, transaction

from gateway.errors import Conflict, Invalid, NotFound
from gateway.queue import enqueue
from realtime import services as realtime
from storage import tasks
from storage.models import Bucket, Object, ObjectVersion, Upload, WriteIntent
from tenants.principal import Principal
from tenants.services import audit, quotas, snapshot

from . import backend_choice, bucket_settings, intents, placements, usage

_FORM = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ADDRESS = re.compile(r"\d{1,3}(\.\d{1,3}){3}")
_RESERVED_STARTS = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_ENDS = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def check_name(name: str) -> None:
    """S3's rules for bucket names. Raises Invalid, code `invalid_bucket_name`."""
    good = (
        _FORM.fullmatch(name)
        and ".." not in name
        and not _ADDRESS.fullmatch(name)
        and not name.startswith(_RESERVED_STARTS)
        and not name.endswith(_RESERVED_ENDS)
    )
    if not good:
        text = "3 to 63 lower-case letters, digits, dots and hyphens, beginning and ending with a letter or digit."
        raise Invalid(f"Not a bucket name: {text}", code="invalid_bucket_name", errors={"name": [text]})


def create_bucket(
    name: str,
    *,
    backend: str | None = None,
    object_lock: bool = False,
    tags: Mapping[str, str] | None = None,
    location: str = "",
    ownership: str = "",
    actor: Principal,
) -> Bucket:
    """A bucket of the caller's tenant on the named backend, else the default one.

    With `object_lock` its versions can be locked, so it has versions. `location` (a LocationConstraint) and
    `ownership` (one of `Bucket.Ownership`) are told to whoever asks. On a remote backend it is made after the commit;
    until then `placement.is_settled` is False. Raises Invalid, Conflict (code `bucket_exists`) where the tenant has
    one of that name, QuotaExceeded.
    """
    actor.require("storage.bucket.write")
    check_name(name)
    labels = bucket_settings.valid_tags(tags or {})
    chosen = backend_choice.for_new_bucket(backend, actor=actor)
    if object_lock:
        bucket_settings.check_capability(chosen, "object_lock")
    with transaction.atomic():
        quotas.check(actor.tenant.pk, "buckets", Bucket.objects.filter(tenant=actor.tenant))
        bucket = Bucket(
            tenant=actor.tenant,
            name=name,
            created_by=actor.label,
            object_lock=object_lock,
            versioning=Bucket.Versioning.ENABLED if object_lock else "",
            tags=labels,
            location=location,
            ownership=ownership,
        )
        try:
            with transaction.atomic():
                bucket.save()
        except IntegrityError:
            raise Conflict(
                f"There is a bucket {name} already.", code="bucket_exists", errors={"name": ["Taken."]}
            ) from None
        placement = placements.place(bucket, chosen)
        made: dict[str, object] = {"backend": chosen.name}
        if object_lock:
            made["object_lock"] = True
        audit.record(actor, "storage.bucket.create", target=name, after=made)
        snapshot.changed("buckets")
        realtime.publish(
            actor.tenant.pk,
            "storage.bucket.created",
            subject=name,
            data={"id": str(bucket.public_id), "backend": chosen.name},
            actor=actor,
        )
        if not placement.is_settled:
            enqueue(tasks.reconcile_placement, placement.pk)
    return bucket


def get_bucket(name: str, *, actor: Principal) -> Bucket:
    """The tenant's bucket of that name, with its placement. Raises NotFound, code `no_such_bucket`."""
    rows = Bucket.objects.visible_to(actor).select_related("placement__backend")
    found: Bucket | None = None if "\0" in name else rows.filter(name=name).first()
    if found is None:
        raise NotFound("No such bucket.", code="no_such_bucket")
    return found


def delete_bucket(bucket: Bucket, *, actor: Principal) -> None:
    """Remove an empty bucket, one without versions and delete markers too; unfinished uploads go with it.

    What became of writes that overlapped or broke off is asked of its backend first. Raises Conflict:
    `bucket_not_empty`, or `bucket_busy` while a write to its backend is under way.
    """
    actor.require("storage.bucket.delete")
    if not _holds_objects(bucket) and WriteIntent.objects.filter(bucket=bucket).exists():
        intents.settle(bucket)
    with transaction.atomic():
        usage.lock(bucket.tenant_id)  # no object can be committed until this is
        bucket = get_bucket(bucket.name, actor=actor)
        if _holds_objects(bucket):
            raise Conflict("The bucket is not empty.", code="bucket_not_empty")
        if WriteIntent.objects.filter(bucket=bucket).exists():
            raise Conflict("A write to the bucket is under way; try again shortly.", code="bucket_busy")
        _end_uploads(bucket)
        placements.give_up(bucket.placement)
        bucket.delete()
        audit.record(actor, "storage.bucket.delete", target=bucket.name)
        snapshot.changed("buckets")
        realtime.publish(bucket.tenant_id, "storage.bucket.deleted", subject=bucket.name, actor=actor)


def _holds_objects(bucket: Bucket) -> bool:
    kept: tuple[type[Object | ObjectVersion], ...] = (Object, ObjectVersion)
    return any(kind.objects.filter(tenant_id=bucket.tenant_id, bucket=bucket).exists() for kind in kept)


def _end_uploads(bucket: Bucket) -> None:
    with connection.cursor() as cursor:
        for upload_id in Upload.objects.filter(bucket=bucket).values_list("pk", flat=True):
            cursor.execute("SELECT storage_end_upload(%s, %s, %s)", [bucket.tenant_id, bucket.pk, upload_id])
