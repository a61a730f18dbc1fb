"""The provider itself."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any, ClassVar

from botocore import exceptions

from storage.providers.base import (
    BucketNotEmpty,
    BucketTaken,
    Connection,
    Findings,
    Locked,
    Refused,
    RemoteEntry,
    RemoteObject,
    RemotePage,
    Removed,
)

from . import probe
from .client import client_of
from .diagnosis import MISSING, explained


class S3Provider:
    kind: ClassVar[str] = "s3"
    is_remote: ClassVar[bool] = True

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def _s3(self) -> Any:
        """Raises Refused where a key is missing, for which botocore has no error of its own."""
        if not self._connection.access_key or not self._connection.secret_key:
            raise Refused("It has no credentials: give the ID of an access key, and its secret.")
        return client_of(self._connection)

    def check(self) -> None:
        """Credentials, region, clock and TLS, by listing the account's buckets."""
        with explained(self._connection):
            self._s3.list_buckets()

    def probe(self) -> Findings:
        return probe.probe(self._s3, self._connection)

    def ensure_bucket(self, name: str) -> None:
        self._ensure(name)

    def ensure_lockable_bucket(self, name: str) -> None:
        self._ensure(name, ObjectLockEnabledForBucket=True)

    def _ensure(self, name: str, **location: Any) -> None:
        if not self._connection.endpoint and self._connection.region not in ("", "us-east-1"):
            location["CreateBucketConfiguration"] = {"LocationConstraint": self._connection.region}
        with explained(self._connection):
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
        with explained(self._connection):
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
            if code not in MISSING:
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

    def set_versioning(self, bucket: str, *, enabled: bool) -> None:
        status = "Enabled" if enabled else "Suspended"
        with explained(self._connection, "setting versioning"):
            self._s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})

    def set_object_lock(self, bucket: str, default_retention: Mapping[str, Any] | None) -> None:
        configuration: dict[str, Any] = {"ObjectLockEnabled": "Enabled"}
        if default_retention:
            wanted = {name.capitalize(): value for name, value in default_retention.items()}
            configuration["Rule"] = {"DefaultRetention": wanted}
        with explained(self._connection, "setting object lock"):
            self._s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=configuration)

    def head(self, bucket: str, key: str, version_id: str = "") -> RemoteObject | None:
        with explained(self._connection):
            try:
                found = self._s3.head_object(Bucket=bucket, Key=key, **_version(version_id))
            except exceptions.ClientError as e:
                # 405: the version is a delete marker.
                if e.response["Error"].get("Code", "") in {*MISSING, "405", "NoSuchVersion"}:
                    return None
                raise
        return RemoteObject(
            found["ContentLength"],
            found.get("ETag", "").strip('"'),
            found["LastModified"],
            found.get("VersionId", ""),
            found.get("ContentType", ""),
            {name.lower(): value for name, value in found.get("Metadata", {}).items()},
        )

    def list_entries(self, bucket: str, *, after: str = "", versions: bool = False) -> RemotePage:
        with explained(self._connection, "listing a bucket"):
            return self._versions_after(bucket, after) if versions else self._objects_after(bucket, after)

    def versions_of(self, bucket: str, key: str, *, versions: bool) -> list[RemoteEntry]:
        if not versions:
            found = self.head(bucket, key)
            return [] if found is None else [RemoteEntry(key, found.size, found.etag, found.last_modified)]
        entries: list[RemoteEntry] = []
        with explained(self._connection, "listing versions"):
            for page in self._s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key):
                shown = [_entry(one, is_delete_marker=False) for one in page.get("Versions", [])]
                shown += [_entry(one, is_delete_marker=True) for one in page.get("DeleteMarkers", [])]
                entries += [entry for entry in shown if entry.key == key]
                if any(entry.key != key for entry in shown):
                    break  # keys that only begin with it come after
        return _in_order(entries)

    def _objects_after(self, bucket: str, after: str) -> RemotePage:
        # The first version of the list: it is what every vendor has, and what it starts after means the same there.
        page = self._s3.list_objects(Bucket=bucket, Marker=after)
        entries = [
            RemoteEntry(found["Key"], found["Size"], found["ETag"].strip('"'), found["LastModified"])
            for found in page.get("Contents", [])
            if found["Key"] > after
        ]
        return RemotePage(entries, entries[-1].key if page.get("IsTruncated") and entries else None)

    def _versions_after(self, bucket: str, after: str) -> RemotePage:
        """A page that ends within a key's versions is read on to that key's end."""
        entries: list[RemoteEntry] = []
        marker: dict[str, str] = {"KeyMarker": after} if after else {}
        while True:
            page = self._s3.list_object_versions(Bucket=bucket, **marker)
            entries += [_entry(found, is_delete_marker=False) for found in page.get("Versions", [])]
            entries += [_entry(found, is_delete_marker=True) for found in page.get("DeleteMarkers", [])]
            entries = [entry for entry in entries if entry.key > after]  # some begin with the marker itself
            if not page.get("IsTruncated"):
                return RemotePage(_in_order(entries), None)
            marker = {"KeyMarker": page["NextKeyMarker"]}
            if page.get("NextVersionIdMarker"):
                marker["VersionIdMarker"] = page["NextVersionIdMarker"]
            keys = {entry.key for entry in entries}
            if len(keys) > 1:
                last = max(keys)
                whole = [entry for entry in entries if entry.key != last]
                return RemotePage(_in_order(whole), max(keys - {last}))

    def delete(self, bucket: str, key: str, version_id: str = "") -> Removed:
        with explained(self._connection, "removing an object"):
            try:
                done = self._s3.delete_object(Bucket=bucket, Key=key, **_version(version_id))
            except exceptions.ClientError as e:
                code = e.response["Error"].get("Code", "")
                if version_id and code == "AccessDenied":
                    raise Locked(
                        f"{key} is retained there, or the access key may not remove versions."
                    ) from e
                if code in ("NoSuchKey", "NoSuchVersion"):
                    return Removed()
                raise
        return Removed(done.get("VersionId", ""), bool(done.get("DeleteMarker")))

    def abort_upload(self, bucket: str, key: str, upload_id: str) -> None:
        with explained(self._connection, "ending an upload"):
            try:
                self._s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
            except exceptions.ClientError as e:
                if e.response["Error"].get("Code", "") not in {"NoSuchUpload", *MISSING}:
                    raise

    def empty_bucket(self, name: str) -> None:
        """One by one where the vendor lacks DeleteObjects."""
        with explained(self._connection, "emptying a bucket"):
            try:
                for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=name):
                    self._delete_many(name, [{"Key": found["Key"]} for found in page.get("Contents", [])])
                self._delete_versions(name)
            except exceptions.ClientError as e:
                if e.response["Error"].get("Code", "") not in MISSING:
                    raise

    def _delete_versions(self, name: str) -> None:
        """Nothing where the vendor knows no versions."""
        try:
            pages = list(self._s3.get_paginator("list_object_versions").paginate(Bucket=name))
        except exceptions.ClientError:
            return
        for page in pages:
            found = page.get("Versions", []) + page.get("DeleteMarkers", [])
            self._delete_many(name, [{"Key": v["Key"], "VersionId": v["VersionId"]} for v in found])

    def _delete_many(self, bucket: str, doomed: list[dict[str, str]]) -> None:
        if not doomed:
            return
        try:
            failed = self._s3.delete_objects(Bucket=bucket, Delete={"Objects": doomed, "Quiet": True})
            left = [
                {name: error[name] for name in ("Key", "VersionId") if error.get(name)}
                for error in failed.get("Errors", [])
            ]
        except exceptions.ClientError:
            left = doomed
        for which in left:
            self._s3.delete_object(Bucket=bucket, **which)


def _version(version_id: str) -> dict[str, str]:
    return {"VersionId": version_id} if version_id else {}


def _entry(found: Mapping[str, Any], *, is_delete_marker: bool) -> RemoteEntry:
    return RemoteEntry(
        found["Key"],
        found.get("Size", 0),
        found.get("ETag", "").strip('"'),
        found["LastModified"],
        found["VersionId"],
        bool(found["IsLatest"]),
        is_delete_marker,
    )


def _in_order(entries: list[RemoteEntry]) -> list[RemoteEntry]:
    """Versions and delete markers come as two lists: by key again, a key's newest first.

    Times are whole seconds with some vendors, so among equal ones the order that each list has is kept.
    """
    ordered: list[RemoteEntry] = []
    for _, of_key in groupby(sorted(entries, key=lambda entry: entry.key), key=lambda entry: entry.key):
        newest_first = sorted(of_key, key=lambda entry: entry.last_modified, reverse=True)
        ordered += sorted(newest_first, key=lambda entry: not entry.is_latest)
    return ordered
