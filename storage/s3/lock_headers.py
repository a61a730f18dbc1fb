"""Object lock in headers: what a write asks to be locked with, and how a read shows it.

A lock is {"mode", "until" (ISO 8601), "hold"}, what is not set left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

from storage.index.types import BucketInfo
from storage.s3.documents.lock import COMPLIANCE, GOVERNANCE
from storage.s3.errors import S3Error
from storage.s3.text import iso

MODE: Final = "x-amz-object-lock-mode"
UNTIL: Final = "x-amz-object-lock-retain-until-date"
HOLD: Final = "x-amz-object-lock-legal-hold"

_ISO: Final = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:?\d\d)", re.ASCII)


def read(headers: Mapping[str, str]) -> dict[str, Any]:
    """The lock that a write asks for; empty where it asks for none. Raises InvalidArgument."""
    lock: dict[str, Any] = {}
    mode, until, hold = headers.get(MODE), headers.get(UNTIL), headers.get(HOLD)
    if (mode is None) != (until is None):
        raise S3Error("InvalidArgument", f"{UNTIL} and {MODE} must both be supplied.")
    if mode is not None and until is not None:
        if mode not in (GOVERNANCE, COMPLIANCE):
            _invalid(MODE, mode, "Unknown wormMode directive.")
        lock["mode"] = mode
        lock["until"] = iso(in_future(_moment(until)))
    if hold is not None:
        if hold not in ("ON", "OFF"):
            _invalid(HOLD, hold, "Legal Hold must be either of 'ON' or 'OFF'")
        lock["hold"] = hold == "ON"
    return lock


def answer(lock: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A lock as the headers of a read."""
    found = []
    if "mode" in lock:
        found += [(MODE, lock["mode"]), (UNTIL, iso(datetime.fromisoformat(lock["until"])))]
    if "hold" in lock:
        found.append((HOLD, "ON" if lock["hold"] else "OFF"))
    return found


def require(bucket: BucketInfo) -> None:
    """Return when the bucket's objects can be locked. Raises InvalidRequest."""
    if not bucket.object_lock:
        raise S3Error("InvalidRequest", "Bucket is missing Object Lock Configuration")


def in_future(until: datetime) -> datetime:
    """The end of a retention that has not come yet. Raises InvalidArgument."""
    if until <= datetime.now(UTC):
        raise S3Error("InvalidArgument", "The retain until date must be in the future!")
    return until


def _moment(text: str) -> datetime:
    try:
        if not _ISO.fullmatch(text):
            raise ValueError(text)
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        _invalid(UNTIL, text, "The retain until date must be provided in ISO 8601 format")


def _invalid(name: str, value: str, message: str) -> NoReturn:
    raise S3Error("InvalidArgument", message, extra={"ArgumentName": name, "ArgumentValue": value})
