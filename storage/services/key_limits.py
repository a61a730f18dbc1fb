"""What an access key is limited to, as people give it: checked, in one form, and never wider than what it came from."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from gateway.errors import Invalid
from storage.policy import patterns
from storage.policy.actions import ACTIONS
from tenants.models import SLUG_FORM

MOST = 100
MAX_KEY_BYTES = 1024
_SLUG: Final = re.compile(rf"{SLUG_FORM}\Z")


def buckets(given: Sequence[str] | None) -> list[str] | None:
    """Names of buckets, which need not be there yet; another tenant's is `<tenant>:<bucket>`. Raises Invalid."""
    return _each("buckets", given, _is_bucket, "is no bucket's name")


def prefixes(given: Sequence[str] | None) -> list[str] | None:
    """Beginnings of keys. Raises Invalid by field."""
    return _each(
        "prefixes",
        given,
        lambda text: 0 < len(text.encode()) <= MAX_KEY_BYTES and "\0" not in text,
        "is no beginning of a key",
    )


def actions(given: Sequence[str] | None) -> list[str] | None:
    """S3's actions, with wildcards. Raises Invalid by field for one that stands for none."""
    return _each("actions", given, _is_action, "is no action of S3, nor a pattern of any")


def within(inner: Sequence[str] | None, outer: Sequence[str] | None, field: str) -> None:
    """Return where `inner` limits at least as much as `outer`. Raises Invalid by field."""
    if outer is None:
        return
    how: dict[str, Callable[[str, str], bool]] = {
        "buckets": _is_equal,
        "prefixes": str.startswith,
        "actions": _is_within,
    }
    covered = how[field]
    if inner is None or not all(any(covered(one, other) for other in outer) for one in inner):
        raise _refused(field, "A key is only narrowed, make another.")


def _each(
    field: str, given: Sequence[str] | None, fits: Callable[[str], bool], wrong: str
) -> list[str] | None:
    if given is None:
        return None
    kept = list(dict.fromkeys(given))
    for text in kept:
        if not fits(text):
            raise _refused(field, f"{text[:80]!r} {wrong}.")
    if not kept or len(kept) > MOST:
        raise _refused(field, f"From 1 to {MOST}; leave it out for no limit.")
    return kept


def _is_bucket(text: str) -> bool:
    owner, colon, name = text.rpartition(":")
    return 3 <= len(name) <= 63 and name.islower() and (not colon or _SLUG.match(owner) is not None)


def _is_action(text: str) -> bool:
    if not text.lower().startswith("s3:") or len(text) > 64:
        return False
    return any(_matches(f"s3:{name}", text) for name in ACTIONS)


def _is_equal(one: str, other: str) -> bool:
    return one == other


def _is_within(inner: str, outer: str) -> bool:
    names = [f"s3:{name}" for name in ACTIONS]
    return all(_matches(name, outer) for name in names if _matches(name, inner))


def _matches(text: str, pattern: str) -> bool:
    return patterns.glob(pattern.lower()).matches(text.lower(), patterns.no_values)


def _refused(field: str, text: str) -> Invalid:
    return Invalid(f"{field}: {text}", errors={field: [text]})
