"""One question to each component. It returns a detail that strangers may read, or nothing; it raises when it fails."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import cache as once
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.core.cache import cache
from django.db import connection

from gateway.edge import instance

COMPONENT_STATUSES = ("ok", "failing", "absent")
LIMIT_SECONDS = 2.0
"""How long a component may take to answer."""
_HEARTBEAT = "health:jobs"
_HEARTBEAT_SECONDS = 60
_LEAST_FREE_BYTES = 64 << 20


class Absent(Exception):
    """There is none here, which is no failure; the text says it to strangers."""


def beat() -> None:
    """Note that beat and a worker are at work; beat has a worker call this every few seconds."""
    cache.set(_HEARTBEAT, time.time(), timeout=_HEARTBEAT_SECONDS)


@once
def broker_client(url: str) -> redis.Redis:
    """The process's client of the broker, for short calls."""
    return redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1)


def _database() -> None:
    """On a connection of its own, so that a full server is noticed and the thread keeps none."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()


def _cache() -> None:
    cache.get("health")


def _broker() -> None:
    broker_client(settings.CELERY_BROKER_URL).ping()


def _workers() -> None:
    if cache.get(_HEARTBEAT) is None:
        raise OSError(f"no worker has done a job for {_HEARTBEAT_SECONDS} seconds")


def _edge() -> None:
    admin = settings.HOME / "run" / "caddy-admin.sock"
    if not (settings.HOME / instance.CONFIGURATION).exists():
        raise Absent("not run from this home")
    instance.ask(admin, "GET", "/config/admin/listen", patience=LIMIT_SECONDS)


def _store() -> None:
    found = os.statvfs(settings.STORAGE_ROOT)
    if found.f_flag & os.ST_RDONLY:
        raise OSError("the store's file system is read-only")
    if found.f_bavail * found.f_frsize < _LEAST_FREE_BYTES:
        raise OSError("the store's disk is full")


def _docker() -> None:
    """The Engine API, GET /_ping, through the broker of its socket where that runs. An engine that we may not use
    counts as none."""
    parts = urlsplit(os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock")
    broker = settings.HOME / "run" / "broker.sock"
    if broker.is_socket():
        try:
            instance.ask(broker, "GET", "/_ping", patience=LIMIT_SECONDS)
        except instance.Refused as error:
            if '"absent": true' in str(error):
                raise Absent("no engine") from error
            raise
        return
    if parts.scheme != "unix" or not os.access(parts.path, os.R_OK | os.W_OK):
        raise Absent("no engine")
    instance.ask(parts.path, "GET", "/_ping", patience=LIMIT_SECONDS)


COMPONENTS: dict[str, Callable[[], None]] = {
    "database": _database,
    "cache": _cache,
    "broker": _broker,
    "workers": _workers,
    "edge": _edge,
    "store": _store,
    "docker": _docker,
}
NEEDED = ("database", "cache", "broker", "store")
"""Without these no request can be served as it should. The edge is not among them: who asks through it has seen it."""
