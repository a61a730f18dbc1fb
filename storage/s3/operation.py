"""What a request asks for: its operation, from its method, target, query and headers."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from storage.s3.errors import S3Error
from storage.s3.target import Target


class Operation(StrEnum):
    """S3's own names, as its documentation and access logs have them."""

    LIST_BUCKETS = "ListBuckets"
    CREATE_BUCKET = "CreateBucket"
    HEAD_BUCKET = "HeadBucket"
    DELETE_BUCKET = "DeleteBucket"
    GET_BUCKET_LOCATION = "GetBucketLocation"
    GET_BUCKET_VERSIONING = "GetBucketVersioning"
    PUT_BUCKET_VERSIONING = "PutBucketVersioning"
    GET_BUCKET_ACL = "GetBucketAcl"
    PUT_BUCKET_ACL = "PutBucketAcl"
    GET_BUCKET_POLICY = "GetBucketPolicy"
    PUT_BUCKET_POLICY = "PutBucketPolicy"
    DELETE_BUCKET_POLICY = "DeleteBucketPolicy"
    GET_BUCKET_POLICY_STATUS = "GetBucketPolicyStatus"
    GET_BUCKET_CORS = "GetBucketCors"
    PUT_BUCKET_CORS = "PutBucketCors"
    DELETE_BUCKET_CORS = "DeleteBucketCors"
    GET_BUCKET_TAGGING = "GetBucketTagging"
    PUT_BUCKET_TAGGING = "PutBucketTagging"
    DELETE_BUCKET_TAGGING = "DeleteBucketTagging"
    GET_BUCKET_LIFECYCLE_CONFIGURATION = "GetBucketLifecycleConfiguration"
    PUT_BUCKET_LIFECYCLE_CONFIGURATION = "PutBucketLifecycleConfiguration"
    DELETE_BUCKET_LIFECYCLE = "DeleteBucketLifecycle"
    GET_PUBLIC_ACCESS_BLOCK = "GetPublicAccessBlock"
    PUT_PUBLIC_ACCESS_BLOCK = "PutPublicAccessBlock"
    DELETE_PUBLIC_ACCESS_BLOCK = "DeletePublicAccessBlock"
    GET_BUCKET_OWNERSHIP_CONTROLS = "GetBucketOwnershipControls"
    PUT_BUCKET_OWNERSHIP_CONTROLS = "PutBucketOwnershipControls"
    DELETE_BUCKET_OWNERSHIP_CONTROLS = "DeleteBucketOwnershipControls"
    GET_BUCKET_ENCRYPTION = "GetBucketEncryption"
    PUT_BUCKET_ENCRYPTION = "PutBucketEncryption"
    DELETE_BUCKET_ENCRYPTION = "DeleteBucketEncryption"
    GET_BUCKET_NOTIFICATION_CONFIGURATION = "GetBucketNotificationConfiguration"
    PUT_BUCKET_NOTIFICATION_CONFIGURATION = "PutBucketNotificationConfiguration"
    GET_OBJECT_LOCK_CONFIGURATION = "GetObjectLockConfiguration"
    PUT_OBJECT_LOCK_CONFIGURATION = "PutObjectLockConfiguration"
    GET_BUCKET_LOGGING = "GetBucketLogging"
    GET_BUCKET_REQUEST_PAYMENT = "GetBucketRequestPayment"
    GET_BUCKET_ACCELERATE_CONFIGURATION = "GetBucketAccelerateConfiguration"
    GET_BUCKET_WEBSITE = "GetBucketWebsite"
    GET_BUCKET_REPLICATION = "GetBucketReplication"
    LIST_OBJECTS = "ListObjects"
    LIST_OBJECTS_V2 = "ListObjectsV2"
    LIST_OBJECT_VERSIONS = "ListObjectVersions"
    DELETE_OBJECTS = "DeleteObjects"
    LIST_MULTIPART_UPLOADS = "ListMultipartUploads"
    POST_OBJECT = "PostObject"
    GET_OBJECT = "GetObject"
    HEAD_OBJECT = "HeadObject"
    PUT_OBJECT = "PutObject"
    COPY_OBJECT = "CopyObject"
    DELETE_OBJECT = "DeleteObject"
    GET_OBJECT_ACL = "GetObjectAcl"
    PUT_OBJECT_ACL = "PutObjectAcl"
    GET_OBJECT_TAGGING = "GetObjectTagging"
    PUT_OBJECT_TAGGING = "PutObjectTagging"
    DELETE_OBJECT_TAGGING = "DeleteObjectTagging"
    GET_OBJECT_RETENTION = "GetObjectRetention"
    PUT_OBJECT_RETENTION = "PutObjectRetention"
    GET_OBJECT_LEGAL_HOLD = "GetObjectLegalHold"
    PUT_OBJECT_LEGAL_HOLD = "PutObjectLegalHold"
    GET_OBJECT_ATTRIBUTES = "GetObjectAttributes"
    CREATE_MULTIPART_UPLOAD = "CreateMultipartUpload"
    UPLOAD_PART = "UploadPart"
    UPLOAD_PART_COPY = "UploadPartCopy"
    COMPLETE_MULTIPART_UPLOAD = "CompleteMultipartUpload"
    ABORT_MULTIPART_UPLOAD = "AbortMultipartUpload"
    LIST_PARTS = "ListParts"
    PREFLIGHT = "OPTIONS"


