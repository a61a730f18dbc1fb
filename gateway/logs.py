"""What a log line holds: the request's id on its way from the edge into answers and tasks, and no secret.

Standard library only: the web server's own process, which never imports Django, writes its lines with this too.
"""

from __future__ import annotations

import json
import logging
import os
import re
import uuid
from collections.abc import Iterable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from gateway import redaction

request_id: ContextVar[str] = ContextVar("request_id", default="-")
PROCESS = os.environ.get("GATEHOUSE_PROCESS", "manage")
LEVELS = ("TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
FORMATS = ("json", "line")
# Of others, which tell at DEBUG what nobody but their authors wants to know; TRACE shows it.
_CHATTY = (
    "aiohttp",
    "amqp",
    "asyncio",
    "boto3",
    "botocore",
    "celery.utils",
    "kombu",
    "urllib3",
    "websockets",
)
_SERVERS = ("_granian", "uvicorn", "uvicorn.access", "uvicorn.asgi", "uvicorn.error")
_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{8,64}")


def accept_request_id(given: str | None) -> str:
    """The caller's id where it is harmless in a log line, else a new one."""
    return given if given and _ACCEPTED.fullmatch(given) else uuid.uuid4().hex


class Json(logging.Formatter):
    """One object a line: time (RFC 3339), level, logger, message, request_id, process, exception (the traceback)."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._redact = redaction.redactor(secrets)

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": self._redact(record.getMessage()),
            "request_id": request_id.get(),
            "process": PROCESS,
        }
        if record.exc_info:
            told["exception"] = self._redact(self.formatException(record.exc_info))
        return json.dumps(told, ensure_ascii=False)


class Line(logging.Formatter):
    """For a terminal, where the supervisor puts the process's name before it."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__("{levelname} {name} {message} [{request_id}]", style="{")
        self._redact = redaction.redactor(secrets)

    def format(self, record: logging.LogRecord) -> str:
        record.request_id = request_id.get()
        return self._redact(super().format(record))


def default_format() -> str:
    """For machines, except where a person watches the terminal of `make up`."""
    return "line" if os.environ.get("GATEHOUSE_ENV") == "development" else "json"


def chosen(secrets: Iterable[str] = ()) -> logging.Formatter:
    """The formatter that the environment asks for."""
    style = os.environ.get("LOG_FORMAT") or default_format()
    return Json(secrets) if style == "json" else Line(secrets)


def configuration(style: str, level: str, secrets: Iterable[str] = ()) -> dict[str, Any]:
    """For `logging.config.dictConfig`: everything to standard error. `secrets` are never written as they are."""
    everything = level == "TRACE"
    own = "DEBUG" if everything else level
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "chosen": {
                "()": f"gateway.logs.{'Json' if style == 'json' else 'Line'}",
                "secrets": list(secrets),
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "chosen"}},
        "root": {"handlers": ["stderr"], "level": own},
        "loggers": {
            "django.request": {"level": "ERROR"},  # what is refused is no news
            "django.db.backends": {"level": "DEBUG" if everything else "INFO"},
            "django.template": {"level": "DEBUG" if everything else "INFO"},
            "celery.worker.strategy": {"level": "WARNING"},  # a task is received; that it is done follows
            **{name: {"level": "DEBUG" if everything else "INFO"} for name in _CHATTY if own == "DEBUG"},
            **{name: {"handlers": [], "propagate": True} for name in _SERVERS},
        },
    }
