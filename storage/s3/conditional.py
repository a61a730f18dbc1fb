"""If-Match and its kin, in the order RFC 9110 gives them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from storage.index.types import Expected
from storage.s3.errors import S3Error

_SIZE: Final = "x-amz-if-match-size"
_MODIFIED: Final = "x-amz-if-match-last-modified-time"


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
    """A write's condition: `If-None-Match` with `*` or one tag, `If-Match` with one tag or `*`."""
    other, match = sent.get("if-none-match"), sent.get("if-match")
    if other is None and match is None:
        return None
    if other is not None and match is not None:
        raise S3Error("NotImplemented", "If-Match and If-None-Match together are not implemented.")
    if other is not None:
        tag = _one_tag(other)
        return Expected(absent=True) if tag == "*" else Expected(not_etag=tag)
    return Expected(etag=_one_tag(match or ""))


def deletion(sent: Mapping[str, str]) -> Expected | None:
    """A delete's condition, from its headers. Raises InvalidArgument, NotImplemented."""
    size = sent.get(_SIZE)
    if size is not None and not (size.isascii() and size.isdigit() and len(size) < 19):
        raise S3Error("InvalidArgument", extra={"ArgumentName": _SIZE, "ArgumentValue": size})
    return of_delete(
        sent.get("if-match"), None if size is None else int(size), sent.get(_MODIFIED), _MODIFIED
    )


def of_delete(
    match: str | None, size: int | None, modified: str | None, modified_name: str
) -> Expected | None:
    """A delete's condition: an entity tag or `*`, a size, a time in HTTP's form or ISO 8601.

    Raises InvalidArgument, NotImplemented.
    """
    if not match and size is None and not modified:
        return None
    moment = _any_date(modified) if modified else None
    if modified and moment is None:
        raise S3Error("InvalidArgument", extra={"ArgumentName": modified_name, "ArgumentValue": modified})
    return Expected(etag=_one_tag(match) if match else None, size=size, last_modified=moment)


def _one_tag(condition: str) -> str:
    tag = condition.strip().strip('"')
    if not tag or "," in tag:
        raise S3Error("NotImplemented", "A write accepts a condition only with one entity tag.")
    return tag


def _any_date(text: str) -> datetime | None:
    found = _date(text)
    if found is None:
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            return None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    try:
        return found.astimezone(UTC).replace(microsecond=0)  # the index knows no offset of more than 16 hours
    except OverflowError:
        return None


def _names(condition: str, etag: str) -> bool:
    """Whether a list of entity tags (quoted or, as some clients have it, bare; or `*`) names `etag`."""
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in condition.split(",")]
    return etag in tags or tags == ["*"]


def _date(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
