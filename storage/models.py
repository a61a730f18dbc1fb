"""Where objects may lie, the buckets that hold them, the keys that open them, and the index of what is there.

The rows of Object, ObjectVersion, Upload, UploadPart, WriteIntent, BlobGarbage, Usage and BucketUsage are written by
the SQL functions of `migrations/sql` alone: they are the data plane's, and every change there takes the tenant's usage
row first.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Self

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from gateway.db.models import PublicId, TenantQuerySet

if TYPE_CHECKING:
    from tenants.principal import Principal


BYTES = "C"  # the collation of keys: S3 lists them in the order of their bytes


class BackendQuerySet(models.QuerySet["Backend"]):
    def visible_to(self, principal: Principal) -> Self:
        """The tenant's own backends and those that the platform shares."""
        return self.filter(Q(tenant_id=principal.tenant.pk) | Q(tenant__isnull=True))


class Backend(PublicId):
    """A place for objects: our own store (`local`) or somebody's S3 (`s3`).

    Without a tenant it is the platform's and all tenants may place buckets there. The kinds are those that
    `storage.providers` knows, which is why no choices stand here.
    """

    class ChecksumMode(models.TextChoices):
        """Whether our own client adds the checksums that newer SDKs send by default; many vendors lack them."""

        WHEN_SUPPORTED = "when_supported"
        WHEN_REQUIRED = "when_required"

    tenant = models.ForeignKey(
        "tenants.Tenant",
        models.CASCADE,
        related_name="+",
        null=True,
        blank=True,
        help_text="Unset: shared by all.",
    )
    name = models.CharField(max_length=63)
    kind = models.CharField(max_length=16)
    is_default = models.BooleanField(default=False, help_text="Takes the buckets that name no backend.")
    endpoint = models.URLField(max_length=300, blank=True)
    region = models.CharField(max_length=64, blank=True)
    access_key = models.CharField(max_length=200, blank=True)
    secret_sealed = models.BinaryField(default=bytes, editable=False)
    path_style = models.BooleanField(default=True)
    checksum_mode = models.CharField(max_length=16, choices=ChecksumMode, default=ChecksumMode.WHEN_REQUIRED)
    vendor = models.CharField(
        max_length=32, blank=True, help_text="Whose S3 it is: what it lacks is known by this name."
    )
    ca_bundle = models.TextField(blank=True, help_text="PEM certificates to trust instead of the system's.")
    may_be_private = models.BooleanField(
        default=False,
        editable=False,
        help_text="Platform staff named its address: also a private one is dialled.",
    )
    capabilities = models.JSONField(default=dict, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    checked_at = models.DateTimeField(null=True, blank=True, editable=False)
    check_error = models.CharField(max_length=500, blank=True, editable=False)

    objects = BackendQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="backend_name", nulls_distinct=False),
            models.UniqueConstraint(
                fields=["tenant"],
                condition=Q(is_default=True),
                name="backend_one_default",
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def secret_aad(self) -> bytes:
        """What binds the sealed secret to this row."""
        return b"storage.backend:" + self.public_id.bytes


class Bucket(PublicId):
    """A named set of objects. Names are unique within the tenant; where the bytes lie is its placement's affair.

    `public_name` is the name again once the policy opens the bucket to others than its tenant: such names are
    unique platform-wide, so that a stranger's request can only mean one bucket.
    """

    class Versioning(models.TextChoices):
        """Once enabled it can be suspended, never undone."""

        UNVERSIONED = "", "Unversioned"
        ENABLED = "Enabled"
        SUSPENDED = "Suspended"

    tenant = models.ForeignKey("tenants.Tenant", models.CASCADE, related_name="+")
    name = models.CharField(max_length=63)
    public_name = models.CharField(max_length=63, null=True, blank=True, unique=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.CharField(max_length=150, blank=True)
    versioning = models.CharField(
        max_length=9, choices=Versioning, blank=True, default=Versioning.UNVERSIONED
    )
    object_lock = models.BooleanField(default=False, help_text="Versions may be locked; never undone.")
    default_retention = models.JSONField(
        null=True, blank=True, help_text='{"mode": "GOVERNANCE" or "COMPLIANCE", "days" or "years": N}'
    )
    encryption = models.CharField(
        max_length=16, blank=True, help_text="AES256: objects are sealed unless they ask otherwise."
    )
    policy = models.TextField(blank=True, help_text="The bucket policy as it was put, JSON.")
    public_access_block = models.JSONField(null=True, blank=True, help_text="S3's four flags; unset: none.")
    cors = models.JSONField(default=list, blank=True)
    tags = models.JSONField(default=dict, blank=True)
    lifecycle = models.JSONField(default=list, blank=True)
    lifecycle_at = models.DateTimeField(
        null=True, editable=False, help_text="When the rules were last applied."
    )
    notifications = models.JSONField(default=dict, blank=True)
    quota_bytes = models.BigIntegerField(null=True, blank=True, validators=[MinValueValidator(0)])
    quota_objects = models.BigIntegerField(null=True, blank=True, validators=[MinValueValidator(0)])

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="bucket_name_in_tenant")]

    def __str__(self) -> str:
        return self.name


