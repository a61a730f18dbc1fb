"""Any provider that speaks S3, reached with boto3 for what is not a client's own bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, ClassVar

import boto3
from botocore import exceptions
from botocore.config import Config

from .base import BucketNotEmpty, BucketTaken, Connection, Refused, RemoteObject, Unreachable

_MISSING = {"404", "NoSuchKey", "NotFound", "NoSuchBucket"}
_DIAGNOSES = {
    "InvalidAccessKeyId": "the access key is unknown there",
    "SignatureDoesNotMatch": "the secret key is wrong, or the endpoint's name is not the one it signs for",
    "AccessDenied": "the access key has no right to do this",
    "403": "the access key or the secret key is wrong, or has no right to do this",
    "AuthorizationHeaderMalformed": "the region is not the endpoint's",
    "PermanentRedirect": "the bucket lives in another region, or the endpoint is not its own",
    "301": "the bucket lives in another region, or the endpoint is not its own",
    "RequestTimeTooSkewed": "the clocks differ by more than 15 minutes",
    "TooManyBuckets": "the account may not have more buckets",
}
_LATER = {"500", "502", "503", "504", "InternalError", "ServiceUnavailable", "SlowDown", "RequestTimeout"}


@lru_cache(maxsize=64)
def _client(connection: Connection) -> Any:
    return boto3.session.Session().client(
        "s3",
        endpoint_url=connection.endpoint or None,
        region_name=connection.region or "us-east-1",
        aws_access_key_id=connection.access_key,
        aws_secret_access_key=connection.secret_key,
        config=Config(
            signature_version="s3v4",
            connect_timeout=5,
            read_timeout=20,
            retries={"mode": "standard", "total_max_attempts": 2},
            s3={"addressing_style": "path" if connection.path_style else "virtual"},
            request_checksum_calculation=connection.checksum_mode,
            response_checksum_validation=connection.checksum_mode,
        ),
    )


@contextmanager
def _explained(connection: Connection) -> Iterator[None]:
    """botocore's exceptions as ours, in words for who set the backend up."""
    where = connection.endpoint or f"AWS in {connection.region}"
    try:
        yield
    except exceptions.ClientError as e:
        code = str(e.response.get("Error", {}).get("Code", ""))
        status = str(e.response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
        message = e.response.get("Error", {}).get("Message", "")
        if code in _LATER or status in _LATER:
            raise Unreachable(f"{where} answers {code} {message}".strip()) from e
        reason = _DIAGNOSES.get(code) or _DIAGNOSES.get(status) or message or "it gives no reason"
        raise Refused(f"{where} refuses ({code or status}): {reason}.") from e
    except exceptions.SSLError as e:
        raise Refused(f"{where}: the TLS certificate cannot be trusted: {_short(e)}") from e
    except exceptions.ConnectTimeoutError as e:
        raise Unreachable(f"{where} does not answer within 5 seconds: a firewall, or a wrong port?") from e
    except exceptions.ReadTimeoutError as e:
        raise Unreachable(f"{where} took the request but does not answer within 20 seconds.") from e
    except exceptions.EndpointConnectionError as e:
        raise Unreachable(f"{where} cannot be reached: no such host, or nothing listens there.") from e
    except exceptions.BotoCoreError as e:
        raise Unreachable(f"{where}: {_short(e)}") from e


def _short(e: Exception) -> str:
    return str(e).splitlines()[0][:300]


class S3Provider:
    kind: ClassVar[str] = "s3"
    is_remote: ClassVar[bool] = True

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def _s3(self) -> Any:
        return _client(self._connection)

    def check(self) -> None:
        """Credentials, region, clock and TLS, by listing the account's buckets."""
        with _explained(self._connection):
            self._s3.list_buckets()

    def ensure_bucket(self, name: str) -> None:
        location: dict[str, Any] = {}
        if not self._connection.endpoint and self._connection.region not in ("", "us-east-1"):
            location = {"CreateBucketConfiguration": {"LocationConstraint": self._connection.region}}
        with _explained(self._connection):
            try:
                self._s3.create_bucket(Bucket=name, **location)
            except exceptions.ClientError as e:
                code = e.response["Error"].get("Code", "")
                if code == "BucketAlreadyOwnedByYou":
                    return
                if code == "BucketAlreadyExists":
                    self._claim(name)
                    return
                raise

    def _claim(self, name: str) -> None:
        """Some vendors say "exists" of our own buckets too; ours are those that we may look into."""
        try:
            self._s3.head_bucket(Bucket=name)
        except exceptions.ClientError as e:
            raise BucketTaken(f"The name {name} is taken there.") from e

    def remove_bucket(self, name: str) -> None:
        with _explained(self._connection):
            try:
                self._delete_bucket(name)
            except BucketNotEmpty:
                # Unfinished uploads keep it with some vendors, and count for nothing with us.
                if not self._abort_uploads(name):
                    raise
                self._delete_bucket(name)

    def _delete_bucket(self, name: str) -> None:
        try:
            self._s3.delete_bucket(Bucket=name)
        except exceptions.ClientError as e:
            code = e.response["Error"].get("Code", "")
            if code == "BucketNotEmpty":
                raise BucketNotEmpty(f"The bucket {name} still holds objects there.") from e
            if code not in _MISSING:
                raise

    def _abort_uploads(self, name: str) -> int:
        """How many there were; none where the vendor does not list them."""
        try:
            pages = self._s3.get_paginator("list_multipart_uploads").paginate(Bucket=name)
            found = [(u["Key"], u["UploadId"]) for page in pages for u in page.get("Uploads", [])]
        except exceptions.ClientError:
            return 0
        for key, upload_id in found:
            self._s3.abort_multipart_upload(Bucket=name, Key=key, UploadId=upload_id)
        return len(found)

    def head(self, bucket: str, key: str) -> RemoteObject | None:
        with _explained(self._connection):
            try:
                found = self._s3.head_object(Bucket=bucket, Key=key)
            except exceptions.ClientError as e:
                if e.response["Error"].get("Code", "") in _MISSING:
                    return None
                raise
        return RemoteObject(found["ContentLength"], found["ETag"].strip('"'), found["LastModified"])

    def delete(self, bucket: str, key: str) -> None:
        with _explained(self._connection):
            self._s3.delete_object(Bucket=bucket, Key=key)

    def empty_bucket(self, name: str) -> None:
        """One by one where the vendor lacks DeleteObjects."""
        with _explained(self._connection):
            try:
                for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=name):
                    self._delete_many(name, [found["Key"] for found in page.get("Contents", [])])
            except exceptions.ClientError as e:
                if e.response["Error"].get("Code", "") not in _MISSING:
                    raise

    def _delete_many(self, bucket: str, keys: list[str]) -> None:
        if not keys:
            return
        named = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        try:
            failed = self._s3.delete_objects(Bucket=bucket, Delete=named).get("Errors", [])
            left = [error["Key"] for error in failed]
        except exceptions.ClientError:
            left = keys
        for key in left:
            self._s3.delete_object(Bucket=bucket, Key=key)
