"""What the data plane refuses, as exceptions without a door's wording: the S3 front and the API render them."""

from __future__ import annotations


class StorageRefusal(Exception):
    """A write or read that cannot be done; the class says why, nothing was changed."""


class StoreFull(StorageRefusal):
    """The disk (or the folder's quota) has no room for the body."""


class BodyTooLarge(StorageRefusal):
    """The body passed the limit that the writer was given."""


class BlobMissing(StorageRefusal):
    """The blob's file is not there: it was removed after its row was read, or its folder cannot be reached."""


class BlobCorrupt(StorageRefusal):
    """The bytes on disk are not those that were written."""


class StoreUnavailable(StorageRefusal):
    """No folder of the store can be written, or the disk failed."""


class BucketGone(StorageRefusal):
    """The bucket does not exist (any more)."""


class QuotaReached(StorageRefusal):
    """The tenant's bytes would pass its limit."""


class PreconditionFailed(StorageRefusal):
    """The object at the key is not the one that the write expected."""


class ObjectGone(PreconditionFailed):
    """The write expected an object, and none is at the key."""


class VersionGone(StorageRefusal):
    """The key has no such version."""


class IsDeleteMarker(StorageRefusal):
    """The version is a delete marker, which has nothing of what was asked for."""


class ObjectLocked(StorageRefusal):
    """The version is held or retained, and may not go or be unlocked yet."""


class UploadGone(StorageRefusal):
    """The multipart upload does not exist: never made, completed, aborted or swept."""


class InvalidPart(StorageRefusal):
    """Complete named a part that was not uploaded, or whose ETag differs."""


class InvalidPartOrder(StorageRefusal):
    """Complete's part numbers do not ascend."""


class PartTooSmall(StorageRefusal):
    """A part other than the last is under 5 MiB."""
