"""The last defence before the log, which nobody can clean afterwards: what looks like a secret is not written."""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Mapping
from typing import Any

log = logging.getLogger(__name__)

REDACTED = "[redacted]"
CHANGED = "changed"
"""What a verb writes for a secret that was set anew; it passes."""
MOST_DETAIL = 32 << 10
"""Bytes of JSON that `before` or `after` may have: an entry says what changed, it is no copy of it."""

_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase|code)|pwd$|secret|token|credentials?$|authorization|cookie|otp|(^|_)seed($|_)"
    r"|(private|api|signing|encryption|session|access)_?key$|(recovery|backup|verification)_codes?|hash$|jwt"
)
_HARMLESS_NAME = re.compile(
    r"^access_key$|_at$|^(token_type|credential)$"
)  # an S3 key's public half; times; kinds
_SECRET_TEXT = re.compile(
    r"mcp_[A-Za-z0-9]+_[A-Za-z0-9_-]{8,}"  # API keys of ours
    r"|eyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*"  # JWT
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|\b[a-z][a-z0-9+.-]*://[^/\s:@]+:[^/\s@]+@"  # a password in a URL
    r"|\$argon2\w*\$|otpauth://"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def text(value: str, most: int) -> str:
    """`value` without what PostgreSQL refuses, within `most` characters, and without a secret."""
    value = value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
    return REDACTED if _SECRET_TEXT.search(value) else value[:most]


def details(values: Mapping[str, Any], action: str) -> dict[str, Any]:
    """`values` as JSON that can be stored, secrets redacted; too much of it is left out with its size."""
    clean = _mapping(values, action)
    size = len(json.dumps(clean, ensure_ascii=False).encode())
    return clean if size <= MOST_DETAIL else {"omitted": f"{size} bytes", "fields": sorted(clean)[:100]}


def is_secret_name(name: str) -> bool:
    plain = _CAMEL.sub("_", name).replace("-", "_").replace(" ", "_").lower()
    return bool(_SECRET_NAME.search(plain)) and not _HARMLESS_NAME.search(plain)


def _mapping(values: Mapping[Any, Any], action: str) -> dict[str, Any]:
    return {text(str(name), 300): _value(str(name), value, action) for name, value in values.items()}


def _value(name: str, value: Any, action: str) -> Any:
    if value is None or isinstance(value, (bool, int)):
        return value
    if is_secret_name(name) and value not in ("", CHANGED):
        log.error("the audit entry %s was about to hold %s: redacted", action, name)
        return REDACTED
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return _mapping(value, action)
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value, key=str) if isinstance(value, (set, frozenset)) else value
        return [_value("", item, action) for item in items]
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"{len(value)} bytes"
    found = text(str(value), MOST_DETAIL)
    if found == REDACTED != value:
        log.error("the audit entry %s was about to hold a secret in %s: redacted", action, name or "a list")
    return found
