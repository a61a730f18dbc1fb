"""Buckets on an `s3` backend: bytes by the edge where they can pass as they are, by this process where not.

A write is journalled before it is sent and committed on the backend's answer; what was journalled and never answered
is found out by the sweeper. Versions are the backend's: their ids come with its answers.
"""

from . import unchanged
from .alone import alone
from .commit import commit, released
from .forward import forward_part, forward_put, forward_read
from .locks import set_legal_hold, set_retention
from .objects import delete, read, store, stream_put, stream_read
from .uploads import abort_upload, complete_upload, create_upload, store_part, stream_part
from .writing import Written, check_expected

__all__ = [
    "Written",
    "abort_upload",
    "alone",
    "check_expected",
    "commit",
    "complete_upload",
    "create_upload",
    "delete",
    "forward_part",
    "forward_put",
    "forward_read",
    "read",
    "released",
    "set_legal_hold",
    "set_retention",
    "store",
    "store_part",
    "stream_part",
    "stream_put",
    "stream_read",
    "unchanged",
]
