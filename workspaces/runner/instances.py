"""Every instance there is: what shall be, made so, and what has become of it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from workspaces.providers.base import NotThere, Observed, Refused, Spec, State, Unavailable, Usage, Volume
from workspaces.runner import holding, usage
from workspaces.runner.destinations import Destinations
from workspaces.runner.egress import Egress
from workspaces.runner.gateway import Gateway
from workspaces.runner.journal import Journal
from workspaces.runner.means import Means
from workspaces.runner.news import News
from workspaces.runner.records import KEY, Record, Records
from workspaces.runner.sandbox import STOPPED, Sandbox
from workspaces.runner.settings import Settings
from workspaces.runner.terminal import Terminal
from workspaces.runner.volumes import Volumes, unavailable

log = logging.getLogger(__name__)

_WATCH_SECONDS = 1.0
_LEAST_MEMORY = 32 << 20


class _Instance:
    def __init__(self, key: str, journal: Journal) -> None:
        self.key = key
        self.journal = journal
        self.lock = asyncio.Lock()
        self.record: Record | None = None
        self.sandbox: Sandbox | None = None
        self.egress: Egress | None = None
        self.starting = False
        self.saving = asyncio.Lock()


class Instances:
    """One event loop's; each call that changes an instance waits for those before it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._records = Records(settings.data / "records")
        self.volumes = Volumes(settings.data / "volumes")
        self._destinations = Destinations(settings.egress_private, settings.closed_ports)
        self._known: dict[str, _Instance] = {}
        self.news = News()
        self.means = Means(settings)
        self._watching: asyncio.Task[None] | None = None
        self._closing = False
        self._saves: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Take up what is on disk. Raises OSError."""
        self._settings.sockets.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in self._settings.sockets.glob("*/*.sock"):  # of sandboxes that died with an earlier runner
            path.unlink(missing_ok=True)
        self.volumes.recover()
        for record in self._records.load():
            self._instance(record.key).record = record
        if (tools := await self.means.find()) is not None:
            await self.volumes.tidy(tools)

    async def close(self) -> None:
        """End every sandbox."""
        self._closing = True
        if self._watching is not None:
            self._watching.cancel()
        running = [one.sandbox for one in self._known.values() if one.sandbox is not None]
        await asyncio.gather(*(sandbox.stop() for sandbox in running), return_exceptions=True)
        await asyncio.gather(*self._saves, return_exceptions=True)

    # What shall be

    async def ensure(self, spec: Spec, *, running: bool) -> Observed:
        """Raises Refused, Unavailable."""
        _check(spec)
        async with self._held(spec.key) as instance:
            if running:
                await self._run(instance, spec)
            else:
                await self._halt(instance)
                if instance.record is None or instance.record.digest != spec.digest():
                    instance.record = Record(spec.key, spec.digest())
                    await self._save(instance)
            return self._observed(instance)

    async def remove(self, key: str, *, volumes: bool) -> None:
        """Raises Unavailable."""
        if not KEY.fullmatch(key):
            return
        async with self._held(key) as instance:
            await self._halt(instance)
            if volumes:
                await self.volumes.remove(await self.means.need(), key)
            folder = self._settings.sockets / key
            if folder.is_dir():
                folder.rmdir()
            instance.journal.remove()
            was, instance.record = instance.record, None
            await self._save(instance)
            del self._known[key]
        if was is not None:
            self.news.tell(key)

    async def restore(self, key: str, content: AsyncIterator[bytes]) -> None:
        """Raises Refused, Unavailable."""
        async with self._held(key) as instance:
            if instance.sandbox is not None:
                raise Refused("It runs: stop it first.")
            try:
                await self.volumes.restore(await self.means.need(), key, content)
            except OSError as error:
                raise unavailable(error) from error

    # What is

    def observe(self, key: str) -> Observed:
        """Raises NotThere."""
        return self._observed(self._there(key))

    def every(self) -> list[Observed]:
        return [self._observed(one) for one in self._known.values() if one.record is not None]

    def journal(self, key: str) -> Journal:
        """Raises NotThere."""
        return self._there(key).journal

    def running(self, key: str) -> bool:
        instance = self._known.get(key)
        return instance is not None and instance.sandbox is not None

    async def usage(self, key: str) -> Usage:
        """Raises NotThere."""
        instance = self._there(key)
        if instance.sandbox is None or instance.egress is None:
            raise NotThere("It does not run.")
        found = list(usage.below(usage.processes(), instance.sandbox.pid))
        traffic = instance.egress.traffic
        threads = sum(process.threads for process in found)
        memory = usage.memory(found)
        return Usage(usage.seconds(found), memory, threads, traffic.received, traffic.sent)

    async def terminal(self, key: str, command: tuple[str, ...], columns: int, rows: int) -> Terminal:
        """Raises NotThere, Unavailable."""
        sandbox = self._there(key).sandbox
        if sandbox is None:
            raise NotThere("It does not run.")
        return await sandbox.terminal(command, columns, rows)

    async def export(self, key: str) -> AsyncIterator[bytes]:
        """Raises NotThere, Unavailable."""
        async for data in self.volumes.export(await self.means.need(), key):
            yield data

    # Within

    async def _run(self, instance: _Instance, spec: Spec) -> None:
        """Have it run as `spec` says; what is under way for another specification is ended first."""
        if self._closing:
            raise Unavailable("The runner is stopping.")
        if (
            instance.sandbox is not None
            and instance.record is not None
            and instance.record.digest == spec.digest()
        ):
            return
        tools = await self.means.need()
        await self._halt(instance)
        egress = Egress(self._destinations)
        gateway = Gateway(self._settings.plain_socket, self._settings.http_port, spec.offset)
        sandbox = Sandbox(
            spec,
            self._settings.sockets / spec.key,
            instance.journal.write,
            lambda code, why: self._ended(instance, sandbox, code, why),
        )
        async with self.volumes.made(spec.key) as volume:
            instance.starting = True
            try:
                instance.journal.prepare()
                await sandbox.start(tools, volume, egress, gateway)
            except Unavailable:
                self.means.doubt()  # what worked once may not any more
                raise
            except OSError as error:
                raise unavailable(error) from error
            finally:
                instance.starting = False
            if not sandbox.is_over:
                instance.record = Record(spec.key, spec.digest(), running=True, started_at=time.time())
                instance.sandbox, instance.egress = sandbox, egress
                self.news.tell(instance.key)
            try:
                await self._save(instance)
            except Unavailable:
                await self._halt(instance)
                raise
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())

    async def _halt(self, instance: _Instance) -> None:
        if instance.sandbox is not None:
            await instance.sandbox.stop()

    def _ended(self, instance: _Instance, sandbox: Sandbox, code: int, why: str) -> None:
        """It has ended: also before `_run` was told that it began."""
        instance.journal.end()
        if instance.sandbox is None:
            started = Record(instance.key, sandbox.spec.digest(), started_at=time.time())
        else:
            assert instance.record is not None
            started = replace(instance.record, running=False)
        instance.sandbox = None
        if why == STOPPED:
            instance.record = started
        else:
            by_itself = f"Its command ended with {code}." if code < 128 else f"Signal {code - 128} ended it."
            instance.record = replace(started, exit_code=code, reason=why or by_itself)
        self.news.tell(instance.key)
        task = asyncio.create_task(self._save_quietly(instance))
        self._saves.add(task)
        task.add_done_callback(self._saves.discard)

    async def _save_quietly(self, instance: _Instance) -> None:
        try:
            await self._save(instance)
        except Unavailable as error:
            log.warning("%s: its record was not written: %s", instance.key, error)

    async def _save(self, instance: _Instance) -> None:
        """Have its record as it is now on disk. Raises Unavailable."""
        async with instance.saving:
            try:
                if instance.record is None:
                    self._records.forget(instance.key)
                else:
                    await asyncio.to_thread(self._records.save, instance.record)
            except OSError as error:
                raise unavailable(error) from error

    def _observed(self, instance: _Instance) -> Observed:
        record = instance.record
        assert record is not None
        state: State = "starting" if instance.starting else "running" if instance.sandbox else "stopped"
        return Observed(
            instance.key,
            state,
            record.digest,
            address=str(self._settings.sockets / instance.key),
            exit_code=record.exit_code,
            reason=record.reason,
            started_at=record.started,
        )

    @asynccontextmanager
    async def _held(self, key: str) -> AsyncIterator[_Instance]:
        """The instance, its only changer. One that was removed while we waited is not it any more."""
        while True:
            instance = self._instance(key)
            async with instance.lock:
                if self._known.get(key) is instance:
                    yield instance
                    return

    def _instance(self, key: str) -> _Instance:
        if not KEY.fullmatch(key):
            raise Refused(f"{key!r} is no key of a workspace.")
        if key not in self._known:
            self._known[key] = _Instance(key, Journal(self._settings.data / "logs" / f"{key}.log"))
        return self._known[key]

    def _there(self, key: str) -> _Instance:
        instance = self._known.get(key)
        if instance is None or instance.record is None:
            raise NotThere("There is no such workspace.")
        return instance

    async def _watch(self) -> None:
        """Hold what runs, as long as something does."""
        while any(one.sandbox for one in self._known.values()):
            await asyncio.sleep(_WATCH_SECONDS)
            table = usage.processes()
            for instance in list(self._known.values()):
                if instance.sandbox is not None:
                    holding.hold(instance.sandbox, instance.journal, table)


def _check(spec: Spec) -> None:
    """Raises Refused for what no sandbox is. A workspace's image says nothing here: its server is the platform's."""
    if spec.kind != "workspace":
        raise Refused("Containers from images need Docker; the process provider runs workspaces only.")
    if any(volume != Volume("work", "/workspace") for volume in spec.volumes):
        raise Refused("A sandbox has one volume, at /workspace.")
    if spec.limits.memory_bytes < _LEAST_MEMORY or spec.limits.pids < 4:
        raise Refused("A sandbox needs at least 32 MiB of memory and 4 processes.")
