"""What a backend can, found out by trying it on a bucket that exists for that only.

What is asked for must not only be answered well but have worked: many servers pass over what they do not know.
"""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from botocore import exceptions

from storage.providers import quirks
from storage.providers.base import Connection, Findings, ProviderError, Refused
from storage.providers.quirks import Capability

from .diagnosis import explained

log = logging.getLogger(__name__)

_BODY: Final = b"gatehouse"
_MD5: Final = base64.b64encode(hashlib.md5(_BODY, usedforsecurity=False).digest()).decode()
_KEY: Final = "a b+ü/probe"
_CUSTOMER: Final = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": bytes(range(32))}


def probe(s3: Any, connection: Connection) -> Findings:
    """Try everything. Raises Refused or Unreachable where objects cannot be written, read and removed there."""
    prober = _Prober(s3, connection)
    with prober.scratch() as bucket:
        vendor = prober.basics(bucket)
        found = {
            name: prober.works(name, lambda attempt=attempt: attempt(bucket))  # type: ignore[misc]
            for name, attempt in prober.attempts().items()
            if name not in vendor.lacks
        }
    if found.get("versioning") and "object_lock" not in vendor.lacks:
        with prober.scratch(lockable=True) as bucket:
            if bucket:
                found["object_lock"] = prober.works("object_lock", lambda: prober.locks(bucket))
    return Findings(vendor.name, {name: found.get(name, False) for name in quirks.CAPABILITIES})


