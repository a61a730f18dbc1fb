"""Who else reaches a workspace."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.db.models import Q

from gateway.errors import Conflict, Invalid
from tenants.models import Membership
from tenants.principal import Principal
from tenants.services import audit
from workspaces.models import Workspace, WorkspaceShare

from . import instances, workspaces

MOST = 200


def share(workspace: Workspace, user: UUID | str, *, actor: Principal) -> WorkspaceShare:
    """Let a member of the tenant reach the workspace, by the id or the name of their account. Again changes nothing.

    Raises Forbidden, Invalid for who is no active member or owns it, Conflict where MOST reach it.
    """
    workspaces.require_write(workspace, actor)
    with transaction.atomic():
        row = instances.lock(workspace)
        members = Membership.objects.filter(tenant=row.tenant_id, is_active=True).select_related("user")
        member = members.filter(_named(user)).first()
        if member is None:
            raise Invalid("That is no member of the tenant.", errors={"user": ["No such member."]})
        if member.user_id == row.owner_id:
            raise Invalid("It is theirs.", errors={"user": ["The owner."]})
        if row.shares.count() >= MOST:
            raise Conflict(f"A workspace is shared with at most {MOST} members.", code="too_many_shares")
        made, is_new = WorkspaceShare.objects.get_or_create(
            workspace=row, user=member.user, defaults={"tenant": row.tenant, "created_by": actor.label}
        )
        if is_new:
            _tell(row, member.user.username, str(member.user.public_id), True, actor)
    return made


def _named(user: UUID | str) -> Q:
    try:
        return Q(user__public_id=UUID(str(user)))
    except ValueError:
        return Q(user__username=user)


def unshare(workspace: Workspace, user_id: UUID, *, actor: Principal) -> None:
    """End a share. Again changes nothing. Raises Forbidden."""
    workspaces.require_write(workspace, actor)
    with transaction.atomic():
        row = instances.lock(workspace)
        found = row.shares.filter(user__public_id=user_id).select_related("user").first()
        if found is not None:
            found.delete()
            _tell(row, found.user.username, str(user_id), False, actor)


def _tell(row: Workspace, username: str, user_id: str, shared: bool, actor: Principal) -> None:
    verb = "share" if shared else "unshare"
    audit.record(actor, f"workspaces.workspace.{verb}", target=row.name, after={"user": username})
    instances.told(row)
    instances.tell(row, "shared", actor=actor, user_id=user_id, reaches=shared)
