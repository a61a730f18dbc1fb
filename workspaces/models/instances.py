"""What workspaces and services have in common: a wish, what was last seen of it, and limits."""

from __future__ import annotations

from typing import ClassVar, Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from gateway.db.models import PublicId, TenantQuerySet

MIB = 1 << 20
LEAST_MEMORY = 64 * MIB
LEAST_CPU_MILLIS = 50
LEAST_PIDS = 16


class InstanceQuerySet(TenantQuerySet):
    def present(self) -> Self:
        """Those that are not deleted."""
        return self.filter(deleted_at=None)

    def drifted(self) -> Self:
        """Whose newest wish has not come true yet, and that may be tried again now."""
        return self.exclude(generation=F("observed_generation")).filter(next_attempt_at__lte=timezone.now())


class Instance(PublicId):
    """Something that runs at a provider. Its `key` names it there.

    A verb writes the wish: `desired_state` with the next `generation`. The reconciler makes it true at the provider
    and writes what it saw: `observed_state`, `address`, and `observed_generation` once the wish has come true or
    cannot (then `failed`, and `error` says why in words for its owner)::

        desired   running ⇄ stopped → absent
        observed  absent → starting → running → stopped → absent;  failed from anywhere, and on to anywhere

    `stopped_for` tells the wish `stopped` of a person from those of the platform, which come true only until
    somebody wakes it (`idle`) or until their reason is gone (`deactivated`, `tenant`).
    """

    class Desired(models.TextChoices):
        RUNNING = "running"
        STOPPED = "stopped"
        ABSENT = "absent"

    class Observed(models.TextChoices):
        ABSENT = "absent"
        STARTING = "starting"
        RUNNING = "running"
        STOPPED = "stopped"
        FAILED = "failed"

    class StoppedFor(models.TextChoices):
        NOTHING = "", "—"
        PERSON = "person"
        IDLE = "idle"
        DEACTIVATED = "deactivated", "owner deactivated"
        TENANT = "tenant", "tenant suspended or deleted"

    LETTER: ClassVar[str]
    """The first letter of the key, by kind."""

    tenant = models.ForeignKey("tenants.Tenant", models.CASCADE, related_name="+")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    name = models.CharField(max_length=63)
    description = models.CharField(max_length=500, blank=True)
    provider = models.CharField(
        max_length=16, blank=True, help_text="Where it runs; chosen when it is created."
    )
    image = models.CharField(max_length=255, blank=True)
    environment = models.JSONField(
        default=dict, blank=True, help_text="Names and values that are no secrets."
    )
    secrets_sealed = models.BinaryField(default=bytes, editable=False)
    memory_bytes = models.PositiveBigIntegerField(
        default=1 << 30, validators=[MinValueValidator(LEAST_MEMORY)]
    )
    cpu_millis = models.PositiveIntegerField(
        default=1000, validators=[MinValueValidator(LEAST_CPU_MILLIS)], help_text="Thousandths of a core."
    )
    pids = models.PositiveIntegerField(
        default=256, validators=[MinValueValidator(LEAST_PIDS), MaxValueValidator(32_768)]
    )
    # The number of its fixed address in the providers' networks: never another's while the row lives.
    offset = models.PositiveIntegerField(unique=True, editable=False)

    desired_state = models.CharField(max_length=8, choices=Desired, default=Desired.RUNNING)
    generation = models.PositiveIntegerField(default=1, editable=False)
    stopped_for = models.CharField(max_length=12, choices=StoppedFor, blank=True, default="")
    observed_state = models.CharField(max_length=8, choices=Observed, default=Observed.ABSENT)
    observed_generation = models.PositiveIntegerField(default=0, editable=False)
    observed_digest = models.CharField(max_length=64, blank=True, editable=False)
    observed_at = models.DateTimeField(null=True, blank=True, editable=False)
    address = models.CharField(max_length=200, blank=True, editable=False)
    error = models.CharField(max_length=500, blank=True, editable=False)
    attempts = models.PositiveIntegerField(default=0, editable=False)
    next_attempt_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True, editable=False)
    restart_number = models.PositiveIntegerField(
        default=0, editable=False, help_text="Part of the specification, so that a restart is a drift."
    )

    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.CharField(max_length=150, blank=True, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    purge_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        abstract = True
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def key(self) -> str:
        """Its name at providers, in logs and in labels."""
        return f"{self.LETTER}-{self.public_id.hex[:16]}"

    @property
    def secrets_aad(self) -> bytes:
        """What binds the sealed secrets to this row."""
        return b"workspaces.instance:" + self.public_id.bytes

    @property
    def is_settled(self) -> bool:
        return self.generation == self.observed_generation

    @property
    def state(self) -> str:
        """One word for people: what is observed, or what is under way to what was asked for."""
        if self.observed_state == self.Observed.FAILED:
            return "failed"
        if self.deleted_at is not None:
            return "deleted"
        if not self.is_settled:
            return {"running": "starting", "stopped": "stopping"}.get(self.desired_state, "deleting")
        if self.observed_state == self.Observed.STOPPED and self.stopped_for == self.StoppedFor.IDLE:
            return "asleep"
        return str(self.observed_state)


def name_constraint(model: str) -> models.UniqueConstraint:
    """A name is unique in its tenant among what is not deleted."""
    return models.UniqueConstraint(
        fields=["tenant", "name"], condition=Q(deleted_at=None), name=f"{model}_name_in_tenant"
    )
