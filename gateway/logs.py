"""One id follows a request from the edge into logs, tasks and answers."""

from __future__ import annotations

import logging
import re
import uuid
from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="-")
_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{8,64}")


def accept_request_id(given: str | None) -> str:
    """The caller's id where it is harmless in a log line, else a new one."""
    return given if given and _ACCEPTED.fullmatch(given) else uuid.uuid4().hex


class RequestIdFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        return True
