"""Our own blob store: bodies in files named by id, never by key; the index lives in PostgreSQL."""

from .blobs import BlobStore, BlobWriter
from .digests import ALGORITHMS, BlobInfo, Digests

__all__ = ["ALGORITHMS", "BlobInfo", "BlobStore", "BlobWriter", "Digests"]
