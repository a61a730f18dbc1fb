"""Our own blob store: bodies in files named by id, never by key; the index lives in PostgreSQL."""

from .blobs import BlobStore, new_id, path_of
from .digests import ALGORITHMS, BlobInfo, Digests, multipart_etag
from .sealed import Layout, Opener
from .writer import BlobWriter

__all__ = [
    "ALGORITHMS",
    "BlobInfo",
    "BlobStore",
    "BlobWriter",
    "Digests",
    "Layout",
    "Opener",
    "multipart_etag",
    "new_id",
    "path_of",
]
