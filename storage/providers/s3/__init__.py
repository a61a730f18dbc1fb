"""Any provider that speaks S3, reached with boto3 for what is not a client's own bytes."""

from .provider import S3Provider

__all__ = ["S3Provider"]
