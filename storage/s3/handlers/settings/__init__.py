"""A bucket's settings: read from what the decision holds, changed by the verbs, as for every other door."""

from . import (
    absent,
    cors,
    encryption,
    lifecycle,
    notification,
    object_lock,
    ownership,
    policy,
    public_access,
    tagging,
    versioning,
)

__all__ = [
    "absent",
    "cors",
    "encryption",
    "lifecycle",
    "notification",
    "object_lock",
    "ownership",
    "policy",
    "public_access",
    "tagging",
    "versioning",
]
