"""Which of S3's actions an operation asks for (S3 user guide, "Required permissions for Amazon S3 API operations")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from storage.policy.actions import ACTIONS
from storage.s3.operation import Operation as Op

# Of operations on an object the second is for one of its versions, where that is an action of its own.
_ACTIONS: Final[Mapping[Op, tuple[str, ...]]] = {
    Op.LIST_BUCKETS: ("ListAllMyBuckets",),
    Op.CREATE_BUCKET: ("CreateBucket",),
    Op.HEAD_BUCKET: ("ListBucket",),
    Op.DELETE_BUCKET: ("DeleteBucket",),
    Op.GET_BUCKET_LOCATION: ("GetBucketLocation",),
    Op.GET_BUCKET_VERSIONING: ("GetBucketVersioning",),
    Op.PUT_BUCKET_VERSIONING: ("PutBucketVersioning",),
    Op.GET_BUCKET_ACL: ("GetBucketAcl",),
    Op.PUT_BUCKET_ACL: ("PutBucketAcl",),
    Op.GET_BUCKET_POLICY: ("GetBucketPolicy",),
    Op.PUT_BUCKET_POLICY: ("PutBucketPolicy",),
    Op.DELETE_BUCKET_POLICY: ("DeleteBucketPolicy",),
    Op.GET_BUCKET_POLICY_STATUS: ("GetBucketPolicyStatus",),
    Op.GET_BUCKET_CORS: ("GetBucketCORS",),
    Op.PUT_BUCKET_CORS: ("PutBucketCORS",),
    Op.DELETE_BUCKET_CORS: ("PutBucketCORS",),
    Op.GET_BUCKET_TAGGING: ("GetBucketTagging",),
    Op.PUT_BUCKET_TAGGING: ("PutBucketTagging",),
    Op.DELETE_BUCKET_TAGGING: ("PutBucketTagging",),
    Op.GET_BUCKET_LIFECYCLE_CONFIGURATION: ("GetLifecycleConfiguration",),
    Op.PUT_BUCKET_LIFECYCLE_CONFIGURATION: ("PutLifecycleConfiguration",),
    Op.DELETE_BUCKET_LIFECYCLE: ("PutLifecycleConfiguration",),
    Op.GET_PUBLIC_ACCESS_BLOCK: ("GetBucketPublicAccessBlock",),
    Op.PUT_PUBLIC_ACCESS_BLOCK: ("PutBucketPublicAccessBlock",),
    Op.DELETE_PUBLIC_ACCESS_BLOCK: ("PutBucketPublicAccessBlock",),
    Op.GET_BUCKET_OWNERSHIP_CONTROLS: ("GetBucketOwnershipControls",),
    Op.PUT_BUCKET_OWNERSHIP_CONTROLS: ("PutBucketOwnershipControls",),
    Op.DELETE_BUCKET_OWNERSHIP_CONTROLS: ("PutBucketOwnershipControls",),
    Op.GET_BUCKET_ENCRYPTION: ("GetEncryptionConfiguration",),
    Op.PUT_BUCKET_ENCRYPTION: ("PutEncryptionConfiguration",),
    Op.DELETE_BUCKET_ENCRYPTION: ("PutEncryptionConfiguration",),
    Op.GET_BUCKET_NOTIFICATION_CONFIGURATION: ("GetBucketNotification",),
    Op.PUT_BUCKET_NOTIFICATION_CONFIGURATION: ("PutBucketNotification",),
    Op.GET_OBJECT_LOCK_CONFIGURATION: ("GetBucketObjectLockConfiguration",),
    Op.PUT_OBJECT_LOCK_CONFIGURATION: ("PutBucketObjectLockConfiguration",),
    Op.GET_BUCKET_LOGGING: ("GetBucketLogging",),
    Op.GET_BUCKET_REQUEST_PAYMENT: ("GetBucketRequestPayment",),
    Op.GET_BUCKET_ACCELERATE_CONFIGURATION: ("GetAccelerateConfiguration",),
    Op.GET_BUCKET_WEBSITE: ("GetBucketWebsite",),
    Op.GET_BUCKET_REPLICATION: ("GetReplicationConfiguration",),
    Op.LIST_OBJECTS: ("ListBucket",),
    Op.LIST_OBJECTS_V2: ("ListBucket",),
    Op.LIST_OBJECT_VERSIONS: ("ListBucketVersions",),
    Op.LIST_MULTIPART_UPLOADS: ("ListBucketMultipartUploads",),
    Op.POST_OBJECT: ("PutObject",),
    Op.GET_OBJECT: ("GetObject", "GetObjectVersion"),
    Op.HEAD_OBJECT: ("GetObject", "GetObjectVersion"),
    Op.PUT_OBJECT: ("PutObject",),
    Op.COPY_OBJECT: ("PutObject",),
    Op.DELETE_OBJECT: ("DeleteObject", "DeleteObjectVersion"),
    Op.GET_OBJECT_ACL: ("GetObjectAcl", "GetObjectVersionAcl"),
    Op.PUT_OBJECT_ACL: ("PutObjectAcl", "PutObjectVersionAcl"),
    Op.GET_OBJECT_TAGGING: ("GetObjectTagging", "GetObjectVersionTagging"),
    Op.PUT_OBJECT_TAGGING: ("PutObjectTagging", "PutObjectVersionTagging"),
    Op.DELETE_OBJECT_TAGGING: ("DeleteObjectTagging", "DeleteObjectVersionTagging"),
    Op.GET_OBJECT_RETENTION: ("GetObjectRetention",),
    Op.PUT_OBJECT_RETENTION: ("PutObjectRetention",),
    Op.GET_OBJECT_LEGAL_HOLD: ("GetObjectLegalHold",),
    Op.PUT_OBJECT_LEGAL_HOLD: ("PutObjectLegalHold",),
    Op.GET_OBJECT_ATTRIBUTES: ("GetObjectAttributes", "GetObjectVersionAttributes"),
    Op.CREATE_MULTIPART_UPLOAD: ("PutObject",),
    Op.UPLOAD_PART: ("PutObject",),
    Op.UPLOAD_PART_COPY: ("PutObject",),
    Op.COMPLETE_MULTIPART_UPLOAD: ("PutObject",),
    Op.ABORT_MULTIPART_UPLOAD: ("AbortMultipartUpload",),
    Op.LIST_PARTS: ("ListMultipartUploadParts",),
}
BYPASS: Final = "x-amz-bypass-governance-retention"
# A header that asks for more than the operation alone.
_BY_HEADER: Final = {
    "x-amz-tagging": "PutObjectTagging",
    "x-amz-object-lock-mode": "PutObjectRetention",
    "x-amz-object-lock-retain-until-date": "PutObjectRetention",
    "x-amz-object-lock-legal-hold": "PutObjectLegalHold",
}
_WRITES: Final = frozenset({Op.PUT_OBJECT, Op.COPY_OBJECT, Op.CREATE_MULTIPART_UPLOAD, Op.POST_OBJECT})
_BYPASSES: Final = frozenset({Op.DELETE_OBJECT, Op.PUT_OBJECT_RETENTION})
# Conditions whose outcome tells more of an object than that it is there, with what they are when they do not
# (S3 user guide, "Enforce conditional writes", "Enforce conditional deletes").
_IF_MATCH: Final = {"if-match": "*"}
_COMPARES: Final[Mapping[Op, Mapping[str, str | None]]] = {
    Op.PUT_OBJECT: _IF_MATCH | {"if-none-match": "*"},
    Op.COPY_OBJECT: _IF_MATCH | {"if-none-match": "*"},
    Op.COMPLETE_MULTIPART_UPLOAD: _IF_MATCH | {"if-none-match": "*"},
    Op.DELETE_OBJECT: {**_IF_MATCH, "x-amz-if-match-size": None, "x-amz-if-match-last-modified-time": None},
}
READS: Final = frozenset({"s3:getobject", "s3:getobjectversion"})


def actions_of(operation: Op, query: Mapping[str, str], headers: Mapping[str, str]) -> tuple[str, ...]:
    """All actions that the request's caller must be allowed, of the bucket or key that it names.

    Empty for DeleteObjects, which asks for each of its keys. Raises KeyError for a preflight, which asks for nothing.
    """
    if operation is Op.DELETE_OBJECTS:
        return ()
    both = _NAMED[operation]
    found = both[1:] if len(both) > 1 and "versionId" in query else both[:1]
    if operation is Op.GET_OBJECT_ATTRIBUTES:
        found += (read_action(query.get("versionId", "")),)
    if operation in _WRITES:
        for name, action in _BY_HEADER.items():
            if name in headers and f"s3:{action}" not in found:
                found += (f"s3:{action}",)
    elif operation in _BYPASSES and is_bypassing(headers):
        found += ("s3:BypassGovernanceRetention",)
    if _compares(operation, headers):
        found += (read_action(query.get("versionId", "")),)
    return found


def read_action(version_id: str) -> str:
    """What reading an object, or one version of it, asks for; and so does whatever compares with it."""
    return "s3:GetObjectVersion" if version_id else "s3:GetObject"


def _compares(operation: Op, headers: Mapping[str, str]) -> bool:
    harmless = _COMPARES.get(operation, {})
    return any(name in headers and headers[name].strip().strip('"') != harmless[name] for name in harmless)


def is_bypassing(headers: Mapping[str, str]) -> bool:
    """Whether a request means to overrule governance mode."""
    return headers.get(BYPASS, "").strip().lower() == "true"


_NAMED: Final = {operation: tuple(f"s3:{name}" for name in names) for operation, names in _ACTIONS.items()}
PERMISSIONS: Final = {f"s3:{action.name}": action.permission for action in ACTIONS.values()}
"""Our permission that each action stands for."""