class PlacementQuerySet(TenantQuerySet):
    def drifted(self) -> Self:
        """Whose bucket on the backend is not yet what was asked for."""
        return self.exclude(desired_state=F("observed_state"))


class Placement(models.Model):
    """A bucket's place on a backend: what was asked for, and what was last seen there.

    `backend_bucket` is the real name on a remote backend. A placement outlives its bucket until the backend's
    bucket is gone too. One per bucket for now; replicas will be further ones.
    """

    class State(models.TextChoices):
        PRESENT = "present"
        ABSENT = "absent"

    tenant = models.ForeignKey("tenants.Tenant", models.CASCADE, related_name="+")
    bucket = models.OneToOneField(
        Bucket, models.SET_NULL, null=True, related_name="placement", db_constraint=False
    )
    backend = models.ForeignKey(Backend, models.PROTECT, related_name="placements")
    backend_bucket = models.CharField(max_length=63)
    desired_state = models.CharField(max_length=8, choices=State, default=State.PRESENT)
    observed_state = models.CharField(max_length=8, choices=State, default=State.ABSENT)
    attempts = models.IntegerField(default=0)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    error = models.CharField(max_length=500, blank=True)
    scanned_at = models.DateTimeField(
        null=True, editable=False, help_text="When the backend was last read through."
    )
    scan_after = models.TextField(blank=True, default="", db_collation=BYTES, editable=False)

    objects = PlacementQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["backend", "backend_bucket"], name="placement_backend_bucket")
        ]

    def __str__(self) -> str:
        return f"{self.backend_bucket} on {self.backend}"

    @property
    def is_settled(self) -> bool:
        return self.desired_state == self.observed_state


