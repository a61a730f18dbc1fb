"""The object index as the data plane uses it: asynchronous, over asyncpg, in the decision process."""

from .objects import ObjectIndex
from .types import (
    NULL_VERSION,
    BucketInfo,
    DeleteCommit,
    DeleteOutcome,
    Expected,
    Intent,
    ListedObject,
    ListPage,
    ObjectRow,
    PartRow,
    PutCommit,
    UploadPage,
    UploadRow,
    VersionPage,
)

__all__ = [
    "NULL_VERSION",
    "BucketInfo",
    "DeleteCommit",
    "DeleteOutcome",
    "Expected",
    "Intent",
    "ListPage",
    "ListedObject",
    "ObjectIndex",
    "ObjectRow",
    "PartRow",
    "PutCommit",
    "UploadPage",
    "UploadRow",
    "VersionPage",
]
