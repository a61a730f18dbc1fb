"""The object index as the data plane uses it: asynchronous, over asyncpg, in the decision process."""

from .objects import ObjectIndex
from .types import (
    BucketInfo,
    DeleteCommit,
    Expected,
    Intent,
    ListedObject,
    ListPage,
    ObjectRow,
    PartRow,
    PutCommit,
    UploadPage,
    UploadRow,
)

__all__ = [
    "BucketInfo",
    "DeleteCommit",
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
]
