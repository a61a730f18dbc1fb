"""The one registry of permissions: what each means, and which the built-in roles hold.

The API, the pages, the admin, streams and the deciders of the edge all ask for these names. A permission is added
here, in the group under which people find it, and to the built-in roles that shall hold it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .models import Role

# Group → permission → what it allows.
GROUPS: dict[str, dict[str, str]] = {
    "Tenant": {
        "tenant.read": "See the tenant, its domains, usage and limits",
        "tenant.write": "Change the tenant and its settings",
        "domain.write": "Add, verify and remove domains",
        "audit.read": "See and verify the audit log",
        "audit.export": "Export the audit log",
        "event.read": "See the event log and its live stream",
    },
    "People": {
        "user.read": "See the tenant's users, roles and invitations",
        "user.write": "Add, invite and import users, change their roles, deactivate them",
        "role.write": "Create, change and delete roles",
    },
    "API keys": {
        "api_key.write": "Make and revoke own API keys",
        "api_key.manage": "See and revoke everybody's API keys",
        "service_account.read": "See service accounts and their API keys",
        "service_account.write": "Make service accounts, change their roles, deactivate them, handle their API keys",
    },
    "Storage": {
        "storage.backend.read": "See storage backends",
        "storage.backend.write": "Add and change storage backends",
        "storage.bucket.read": "See buckets",
        "storage.bucket.write": "Create and change buckets",
        "storage.bucket.delete": "Delete buckets",
        "storage.object.read": "List and read objects",
        "storage.object.write": "Write objects",
        "storage.object.delete": "Delete objects",
        "storage.object.lock": "Set retention and legal holds of objects, bypass governance retention",
        "storage.access_key.write": "Make and revoke own S3 access keys",
        "storage.access_key.manage": "See and revoke everybody's S3 access keys",
    },
    "Workspaces": {
        "workspace.read": "See workspaces within reach, and templates",
        "workspace.use": "Call the tools and ports of workspaces within reach",
        "workspace.write": "Create workspaces, change, share and delete own ones",
        "workspace.terminal": "Open terminals in workspaces within reach",
        "workspace.manage": "Reach, change and delete everybody's workspaces",
        "template.write": "Add, change and remove templates",
    },
    "Services": {
        "service.read": "See services, their logs and usage",
        "service.write": "Add, change, start, stop and delete services, give them ports",
        "service.terminal": "Open terminals in services",
    },
}
PERMISSIONS: dict[str, str] = {name: text for group in GROUPS.values() for name, text in group.items()}

# Only platform staff hold these; no role of a tenant can.
PLATFORM_PERMISSIONS: dict[str, str] = {
    "platform.tenants": "Create and change tenants",
    "platform.backends": "Manage storage backends that all tenants share",
    "platform.templates": "Manage workspace templates that all tenants share",
}

_VIEWER = frozenset(
    {
        "tenant.read",
        "event.read",
        "storage.bucket.read",
        "storage.object.read",
        "workspace.read",
        "service.read",
    }
)
_MEMBER = _VIEWER | {
    "api_key.write",
    "storage.bucket.write",
    "storage.object.write",
    "storage.object.delete",
    "storage.access_key.write",
    "workspace.use",
    "workspace.write",
    "workspace.terminal",
}
_ADMIN = frozenset(PERMISSIONS)

BUILTIN_ROLES: dict[str, frozenset[str]] = {
    "owner": _ADMIN,
    "admin": _ADMIN,
    "member": _MEMBER,
    "viewer": _VIEWER,
}
# What a principal's role can be beside those of its tenant: no role of a tenant may have such a name.
RESERVED_ROLES = frozenset({"staff", "system"})
STAFF: frozenset[str] = frozenset(PERMISSIONS) | frozenset(PLATFORM_PERMISSIONS)


def held(base: str, granted: Iterable[str]) -> frozenset[str]:
    """What a role holds: all of the built-in role `base` ("" is none), and of `granted` what still exists."""
    return BUILTIN_ROLES.get(base, frozenset()) | (frozenset(granted) & PERMISSIONS.keys())


def role_permissions(role: Role) -> frozenset[str]:
    """What a role holds, of its own and inherited."""
    return held(role.base, role.granted)
