"""Whom this instance's own calls to itself believe."""

from __future__ import annotations

import ssl
from pathlib import Path

from django.conf import settings


def own_authority() -> ssl.SSLContext:
    """Who vouches for our own address: this instance's authority too, where it has one."""
    context = ssl.create_default_context()
    if _own().exists():
        context.load_verify_locations(_own())
    return context


def own_authority_since() -> float:
    """When the instance's authority was last made (seconds since the epoch, 0: none). What was read before is old."""
    try:
        return _own().stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _own() -> Path:
    return Path(settings.HOME) / "ca.crt"
