"""The provider: `workspaces.providers.base.Provider` for a Docker engine of 20.10 or newer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any, BinaryIO, ClassVar

from django.conf import settings
from docker.errors import APIError, ImageNotFound, NotFound

from workspaces import container_gateway
from workspaces.providers.base import (
    WORKSPACE_VOLUME,
    Availability,
    Capability,
    NotThere,
    Observed,
    ProviderError,
    Refused,
    Spec,
    Terminal,
    Unavailable,
    Usage,
)

from . import archive, containers, images, network, streams, volumes
from .engine import LABEL_KEY, LABEL_KIND, Engine, Names, asking, failure, said, socket_path
from .isolation import not_isolated
from .terminal import DockerTerminal

_TRIES = 5
_PAUSE_SECONDS = 0.15
_QUICK_SECONDS = 1.0
_SIZES_KEPT_SECONDS = 30.0
_NO_SUCH = "There is no such instance."


class DockerProvider:
    """Needs the broker's socket in the home."""

    name: ClassVar[str] = "docker"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability)

    def __init__(self) -> None:
        self._engine = Engine()
        self._heard_until: float | None = None
        self._sizes: tuple[float, dict[str, int]] = (0.0, {})
        self._sizing = threading.Lock()

    def availability(self) -> Availability:
        if not socket_path().is_socket():  # asked in vain, the SDK leaves a socket open
            return Availability(False, "The container engine cannot be reached: the broker is not there.")
        try:
            info = self._engine.info(_QUICK_SECONDS)
            images.inspect(self._engine.api(_QUICK_SECONDS), settings.WORKSPACE_IMAGE)
        except ProviderError as e:
            return Availability(False, str(e))
        if info.get("OSType") != "linux":
            return Availability(False, "The container engine does not run Linux containers.")
        return Availability(True, not_isolated=not_isolated(info))

    # Life

    def ensure(self, spec: Spec, *, running: bool) -> Observed:
        api, names = self._engine.api(), self._engine.names()
        with asking():
            return self._run(api, names, spec) if running else self._stop(api, names, spec)

    def _stop(self, api: Any, names: Names, spec: Spec) -> Observed:
        found = containers.find(api, names.container(spec.key))
        if found is not None and found["State"]["Running"]:
            api.stop(found["Id"], timeout=containers.STOP_SECONDS)
            found = containers.find(api, names.container(spec.key))
        return Observed(spec.key, "stopped", "") if found is None else containers.observed(found, names)

    def _run(self, api: Any, names: Names, spec: Spec) -> Observed:
        """Several rounds, since somebody else may make or remove the same things."""
        image = images.ensure(api, spec)
        last: ProviderError = Unavailable("The container could not be started.")
        for tried in range(_TRIES):
            try:
                return self._attempt(api, names, spec, image)
            except _Again as e:
                last = e.why
            time.sleep(_PAUSE_SECONDS * (tried + 1))
        raise last

    def _attempt(self, api: Any, names: Names, spec: Spec, image: dict[str, Any]) -> Observed:
        name = names.container(spec.key)
        found = containers.find(api, name)
        if found is not None:
            seen = containers.observed(found, names)
            outdated = seen.state == "stopped" and found["Image"] != image["Id"]
            if seen.digest == spec.digest() and not outdated and seen.state != "stopped":
                return seen
            if seen.digest != spec.digest() or outdated:
                if seen.state != "stopped":
                    api.stop(found["Id"], timeout=containers.STOP_SECONDS)
                containers.remove(api, found["Id"])
                found = None
        if found is None:
            self._create(api, names, spec, image)
        try:
            api.start(name)
        except APIError as e:
            containers.remove(api, name)
            raise _why_not_started(e) from e
        found = containers.find(api, name)
        if found is None:
            raise _Again(Unavailable("The container was removed while it started."))
        return containers.observed(found, names)

    def _create(self, api: Any, names: Names, spec: Spec, image: dict[str, Any]) -> None:
        name = names.container(spec.key)
        made = volumes.ensure(api, names, spec)
        bridge = network.ensure(api, names)
        container_gateway.remember(Path(settings.HOME), bridge.gateway)
        body = containers.body(spec, names, bridge, image, made)
        try:
            api.create_container_from_config(body, name)
        except APIError as e:
            if e.status_code == 409:  # also while the engine is still making one, which cannot be seen yet
                taken = f"The name {name} is taken by a container that is not the platform's."
                raise _Again(Refused(taken)) from e
            if isinstance(e, NotFound):  # network, volume or image went away in between
                raise _Again(Unavailable(said(e))) from e
            raise failure(e) from e
        if spec.kind == "service" and not containers.own_user(image):
            for volume in spec.volumes:  # of its image it would be root's, and root is nobody here
                folder, _, last = volume.path.rstrip("/").rpartition("/")
                api.put_archive(name, folder or "/", archive.owned_folder(last))

    def remove(self, key: str, *, volumes: bool) -> None:
        api = self._engine.api()
        with asking():
            for one in containers.listed(api, key):
                containers.remove(api, one["Id"])
            if volumes:
                self._remove_volumes(api, key)

    def _remove_volumes(self, api: Any, key: str) -> None:
        for one in volumes.listed(api, key):
            volumes.remove(api, one["Name"])

    # What there is

    def observe(self, key: str) -> Observed | None:
        api, names = self._engine.api(), self._engine.names()
        with asking():
            found = containers.find(api, names.container(key))
            return None if found is None else containers.observed(found, names)

    def every(self) -> list[Observed]:
        api, names = self._engine.api(), self._engine.names()
        with asking():
            return [
                containers.observed_in_list(one, names)
                for one in containers.listed(api)
                if one["Labels"].get(LABEL_KIND) in containers.KINDS
            ]

    def stored(self) -> set[str]:
        api = self._engine.api()
        with asking():
            return {one["Labels"][LABEL_KEY] for one in volumes.listed(api)}

    def events(self, stop: Event) -> Iterator[str]:
        """Listens from now on, and tells also what happened since the last time that somebody listened here."""
        api = self._engine.api()
        with asking():
            stream = api.events(since=self._heard_until, decode=True)
        return self._heard(stop, stream)

    def _heard(self, stop: Event, stream: Any) -> Iterator[str]:
        with asking():
            for event in streams.until(stop, stream):
                self._heard_until = event["timeNano"] / 1e9
                yield event["Actor"]["Attributes"][LABEL_KEY]
        if not stop.is_set():
            raise Unavailable("The container engine went away.")

    # Looking in

    def logs(
        self, key: str, *, tail: int = 200, follow: bool = False, stop: Event | None = None
    ) -> Iterator[bytes]:
        api, names = self._engine.api(), self._engine.names()
        with asking():
            stream = api.logs(names.container(key), stream=True, follow=follow, tail=tail)
            yield from streams.lines(streams.until(stop, stream))

    def usage(self, key: str) -> Usage:
        api, names = self._engine.api(), self._engine.names()
        with asking():
            told = api.stats(names.container(key), stream=False, one_shot=True)
        memory = told.get("memory_stats") or {}
        if not memory.get("usage"):
            raise NotThere("It does not run.")
        kept = memory.get("stats") or {}
        cache = kept.get("total_inactive_file", kept.get("inactive_file", 0))  # given back when it is needed
        interfaces = (told.get("networks") or {}).values()
        return Usage(
            cpu_seconds=told["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9,
            memory_bytes=max(0, memory["usage"] - cache),
            pids=(told.get("pids_stats") or {}).get("current", 0),
            received_bytes=sum(one["rx_bytes"] for one in interfaces),
            sent_bytes=sum(one["tx_bytes"] for one in interfaces),
        )

    def execute(self, key: str, command: tuple[str, ...], *, columns: int, rows: int) -> Terminal:
        api, names = self._engine.api(), self._engine.names()
        with asking():
            return DockerTerminal(api, names.container(key), command, columns, rows)

    # Volumes

    def export(self, key: str) -> Iterator[bytes]:
        api, names = self._engine.api(), self._engine.names()
        with asking():
            found = volumes.current(api, names, key, WORKSPACE_VOLUME.name)
            if found is None:
                raise NotThere(_NO_SUCH)
            with self._helper(api, names, key, found[0]) as helper:
                stream, _ = api.get_archive(helper, f"{WORKSPACE_VOLUME.path}/.", chunk_size=256 << 10)
                yield from stream

    def restore(self, spec: Spec, content: BinaryIO) -> None:
        api, names = self._engine.api(), self._engine.names()
        with asking():
            container = containers.find(api, names.container(spec.key))
            if container is not None and container["State"]["Running"]:
                raise Refused("It runs: it must be stopped first.")
            before = volumes.current(api, names, spec.key, WORKSPACE_VOLUME.name)
            number = before[1] + 1 if before else 0
            fresh = volumes.create(api, names.volume(spec.key, WORKSPACE_VOLUME.name, number), spec)
            try:
                with self._helper(api, names, spec.key, fresh) as helper:
                    api.put_archive(helper, WORKSPACE_VOLUME.path, archive.sanitized(content))
            except BaseException:
                volumes.remove(api, fresh)
                raise
            containers.remove(api, names.container(spec.key))  # it holds the old volume
            if before:
                volumes.remove(api, before[0])

    @contextmanager
    def _helper(self, api: Any, names: Names, key: str, volume: str) -> Iterator[str]:
        """A container that never runs, with the volume where workspaces have it."""
        image = images.inspect(api, settings.WORKSPACE_IMAGE)
        name = names.helper(key)
        containers.remove(api, name)  # of one that was cut off
        api.create_container_from_config(
            containers.helper(key, image["Id"], volume, WORKSPACE_VOLUME.path), name
        )
        try:
            yield name
        finally:
            containers.remove(api, name)

    def volume_bytes(self, key: str) -> int | None:
        """From the engine's count of all volumes, which is kept for half a minute."""
        api = self._engine.api()
        with self._sizing:
            at, sizes = self._sizes
            if time.monotonic() - at > _SIZES_KEPT_SECONDS:
                with asking():
                    told = api.df()
                sizes = {}
                for one in told["Volumes"]:
                    owner, size = one["Labels"][LABEL_KEY], (one.get("UsageData") or {}).get("Size", -1)
                    sizes[owner] = sizes.get(owner, 0) + max(0, size)
                self._sizes = time.monotonic(), sizes
        return sizes.get(key)


class _Again(Exception):
    """Worth another round; `why` is the error when there is none left."""

    def __init__(self, why: ProviderError) -> None:
        super().__init__(str(why))
        self.why = why


def _why_not_started(error: APIError) -> Exception:
    words, low = said(error), said(error).lower()
    if "address already in use" in low:
        return Unavailable("Its address is still in use by another container.")
    if "no space left" in low:
        return Unavailable("The container engine's disk is full.")
    if isinstance(error, NotFound) and ("network" in low or "no such container" in low):
        return _Again(Unavailable(words))
    if isinstance(error, ImageNotFound) or (error.status_code or 0) in (400, 403, 404):
        return Refused(words)
    told = ("executable file not found", "no such file or directory", "permission denied", "oci runtime")
    return Refused(words) if any(one in low for one in told) else failure(error)
