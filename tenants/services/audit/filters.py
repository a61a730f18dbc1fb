"""What of the log is asked for: the same words in the API, in pages, in the admin and in exports."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast
from django.utils.dateparse import parse_date

from gateway.errors import Invalid
from gateway.validation import moment

NAMES = ("actor", "action", "target", "credential", "ip", "request_id", "since", "until", "q")
MOST_CHARACTERS = 300
_SEARCHED = ("target", "actor", "action", "before_text", "after_text")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Filters:
    """All of them hold at once; what is empty asks nothing.

    `action`, `target` and `credential` are the whole text, or with an asterisk at the end its beginning; an action
    that ends with a dot is a beginning too, and a credential without a colon its kind. `ip` is an address or a
    network. `since` counts, `until` does not. `q` is found anywhere in target, actor, action and what changed.
    """

    actor: str = ""
    action: str = ""
    target: str = ""
    credential: str = ""
    ip: Network | None = None
    request_id: str = ""
    since: datetime | None = None
    until: datetime | None = None
    q: str = ""

    def apply(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        for field in ("actor", "request_id"):
            if value := getattr(self, field):
                rows = rows.filter(**{field: value})
        for field in ("action", "target", "credential"):
            if value := getattr(self, field):
                rows = rows.filter(_of_text(field, value))
        if self.ip is not None:
            first, last = str(self.ip.network_address), str(self.ip.broadcast_address)
            rows = rows.filter(ip=first) if first == last else rows.filter(ip__gte=first, ip__lte=last)
        if self.since is not None:
            rows = rows.filter(at__gte=self.since)
        if self.until is not None:
            rows = rows.filter(at__lt=self.until)
        if self.q:
            rows = rows.alias(before_text=Cast("before", TextField()), after_text=Cast("after", TextField()))
            found = Q()
            for field in _SEARCHED:
                found |= Q(**{f"{field}__icontains": self.q})
            rows = rows.filter(found)
        return rows

    def words(self) -> dict[str, str]:
        """As they were asked for: for the log, and for links."""
        found = {name: getattr(self, name) for name in NAMES}
        return {
            name: value.isoformat() if isinstance(value, datetime) else str(value)
            for name, value in found.items()
            if value
        }


def parse(query: Mapping[str, str]) -> Filters:
    """The filters of a query string. Raises Invalid, by field; an empty one of `ip` and the texts asks nothing."""
    given = {name: query[name] for name in NAMES if name in query}
    for name, value in given.items():
        if "\0" in value or len(value) > MOST_CHARACTERS:
            raise _invalid(name, f"At most {MOST_CHARACTERS} characters, none of them NUL.")
    return Filters(
        **{
            name: given.get(name, "")
            for name in ("actor", "action", "target", "credential", "request_id", "q")
        },
        ip=_network(given["ip"]) if given.get("ip") else None,
        since=moment("since", given["since"]) if "since" in given else None,
        until=moment("until", given["until"]) if "until" in given else None,
    )


def parse_form(query: Mapping[str, str]) -> Filters:
    """The same from what people fill in: days instead of times (UTC, the last one counts), beginnings of texts.

    What cannot be understood asks nothing.
    """
    given = {name: query[name].replace("\0", "").strip()[:MOST_CHARACTERS] for name in NAMES if name in query}
    for field in ("action", "target"):
        if given.get(field):
            given[field] = given[field].rstrip("*") + "*"
    try:
        ip = _network(given["ip"]) if given.get("ip") else None
    except Invalid:
        ip = None
    since, until = _day(given.get("since", "")), _day(given.get("until", ""))
    return Filters(
        **{
            name: given.get(name, "")
            for name in ("actor", "action", "target", "credential", "request_id", "q")
        },
        ip=ip,
        since=_midnight(since) if since else None,
        until=_midnight(until + timedelta(days=1)) if until and until < date.max else None,
    )


def _of_text(field: str, value: str) -> Q:
    if field == "credential" and ":" not in value and "*" not in value:
        return Q(credential=value) | _beginning(field, f"{value}:")
    if value.endswith("*"):
        return _beginning(field, value[:-1])
    if field == "action" and value.endswith("."):
        return _beginning(field, value)
    return Q(**{field: value})


def _beginning(field: str, beginning: str) -> Q:
    """As a range, for which a row policy lets the index be used; texts are compared by code point there."""
    if not beginning:
        return Q()
    found = Q(**{f"{field}__gte": beginning})
    stem = beginning.rstrip(chr(0x10FFFF))
    if not stem:
        return found
    after = ord(stem[-1]) + 1
    if 0xD800 <= after <= 0xDFFF:  # surrogates are no text
        after = 0xE000
    return found & Q(**{f"{field}__lt": stem[:-1] + chr(after)})


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise _invalid("ip", "Not an address, nor a network such as 192.0.2.0/24.") from None


def _day(text: str) -> date | None:
    try:
        return parse_date(text)
    except ValueError:
        return None


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _invalid(name: str, message: str) -> Invalid:
    return Invalid(f"{name}: {message}", errors={name: [message]})