class AccessKey(PublicId):
    """An S3 access key: it acts as its user in its tenant. The secret is sealed, since SigV4 needs it in clear."""

    tenant = models.ForeignKey("tenants.Tenant", models.CASCADE, related_name="+")
    user = models.ForeignKey("tenants.User", models.CASCADE, related_name="+")
    name = models.CharField(max_length=100)
    access_key_id = models.CharField(max_length=20, unique=True)
    secret_sealed = models.BinaryField(editable=False)
    permissions = ArrayField(
        models.CharField(max_length=64),
        null=True,
        blank=True,
        help_text="Unset: all that the owner's role holds. Never more than that.",
    )
    buckets = ArrayField(
        models.CharField(max_length=63), null=True, blank=True, help_text="Unset: every bucket of the tenant."
    )
    prefixes = ArrayField(
        models.TextField(),
        null=True,
        blank=True,
        help_text="Beginnings of keys it may use; unset: every key.",
    )
    actions = ArrayField(
        models.CharField(max_length=64),
        null=True,
        blank=True,
        help_text="S3's actions that it may do, s3:Get* for instance; unset: all.",
    )
    allowed_networks = ArrayField(
        models.CharField(max_length=64), default=list, blank=True, help_text="CIDR; empty: from everywhere."
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    is_internal = models.BooleanField(
        default=False, editable=False, help_text="Signs the links that the platform hands out."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} ({self.access_key_id})"

    @property
    def secret_aad(self) -> bytes:
        """What binds the sealed secret to this row."""
        return access_key_aad(self.access_key_id)


def access_key_aad(access_key_id: str) -> bytes:
    return b"storage.accesskey:" + access_key_id.encode()


class StoredObject(models.Model):
    """What is kept of one version of an object.

    Its bytes are `inline`, in the local blob, or (neither) on the bucket's backend. `version_id` is `null` for what was
    written while versions were not kept; `version_seq` orders the versions of a key, the newest has the highest.
    `lock` is {"mode", "until" (ISO 8601), "hold"}, what is not set left out. `sse` says how the bytes are sealed
    (storage.store.sealed), `parts` of how many parts the object was made: [{"size", "checksums"}].
    """

    tenant = models.ForeignKey(
        "tenants.Tenant", models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    # The composite key (tenant, bucket) of the migration is the one constraint: each one more costs every PUT.
    bucket = models.ForeignKey(Bucket, models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    key = models.TextField(db_collation=BYTES)
    version_id = models.TextField(db_default="null")
    version_seq = models.BigIntegerField(db_default=0)
    size = models.BigIntegerField()
    etag = models.CharField(max_length=80)
    content_type = models.TextField()
    metadata = models.JSONField(default=dict)
    headers = models.JSONField(default=dict)
    checksums = models.JSONField(default=dict)
    tags = models.JSONField(default=dict, db_default={})
    lock = models.JSONField(default=dict, db_default={})
    sse = models.JSONField(null=True)
    parts = models.JSONField(null=True)
    last_modified = models.DateTimeField()
    writer = models.CharField(max_length=150)
    blob = models.CharField(max_length=40, null=True)  # noqa: DJ001 - null is "not in a file"
    inline = models.BinaryField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.key


class Object(StoredObject):
    """An object of a bucket as it is now: its newest version, where that is no delete marker."""

    class Meta:
        ordering = ["key"]
        constraints = [
            # The bucket stands for the tenant: the composite key ties the two.
            models.UniqueConstraint(fields=["bucket", "key"], name="object_key_in_bucket"),
            models.UniqueConstraint(
                fields=["blob"], condition=Q(blob__isnull=False), name="object_owns_blob"
            ),
        ]


class ObjectVersion(StoredObject):
    """A version that is not the current object: an older one, or a delete marker (also the newest)."""

    is_delete_marker = models.BooleanField(default=False)
    noncurrent_since = models.DateTimeField(null=True)

    class Meta:
        ordering = ["key", "-version_seq"]
        constraints = [
            models.UniqueConstraint(fields=["bucket", "key", "version_id"], name="version_id_of_key"),
            models.UniqueConstraint(
                fields=["blob"], condition=Q(blob__isnull=False), name="version_owns_blob"
            ),
        ]
        indexes = [models.Index(fields=["bucket", "key", "-version_seq"], name="versions_in_order")]


class Usage(models.Model):
    """What a tenant stores, exact at every commit. Its row is the lock that orders the tenant's writes."""

    tenant = models.OneToOneField("tenants.Tenant", models.CASCADE, primary_key=True, related_name="+")
    bytes = models.BigIntegerField(default=0)
    objects_count = models.BigIntegerField(default=0)
    upload_bytes = models.BigIntegerField(default=0, help_text="In parts of uploads that are not complete.")

    objects = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return f"Usage of {self.tenant_id}"


class BucketUsage(models.Model):
    """What a bucket holds, exact at every commit: versions that are not current count too, delete markers do not."""

    bucket = models.OneToOneField(
        Bucket, models.CASCADE, primary_key=True, related_name="usage", db_constraint=False
    )
    tenant = models.ForeignKey("tenants.Tenant", models.CASCADE, related_name="+", db_constraint=False)
    bytes = models.BigIntegerField(default=0)
    objects_count = models.BigIntegerField(default=0)
    upload_bytes = models.BigIntegerField(default=0)

    objects = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return f"Usage of bucket {self.bucket_id}"


class UsageSample(models.Model):
    """A bucket's usage as it was at a moment, for charts."""

    tenant = models.ForeignKey("tenants.Tenant", models.CASCADE, related_name="+", db_constraint=False)
    bucket = models.ForeignKey(Bucket, models.CASCADE, related_name="+", db_constraint=False, db_index=False)
    at = models.DateTimeField()
    bytes = models.BigIntegerField()
    objects_count = models.BigIntegerField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ["at"]
        constraints = [models.UniqueConstraint(fields=["bucket", "at"], name="usage_sample_once")]

    def __str__(self) -> str:
        return f"{self.bucket_id} at {self.at}"


class Upload(models.Model):
    """A multipart upload under way. `remote_id` is the backend's id for it, where the bucket is remote."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey("tenants.Tenant", models.CASCADE, related_name="+")
    bucket = models.ForeignKey(
        Bucket, models.CASCADE, related_name="uploads", db_constraint=False, db_index=False
    )
    key = models.TextField(db_collation=BYTES)
    content_type = models.TextField()
    metadata = models.JSONField(default=dict)
    headers = models.JSONField(default=dict)
    initiated_at = models.DateTimeField()
    tags = models.JSONField(default=dict, db_default={})
    lock = models.JSONField(default=dict, db_default={})
    sse = models.JSONField(null=True)
    writer = models.CharField(max_length=150)
    remote_id = models.TextField(blank=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["bucket", "key", "id"], name="upload_in_order")]

    def __str__(self) -> str:
        return f"{self.key} ({self.id})"


class UploadPart(models.Model):
    """A part of an upload, in a file of its own."""

    tenant = models.ForeignKey(
        "tenants.Tenant", models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    upload = models.ForeignKey(
        Upload, models.CASCADE, related_name="parts", db_constraint=False, db_index=False
    )
    number = models.IntegerField(validators=[MinValueValidator(1), MaxValueValidator(10_000)])
    size = models.BigIntegerField()
    etag = models.CharField(max_length=80)
    checksums = models.JSONField(default=dict)
    sse = models.JSONField(null=True)
    last_modified = models.DateTimeField()
    blob = models.CharField(max_length=40, null=True)  # noqa: DJ001 - null is "on the backend"

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["upload", "number"], name="part_number_in_upload"),
            models.UniqueConstraint(fields=["blob"], condition=Q(blob__isnull=False), name="part_owns_blob"),
        ]

    def __str__(self) -> str:
        return f"part {self.number} of {self.upload_id}"


class WriteIntent(models.Model):
    """A write to a remote backend that was forwarded: the answer commits it, or the sweeper finds out.

    `verify` is left by writes of one key that overlapped: whose bytes won, the backend alone knows.
    """

    class Kind(models.TextChoices):
        PUT = "put"
        DELETE = "delete"
        VERIFY = "verify"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey("tenants.Tenant", models.CASCADE, related_name="+")
    bucket = models.ForeignKey(Bucket, models.CASCADE, related_name="+", db_constraint=False)
    key = models.TextField(db_collation=BYTES)
    kind = models.CharField(max_length=6, choices=Kind)
    size = models.BigIntegerField(default=0)
    content_type = models.TextField(blank=True)
    metadata = models.JSONField(default=dict)
    headers = models.JSONField(default=dict)
    checksums = models.JSONField(default=dict)
    tags = models.JSONField(default=dict, db_default={})
    lock = models.JSONField(default=dict, db_default={})
    sse = models.JSONField(null=True)
    parts = models.JSONField(null=True)
    version_id = models.TextField(
        blank=True, db_default="", help_text="Of a delete: the one version that goes."
    )
    writer = models.CharField(max_length=150)
    began_at = models.DateTimeField(default=timezone.now)
    next_check_at = models.DateTimeField(default=timezone.now, db_index=True)
    contested = models.BooleanField(
        default=False, help_text="Another write of the key was committed meanwhile."
    )

    objects = TenantQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["bucket", "key"], name="intent_key")]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class BlobGarbage(models.Model):
    """A blob that no row needs any more. Its file goes once the reads that began before are over."""

    tenant = models.ForeignKey("tenants.Tenant", models.CASCADE, related_name="+", db_constraint=False)
    blob = models.CharField(max_length=40)
    due_at = models.DateTimeField(db_index=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "blob garbage"

    def __str__(self) -> str:
        return str(self.blob)
