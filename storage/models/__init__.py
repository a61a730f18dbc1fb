"""Where objects may lie, the buckets that hold them, the keys that open them, and the index of what is there.

The rows of Object, ObjectVersion, Upload, UploadPart, WriteIntent, BlobGarbage, Usage and BucketUsage are written by
the SQL functions of `migrations/sql` alone: they are the data plane's, and every change there takes the tenant's usage
row first.
"""

from .access_keys import AccessKey, access_key_aad
from .backends import Backend
from .buckets import Bucket, Placement
from .intents import WriteIntent
from .objects import BlobGarbage, Object, ObjectVersion, StoredObject
from .share_links import ShareLink
from .uploads import Upload, UploadPart
from .usage import BucketUsage, Usage, UsageSample

__all__ = [
    "AccessKey",
    "Backend",
    "BlobGarbage",
    "Bucket",
    "BucketUsage",
    "Object",
    "ObjectVersion",
    "Placement",
    "ShareLink",
    "StoredObject",
    "Upload",
    "UploadPart",
    "Usage",
    "UsageSample",
    "WriteIntent",
    "access_key_aad",
]