READ: Final = "storage.object.read"
WRITE: Final = "storage.object.write"
DELETE: Final = "storage.object.delete"
BUCKET_READ: Final = "storage.bucket.read"
BUCKET_WRITE: Final = "storage.bucket.write"
BUCKET_DELETE: Final = "storage.bucket.delete"

PERMISSIONS: Final[Mapping[Operation, str]] = {
    Operation.LIST_BUCKETS: BUCKET_READ,
    Operation.CREATE_BUCKET: BUCKET_WRITE,
    Operation.HEAD_BUCKET: BUCKET_READ,
    Operation.DELETE_BUCKET: BUCKET_DELETE,
    Operation.GET_BUCKET_LOCATION: BUCKET_READ,
    Operation.GET_BUCKET_VERSIONING: BUCKET_READ,
    Operation.PUT_BUCKET_VERSIONING: BUCKET_WRITE,
    Operation.GET_BUCKET_ACL: BUCKET_READ,
    Operation.PUT_BUCKET_ACL: BUCKET_WRITE,
    Operation.GET_BUCKET_POLICY: BUCKET_READ,
    Operation.PUT_BUCKET_POLICY: BUCKET_WRITE,
    Operation.DELETE_BUCKET_POLICY: BUCKET_WRITE,
    Operation.GET_BUCKET_POLICY_STATUS: BUCKET_READ,
    Operation.GET_BUCKET_CORS: BUCKET_READ,
    Operation.PUT_BUCKET_CORS: BUCKET_WRITE,
    Operation.DELETE_BUCKET_CORS: BUCKET_WRITE,
    Operation.GET_BUCKET_TAGGING: BUCKET_READ,
    Operation.PUT_BUCKET_TAGGING: BUCKET_WRITE,
    Operation.DELETE_BUCKET_TAGGING: BUCKET_WRITE,
    Operation.GET_BUCKET_LIFECYCLE_CONFIGURATION: BUCKET_READ,
    Operation.PUT_BUCKET_LIFECYCLE_CONFIGURATION: BUCKET_WRITE,
    Operation.DELETE_BUCKET_LIFECYCLE: BUCKET_WRITE,
    Operation.GET_PUBLIC_ACCESS_BLOCK: BUCKET_READ,
    Operation.PUT_PUBLIC_ACCESS_BLOCK: BUCKET_WRITE,
    Operation.DELETE_PUBLIC_ACCESS_BLOCK: BUCKET_WRITE,
    Operation.GET_BUCKET_OWNERSHIP_CONTROLS: BUCKET_READ,
    Operation.PUT_BUCKET_OWNERSHIP_CONTROLS: BUCKET_WRITE,
    Operation.DELETE_BUCKET_OWNERSHIP_CONTROLS: BUCKET_WRITE,
    Operation.GET_BUCKET_ENCRYPTION: BUCKET_READ,
    Operation.PUT_BUCKET_ENCRYPTION: BUCKET_WRITE,
    Operation.DELETE_BUCKET_ENCRYPTION: BUCKET_WRITE,
    Operation.GET_BUCKET_NOTIFICATION_CONFIGURATION: BUCKET_READ,
    Operation.PUT_BUCKET_NOTIFICATION_CONFIGURATION: BUCKET_WRITE,
    Operation.GET_OBJECT_LOCK_CONFIGURATION: BUCKET_READ,
    Operation.PUT_OBJECT_LOCK_CONFIGURATION: BUCKET_WRITE,
    Operation.GET_BUCKET_LOGGING: BUCKET_READ,
    Operation.GET_BUCKET_REQUEST_PAYMENT: BUCKET_READ,
    Operation.GET_BUCKET_ACCELERATE_CONFIGURATION: BUCKET_READ,
    Operation.GET_BUCKET_WEBSITE: BUCKET_READ,
    Operation.GET_BUCKET_REPLICATION: BUCKET_READ,
    Operation.LIST_OBJECTS: READ,
    Operation.LIST_OBJECTS_V2: READ,
    Operation.LIST_OBJECT_VERSIONS: READ,
    Operation.DELETE_OBJECTS: DELETE,
    Operation.LIST_MULTIPART_UPLOADS: READ,
    Operation.POST_OBJECT: WRITE,
    Operation.GET_OBJECT: READ,
    Operation.HEAD_OBJECT: READ,
    Operation.PUT_OBJECT: WRITE,
    Operation.COPY_OBJECT: WRITE,
    Operation.DELETE_OBJECT: DELETE,
    Operation.GET_OBJECT_ACL: READ,
    Operation.PUT_OBJECT_ACL: WRITE,
    Operation.GET_OBJECT_TAGGING: READ,
    Operation.PUT_OBJECT_TAGGING: WRITE,
    Operation.DELETE_OBJECT_TAGGING: WRITE,
    Operation.GET_OBJECT_RETENTION: READ,
    Operation.PUT_OBJECT_RETENTION: WRITE,
    Operation.GET_OBJECT_LEGAL_HOLD: READ,
    Operation.PUT_OBJECT_LEGAL_HOLD: WRITE,
    Operation.GET_OBJECT_ATTRIBUTES: READ,
    Operation.CREATE_MULTIPART_UPLOAD: WRITE,
    Operation.UPLOAD_PART: WRITE,
    Operation.UPLOAD_PART_COPY: WRITE,
    Operation.COMPLETE_MULTIPART_UPLOAD: WRITE,
    Operation.ABORT_MULTIPART_UPLOAD: WRITE,
    Operation.LIST_PARTS: READ,
}

