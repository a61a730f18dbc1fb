"""Work that starts once the transaction has committed.

What is started here may be lost (a crash, a broker that is down): every such job has a sweep on beat.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from celery import Task
from django.db import transaction

from gateway import celery as _application  # noqa: F401  binds every shared_task to our broker

log = logging.getLogger(__name__)


def after_commit(func: Callable[..., Any], *args: Any) -> None:
    """Call `func(*args)` after the commit; what it raises is logged, and does not reach the caller."""

    def nudge() -> None:  # a partial has no __qualname__, which Django 5.2 logs when a robust hook fails
        func(*args)

    transaction.on_commit(nudge, robust=True)  # noqa: TID251  this is the one place


def enqueue(task: Task[..., Any], *args: Any) -> None:
    """Send a Celery task after the commit."""

    def send() -> None:
        task.apply_async(args, retry=False)

    transaction.on_commit(send, robust=True)  # noqa: TID251  this is the one place
