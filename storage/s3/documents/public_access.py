"""PublicAccessBlockConfiguration, and the policy status that goes with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from storage.s3.documents import schema
from storage.s3.documents.schema import Boolean, Field, Json, Struct

NAMES: Final = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")

_ROOT: Final = "PublicAccessBlockConfiguration"
_KIND: Final = Struct(tuple(Field(name, Boolean()) for name in NAMES))
_STATUS: Final = Struct((Field("IsPublic", Boolean(), required=True),))


def read(body: bytes) -> dict[str, bool]:
    """All four switches; what is left out is off. Raises MalformedXML."""
    return _all(schema.read(_KIND, _ROOT, body))


def check(value: object) -> dict[str, bool]:
    """The same, given as JSON."""
    return _all(schema.check(_KIND, _ROOT, value))


def write(value: Mapping[str, bool]) -> bytes:
    return schema.write(_KIND, _ROOT, value)


def policy_status(is_public: bool) -> bytes:
    return schema.write(_STATUS, "PolicyStatus", {"IsPublic": is_public})


def _all(value: Json) -> dict[str, bool]:
    return {name: bool(value.get(name)) for name in NAMES}
