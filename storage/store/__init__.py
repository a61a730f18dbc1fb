"""Our own blob store: bodies in files named by id, never by key; the index lives in PostgreSQL."""

from .blobs import BlobStore, new_id, path_of
from .digests import ALGORITHMS, BlobInfo, Digests, multipart_etag
from .writer import BlobWriter

__all__ = [
    "ALGORITHMS",
    "BlobInfo",
    "BlobStore",
    "BlobWriter",
    "Digests",
    "multipart_etag",
    "new_id",
    "path_of",
]
