"""When a request was signed, and how far its clock may be from ours."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final

from storage.s3.errors import S3Error

MAX_SKEW: Final = 15 * 60  # seconds

_TIMESTAMP: Final = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z\Z", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def is_timestamp(text: str) -> bool:
    """Whether `text` has the form YYYYMMDDTHHMMSSZ."""
    return _TIMESTAMP.match(text) is not None


@lru_cache(maxsize=64)  # requests come many to a second
def moment(timestamp: str) -> datetime:
    """The time that YYYYMMDDTHHMMSSZ means. Raises AccessDenied."""
    found = _TIMESTAMP.match(timestamp)
    try:
        if found is None:
            raise ValueError(timestamp)
        year, month, day, hour, minute, second = map(int, found.groups())
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise bad_date() from None


def date_of(text: str) -> datetime:
    """The time of a Date header, in HTTP's form or S3's own. Raises AccessDenied."""
    if is_timestamp(text):
        return moment(text)
    try:
        found = parsedate_to_datetime(text)
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise bad_date() from None
    if found < _EPOCH:
        raise bad_date()
    return found


def check(signed: datetime, now: datetime, shown: str) -> None:
    """Raise RequestTimeTooSkewed for what was signed too long ago or in the future. `shown` is its time as sent."""
    if abs((now - signed).total_seconds()) > MAX_SKEW:
        raise S3Error(
            "RequestTimeTooSkewed",
            extra={
                "RequestTime": shown,
                "ServerTime": iso(now),
                "MaxAllowedSkewMilliseconds": str(MAX_SKEW * 1000),
            },
        )


def iso(moment: datetime) -> str:
    """A time as error documents show it, to the second."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def bad_date() -> S3Error:
    """The refusal of a date that is missing or is none."""
    return S3Error("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
