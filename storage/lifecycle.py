"""Lifecycle rules as they act: what a rule is about, and when. Pure; the worker and the answers of S3 share it.

Days count as S3 counts them (user guide, "Lifecycle rules: based on an object's age"): to the midnight, UTC, after so
many days. With a day of other than 86,400 seconds, which is for tests, there are no midnights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Final
from urllib.parse import quote

DAY_SECONDS: Final = 86_400
# A rule may say more days than there are: what is due then never is.
_NEVER: Final = datetime(9999, 12, 31, tzinfo=UTC)
_BEFORE_ALL: Final = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Rule:
    """One enabled rule. Sizes: more than `larger`, less than `smaller` bytes. None: nothing of the kind is asked."""

    id: str
    prefix: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    larger: int | None = None
    smaller: int | None = None
    days: int | None = None
    date: datetime | None = None
    expires_markers: bool = False
    noncurrent_days: int | None = None
    newer_noncurrent: int = 0
    abort_days: int | None = None

    @property
    def is_for_all(self) -> bool:
        """Whether it asks for nothing but a prefix, so that delete markers, which have nothing else, fit."""
        return not self.tags and self.larger is None and self.smaller is None

    def fits(self, key: str, size: int, tags: Mapping[str, str]) -> bool:
        """Whether it is about that object."""
        return (
            key.startswith(self.prefix)
            and (self.larger is None or size > self.larger)
            and (self.smaller is None or size < self.smaller)
            and self.tags.items() <= tags.items()
        )

    def expires_at(self, last_modified: datetime, day_seconds: int = DAY_SECONDS) -> datetime | None:
        """When an object of that age expires by it; None: never."""
        if self.date is not None:
            return self.date
        return None if self.days is None else falls_due(last_modified, self.days, day_seconds)


def rules_of(configured: Sequence[Mapping[str, Any]]) -> list[Rule]:
    """The enabled ones of a bucket's rules as `storage.s3.documents.lifecycle` keeps them."""
    return [_rule(rule) for rule in configured if rule.get("Status") == "Enabled"]


def falls_due(since: datetime, days: int, day_seconds: int = DAY_SECONDS) -> datetime:
    """The moment `days` after; at most the last midnight that there is."""
    try:
        due = since + timedelta(seconds=days * day_seconds)
        if day_seconds != DAY_SECONDS:
            return due
        midnight = due.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight if midnight == due else midnight + timedelta(days=1)
    except OverflowError:
        return _NEVER


def cutoff(now: datetime, days: int, day_seconds: int = DAY_SECONDS) -> datetime:
    """What began then or before is due now: `falls_due(since, days) <= now`."""
    if day_seconds == DAY_SECONDS:
        now = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        return now - timedelta(seconds=days * day_seconds)
    except OverflowError:
        return _BEFORE_ALL


def expiration_header(
    rules: Sequence[Rule],
    key: str,
    size: int,
    tags: Mapping[str, str],
    last_modified: datetime,
    day_seconds: int = DAY_SECONDS,
) -> str | None:
    """The x-amz-expiration of a current object: the earliest rule's time and id; None where none is about it."""
    found = [
        (moment, rule.id)
        for rule in rules
        if rule.fits(key, size, tags) and (moment := rule.expires_at(last_modified, day_seconds))
    ]
    if not found:
        return None
    moment, rule_id = min(found)
    return f'expiry-date="{_http_date(moment)}", rule-id="{quote(rule_id, safe="")}"'


def abort_of(
    rules: Sequence[Rule], key: str, initiated_at: datetime, day_seconds: int = DAY_SECONDS
) -> tuple[str, str] | None:
    """When an unfinished upload ends, as x-amz-abort-date says it, and by which rule; None where none is about it."""
    found = [
        (falls_due(initiated_at, rule.abort_days, day_seconds), rule.id)
        for rule in rules
        if rule.abort_days is not None and key.startswith(rule.prefix)
    ]
    if not found:
        return None
    moment, rule_id = min(found)
    return _http_date(moment), quote(rule_id, safe="")


def _http_date(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def _rule(rule: Mapping[str, Any]) -> Rule:
    chosen = rule.get("Filter", {})
    both = chosen.get("And", chosen)
    named = both.get("Tags", [])
    if "Tag" in chosen:
        named = [chosen["Tag"]]
    expiration = rule.get("Expiration", {})
    noncurrent = rule.get("NoncurrentVersionExpiration", {})
    date = expiration.get("Date")
    return Rule(
        id=rule["ID"],
        prefix=rule.get("Prefix", both.get("Prefix", "")),
        tags={tag["Key"]: tag["Value"] for tag in named},
        larger=both.get("ObjectSizeGreaterThan"),
        smaller=both.get("ObjectSizeLessThan"),
        days=expiration.get("Days"),
        date=datetime.fromisoformat(date) if date else None,
        expires_markers=bool(expiration.get("ExpiredObjectDeleteMarker")),
        noncurrent_days=noncurrent.get("NoncurrentDays"),
        newer_noncurrent=noncurrent.get("NewerNoncurrentVersions", 0),
        abort_days=rule.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation"),
    )
