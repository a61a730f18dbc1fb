"""How long what a key was before its rotation works on."""

from __future__ import annotations

from datetime import timedelta

from gateway.errors import Invalid

LONGEST_OVERLAP = timedelta(days=7)


def check(overlap: timedelta) -> None:
    """Raises Invalid by field below 0 and beyond LONGEST_OVERLAP."""
    if not timedelta() <= overlap <= LONGEST_OVERLAP:
        text = f"From 0 to {int(LONGEST_OVERLAP.total_seconds())}."
        raise Invalid(f"overlap_seconds: {text}", errors={"overlap_seconds": [text]})
