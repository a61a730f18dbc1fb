"""ListBuckets' answer, and the token of its next page."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from storage.s3.documents import schema
from storage.s3.documents.creation import REGION
from storage.s3.documents.schema import Field, Moment, Struct, Text
from storage.s3.errors import S3Error
from storage.s3.text import iso

_BUCKET: Final = Struct(
    (Field("Name", Text()), Field("CreationDate", Moment()), Field("BucketRegion", Text()))
)
_OWNER: Final = Struct((Field("ID", Text()), Field("DisplayName", Text())))
_KIND: Final = Struct(
    (
        Field("Owner", _OWNER),
        Field("Buckets", _BUCKET, wrapped="Bucket", many=True),
        Field("Prefix", Text()),
        Field("ContinuationToken", Text()),
    )
)


def write(
    buckets: Iterable[tuple[str, datetime]],
    owner: tuple[str, str],
    *,
    prefix: str = "",
    following: str | None = None,
) -> bytes:
    """`buckets` are names and times of creation, `owner` id and display name, `following` the name to go on after."""
    value: schema.Json = {
        "Owner": {"ID": owner[0], "DisplayName": owner[1]},
        "Buckets": [
            {"Name": name, "CreationDate": iso(created_at), "BucketRegion": REGION}
            for name, created_at in buckets
        ],
    }
    if prefix:
        value["Prefix"] = prefix
    if following is not None:
        value["ContinuationToken"] = urlsafe_b64encode(following.encode()).decode()
    return schema.write(_KIND, "ListAllMyBucketsResult", value)


def read_token(token: str) -> str:
    """The name to go on after. Raises InvalidArgument."""
    try:
        return urlsafe_b64decode(token).decode("ascii")
    except ValueError:
        raise S3Error(
            "InvalidArgument",
            "The continuation token provided is incorrect",
            extra={"ArgumentName": "continuation-token"},
        ) from None
