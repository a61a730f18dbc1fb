"""Condition operators (IAM user guide, "IAM JSON policy elements: Condition operators").

Each takes a value of the request and one of the policy's. Those that negate hold where none of the policy's values
matches, and where the request has no value at all.
"""

from __future__ import annotations

import binascii
import functools
import ipaddress
import re
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from operator import eq, ge, gt, le, lt
from typing import Any, Final

from .patterns import Pattern, Values, read

Compare = Callable[[str, Pattern, Values], bool]
"""Whether the request's value meets the policy's."""


@dataclass(frozen=True, slots=True)
class Operator:
    """`check` raises ValueError for what can be no value of a policy. `takes_variables`: `${…}` means something."""

    name: str
    compare: Compare
    negated: bool = False
    check: Callable[[str], object] = str
    takes_variables: bool = False


def _equals(given: str, wanted: Pattern, values: Values) -> bool:
    return given == wanted.literal(values)


def _equals_ignoring_case(given: str, wanted: Pattern, values: Values) -> bool:
    text = wanted.literal(values)
    return text is not None and given.casefold() == text.casefold()


def _like(given: str, wanted: Pattern, values: Values) -> bool:
    return wanted.matches(given, values)


def _arn_like(given: str, wanted: Pattern, values: Values) -> bool:
    """Each of the six parts for itself: a wildcard does not reach over a colon."""
    if wanted.text == "*":
        return True
    parts, patterns = given.split(":", 5), _arn(wanted.text)
    if len(parts) != 6 or len(patterns) != 6:
        return False
    return all(pattern.matches(part, values) for part, pattern in zip(parts, patterns, strict=True))


@functools.lru_cache(1024)
def _arn(text: str) -> tuple[Pattern, ...]:
    """The parts of a policy's ARN; the colons of its variables separate nothing."""
    found = [""]
    for piece in re.findall(r"\$\{[^{}]*\}|.", text, re.DOTALL):
        if piece == ":" and len(found) < 6:
            found.append("")
        else:
            found[-1] += piece
    return tuple(map(read, found))


def number(text: str) -> Decimal:
    """Raises ValueError."""
    try:
        found = Decimal(text.strip())
    except InvalidOperation:
        raise ValueError(f"{text[:50]!r} is no number") from None
    if not found.is_finite():
        raise ValueError(f"{text[:50]!r} is no number")
    return found


def date(text: str) -> datetime:
    """A W3C date of ISO 8601 with a zone, or seconds since 1970. Raises ValueError."""
    text = text.strip()
    if re.fullmatch(r"\d{1,11}", text):
        return datetime.fromtimestamp(int(text), UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text[:50]!r} is no date of ISO 8601") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def truth(text: str) -> bool:
    """Raises ValueError."""
    lower = text.strip().lower()
    if lower not in ("true", "false"):
        raise ValueError(f"{text[:50]!r} is neither true nor false")
    return lower == "true"


def network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """Raises ValueError."""
    if "%" in text:
        raise ValueError("a zone means nothing here")
    return ipaddress.ip_network(text.strip(), strict=False)


def binary(text: str) -> bytes:
    """Raises ValueError."""
    try:
        return b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError(f"{text[:50]!r} is no Base64") from None


_network = functools.lru_cache(1024)(network)


def _in_network(given: str, wanted: Pattern, values: Values) -> bool:
    address: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(given)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address in _network(wanted.text)


def _by(parse: Callable[[str], Any], holds: Callable[[Any, Any], bool]) -> Compare:
    def compare(given: str, wanted: Pattern, values: Values) -> bool:
        return holds(parse(given), parse(wanted.text))

    return compare


def check_arn(text: str) -> None:
    """Raises ValueError."""
    if text != "*" and (not text.startswith("arn:") or len(_arn(text)) != 6):
        raise ValueError(f"{text[:100]!r} is no ARN")


def _all() -> list[Operator]:
    found = [
        Operator("StringEquals", _equals, takes_variables=True),
        Operator("StringNotEquals", _equals, negated=True, takes_variables=True),
        Operator("StringEqualsIgnoreCase", _equals_ignoring_case, takes_variables=True),
        Operator("StringNotEqualsIgnoreCase", _equals_ignoring_case, negated=True, takes_variables=True),
        Operator("StringLike", _like, takes_variables=True),
        Operator("StringNotLike", _like, negated=True, takes_variables=True),
        Operator("ArnEquals", _arn_like, check=check_arn, takes_variables=True),
        Operator("ArnLike", _arn_like, check=check_arn, takes_variables=True),
        Operator("ArnNotEquals", _arn_like, negated=True, check=check_arn, takes_variables=True),
        Operator("ArnNotLike", _arn_like, negated=True, check=check_arn, takes_variables=True),
        Operator("Bool", _by(truth, eq), check=truth),
        Operator("BinaryEquals", _by(binary, eq), check=binary),
        Operator("IpAddress", _in_network, check=network),
        Operator("NotIpAddress", _in_network, negated=True, check=network),
    ]
    kinds: tuple[tuple[str, Callable[[str], Any]], ...] = (("Numeric", number), ("Date", date))
    for kind, parse in kinds:
        found.append(Operator(f"{kind}NotEquals", _by(parse, eq), negated=True, check=parse))
        for name, holds in (
            ("Equals", eq),
            ("LessThan", lt),
            ("LessThanEquals", le),
            ("GreaterThan", gt),
            ("GreaterThanEquals", ge),
        ):
            found.append(Operator(f"{kind}{name}", _by(parse, holds), check=parse))
    return found


OPERATORS: Final[dict[str, Operator]] = {operator.name.lower(): operator for operator in _all()}
NULL: Final = "null"


def meets(operator: Operator, given: str, wanted: tuple[Pattern, ...], values: Values) -> bool:
    """Whether one value of the request matches any of the policy's, before it is negated.

    A request's value that cannot be read (a number that is none) matches nothing.
    """
    for pattern in wanted:
        try:
            if operator.compare(given, pattern, values):
                return True
        except ValueError:
            continue
    return False
