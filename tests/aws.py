"""boto3 clients of one session: each new one would read a megabyte of descriptions of services anew."""

from __future__ import annotations

from threading import Lock
from typing import Any

import boto3

_session = boto3.session.Session()
_making = Lock()  # clients may be used by threads, sessions not


def client(service: str, **options: Any) -> Any:
    """As `boto3.client`, at once; for tests that bring their credentials, not those of an environment."""
    with _making:
        return _session.client(service, **options)
