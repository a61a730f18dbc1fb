"""Backends, buckets and keys in the admin; what the data plane writes, to be looked at."""

from . import access_keys, backends, buckets, objects, share_links, writes

__all__ = ["access_keys", "backends", "buckets", "objects", "share_links", "writes"]
