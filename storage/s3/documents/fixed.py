"""Settings that have one value here: no access log, no acceleration, the owner pays."""

from __future__ import annotations

from storage.s3.documents import schema
from storage.s3.documents.schema import Field, Struct, Text

_PAYMENT = Struct((Field("Payer", Text(), required=True),))
_NOTHING = Struct(())


def logging() -> bytes:
    return schema.write(_NOTHING, "BucketLoggingStatus", {})


def acceleration() -> bytes:
    return schema.write(_NOTHING, "AccelerateConfiguration", {})


def payment() -> bytes:
    return schema.write(_PAYMENT, "RequestPaymentConfiguration", {"Payer": "BucketOwner"})
