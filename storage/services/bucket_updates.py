"""Several settings of a bucket at once: on our own store all of them or none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.db import transaction

from gateway.errors import Invalid
from storage.models import Bucket
from tenants.principal import Principal

from . import backend_providers, buckets
from . import bucket_settings as verbs

_VERBS: Final[dict[str, Callable[..., Bucket]]] = {
    "encryption": verbs.set_encryption,
    "public_access_block": verbs.set_public_access_block,
    "cors": verbs.set_cors,
    "tags": verbs.set_tags,
    "lifecycle": verbs.set_lifecycle,
    "notifications": verbs.set_notifications,
}


def update_bucket(bucket: Bucket, *, actor: Principal, **changes: Any) -> Bucket:
    """Change the settings that are named, as the verb of each does; the bucket with its placement.

    Names are `versioning`, `object_lock`, `default_retention`, `quota_bytes`, `quota_objects` and those of `_VERBS`.
    What a remote backend has to carry out comes first and stays when another one is refused: no transaction, which
    the tenant's writes wait for, is open while a backend is asked.
    """
    actor.require("storage.bucket.write")
    if backend_providers.is_remote(bucket.placement.backend):
        bucket = _set_versions(bucket, changes, actor)
        with transaction.atomic():
            _set_others(bucket, changes, actor)
    else:
        with transaction.atomic():
            _set_others(_set_versions(bucket, changes, actor), changes, actor)
    return buckets.get_bucket(bucket.name, actor=actor)


def _set_versions(bucket: Bucket, changes: dict[str, Any], actor: Principal) -> Bucket:
    if "versioning" in changes and changes["versioning"] != bucket.versioning:
        bucket = verbs.set_versioning(bucket, changes["versioning"], actor=actor)
    if {"object_lock", "default_retention"} & changes.keys():
        bucket = _lock(bucket, changes, actor)
    return bucket


def _set_others(bucket: Bucket, changes: dict[str, Any], actor: Principal) -> None:
    for name, verb in _VERBS.items():
        if name in changes:
            bucket = verb(bucket, changes[name], actor=actor)
    if {"quota_bytes", "quota_objects"} & changes.keys():
        limits = {name: changes.get(name, getattr(bucket, name)) for name in ("quota_bytes", "quota_objects")}
        verbs.set_quota(bucket, **limits, actor=actor)


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
