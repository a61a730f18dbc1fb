"""Cross-origin requests to a bucket: which rule of its CORS configuration answers, and with which headers.

Follows the Fetch standard's CORS protocol as S3 does: the first rule that allows origin, method and every header.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from storage.s3.documents.cors import METHODS

VARY: Final = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"
"""What an answer of a bucket with rules depends on, told with every one so that caches keep them apart."""

_MAX_HEADERS: Final = 100

Rule = Mapping[str, Any]


def preflight(rules: Sequence[Rule], origin: str, method: str, headers: str) -> list[tuple[str, str]] | None:
    """The headers that allow what a preflight asks about, or None.

    `method` and `headers` are the values of Access-Control-Request-Method and -Headers.
    """
    wanted = [name.strip().lower() for name in headers.split(",") if name.strip()]
    if len(wanted) > _MAX_HEADERS:
        return None
    for rule in rules:
        if method in rule["AllowedMethods"] and (allowed := _origin(rule, origin)):
            patterns = [pattern.lower() for pattern in rule.get("AllowedHeaders", [])]
            if all(any(_matches(pattern, name) for pattern in patterns) for name in wanted):
                return _headers(rule, allowed, wanted)
    return None


def actual(rules: Sequence[Rule], headers: Mapping[str, str], method: str) -> list[tuple[str, str]]:
    """What the answer to a request other than a preflight says to a page of another origin; [] = nothing.

    `headers` are the request's by lower-case name. One that names Access-Control-Request-Method is judged by that.
    """
    if not rules:
        return []
    told = [("Vary", VARY)]
    origin = headers.get("origin")
    if not origin:
        return told
    method = headers.get("access-control-request-method") or method
    for rule in rules:
        if method in rule["AllowedMethods"] and (allowed := _origin(rule, origin)):
            return _headers(rule, allowed, [])
    return told


def is_method(method: str) -> bool:
    """Whether a preflight may ask about it."""
    return method in METHODS


def _origin(rule: Rule, origin: str) -> str | None:
    """What Access-Control-Allow-Origin says where the rule allows the origin."""
    for pattern in rule["AllowedOrigins"]:
        if pattern == "*":
            return "*"
        if _matches(pattern, origin):
            return origin
    return None


def _matches(pattern: str, text: str) -> bool:
    """One `*` stands for any text, also none."""
    start, star, end = pattern.partition("*")
    if not star:
        return pattern == text
    return len(text) >= len(start) + len(end) and text.startswith(start) and text.endswith(end)


def _headers(rule: Rule, allowed: str, wanted: Sequence[str]) -> list[tuple[str, str]]:
    found = [
        ("Access-Control-Allow-Origin", allowed),
        ("Access-Control-Allow-Methods", ", ".join(rule["AllowedMethods"])),
    ]
    if wanted:
        found.append(("Access-Control-Allow-Headers", ", ".join(wanted)))
    if rule.get("ExposeHeaders"):
        found.append(("Access-Control-Expose-Headers", ", ".join(rule["ExposeHeaders"])))
    if "MaxAgeSeconds" in rule:
        found.append(("Access-Control-Max-Age", str(rule["MaxAgeSeconds"])))
    if allowed != "*":
        found.append(("Access-Control-Allow-Credentials", "true"))
    found.append(("Vary", VARY))
    return found
