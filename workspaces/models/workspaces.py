"""Workspaces: a volume with a repository, and a server of tools on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from gateway.db.models import TenantQuerySet

from .instances import Instance, InstanceQuerySet, name_constraint

if TYPE_CHECKING:
    from tenants.principal import Principal


class WorkspaceQuerySet(InstanceQuerySet):
    def visible_to(self, principal: Principal) -> Self:
        """Those the caller reaches: own ones, those shared with them, the whole tenant's for who manages them."""
        rows = self.filter(tenant_id=principal.tenant.pk, is_hidden=False)
        if principal.can("workspace.manage"):
            return self.filter(tenant_id=principal.tenant.pk)
        shared = WorkspaceShare.objects.filter(user=principal.user, tenant_id=principal.tenant.pk)
        return rows.filter(Q(owner=principal.user) | Q(pk__in=shared.values("workspace_id")))


class Workspace(Instance):
    """One sandbox or container with an MCP server, one volume. See `Instance` for its life."""

    class Repository(models.TextChoices):
        NONE = "none"
        CLONING = "cloning"
        READY = "ready"
        FAILED = "failed"

    LETTER = "w"

    template = models.ForeignKey("workspaces.Template", models.SET_NULL, null=True, related_name="+")
    metadata = models.JSONField(default=dict, blank=True)
    git_url = models.CharField(max_length=500, blank=True)
    git_branch = models.CharField(max_length=255, blank=True)
    ports = models.JSONField(default=dict, blank=True, help_text="Declared ports: name → number.")
    idle_minutes = models.PositiveIntegerField(default=60)
    run_command = models.BooleanField(default=False)
    is_hidden = models.BooleanField(default=False, editable=False, help_text="Its owner is deactivated.")
    # The snapshot that its volume shall be made from before it runs again.
    restoring = models.ForeignKey(
        "workspaces.VolumeSnapshot", models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    # What the server inside says of itself.
    repository_state = models.CharField(
        max_length=8, choices=Repository, default=Repository.NONE, editable=False
    )
    repository_error = models.CharField(max_length=500, blank=True, editable=False)
    last_active_at = models.DateTimeField(null=True, blank=True, editable=False)
    volume_bytes = models.PositiveBigIntegerField(null=True, blank=True, editable=False)

    objects = WorkspaceQuerySet.as_manager()

    class Meta(Instance.Meta):
        abstract = False
        constraints = [name_constraint("workspace")]
        indexes = [models.Index(fields=["tenant", "owner"], name="workspace_of_owner")]


class WorkspaceShare(models.Model):
    """A member of the tenant who reaches another's workspace."""

    tenant = models.ForeignKey("tenants.Tenant", models.CASCADE, related_name="+")
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="shares")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=150, blank=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "user"], name="workspace_share_once")]

    def __str__(self) -> str:
        return f"{self.workspace} with {self.user}"
