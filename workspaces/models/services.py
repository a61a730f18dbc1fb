"""Managed services: containers from any image, and services elsewhere that are registered by their URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from gateway.db.models import PublicId, TenantQuerySet

from .instances import Instance, InstanceQuerySet, name_constraint

if TYPE_CHECKING:
    from tenants.principal import Principal


class ServiceQuerySet(InstanceQuerySet):
    def visible_to(self, principal: Principal) -> Self:
        """The tenant's."""
        return self.filter(tenant_id=principal.tenant.pk)


class Service(Instance):
    """A container (`kind` container) with ports, or something that runs elsewhere (`external`, only `url`)."""

    class Kind(models.TextChoices):
        CONTAINER = "container"
        EXTERNAL = "external"

    class Health(models.TextChoices):
        UNKNOWN = "unknown"
        HEALTHY = "healthy"
        UNHEALTHY = "unhealthy"

    LETTER = "s"

    kind = models.CharField(max_length=10, choices=Kind, default=Kind.CONTAINER)
    url = models.URLField(max_length=500, blank=True, help_text="Of an external service.")
    private_allowed = models.BooleanField(
        default=False,
        editable=False,
        help_text="Whether the URL may lead to an address that is not public: staff wrote it.",
    )
    command = ArrayField(
        models.CharField(max_length=2000), default=list, blank=True, help_text="Unset: the image's."
    )
    volumes = models.JSONField(
        default=dict, blank=True, help_text="Named volumes: name → path in the container."
    )
    probe_path = models.CharField(
        max_length=500, blank=True, help_text="Path of an HTTP probe of the first port."
    )
    health = models.CharField(max_length=9, choices=Health, default=Health.UNKNOWN, editable=False)
    health_error = models.CharField(max_length=500, blank=True, editable=False)
    health_checked_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ServiceQuerySet.as_manager()

    class Meta(Instance.Meta):
        abstract = False
        constraints = [name_constraint("service")]


class Port(PublicId):
    """A port of a service, and the one that the edge listens on for it: unique on the platform, kept for good."""

    class Protocol(models.TextChoices):
        HTTP = "http", "HTTP"
        TCP = "tcp", "TCP"

    class Access(models.TextChoices):
        PUBLIC = "public"
        TENANT = "tenant"
        OWNER = "owner"

    tenant = models.ForeignKey("tenants.Tenant", models.CASCADE, related_name="+")
    service = models.ForeignKey(Service, models.CASCADE, related_name="ports")
    name = models.CharField(max_length=63)
    container_port = models.PositiveIntegerField(validators=[MinValueValidator(1), MaxValueValidator(65_535)])
    protocol = models.CharField(max_length=4, choices=Protocol, default=Protocol.HTTP)
    access = models.CharField(max_length=6, choices=Access, default=Access.TENANT)
    public_port = models.PositiveIntegerField(unique=True, help_text="Where the edge listens.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["service", "name"], name="port_name_in_service"),
            models.UniqueConstraint(fields=["service", "container_port", "protocol"], name="port_once"),
            models.CheckConstraint(
                condition=Q(protocol="http") | Q(access="public"), name="port_tcp_is_public"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_port} → {self.service}:{self.container_port}"
