"""Workspaces in bubblewrap sandboxes of this machine, where there is no Docker. The runner does the work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Any, BinaryIO, ClassVar

from django.conf import settings

from workspaces.providers.base import (
    Availability,
    Capability,
    NotThere,
    Observed,
    Refused,
    Spec,
    Terminal,
    Unavailable,
    Usage,
)
from workspaces.runner.records import KEY

from .client import Client
from .terminal import SandboxTerminal


class ProcessProvider:
    """`workspaces.providers.base.Provider` by way of the runner at `socket`, the instance's own by default."""

    name: ClassVar[str] = "process"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.LIMITS_MEMORY,
            Capability.LIMITS_PIDS,
            Capability.TERMINAL,
            Capability.SNAPSHOTS,
            Capability.LOGS,
            Capability.USAGE,
        }
    )

    def __init__(self, socket: Path | None = None) -> None:
        self._runner = Client(socket or Path(settings.HOME) / "run" / "runner.sock")

    def availability(self) -> Availability:
        if not self._runner.path.is_socket():
            return Availability(
                False, "The runner is not there: `make up` starts it, a Compose setup has none."
            )
        try:
            said = self._runner.ask("GET", "/availability", patience=1.0)
        except Unavailable as error:
            return Availability(False, str(error))
        return Availability(said["ok"], said["reason"], tuple(said["not_isolated"]))

    def ensure(self, spec: Spec, *, running: bool) -> Observed:
        if not KEY.fullmatch(spec.key):
            raise Refused(f"{spec.key!r} is no key of a workspace.")
        said = {"spec": asdict(spec), "running": running}
        return _observed(self._runner.ask("PUT", f"/instances/{spec.key}", said))

    def remove(self, key: str, *, volumes: bool) -> None:
        self._runner.ask("DELETE", f"/instances/{key}?volumes={int(volumes)}", patience=300)

    def observe(self, key: str) -> Observed | None:
        try:
            return _observed(self._runner.ask("GET", f"/instances/{key}"))
        except NotThere:
            return None

    def every(self) -> list[Observed]:
        return [_observed(one) for one in self._runner.ask("GET", "/instances")]

    def stored(self) -> set[str]:
        return set(self._runner.ask("GET", "/stored"))

    def events(self, stop: Event) -> Iterator[str]:
        lines = self._runner.lines("/events", stop)

        def keys() -> Iterator[str]:
            for line in lines:
                yield line.decode().strip()
            if not stop.is_set():
                raise Unavailable("The runner went away.")

        return keys()

    def logs(
        self, key: str, *, tail: int = 200, follow: bool = False, stop: Event | None = None
    ) -> Iterator[bytes]:
        return self._runner.lines(f"/instances/{key}/logs?tail={tail}&follow={int(follow)}", stop)

    def usage(self, key: str) -> Usage:
        return Usage(**self._runner.ask("GET", f"/instances/{key}/usage"))

    def execute(self, key: str, command: tuple[str, ...], *, columns: int, rows: int) -> Terminal:
        return SandboxTerminal(self._runner.path, key, command, columns=columns, rows=rows)

    def export(self, key: str) -> Iterator[bytes]:
        return self._runner.receive(f"/instances/{key}/volume")

    def restore(self, spec: Spec, content: BinaryIO) -> None:
        self._runner.send(f"/instances/{spec.key}/volume", content)

    def volume_bytes(self, key: str) -> int | None:
        try:
            found: int | None = self._runner.ask("GET", f"/instances/{key}/volume/size", patience=30)["bytes"]
        except NotThere:
            return None
        return found


def _observed(said: dict[str, Any]) -> Observed:
    at = said["started_at"]
    return Observed(**{**said, "started_at": datetime.fromisoformat(at) if at else None})
