"""The actions of S3 (Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3").

Each is asked of a bucket or of an object, and stands for one of our permissions: who holds it by their role may do
it in the buckets of their own tenant.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Kind = Literal["bucket", "object"]

READ: Final = "storage.object.read"
WRITE: Final = "storage.object.write"
DELETE: Final = "storage.object.delete"
LOCK: Final = "storage.object.lock"
BUCKET_READ: Final = "storage.bucket.read"
BUCKET_WRITE: Final = "storage.bucket.write"
BUCKET_DELETE: Final = "storage.bucket.delete"


class Action(NamedTuple):
    name: str  # without `s3:`
    kind: Kind
    permission: str


_TABLE: Final[dict[tuple[Kind, str], str]] = {
    ("object", READ): """
        GetObject GetObjectVersion GetObjectAcl GetObjectVersionAcl GetObjectTagging GetObjectVersionTagging
        GetObjectAttributes GetObjectVersionAttributes GetObjectRetention GetObjectLegalHold GetObjectTorrent
        GetObjectVersionTorrent GetObjectVersionForReplication ListMultipartUploadParts
    """,
    ("object", WRITE): """
        PutObject PutObjectAcl PutObjectVersionAcl PutObjectTagging PutObjectVersionTagging DeleteObjectTagging
        DeleteObjectVersionTagging AbortMultipartUpload RestoreObject UpdateObjectEncryption
    """,
    ("object", DELETE): "DeleteObject DeleteObjectVersion ReplicateDelete",
    ("object", LOCK): "PutObjectRetention PutObjectLegalHold BypassGovernanceRetention",
    ("bucket", READ): "ListBucket ListBucketVersions ListBucketMultipartUploads",
    ("bucket", BUCKET_READ): """
        ListAllMyBuckets GetBucketLocation GetBucketVersioning GetBucketPolicy GetBucketPolicyStatus GetBucketCORS
        GetBucketTagging GetBucketAcl GetBucketOwnershipControls GetBucketPublicAccessBlock
        GetLifecycleConfiguration GetEncryptionConfiguration GetBucketNotification
        GetBucketObjectLockConfiguration GetBucketLogging GetBucketWebsite GetBucketRequestPayment
        GetAccelerateConfiguration GetReplicationConfiguration GetAnalyticsConfiguration
        GetInventoryConfiguration GetMetricsConfiguration GetIntelligentTieringConfiguration
        ListTagsForResource GetBucketAbac GetBucketMetadataTableConfiguration
    """,
    ("bucket", BUCKET_WRITE): """
        CreateBucket PutBucketVersioning PutBucketPolicy DeleteBucketPolicy PutBucketCORS PutBucketTagging
        PutBucketAcl PutBucketOwnershipControls PutBucketPublicAccessBlock PutLifecycleConfiguration
        PutEncryptionConfiguration PutBucketNotification PutBucketObjectLockConfiguration PutBucketLogging
        PutBucketWebsite DeleteBucketWebsite PutBucketRequestPayment PutAccelerateConfiguration
        PutReplicationConfiguration PutAnalyticsConfiguration PutInventoryConfiguration
        PutMetricsConfiguration PutIntelligentTieringConfiguration TagResource UntagResource PutBucketAbac
        CreateBucketMetadataTableConfiguration DeleteBucketMetadataTableConfiguration
        InitiateReplication
    """,
    ("bucket", BUCKET_DELETE): "DeleteBucket",
    ("object", BUCKET_WRITE): "ReplicateObject ReplicateTags ObjectOwnerOverrideToBucketOwner",
}  # fmt: skip

ACTIONS: Final[dict[str, Action]] = {
    name.lower(): Action(name, kind, permission)
    for (kind, permission), names in _TABLE.items()
    for name in names.split()
}


def known(name: str) -> Action | None:
    """The action of a name, in whatever case, with or without `s3:`."""
    return ACTIONS.get(name.lower().removeprefix("s3:"))


def kind_of(name: str) -> Kind:
    """What an action is asked of. Raises KeyError for what is none."""
    return ACTIONS[name.lower().removeprefix("s3:")].kind
