"""The Celery application. Tasks take ids and call one service; each says its database scope itself."""

from __future__ import annotations

import logging.config
import os
from typing import Any

from celery import Celery, signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")

app = Celery("gatehouse")
app.set_default()  # or threads other than the importing one send to a broker that nobody configured
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.autodiscover_tasks(["gateway.metrics"])


@signals.celeryd_init.connect  # type: ignore[untyped-decorator]
@signals.beat_init.connect  # type: ignore[untyped-decorator]
def refuse_weak_settings(**_: Any) -> None:
    from gateway import checks

    checks.refuse_weak_settings()


@signals.beat_init.connect  # type: ignore[untyped-decorator]
def watch_components(**_: Any) -> None:
    from gateway.health import watch
    from gateway.metrics import files
    from workspaces.services import watch as instances

    files.keep()
    watch.start()
    instances.start()


@signals.setup_logging.connect  # type: ignore[untyped-decorator]
def keep_our_logging(**_: Any) -> None:
    """That somebody listens keeps Celery from setting up its own."""
    from django.conf import settings

    logging.config.dictConfig(settings.LOGGING)


@signals.before_task_publish.connect  # type: ignore[untyped-decorator]
def send_request_id(headers: dict[str, Any] | None = None, **_: Any) -> None:
    from gateway.logs import request_id

    if headers is not None and request_id.get() != "-":
        headers["gatehouse_request_id"] = request_id.get()


@signals.task_prerun.connect  # type: ignore[untyped-decorator]
def take_request_id(task_id: str = "-", task: Any = None, **_: Any) -> None:
    """What beat starts, and no request, goes by the task's own id."""
    from gateway.logs import request_id

    found = getattr(task.request, "gatehouse_request_id", None) or task_id
    task.request.gatehouse_before = request_id.set(found)


@signals.task_postrun.connect  # type: ignore[untyped-decorator]
def give_request_id_back(task: Any = None, **_: Any) -> None:
    """What the process says between tasks is about none of them."""
    from gateway.logs import request_id

    if (before := getattr(task.request, "gatehouse_before", None)) is not None:
        request_id.reset(before)
