"""Fixtures of the S3 front's tests beside the shared stack."""

from storage.s3.tests.backends import moto, radosgw, rclone

__all__ = ["moto", "radosgw", "rclone"]
