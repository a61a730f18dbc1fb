"""ObjectLockConfiguration of a bucket; Retention and LegalHold of an object version."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from storage.s3.documents import schema
from storage.s3.documents.schema import Choice, Field, Integer, Json, Moment, Struct
from storage.s3.errors import S3Error
from storage.s3.text import iso

GOVERNANCE: Final = "GOVERNANCE"
COMPLIANCE: Final = "COMPLIANCE"
MAX_DAYS: Final = 36500
MAX_YEARS: Final = 100

_TITLES: Final = {"mode": "Mode", "days": "Days", "years": "Years"}
_MODE: Final = Choice((GOVERNANCE, COMPLIANCE))
_DEFAULT: Final = Struct(
    (Field("Mode", _MODE, required=True), Field("Days", Integer()), Field("Years", Integer()))
)
_RULE: Final = Struct((Field("DefaultRetention", _DEFAULT, required=True),))
_CONFIGURATION: Final = Struct(
    (Field("ObjectLockEnabled", Choice(("Enabled",)), required=True), Field("Rule", _RULE))
)
_RETENTION: Final = Struct((Field("Mode", _MODE), Field("RetainUntilDate", Moment())))
_HOLD: Final = Struct((Field("Status", Choice(("ON", "OFF")), required=True),))


class Retention(NamedTuple):
    """Until when a version is kept, and whether some may shorten that (GOVERNANCE) or nobody (COMPLIANCE)."""

    mode: str
    until: datetime


def read(body: bytes) -> Json | None:
    """The default retention, `{"mode": …, "days" or "years": …}`, or None: lock without a default.

    Raises MalformedXML, InvalidRetentionPeriod.
    """
    found = schema.read(_CONFIGURATION, "ObjectLockConfiguration", body)
    return _sound(found["Rule"]["DefaultRetention"]) if "Rule" in found else None


def check(default: object) -> Json:
    """A default retention given as JSON, as `read` answers it. Raises MalformedXML, InvalidRetentionPeriod."""
    if isinstance(default, dict):
        default = {_TITLES.get(name, name): value for name, value in default.items()}
    return _sound(schema.check(_DEFAULT, "DefaultRetention", default))


def write(default: Mapping[str, Any] | None) -> bytes:
    value: Json = {"ObjectLockEnabled": "Enabled"}
    if default:
        value["Rule"] = {"DefaultRetention": {_TITLES[name]: found for name, found in default.items()}}
    return schema.write(_CONFIGURATION, "ObjectLockConfiguration", value)


def read_retention(body: bytes) -> Retention | None:
    """None, an empty document: retention shall end. Raises MalformedXML."""
    found = schema.read(_RETENTION, "Retention", body)
    if not found:
        return None
    if len(found) < 2:
        raise S3Error("MalformedXML")
    return Retention(found["Mode"], datetime.fromisoformat(found["RetainUntilDate"]).astimezone(UTC))


def write_retention(retention: Retention | None) -> bytes:
    """None: the empty document, by which a retention ends."""
    value = {"Mode": retention.mode, "RetainUntilDate": iso(retention.until)} if retention else {}
    return schema.write(_RETENTION, "Retention", value)


def read_hold(body: bytes) -> bool:
    """Whether the version shall be held. Raises MalformedXML."""
    return bool(schema.read(_HOLD, "LegalHold", body)["Status"] == "ON")


def write_hold(held: bool) -> bytes:
    return schema.write(_HOLD, "LegalHold", {"Status": "ON" if held else "OFF"})


def _sound(default: Json) -> Json:
    if ("Days" in default) == ("Years" in default):
        raise S3Error("MalformedXML", "A default retention has Days or Years.")
    for name, most in (("Days", MAX_DAYS), ("Years", MAX_YEARS)):
        if name in default and not 1 <= default[name] <= most:
            raise S3Error(
                "InvalidRetentionPeriod", f"Default retention period in {name} must be 1 to {most}."
            )
    return {name.lower(): value for name, value in default.items()}