# Query parameters that turn a request into another one. Any other parameter is ignored, as S3 does.
SUBRESOURCES: Final = frozenset(
    """
    abac accelerate acl analytics annotation attributes cors delete encryption intelligent-tiering
    inventory legal-hold lifecycle list-type location logging metadataAnnotationTable
    metadataConfiguration metadataInventoryTable metadataJournalTable metadataTable metrics
    notification object-lock ownershipControls policy policyStatus publicAccessBlock renameObject
    replication requestPayment restore retention select session tagging torrent uploadId uploads
    versioning versions website
    """.split()  # noqa: SIM905 - a list of forty quoted words is no better
)
_SERVICE: Final = {("GET", ""): Operation.LIST_BUCKETS}
_BUCKET: Final = {
    ("GET", ""): Operation.LIST_OBJECTS,
    ("GET", "list-type"): Operation.LIST_OBJECTS_V2,
    ("GET", "versions"): Operation.LIST_OBJECT_VERSIONS,
    ("GET", "uploads"): Operation.LIST_MULTIPART_UPLOADS,
    ("GET", "location"): Operation.GET_BUCKET_LOCATION,
    ("GET", "policyStatus"): Operation.GET_BUCKET_POLICY_STATUS,
    ("GET", "logging"): Operation.GET_BUCKET_LOGGING,
    ("GET", "requestPayment"): Operation.GET_BUCKET_REQUEST_PAYMENT,
    ("GET", "accelerate"): Operation.GET_BUCKET_ACCELERATE_CONFIGURATION,
    ("GET", "website"): Operation.GET_BUCKET_WEBSITE,
    ("GET", "replication"): Operation.GET_BUCKET_REPLICATION,
    ("GET", "versioning"): Operation.GET_BUCKET_VERSIONING,
    ("PUT", "versioning"): Operation.PUT_BUCKET_VERSIONING,
    ("GET", "acl"): Operation.GET_BUCKET_ACL,
    ("PUT", "acl"): Operation.PUT_BUCKET_ACL,
    ("GET", "policy"): Operation.GET_BUCKET_POLICY,
    ("PUT", "policy"): Operation.PUT_BUCKET_POLICY,
    ("DELETE", "policy"): Operation.DELETE_BUCKET_POLICY,
    ("GET", "cors"): Operation.GET_BUCKET_CORS,
    ("PUT", "cors"): Operation.PUT_BUCKET_CORS,
    ("DELETE", "cors"): Operation.DELETE_BUCKET_CORS,
    ("GET", "tagging"): Operation.GET_BUCKET_TAGGING,
    ("PUT", "tagging"): Operation.PUT_BUCKET_TAGGING,
    ("DELETE", "tagging"): Operation.DELETE_BUCKET_TAGGING,
    ("GET", "lifecycle"): Operation.GET_BUCKET_LIFECYCLE_CONFIGURATION,
    ("PUT", "lifecycle"): Operation.PUT_BUCKET_LIFECYCLE_CONFIGURATION,
    ("DELETE", "lifecycle"): Operation.DELETE_BUCKET_LIFECYCLE,
    ("GET", "publicAccessBlock"): Operation.GET_PUBLIC_ACCESS_BLOCK,
    ("PUT", "publicAccessBlock"): Operation.PUT_PUBLIC_ACCESS_BLOCK,
    ("DELETE", "publicAccessBlock"): Operation.DELETE_PUBLIC_ACCESS_BLOCK,
    ("GET", "ownershipControls"): Operation.GET_BUCKET_OWNERSHIP_CONTROLS,
    ("PUT", "ownershipControls"): Operation.PUT_BUCKET_OWNERSHIP_CONTROLS,
    ("DELETE", "ownershipControls"): Operation.DELETE_BUCKET_OWNERSHIP_CONTROLS,
    ("GET", "encryption"): Operation.GET_BUCKET_ENCRYPTION,
    ("PUT", "encryption"): Operation.PUT_BUCKET_ENCRYPTION,
    ("DELETE", "encryption"): Operation.DELETE_BUCKET_ENCRYPTION,
    ("GET", "notification"): Operation.GET_BUCKET_NOTIFICATION_CONFIGURATION,
    ("PUT", "notification"): Operation.PUT_BUCKET_NOTIFICATION_CONFIGURATION,
    ("GET", "object-lock"): Operation.GET_OBJECT_LOCK_CONFIGURATION,
    ("PUT", "object-lock"): Operation.PUT_OBJECT_LOCK_CONFIGURATION,
    ("HEAD", ""): Operation.HEAD_BUCKET,
    ("PUT", ""): Operation.CREATE_BUCKET,
    ("DELETE", ""): Operation.DELETE_BUCKET,
    ("POST", "delete"): Operation.DELETE_OBJECTS,
    ("POST", ""): Operation.POST_OBJECT,
}
_OBJECT: Final = {
    ("GET", ""): Operation.GET_OBJECT,
    ("GET", "uploadId"): Operation.LIST_PARTS,
    ("GET", "acl"): Operation.GET_OBJECT_ACL,
    ("GET", "tagging"): Operation.GET_OBJECT_TAGGING,
    ("GET", "retention"): Operation.GET_OBJECT_RETENTION,
    ("GET", "legal-hold"): Operation.GET_OBJECT_LEGAL_HOLD,
    ("GET", "attributes"): Operation.GET_OBJECT_ATTRIBUTES,
    ("HEAD", ""): Operation.HEAD_OBJECT,
    ("PUT", ""): Operation.PUT_OBJECT,
    ("PUT", "uploadId"): Operation.UPLOAD_PART,
    ("PUT", "acl"): Operation.PUT_OBJECT_ACL,
    ("PUT", "tagging"): Operation.PUT_OBJECT_TAGGING,
    ("PUT", "retention"): Operation.PUT_OBJECT_RETENTION,
    ("PUT", "legal-hold"): Operation.PUT_OBJECT_LEGAL_HOLD,
    ("DELETE", ""): Operation.DELETE_OBJECT,
    ("DELETE", "uploadId"): Operation.ABORT_MULTIPART_UPLOAD,
    ("DELETE", "tagging"): Operation.DELETE_OBJECT_TAGGING,
    ("POST", "uploads"): Operation.CREATE_MULTIPART_UPLOAD,
    ("POST", "uploadId"): Operation.COMPLETE_MULTIPART_UPLOAD,
}
_COPIES: Final = {
    Operation.PUT_OBJECT: Operation.COPY_OBJECT,
    Operation.UPLOAD_PART: Operation.UPLOAD_PART_COPY,
}
_WRITES: Final = frozenset(
    {Operation.PUT_OBJECT, Operation.COPY_OBJECT, Operation.CREATE_MULTIPART_UPLOAD}
    | {Operation.UPLOAD_PART, Operation.UPLOAD_PART_COPY, Operation.COMPLETE_MULTIPART_UPLOAD}
)


