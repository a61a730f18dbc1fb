"""If-Match and its kin, in the order RFC 9110 gives them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from storage.index.types import Expected
from storage.s3.errors import S3Error


def check_read(headers: Mapping[str, str], etag: str, last_modified: datetime) -> None:
    """Return when a GET or HEAD may go on. Raises PreconditionFailed (412) or NotModified (304).

    `etag` has no quotes. A date that cannot be read is as if it were not there.
    """
    if (match := headers.get("if-match")) is not None:
        if not _names(match, etag):
            raise S3Error("PreconditionFailed", extra={"Condition": "If-Match"})
    elif (since := _date(headers.get("if-unmodified-since"))) and last_modified.replace(
        microsecond=0
    ) > since:
        raise S3Error("PreconditionFailed", extra={"Condition": "If-Unmodified-Since"})
    if (none := headers.get("if-none-match")) is not None:
        if _names(none, etag):
            raise S3Error("NotModified")
    elif (since := _date(headers.get("if-modified-since"))) and last_modified.replace(microsecond=0) <= since:
        raise S3Error("NotModified")


def range_holds(headers: Mapping[str, str], etag: str, last_modified: datetime) -> bool:
    """Whether If-Range, when given, still allows a partial answer."""
    condition = headers.get("if-range")
    if condition is None:
        return True
    if (moment := _date(condition)) is not None:
        return moment == last_modified.replace(microsecond=0)
    return condition.strip().strip('"') == etag


def expectation(sent: Mapping[str, str]) -> Expected | None:
    """A write's condition. S3 knows `If-None-Match: *` and `If-Match` with one tag."""
    absent, match = sent.get("if-none-match"), sent.get("if-match")
    if absent is None and match is None:
        return None
    if absent is not None and match is not None:
        raise S3Error("NotImplemented", "If-Match and If-None-Match together are not implemented.")
    if absent is not None:
        if absent.strip() != "*":
            raise S3Error("NotImplemented", "A write accepts If-None-Match only with *.")
        return Expected(absent=True)
    tag = (match or "").strip().strip('"')
    if not tag or tag == "*" or "," in tag:
        raise S3Error("NotImplemented", "A write accepts If-Match only with one entity tag.")
    return Expected(etag=tag)


def _names(condition: str, etag: str) -> bool:
    """Whether a list of entity tags (quoted or, as some clients have it, bare; or `*`) names `etag`."""
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in condition.split(",")]
    return etag in tags or tags == ["*"]


def _date(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
