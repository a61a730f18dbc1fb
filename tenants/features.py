"""What can be switched off for a tenant: the one registry of features.

A feature is the permissions that it covers. Where it is off, nobody holds them in that tenant: the API refuses with
the code `feature_disabled`, S3 with AccessDenied, and the pages leave out what they are about. What was stored
before stays, and is back when the feature is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.db.scope import platform_scope

from .permissions import PERMISSIONS

if TYPE_CHECKING:
    from collections.abc import Collection

    from .models import Tenant


@dataclass(frozen=True, slots=True)
class Feature:
    """`covers` are beginnings of the permissions' names; none where who offers the feature asks for it itself."""

    name: str
    title: str
    text: str
    covers: tuple[str, ...]


FEATURES: dict[str, Feature] = {
    feature.name: feature
    for feature in (
        Feature("storage", "Storage", "Buckets, objects, S3 and its access keys, backends", ("storage.",)),
        Feature("public_buckets", "Public buckets", "Bucket policies that let everybody in", ()),
        Feature(
            "workspaces", "Workspaces", "Workspaces and their tools, templates", ("workspace.", "template.")
        ),
        Feature("services", "Services", "Managed services and their ports", ("service.",)),
        Feature("events", "Events", "The event log and its live streams", ("event.",)),
        Feature("domains", "Domains", "Adding and verifying host names of its own", ("domain.",)),
    )
}
_OF: dict[str, str] = {
    permission: feature.name
    for permission in PERMISSIONS
    for feature in FEATURES.values()
    if permission.startswith(feature.covers)
}


def without(permissions: frozenset[str], disabled: Collection[str]) -> frozenset[str]:
    """What is left of permissions where features are off."""
    return frozenset(p for p in permissions if _OF.get(p) not in disabled) if disabled else permissions


def is_off(tenant: Tenant, permission: str) -> bool:
    """Whether the feature that covers `permission` is off for the tenant. Read once per `tenant` object."""
    feature = _OF.get(permission)
    if feature is None:
        return False
    with platform_scope("permissions are asked for before a request has its scope"):
        return feature in tenant.settings.disabled_features
