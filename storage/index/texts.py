"""Bounds of keys in byte order. UTF-8 keeps the order of code points, so they are found on text."""

from __future__ import annotations

_LAST = "\U0010ffff"
_BEFORE_SURROGATES, _AFTER_SURROGATES = "\ud7ff", "\ue000"


def after_all(prefix: str) -> str | None:
    """The least text after every text that begins with `prefix`; None when there is none (or no prefix)."""
    kept = prefix.rstrip(_LAST)
    if not kept:
        return None
    last = kept[-1]
    return kept[:-1] + (_AFTER_SURROGATES if last == _BEFORE_SURROGATES else chr(ord(last) + 1))
