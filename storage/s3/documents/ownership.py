"""OwnershipControls: the bucket's owner owns everything in it, which is all there is."""

from __future__ import annotations

from typing import Final

from storage.s3.documents import schema
from storage.s3.documents.schema import Choice, Field, Struct
from storage.s3.errors import S3Error

ENFORCED: Final = "BucketOwnerEnforced"
CHOICES: Final = (ENFORCED, "BucketOwnerPreferred", "ObjectWriter")

_ROOT: Final = "OwnershipControls"
_RULE: Final = Struct((Field("ObjectOwnership", Choice(CHOICES), required=True),))
_KIND: Final = Struct((Field("Rules", _RULE, element="Rule", many=True, required=True),))


def read(body: bytes) -> str:
    """The wished ownership, which is BucketOwnerEnforced. Raises MalformedXML, NotImplemented."""
    rules = schema.read(_KIND, _ROOT, body)["Rules"]
    if len(rules) != 1:
        raise S3Error("MalformedXML", "There must be one rule of ownership.")
    return supported(rules[0]["ObjectOwnership"])


def supported(ownership: str) -> str:
    """The ownership that a header or document names. Raises InvalidArgument, NotImplemented."""
    if ownership not in CHOICES:
        raise S3Error("InvalidArgument", f"Invalid x-amz-object-ownership header: {ownership}")
    if ownership != ENFORCED:
        raise S3Error("NotImplemented", "Only BucketOwnerEnforced is implemented: ACLs are not.")
    return ownership


def write() -> bytes:
    return schema.write(_KIND, _ROOT, {"Rules": [{"ObjectOwnership": ENFORCED}]})
