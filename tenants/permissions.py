"""The one registry of permissions: what each means, and which the built-in roles hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .models import Role

PERMISSIONS: dict[str, str] = {
    "tenant.read": "See the tenant, its domains, usage and limits",
    "tenant.write": "Change the tenant and its domains",
    "user.read": "See the tenant's users and roles",
    "user.write": "Add users, change their roles, deactivate them",
    "audit.read": "See the audit log",
    "event.read": "See the event log and its live stream",
    "api_key.write": "Make and revoke own API keys",
    "api_key.manage": "See and revoke everybody's API keys",
    "storage.backend.read": "See storage backends",
    "storage.backend.write": "Add and change storage backends",
    "storage.bucket.read": "See buckets",
    "storage.bucket.write": "Create and change buckets",
    "storage.bucket.delete": "Delete buckets",
    "storage.object.read": "List and read objects",
    "storage.object.write": "Write objects",
    "storage.object.delete": "Delete objects",
    "storage.access_key.write": "Make and revoke own S3 access keys",
    "storage.access_key.manage": "See and revoke everybody's S3 access keys",
}

# Only platform staff hold these; no role of a tenant can.
PLATFORM_PERMISSIONS: dict[str, str] = {
    "platform.tenants": "Create and change tenants",
    "platform.backends": "Manage storage backends that all tenants share",
}

_VIEWER = frozenset({"tenant.read", "event.read", "storage.bucket.read", "storage.object.read"})
_MEMBER = _VIEWER | {
    "api_key.write",
    "storage.bucket.write",
    "storage.object.write",
    "storage.object.delete",
    "storage.access_key.write",
}
_ADMIN = frozenset(PERMISSIONS)

BUILTIN_ROLES: dict[str, frozenset[str]] = {
    "owner": _ADMIN,
    "admin": _ADMIN,
    "member": _MEMBER,
    "viewer": _VIEWER,
}
BUILTIN_ROLE_CHOICES = [(slug, slug.capitalize()) for slug in BUILTIN_ROLES]
STAFF: frozenset[str] = frozenset(PERMISSIONS) | frozenset(PLATFORM_PERMISSIONS)


def role_permissions(role: Role) -> frozenset[str]:
    """What a role holds: a built-in one what stands here, any other what its row names and still exists."""
    return BUILTIN_ROLES[role.slug] if role.is_builtin else frozenset(role.permissions) & PERMISSIONS.keys()
