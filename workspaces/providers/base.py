"""The contract of a provider. `tests/provider_contract.py` is its meaning, in tests.

Every call is synchronous, takes a limited time and may be repeated at any point: it says what shall be. The caller
holds one lock per instance, so no two calls that change one instance run at a time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from threading import Event
from typing import BinaryIO, ClassVar, Literal, Protocol

Kind = Literal["workspace", "service"]
State = Literal["starting", "running", "stopped"]


class Capability(StrEnum):
    """What a provider can do beyond running workspaces; advertised only where it is implemented."""

    SERVICES = "services"  # containers from any image
    LIMITS_MEMORY = "limits_memory"
    LIMITS_CPU = "limits_cpu"
    LIMITS_PIDS = "limits_pids"
    TERMINAL = "terminal"
    SNAPSHOTS = "snapshots"
    LOGS = "logs"
    USAGE = "usage"


class ProviderError(Exception):
    """A call that failed; the text is for the instance's owner and holds no secret.

    `permanent`: trying again without a change is of no use. Anything else is tried again, later and later.
    """

    permanent = False


class Unavailable(ProviderError):
    """The engine does not answer, or says "later"."""


class Refused(ProviderError):
    """It cannot be done as asked: no such image, a limit the engine has not, a specification it does not take."""

    permanent = True


class NotThere(ProviderError):
    """There is no instance of that key, or it does not run."""

    permanent = True


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a provider can be used here and now, else why not, in words for an administrator."""

    ok: bool
    reason: str = ""
    not_isolated: tuple[str, ...] = ()
    """What it does not isolate, in words: shown wherever the provider is chosen."""


@dataclass(frozen=True, slots=True)
class Limits:
    memory_bytes: int
    cpu_millis: int
    pids: int


@dataclass(frozen=True, slots=True)
class Volume:
    """A directory that outlives the instance's container. `name` is the instance's own word for it."""

    name: str
    path: str


WORKSPACE_VOLUME = Volume("work", "/workspace")


@dataclass(frozen=True, slots=True)
class Spec:
    """All there is to say about an instance that runs. Equal digests mean that nothing has to be made anew."""

    key: str
    kind: Kind
    tenant: str  # slug, for labels and people
    name: str
    offset: int  # the number of its address, from 1; unique on the platform
    limits: Limits
    image: str = ""
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)  # secrets among them
    volumes: tuple[Volume, ...] = ()
    ports: tuple[int, ...] = ()
    restart_number: int = 0

    def digest(self) -> str:
        """64 hex digits over everything, also the secrets; keyed by the instance, so that it tells nothing of them."""
        said = {
            "kind": self.kind,
            "limits": [self.limits.memory_bytes, self.limits.cpu_millis, self.limits.pids],
            "offset": self.offset,
            "image": self.image,
            "command": self.command,
            "environment": dict(self.environment),
            "volumes": [[volume.name, volume.path] for volume in self.volumes],
            "ports": sorted(self.ports),
            "restart": self.restart_number,
        }
        text = json.dumps(said, sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), key=self.key.encode(), digest_size=32).hexdigest()


@dataclass(frozen=True, slots=True)
class Observed:
    """An instance as the provider sees it."""

    key: str
    state: State
    digest: str
    """Of the Spec it was made from."""
    address: str = ""
    """Where it is reached, `workspaces.addresses.dial`; may be empty while it does not run."""
    exit_code: int | None = None
    reason: str = ""
    """Why it stopped by itself, in words for its owner: out of memory, its command ended with 1, …"""
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What an instance has used since its start, and holds now. What a provider cannot tell is 0."""

    cpu_seconds: float
    memory_bytes: int
    pids: int = 0
    received_bytes: int = 0
    sent_bytes: int = 0


class Terminal(Protocol):
    """A command under way in an instance, with a terminal. Reads and writes block; any thread may close it."""

    def read(self, most: int = 65_536) -> bytes:
        """What the command wrote; empty at its end."""

    def write(self, data: bytes) -> None: ...

    def resize(self, columns: int, rows: int) -> None: ...

    def close(self) -> None:
        """End the command with everything it started. May be repeated."""


class Provider(Protocol):
    """What every kind can do."""

    name: ClassVar[str]
    capabilities: ClassVar[frozenset[Capability]]

    def availability(self) -> Availability:
        """Whether it can be used now; at most a second, may be kept for a few."""

    def ensure(self, spec: Spec, *, running: bool) -> Observed:
        """Have the instance be as `spec` says, running or stopped; volumes are kept whatever is made anew.

        With `running` it returns once the instance was started, not once it serves. A stopped one need not exist.
        Raises Refused (nothing half-made is left), Unavailable.
        """

    def remove(self, key: str, *, volumes: bool) -> None:
        """Have no instance of that key, and with `volumes` nothing of what it stored. Raises Unavailable."""

    def observe(self, key: str) -> Observed | None:
        """The instance as of now; None where there is none. Raises Unavailable."""

    def every(self) -> list[Observed]:
        """All instances of this platform, also those that nobody asks for any more. Raises Unavailable."""

    def stored(self) -> set[str]:
        """The keys that have volumes here. Raises Unavailable."""

    def events(self, stop: Event) -> Iterator[str]:
        """Keys of instances whose state changed, until `stop` is set. Raises Unavailable when the engine goes away.

        What happened while nobody listened may be missing: who listens lists everything now and then.
        """

    def logs(
        self, key: str, *, tail: int = 200, follow: bool = False, stop: Event | None = None
    ) -> Iterator[bytes]:
        """Lines (each ends with a newline) that it wrote, oldest first; with `follow` on and on until it or `stop`
        ends. Also of a stopped one. Raises NotThere, Unavailable."""

    def usage(self, key: str) -> Usage:
        """Raises NotThere where it does not run, Unavailable."""

    def execute(self, key: str, command: tuple[str, ...], *, columns: int, rows: int) -> Terminal:
        """Start a command with a terminal in the running instance. Raises NotThere, Refused, Unavailable."""

    def export(self, key: str) -> Iterator[bytes]:
        """The workspace's volume as a tar stream (names relative to the volume). Raises NotThere, Unavailable."""

    def restore(self, spec: Spec, content: BinaryIO) -> None:
        """Replace the stopped workspace's volume by a tar stream of `export`'s form.

        What would leave the volume (absolute names, `..`, a name below a link, a hard link out of it, devices) is
        refused; symbolic links are kept as they are, followed by nobody. Raises Refused, Unavailable; after a
        failure the volume is as it was before.
        """

    def volume_bytes(self, key: str) -> int | None:
        """What its volumes hold on disk; None where it cannot be told cheaply."""
