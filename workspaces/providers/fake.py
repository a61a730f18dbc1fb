"""A provider in memory that keeps the contract and misbehaves on demand, for tests of everything above providers.

Each running instance is a small HTTP server on a unix socket, so that probes of it are real.
"""

from __future__ import annotations

import io
import json
import queue
import shutil
import socketserver
import tarfile
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path, PurePosixPath
from threading import Event
from typing import Any, BinaryIO, ClassVar
from urllib.parse import unquote, urlsplit

from workspaces.addresses import MCP_PORT

from .base import (
    Availability,
    Capability,
    NotThere,
    Observed,
    ProviderError,
    Refused,
    Spec,
    Terminal,
    Usage,
)

_Files = dict[str, "bytes | str"]  # name → content, or (as a text) where a symbolic link leads


@dataclass
class _Instance:
    """What runs, or ran."""

    spec: Spec
    folder: Path
    files: _Files
    run: str = ""
    started_at: datetime | None = None
    exit_code: int | None = None
    reason: str = ""
    lines: list[bytes] = field(default_factory=list)
    server: _Server | None = None


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64
    instance: _Instance
    provider: FakeProvider

    def get_request(self) -> Any:
        connection, _ = super().get_request()
        return connection, ("local", 0)


class FakeProvider:
    """The far side too: what it holds, and how it fails next.

    `failures` are raised one per call, first to last; `fails_after` ones once the call has done its work, as when
    an answer is lost on the way. `serves` False: what is started never answers. `status` is what an instance's
    `/status` says, by key; `calls` are those that changed something.
    """

    name: ClassVar[str] = "fake"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability) - {
        Capability.TERMINAL,
        Capability.LIMITS_MEMORY,
        Capability.LIMITS_PIDS,
    }

    def __init__(self) -> None:
        self.failures: list[ProviderError] = []
        self.fails_after: list[ProviderError] = []
        self.calls: list[str] = []
        self.serves = True
        self.status: dict[str, dict[str, Any]] = {}
        self.used: dict[str, Usage] = {}
        self.is_available = Availability(True)
        self.instances: dict[str, _Instance] = {}
        self.volumes: dict[str, _Files] = {}
        self._listeners: list[queue.SimpleQueue[str]] = []
        self._lock = threading.RLock()
        self._root: Path | None = None

    def close(self) -> None:
        """Stop all that runs and remove the sockets."""
        with self._lock:
            for instance in self.instances.values():
                self._halt(instance)
        if self._root is not None:
            shutil.rmtree(self._root, ignore_errors=True)

    def availability(self) -> Availability:
        return self.is_available

    def ensure(self, spec: Spec, *, running: bool) -> Observed:
        self._begin(f"{'run' if running else 'stop'} {spec.key}")
        if spec.image.startswith("no-such-image"):
            raise Refused(f"There is no image {spec.image}.")
        with self._lock:
            if running:
                self._run(spec)
            elif spec.key in self.instances:
                self._halt(self.instances[spec.key])
                self.instances[spec.key].spec = spec
            found = self.observe(spec.key) or Observed(spec.key, "stopped", spec.digest())
        self._end()
        return found

    def remove(self, key: str, *, volumes: bool) -> None:
        self._begin(f"remove {key}")
        with self._lock:
            if instance := self.instances.pop(key, None):
                self._halt(instance)
            if volumes:
                self.volumes.pop(key, None)
        self._end()

    def observe(self, key: str) -> Observed | None:
        with self._lock:
            instance = self.instances.get(key)
            if instance is None:
                return None
            runs = instance.server is not None
            return Observed(
                key,
                "running" if runs else "stopped",
                instance.spec.digest(),
                address=str(instance.folder),
                exit_code=None if runs else instance.exit_code,
                reason="" if runs else instance.reason,
                started_at=instance.started_at,
            )

    def every(self) -> list[Observed]:
        self._fail()
        return [seen for key in list(self.instances) if (seen := self.observe(key))]

    def stored(self) -> set[str]:
        self._fail()
        return set(self.volumes)

    def events(self, stop: Event) -> Iterator[str]:
        heard: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._listeners.append(heard)
        return self._hear(heard, stop)

    def _hear(self, heard: queue.SimpleQueue[str], stop: Event) -> Iterator[str]:
        while not stop.is_set():
            try:
                yield heard.get(timeout=0.05)
            except queue.Empty:
                continue
        self._listeners.remove(heard)

    def logs(
        self, key: str, *, tail: int = 200, follow: bool = False, stop: Event | None = None
    ) -> Iterator[bytes]:
        instance = self._there(key)
        at = max(0, len(instance.lines) - tail)
        while True:
            for line in instance.lines[at:]:
                at += 1
                yield line
            if not follow or instance.server is None or (stop is not None and stop.is_set()):
                return
            time.sleep(0.01)

    def usage(self, key: str) -> Usage:
        if self._there(key).server is None:
            raise NotThere("It does not run.")
        return self.used.get(key, Usage(0.5, 32 << 20, 3))

    def execute(self, key: str, command: tuple[str, ...], *, columns: int, rows: int) -> Terminal:
        raise Refused("There is no terminal here.")

    def export(self, key: str) -> Iterator[bytes]:
        if key not in self.volumes:
            raise NotThere("There is no volume.")
        return self._pack(self.volumes[key])

    def _pack(self, files: _Files) -> Iterator[bytes]:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                if isinstance(content, str):
                    member.type, member.linkname = tarfile.SYMTYPE, content
                    tar.addfile(member)
                else:
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
        yield buffer.getvalue()

    def restore(self, spec: Spec, content: BinaryIO) -> None:
        self._begin(f"restore {spec.key}")
        files = _unpacked(content)
        with self._lock:
            held = self.volumes.setdefault(spec.key, {})
            held.clear()
            held.update(files)
        self._end()

    def volume_bytes(self, key: str) -> int | None:
        files = self.volumes.get(key)
        return None if files is None else sum(map(len, files.values()))

    # On demand

    def kill(self, key: str, exit_code: int = 137, reason: str = "It was killed.") -> None:
        """End a running instance as if it had ended by itself."""
        with self._lock:
            instance = self.instances[key]
            self._halt(instance)
            instance.exit_code, instance.reason = exit_code, reason

    def say(self, key: str, line: str) -> None:
        """Have the instance write a line."""
        self.instances[key].lines.append(line.encode() + b"\n")

    # Within

    def _run(self, spec: Spec) -> None:
        instance = self.instances.get(spec.key)
        if instance is not None and instance.server is not None and instance.spec.digest() == spec.digest():
            return
        if instance is not None:
            self._halt(instance)
        if self._root is None:
            self._root = Path(tempfile.mkdtemp(prefix="gh-fake-"))  # short: a socket's path has 107 bytes
        folder = self._root / spec.key
        folder.mkdir(exist_ok=True)
        files = self.volumes.setdefault(spec.key, {})
        lines = [*(instance.lines if instance else ()), b"started\n"]
        instance = _Instance(spec, folder, files, uuid.uuid4().hex, datetime.now(UTC), lines=lines)
        path = folder / f"p{MCP_PORT}.sock"
        path.unlink(missing_ok=True)
        server = _Server(str(path), _Handler)
        server.instance, server.provider = instance, self
        instance.server = server
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        self.instances[spec.key] = instance
        self._tell(spec.key)

    def _halt(self, instance: _Instance) -> None:
        if instance.server is not None:
            server, instance.server = instance.server, None
            server.shutdown()
            server.server_close()
            (instance.folder / f"p{MCP_PORT}.sock").unlink(missing_ok=True)
            self._tell(instance.spec.key)

    def _tell(self, key: str) -> None:
        for listener in self._listeners:
            listener.put(key)

    def _there(self, key: str) -> _Instance:
        if key not in self.instances:
            raise NotThere("There is no such instance.")
        return self.instances[key]

    def _begin(self, call: str) -> None:
        self.calls.append(call)
        self._fail()

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)

    def _end(self) -> None:
        if self.fails_after:
            raise self.fails_after.pop(0)


