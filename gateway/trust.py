"""Whom this instance's own calls to itself believe."""

from __future__ import annotations

import ssl
from pathlib import Path

from django.conf import settings


def own_authority() -> ssl.SSLContext:
    """Who vouches for our own address: this instance's authority too, where it has one."""
    context = ssl.create_default_context()
    own = Path(settings.HOME) / "ca.crt"
    if own.exists():
        context.load_verify_locations(own)
    return context
