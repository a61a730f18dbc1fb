"""VersioningConfiguration."""

from __future__ import annotations

from typing import Final

from storage.s3.documents import schema
from storage.s3.documents.schema import Choice, Field, Struct
from storage.s3.errors import S3Error

ENABLED: Final = "Enabled"
SUSPENDED: Final = "Suspended"

_ROOT: Final = "VersioningConfiguration"
_KIND: Final = Struct(
    (
        Field("Status", Choice((ENABLED, SUSPENDED))),
        Field("MFADelete", Choice(("Enabled", "Disabled")), element="MfaDelete"),
    )
)


def read(body: bytes) -> str:
    """The wished status, `Enabled` or `Suspended`.

    Raises MalformedXML, IllegalVersioningConfigurationException without one, NotImplemented for MFA Delete.
    """
    found = schema.read(_KIND, _ROOT, body)
    if found.get("MFADelete") == "Enabled":
        raise S3Error("NotImplemented", "MFA Delete is not implemented.")
    if "Status" not in found:
        raise S3Error("IllegalVersioningConfigurationException")
    return str(found["Status"])


def write(status: str) -> bytes:
    """`status` is empty for a bucket that never had versions."""
    return schema.write(_KIND, _ROOT, {"Status": status} if status else {})
