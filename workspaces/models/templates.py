"""What a workspace is made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from gateway.db.models import PublicId, TenantQuerySet

from .instances import LEAST_CPU_MILLIS, LEAST_MEMORY, LEAST_PIDS

if TYPE_CHECKING:
    from tenants.principal import Principal


class TemplateQuerySet(TenantQuerySet):
    def visible_to(self, principal: Principal) -> Self:
        """The tenant's own templates and those that the platform shares."""
        return self.filter(Q(tenant_id=principal.tenant.pk) | Q(tenant__isnull=True))


class Template(PublicId):
    """Defaults of new workspaces, and what they may not choose themselves. Without a tenant: shared by all.

    What a workspace takes from it is copied when it is created; a later change is for later workspaces.
    """

    tenant = models.ForeignKey("tenants.Tenant", models.CASCADE, related_name="+", null=True, blank=True)
    name = models.CharField(max_length=63)
    description = models.CharField(max_length=500, blank=True)
    is_default = models.BooleanField(default=False, help_text="For workspaces that name no template.")
    provider = models.CharField(
        max_length=16, blank=True, help_text="Unset: docker where it is available, else process."
    )
    image = models.CharField(max_length=255, blank=True, help_text="Unset: WORKSPACE_IMAGE. Docker only.")
    environment = models.JSONField(default=dict, blank=True)
    required_secrets = ArrayField(
        models.CharField(max_length=128),
        default=list,
        blank=True,
        help_text="Names a workspace must be given.",
    )
    ports = models.JSONField(default=dict, blank=True, help_text="Declared ports: name → number.")
    memory_bytes = models.PositiveBigIntegerField(
        default=1 << 30, validators=[MinValueValidator(LEAST_MEMORY)]
    )
    cpu_millis = models.PositiveIntegerField(default=1000, validators=[MinValueValidator(LEAST_CPU_MILLIS)])
    pids = models.PositiveIntegerField(default=256, validators=[MinValueValidator(LEAST_PIDS)])
    idle_minutes = models.PositiveIntegerField(default=60, help_text="0: never stopped for idleness.")
    run_command = models.BooleanField(default=False, help_text="Whether tools may run any command.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TemplateQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="template_name", nulls_distinct=False),
            models.UniqueConstraint(
                fields=["tenant"],
                condition=Q(is_default=True),
                name="template_one_default",
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        return self.name
