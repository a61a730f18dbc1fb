"""Several settings of a bucket at once: all of them or none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.db import transaction

from gateway.errors import Invalid
from storage.models import Bucket
from tenants.principal import Principal

from . import bucket_settings as verbs
from . import buckets

_VERBS: Final[dict[str, Callable[..., Bucket]]] = {
    "encryption": verbs.set_encryption,
    "public_access_block": verbs.set_public_access_block,
    "cors": verbs.set_cors,
    "tags": verbs.set_tags,
    "lifecycle": verbs.set_lifecycle,
    "notifications": verbs.set_notifications,
}


@transaction.atomic
def update_bucket(bucket: Bucket, *, actor: Principal, **changes: Any) -> Bucket:
    """Change the settings that are named, as the verb of each does; the bucket with its placement.

    Names are `versioning`, `object_lock`, `default_retention`, `quota_bytes`, `quota_objects` and those of `_VERBS`.
    """
    actor.require("storage.bucket.write")
    if "versioning" in changes and changes["versioning"] != bucket.versioning:
        bucket = verbs.set_versioning(bucket, changes["versioning"], actor=actor)
    if {"object_lock", "default_retention"} & changes.keys():
        bucket = _lock(bucket, changes, actor)
    for name, verb in _VERBS.items():
        if name in changes:
            bucket = verb(bucket, changes[name], actor=actor)
    if {"quota_bytes", "quota_objects"} & changes.keys():
        limits = {name: changes.get(name, getattr(bucket, name)) for name in ("quota_bytes", "quota_objects")}
        verbs.set_quota(bucket, **limits, actor=actor)
    return buckets.get_bucket(bucket.name, actor=actor)


def _lock(bucket: Bucket, changes: dict[str, Any], actor: Principal) -> Bucket:
    wanted = changes.get("object_lock", bucket.object_lock)
    default = changes.get("default_retention", bucket.default_retention)
    if not wanted:
        if bucket.object_lock:
            message = "Object lock cannot be undone."
            raise Invalid(message, code="object_lock_stays", errors={"object_lock": [message]})
        if default is not None:
            message = "A default retention needs object lock."
            raise Invalid(message, errors={"default_retention": [message]})
        return bucket
    return verbs.set_object_lock(bucket, default, actor=actor)
