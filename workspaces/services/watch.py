"""News of providers, followed on threads of the process `beat`: each names an instance, which the reconciler looks at.

What is missed while nobody follows, the full list finds (`drift.compare`), which is also asked for after each
new beginning.
"""

from __future__ import annotations

import logging
import threading

from django.db import connection

from workspaces import tasks
from workspaces.providers import registry
from workspaces.providers.base import ProviderError

log = logging.getLogger(__name__)
_PAUSES = (1.0, 2.0, 5.0, 10.0)


def start() -> None:
    """Follow every provider until the process ends."""
    for name in registry.PATHS:
        threading.Thread(target=_follow, args=(name,), name=f"watch-{name}", daemon=True).start()


def _follow(name: str) -> None:
    failed, stop = 0, threading.Event()
    while True:
        try:
            if registry.availability(name).ok:
                heard = registry.provider(name).events(stop)
                tasks.compare_providers.apply_async(retry=False)
                for key in heard:
                    failed = 0
                    tasks.reconcile_instance.apply_async((key,), retry=False)
        except ProviderError as e:
            log.warning("the news of %s ended: %s", name, e)
        except Exception:
            log.exception("the news of %s cannot be followed", name)
        finally:
            connection.close()
        stop.wait(_PAUSES[min(failed, len(_PAUSES) - 1)])
        failed += 1
