"""Health of services: the platform asks over HTTP; containers run nothing for it.

A service is unhealthy once two questions, a second apart, were not answered with a status below 400. One that has just
started is given a while.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import aiohttp
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from gateway.db.locks import advisory_lock
from gateway.db.scope import platform_scope
from gateway.outside import Pinned
from workspaces.addresses import dial
from workspaces.models import Port, Service

from . import instances, managed_urls

log = logging.getLogger(__name__)

SECONDS: Final = 5.0
PAUSE_SECONDS: Final = 1.0
PASS_SECONDS: Final = 20.0
GRACE = timedelta(seconds=30)
MOST_PROBED = 2000
_AT_ONCE = 32
_AGENT = {"User-Agent": "Gatehouse-Probe", "Accept": "*/*"}
HEALTHY, UNHEALTHY, UNKNOWN = Service.Health.HEALTHY, Service.Health.UNHEALTHY, Service.Health.UNKNOWN


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked of a service: `url`, at the unix socket `path` where there is one, else where its host is."""

    service: Service
    url: str
    path: str = ""


def sweep() -> None:
    """Ask all services that are to be asked, once; one pass at a time on the platform.

    What is not asked within PASS_SECONDS comes first in the next.
    """
    with (
        platform_scope("a sweep looks at all tenants' services"),
        advisory_lock("probes", 0) as held,
    ):
        if not held:
            return
        _forget()
        targets, until = _targets(), time.monotonic() + PASS_SECONDS

        def in_time(target: Target) -> str | None:
            return probe(target) if time.monotonic() < until else None

        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="probe") as threads:
            errors = list(threads.map(in_time, targets))
        fine = []
        for target, error in zip(targets, errors, strict=True):
            if error is None:
                continue
            health = UNHEALTHY if error else HEALTHY
            if (target.service.health, target.service.health_error) == (health, error):
                fine.append(target.service.pk)
            elif not (error and _has_just_started(target.service)):
                _change(target, health, error)
        Service.objects.filter(pk__in=fine).update(health_checked_at=timezone.now())


def probe(target: Target) -> str:
    """Why the service is not healthy, in words for its owner; empty where it is."""
    error = _ask(target)
    if error:
        time.sleep(PAUSE_SECONDS)
        error = _ask(target)
    return error[:500]


def _targets() -> list[Target]:
    """External services, and containers that run, have a probe and a port."""
    asked = Q(kind=Service.Kind.EXTERNAL) | (
        Q(kind=Service.Kind.CONTAINER, observed_state=Service.Observed.RUNNING)
        & ~Q(probe_path="")
        & ~Q(address="")
    )
    rows = Service.objects.filter(asked, deleted_at=None, desired_state=instances.RUNNING)
    services = list(rows.order_by(F("health_checked_at").asc(nulls_first=True))[:MOST_PROBED])
    ports: dict[int, Port] = {}
    for port in Port.objects.filter(service__in=services).order_by("-protocol", "-pk"):
        ports[port.service_id] = port  # the last is the first HTTP one, else the first
    found = [_target(service, ports.get(service.pk)) for service in services]
    return [target for target in found if target is not None]


def _target(service: Service, port: Port | None) -> Target | None:
    if service.kind == Service.Kind.EXTERNAL:
        return Target(service, urljoin(service.url, service.probe_path or None))
    if port is None:
        return None
    where = dial(service.address, port.container_port)
    if where.startswith("unix/"):
        return Target(
            service,
            f"http://localhost:{port.container_port}{service.probe_path}",
            where.removeprefix("unix/"),
        )
    return Target(service, f"http://{where}{service.probe_path}")


def _ask(target: Target) -> str:
    try:
        status = asyncio.run(_get(target, _connector(target)))
    except managed_urls.NotReachable as error:
        return str(error)
    except TimeoutError:
        return f"It did not answer within {SECONDS:g} seconds."
    except aiohttp.ClientConnectorCertificateError:
        return "Its certificate is not trusted here."
    except aiohttp.ClientConnectorError as error:
        number = error.os_error.errno
        return f"It cannot be connected to{f': {os.strerror(number)}' if number else ''}."
    except (aiohttp.ClientError, OSError, ValueError):
        return "It does not answer in HTTP."
    return "" if status < 400 else f"It answers {status}."


def _connector(target: Target) -> Any:
    """A function that makes it, since it wants a loop. Raises NotReachable."""
    if target.path:
        return lambda: aiohttp.UnixConnector(target.path)
    if target.service.kind != Service.Kind.EXTERNAL:
        return lambda: aiohttp.TCPConnector(use_dns_cache=False)
    host = urlsplit(target.url).hostname or ""
    found = managed_urls.allowed_addresses(host, private_allowed=target.service.private_allowed)
    return lambda: aiohttp.TCPConnector(resolver=Pinned(found), use_dns_cache=False)


async def _get(target: Target, connector: Any) -> int:
    """The status; no redirect is followed and no body read."""
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    async with (
        aiohttp.ClientSession(
            connector=connector(), timeout=timeout, auto_decompress=False, trust_env=False
        ) as session,
        session.get(target.url, headers=_AGENT, allow_redirects=False) as answer,
    ):
        return answer.status


def _has_just_started(service: Service) -> bool:
    return service.started_at is not None and timezone.now() - service.started_at < GRACE


def _change(target: Target, health: str, error: str) -> None:
    """Write what is new, and tell where the state is; not of one that is no longer what was asked."""
    service = target.service
    with transaction.atomic():
        same = Service.objects.filter(
            pk=service.pk, address=service.address, url=service.url, probe_path=service.probe_path,
            observed_state=service.observed_state, deleted_at=None,
        )  # fmt: skip
        changed = same.update(health=health, health_error=error, health_checked_at=timezone.now())
        if changed and service.health != health:
            log.info("%s is %s: %s", service.key, health, error)
            instances.tell(service, str(health), error=error)


def _forget() -> None:
    """What no longer runs, or is asked no more, has no health."""
    silent = Q(deleted_at__isnull=False) | ~Q(desired_state=instances.RUNNING)
    silent |= Q(kind=Service.Kind.CONTAINER) & (
        ~Q(observed_state=Service.Observed.RUNNING) | Q(probe_path="")
    )
    rows = Service.objects.filter(silent).exclude(health=UNKNOWN)
    rows.update(health=UNKNOWN, health_error="", health_checked_at=None)