class _Handler(BaseHTTPRequestHandler):
    """Does what the contract's server does, as far as memory allows."""

    server: _Server

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        instance, path, said = self.server.instance, parts.path.strip("/"), unquote(parts.query)
        name, _, text = said.partition("=")
        status, body = 200, said
        if path == "healthz":
            status, body = (200, "ok") if self.server.provider.serves else (503, "not yet")
        elif path == "status":
            body = json.dumps(self.server.provider.status.get(instance.spec.key, {"repository": "none"}))
        elif path == "run":
            body = instance.run
        elif path == "id":
            body = "10001"
        elif path == "env":
            body = instance.spec.environment.get(said, "")
        elif path == "say":
            instance.lines.append(said.encode() + b"\n")
        elif path == "write":
            instance.files[name] = text.encode()
        elif path in ("read", "link"):
            found = instance.files.get(said)
            if path == "read" and isinstance(found, str):
                found = instance.files.get(found.removeprefix("../"))
            status, body = (500, "there is none") if found is None else (200, _text(found))
        elif path == "exit":
            threading.Timer(
                0.02, self.server.provider.kill, [instance.spec.key, int(said), "Its command ended."]
            ).start()
        elif path == "outside":
            status, body = 500, "read-only"
        answer = body.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


def _text(content: bytes | str) -> str:
    return content if isinstance(content, str) else content.decode()


def _unpacked(content: BinaryIO) -> _Files:
    files: _Files = {}
    try:
        with tarfile.open(fileobj=content, mode="r:") as tar:
            for member in tar:
                name = PurePosixPath(member.name)
                if name.is_absolute() or ".." in name.parts:
                    raise Refused(f"{member.name} lies outside the volume.")
                if any(isinstance(files.get(str(parent)), str) for parent in name.parents):
                    raise Refused(f"{member.name} lies below a link.")
                if member.issym():
                    files[str(name)] = member.linkname
                elif member.isfile():
                    file = tar.extractfile(member)
                    assert file is not None
                    files[str(name)] = file.read()
                elif not member.isdir():
                    raise Refused(f"{member.name} is neither file, folder nor symbolic link.")
    except (tarfile.TarError, EOFError) as e:
        raise Refused("That is no archive of a volume.") from e
    return files