def classify(method: str, target: Target, query: Mapping[str, str], headers: Mapping[str, str]) -> Operation:
    """The operation. Raises NotImplemented for what S3 has and this has not, else MethodNotAllowed."""
    if method == "OPTIONS":
        return Operation.PREFLIGHT
    asked = [name for name in query if name in SUBRESOURCES] if query else []
    subresource = asked[0] if asked else ""
    if target.key:
        table = _OBJECT
    elif target.bucket:
        table = _BUCKET
    else:
        table = _SERVICE
    operation = table.get((method, subresource)) if len(asked) < 2 else None
    if operation is None:
        if subresource:
            raise S3Error("NotImplemented", extra={"Header": subresource})
        allowed = sorted(verb for verb, name in table if not name)
        raise S3Error("MethodNotAllowed", extra={"Method": method}, headers={"Allow": ", ".join(allowed)})
    if operation is Operation.LIST_OBJECTS_V2 and query["list-type"] != "2":
        raise S3Error("InvalidArgument", "list-type must be 2")
    if operation in _COPIES and "x-amz-copy-source" in headers:
        operation = _COPIES[operation]
    if operation is Operation.PUT_OBJECT and "partNumber" in query:
        raise S3Error("InvalidArgument", "partNumber needs an uploadId")
    if operation in _WRITES and "versionId" in query:
        raise S3Error(
            "InvalidArgument",
            "This operation does not accept a version-id.",
            extra={"ArgumentName": "versionId", "ArgumentValue": query["versionId"]},
        )
    return operation
