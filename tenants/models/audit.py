"""What was done, and by whom; and the seals by which it is shown that nothing of it was changed."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from gateway.db.models import PublicId, TenantQuerySet

from .tenants import Tenant


class AuditEntry(PublicId):
    """What was done, by whom, with which credential and from where. The database refuses to change or delete it.

    Within a tenant nothing is asked for by pattern: row policies let only leakproof comparisons use an index, so a
    prefix is a range of texts, which the collation C keeps in the order of their characters.
    """

    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="audit_entries", db_index=False)
    at = models.DateTimeField(default=timezone.now, db_index=True)
    # No foreign key: the entry outlives the user.
    actor_id = models.BigIntegerField(null=True)
    actor = models.CharField(max_length=150)
    credential = models.CharField(max_length=80, db_collation="C")
    ip = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=64)
    action = models.CharField(max_length=100, db_collation="C")
    target = models.CharField(max_length=300, db_collation="C")
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["tenant", "-id"], name="audit_newest"),
            models.Index(fields=["tenant", "at"], name="audit_at"),
            models.Index(fields=["tenant", "actor", "-id"], name="audit_actor"),
            models.Index(fields=["tenant", "action", "-id"], name="audit_action"),
            models.Index(fields=["tenant", "target", "-id"], name="audit_target"),
            models.Index(fields=["tenant", "credential", "-id"], name="audit_credential"),
            models.Index(fields=["tenant", "ip", "-id"], name="audit_ip"),
            models.Index(fields=["tenant", "request_id"], name="audit_request"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.target}"


class UnsealedEntry(models.Model):
    """An entry that waits to be sealed. A trigger writes it with the entry, the sealer takes it away.

    So an entry whose transaction commits late waits like any other, whatever ids were sealed meanwhile.
    """

    entry = models.OneToOneField(
        AuditEntry, models.DO_NOTHING, primary_key=True, db_constraint=False, related_name="unsealed"
    )
    tenant = models.ForeignKey(
        Tenant, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )

    objects = TenantQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "unsealed entries"
        indexes = [models.Index(fields=["tenant", "entry"], name="unsealed_in_order")]


class AuditSeal(models.Model):
    """A link of a tenant's chain: the digests of a batch of entries, and the hash of the link before it.

    What each hash is made of: `tenants.services.audit.chain` and docs/audit.md. `digests` holds 32 bytes for each
    of `entry_ids`, in their order. Entries of seals below `kept_from` were dropped when their time was over.
    """

    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="audit_seals", db_index=False)
    number = models.PositiveBigIntegerField()
    first_entry = models.BigIntegerField(null=True)
    last_entry = models.BigIntegerField(null=True)
    count = models.PositiveIntegerField()
    entry_ids = ArrayField(models.BigIntegerField())
    digests = models.BinaryField()
    root = models.CharField(max_length=64)
    previous = models.CharField(max_length=64, help_text="The hash of the seal before, empty for the first.")
    kept_from = models.PositiveBigIntegerField(help_text="The first seal whose entries were still kept.")
    drained = models.BooleanField(help_text="Whether no entry was left waiting.")
    sealed_at = models.DateTimeField()
    hash = models.CharField(max_length=64)
    mac = models.CharField(max_length=64, help_text="Keyed with a key that the database does not hold.")
    mac_key = models.CharField(max_length=64, help_text="Which of GATEHOUSE_ENCRYPTION_KEYS it is.")

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["tenant", "number"], name="seal_number_in_tenant")]

    def __str__(self) -> str:
        return f"Seal {self.number}"
