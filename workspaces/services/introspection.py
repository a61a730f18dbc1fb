"""What a token means, for a server in a workspace that was handed one."""

from __future__ import annotations

import logging
from typing import Any

from gateway.db.scope import platform_scope
from gateway.errors import DomainError
from tenants import resolver
from tenants.principal import Principal
from tenants.services import key_secrets
from workspaces import assertions
from workspaces.models import Workspace

from . import instances

log = logging.getLogger(__name__)

ASKING = "X-Gw-Workspace"
"""The header that tells which workspace (its key) asks. Of clients the edge deletes every `X-Gw-*`."""
INACTIVE = {"active": False}
PERMISSION = "workspace.use"


def introspect(token: str, *, workspace_key: str) -> dict[str, Any]:
    """`{"active", "user_id", "role"}` of an assertion, an API key or an access token that lets its bearer into the
    workspace that asks, now; else `{"active": false}`. `user_id` is the public one."""
    with platform_scope("a workspace asks, which no tenant's member does"):
        workspace = instances.find(workspace_key)
        if not isinstance(workspace, Workspace) or workspace.deleted_at is not None:
            return INACTIVE
        try:
            found = _bearer(token, workspace)
        except DomainError:
            return INACTIVE
        if found is None or found.user is None or found.tenant.pk != workspace.tenant_id:
            return INACTIVE
        if found.barred or not found.can(PERMISSION):
            return INACTIVE
        if not Workspace.objects.visible_to(found).filter(pk=workspace.pk).exists():
            return INACTIVE
    return {"active": True, "user_id": str(found.user.public_id), "role": found.role}


def _bearer(token: str, workspace: Workspace) -> Principal | None:
    """Raises DomainError as the resolver does."""
    if token.startswith(assertions.PREFIX):
        said = assertions.read(token)
        if said is None or said.workspace_id != workspace.pk:
            return None
        return resolver.renewed(said.user_id, said.tenant_id, said.credential, said.ip)
    if token.startswith("mcp_"):
        # Where a key may be used from was judged where it was shown, if at all.
        return resolver.of_key(key_secrets.verify(token, None, anywhere=True), None)
    return resolver.from_token(token, resolver.Asked(workspace.tenant.slug, "", None))
