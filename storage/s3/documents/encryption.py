"""ServerSideEncryptionConfiguration: what a bucket does with objects that ask for no encryption."""

from __future__ import annotations

from typing import Final

from storage.s3.documents import schema
from storage.s3.documents.schema import Boolean, Choice, Field, Struct, Text
from storage.s3.errors import S3Error

AES256: Final = "AES256"
_ALGORITHMS: Final = (AES256, "aws:kms", "aws:kms:dsse")

_ROOT: Final = "ServerSideEncryptionConfiguration"
_DEFAULT: Final = Struct(
    (
        Field("SSEAlgorithm", Choice(_ALGORITHMS), required=True),
        Field("KMSMasterKeyID", Text(most=2048)),
    )
)
_BLOCKED: Final = Struct((Field("EncryptionType", Choice(("NONE", "SSE-C")), many=True),))
_RULE: Final = Struct(
    (
        Field("ApplyServerSideEncryptionByDefault", _DEFAULT),
        Field("BucketKeyEnabled", Boolean()),
        Field("BlockedEncryptionTypes", _BLOCKED),
    )
)
_KIND: Final = Struct((Field("Rules", _RULE, element="Rule", many=True, required=True),))


def read(body: bytes) -> str:
    """The algorithm that applies by default, AES256. Raises MalformedXML, InvalidArgument, NotImplemented."""
    rules = schema.read(_KIND, _ROOT, body)["Rules"]
    if len(rules) != 1:
        raise S3Error("MalformedXML", "There must be one rule of encryption.")
    [rule] = rules
    default = rule.get("ApplyServerSideEncryptionByDefault")
    if default is None:
        raise S3Error("MalformedXML", "The rule must say what applies by default.")
    if "KMSMasterKeyID" in default and default["SSEAlgorithm"] == AES256:
        raise S3Error(
            "InvalidArgument",
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
            extra={"ArgumentName": "ApplyServerSideEncryptionByDefault"},
        )
    if rule.get("BlockedEncryptionTypes", {}).get("EncryptionType", ["NONE"]) != ["NONE"]:
        raise S3Error("NotImplemented", "Blocking a type of encryption is not implemented.")
    return check(default["SSEAlgorithm"])


def check(algorithm: object) -> str:
    """The same, given as a word. Raises InvalidArgument, and NotImplemented for keys of a KMS."""
    if algorithm not in _ALGORITHMS:
        raise S3Error("InvalidArgument", f"The algorithm must be {AES256}.")
    if algorithm != AES256:
        raise S3Error("NotImplemented", "Encryption with keys of a KMS is not implemented.")
    return AES256


def write(algorithm: str) -> bytes:
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}, "BucketKeyEnabled": False}
    return schema.write(_KIND, _ROOT, {"Rules": [rule]})