class _Prober:
    def __init__(self, s3: Any, connection: Connection) -> None:
        self._s3, self._connection = s3, connection

    @contextmanager
    def scratch(self, *, lockable: bool = False) -> Iterator[str]:
        """A bucket for the block; empty where it cannot be made `lockable`."""
        name = f"gh-probe-{uuid4().hex[:20]}"
        location: dict[str, Any] = {"ObjectLockEnabledForBucket": True} if lockable else {}
        region = self._connection.region
        if not self._connection.endpoint and region not in ("", "us-east-1"):
            location["CreateBucketConfiguration"] = {"LocationConstraint": region}
        try:
            with explained(self._connection, "making a bucket"):
                self._s3.create_bucket(Bucket=name, **location)
        except ProviderError:
            if not lockable:
                raise
            yield ""
            return
        try:
            yield name
        finally:
            self._clear(name)

    def basics(self, bucket: str) -> quirks.Vendor:
        """Write, read, list, remove; each failure names what failed."""
        s3, of = self._s3, self._connection
        with explained(of, "writing an object"):
            s3.put_object(
                Bucket=bucket, Key=_KEY, Body=_BODY, ContentType="text/x-probe", Metadata={"a": "b"}
            )
        with explained(of, "reading an object"):
            got = s3.get_object(Bucket=bucket, Key=_KEY)
            if got["Body"].read() != _BODY or got["ContentType"] != "text/x-probe":
                raise Refused(f"{of.endpoint} does not give back what was written.")
        with explained(of, "listing a bucket"):
            listed = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
            if listed != [_KEY]:
                raise Refused(f"{of.endpoint} does not list what was written.")
        with explained(of, "removing an object"):
            s3.delete_object(Bucket=bucket, Key=_KEY)
        if of.vendor and of.vendor != quirks.GENERIC.name:
            return quirks.vendor_of(of.vendor)
        guessed = quirks.guess(of.endpoint)
        if guessed is not quirks.GENERIC:
            return guessed
        return quirks.by_answer(got["ResponseMetadata"]["HTTPHeaders"])

    def attempts(self) -> dict[Capability, Callable[[str], bool]]:
        """By capability; versions last, since they change what the bucket does."""
        return {
            "checksums": self._keeps_checksums,
            "conditional_writes": self._refuses_puts,
            "conditional_deletes": self._refuses_deletes,
            "encryption": self._encrypts,
            "customer_keys": self._takes_keys,
            "part_numbers": self._reads_parts,
            "versioning": self._keeps_versions,
        }

    def works(self, name: str, attempt: Callable[[], bool]) -> bool:
        """An error means no, whatever it is: what is not sure is not used."""
        try:
            return attempt()
        except (exceptions.ClientError, exceptions.BotoCoreError, KeyError) as e:
            log.info("%s has no %s: %s", self._connection.endpoint, name, e)
            return False

    def _keeps_checksums(self, bucket: str) -> bool:
        self._s3.put_object(Bucket=bucket, Key="sum", Body=_BODY, ChecksumAlgorithm="CRC32")
        head = self._s3.head_object(Bucket=bucket, Key="sum", ChecksumMode="ENABLED")
        if not head.get("ChecksumCRC32"):
            return False
        return self._refused(
            400, lambda: self._s3.put_object(Bucket=bucket, Key="sum", Body=_BODY, ChecksumCRC32="AAAAAA==")
        )

    def _refuses_puts(self, bucket: str) -> bool:
        etag = self._put(bucket, "if")["ETag"]
        return (
            self._refused(412, lambda: self._put(bucket, "if", IfNoneMatch="*"))
            and self._refused(412, lambda: self._put(bucket, "if", IfMatch='"0"'))
            and self._put(bucket, "if", IfMatch=etag)["ETag"] == etag
            and self._put(bucket, "if-absent", IfNoneMatch="*")["ETag"] == etag
        )

    def _refuses_deletes(self, bucket: str) -> bool:
        self._put(bucket, "gone")
        return self._refused(412, lambda: self._s3.delete_object(Bucket=bucket, Key="gone", IfMatch='"0"'))

    def _encrypts(self, bucket: str) -> bool:
        """Who keeps the header as if it were metadata shows it at the HEAD, but not at the PUT."""
        put = self._put(bucket, "sse", ServerSideEncryption="AES256")
        head = self._s3.head_object(Bucket=bucket, Key="sse")
        return {answer.get("ServerSideEncryption") for answer in (put, head)} == {"AES256"}

    def _takes_keys(self, bucket: str) -> bool:
        self._put(bucket, "ssec", **_CUSTOMER)
        if not self._refused(400, lambda: self._s3.get_object(Bucket=bucket, Key="ssec")):
            return False
        got = self._s3.get_object(Bucket=bucket, Key="ssec", **_CUSTOMER)
        return bool(got["Body"].read() == _BODY)

    def _reads_parts(self, bucket: str) -> bool:
        which = {"Bucket": bucket, "Key": "parts"}
        upload = self._s3.create_multipart_upload(**which)["UploadId"]
        etag = self._s3.upload_part(**which, UploadId=upload, PartNumber=1, Body=_BODY)["ETag"]
        parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
        self._s3.complete_multipart_upload(**which, UploadId=upload, MultipartUpload=parts)
        return bool(self._s3.head_object(**which, PartNumber=1).get("PartsCount") == 1)

    def _keeps_versions(self, bucket: str) -> bool:
        self._s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        first = self._put(bucket, "v")["VersionId"]
        marker = self._s3.delete_object(Bucket=bucket, Key="v")
        if not marker.get("DeleteMarker") or not marker.get("VersionId"):
            return False
        got = self._s3.get_object(Bucket=bucket, Key="v", VersionId=first)
        listed = self._s3.list_object_versions(Bucket=bucket, Prefix="v")
        return bool(
            got["Body"].read() == _BODY
            and [entry["VersionId"] for entry in listed.get("Versions", [])] == [first]
            and [entry["VersionId"] for entry in listed.get("DeleteMarkers", [])] == [marker["VersionId"]]
        )

    def locks(self, bucket: str) -> bool:
        """Also whether governance mode can be bypassed, or the probe could not be cleared away."""
        version = self._put(bucket, "hold", ContentMD5=_MD5)["VersionId"]
        which = {"Bucket": bucket, "Key": "hold", "VersionId": version}
        until = datetime.now(UTC) + timedelta(minutes=10)
        self._s3.put_object_retention(**which, Retention={"Mode": "GOVERNANCE", "RetainUntilDate": until})
        refuses = self._refused(403, lambda: self._s3.delete_object(**which))
        self._s3.delete_object(**which, BypassGovernanceRetention=True)
        return refuses

    def _put(self, bucket: str, key: str, **options: Any) -> Any:
        return self._s3.put_object(Bucket=bucket, Key=key, Body=_BODY, **options)

    def _refused(self, status: int, call: Callable[[], Any]) -> bool:
        try:
            call()
        except exceptions.ClientError as e:
            return bool(e.response["ResponseMetadata"]["HTTPStatusCode"] == status)
        return False

    def _clear(self, bucket: str) -> None:
        """A bucket that cannot be removed stays behind; the next test makes another."""
        s3 = self._s3
        with suppress(exceptions.ClientError, exceptions.BotoCoreError):
            for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
                s3.delete_object(Bucket=bucket, Key=entry["Key"])
        with suppress(exceptions.ClientError, exceptions.BotoCoreError):
            listed = s3.list_object_versions(Bucket=bucket)
            for entry in listed.get("Versions", []) + listed.get("DeleteMarkers", []):
                s3.delete_object(
                    Bucket=bucket,
                    Key=entry["Key"],
                    VersionId=entry["VersionId"],
                )
        try:
            s3.delete_bucket(Bucket=bucket)
        except (exceptions.ClientError, exceptions.BotoCoreError) as e:
            log.warning("%s keeps the bucket %s: %s", self._connection.endpoint, bucket, e)
