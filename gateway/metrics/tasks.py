"""Counting background jobs, in the processes that do them."""

from __future__ import annotations

import time
from typing import Any

from celery import Task, signals

from . import files
from .series import TASK_SECONDS, TASKS


@signals.worker_process_init.connect
def keep_figures(**_: Any) -> None:
    files.keep()


@signals.task_prerun.connect
def begin(task: Task[..., Any], **_: Any) -> None:
    task.request.began = time.perf_counter()


@signals.task_postrun.connect
def end(task: Task[..., Any], state: str | None = None, **_: Any) -> None:
    TASKS.labels(task.name, (state or "unknown").lower()).inc()
    began = getattr(task.request, "began", None)
    if began is not None:
        TASK_SECONDS.labels(task.name).observe(time.perf_counter() - began)
