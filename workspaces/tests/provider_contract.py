"""What every provider must do: one suite, run against the fake and each real one.

A subclass gives `provider`. What runs in the instances is `contract_server.py`, which is asked at their addresses.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import itertools
import os
import socket
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from workspaces.addresses import MCP_PORT, dial
from workspaces.providers.base import (
    WORKSPACE_VOLUME,
    Capability,
    Limits,
    NotThere,
    Observed,
    Provider,
    Refused,
    Spec,
)

SERVER = (Path(__file__).parent / "contract_server.py").read_text(encoding="utf-8")
MIB = 1 << 20
PATIENCE = 20.0
_offsets = itertools.count(1 + int.from_bytes(os.urandom(2)) % 40_000)
NewSpec = Callable[..., Spec]
Ask = Callable[..., str]


class _Connection(http.client.HTTPConnection):
    """A connection to a `dial` of the edge: host:port, or a unix socket."""

    def __init__(self, where: str) -> None:
        super().__init__("localhost", timeout=30)
        self._where = where

    def connect(self) -> None:
        if self._where.startswith("unix/"):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(30)
            self.sock.connect(self._where.removeprefix("unix/"))
        else:
            host, _, port = self._where.rpartition(":")
            self.sock = socket.create_connection((host, int(port)), timeout=30)


def request(where: str, path: str) -> tuple[int, str]:
    """GET `path` at a dial: status and text. Raises OSError, http.client.HTTPException."""
    connection = _Connection(where)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def eventually(what: Callable[[], Any]) -> Any:
    """The first answer of `what` that is true; errors of a connection count as not yet."""
    until = time.monotonic() + PATIENCE
    while True:
        found = None
        with contextlib.suppress(OSError, http.client.HTTPException):
            found = what()
        if found:
            return found
        assert time.monotonic() < until, "it did not come true"
        time.sleep(0.02)


class ProviderContract:
    """Subclasses give `provider`; the others are for them to change where they must."""

    @pytest.fixture
    def provider(self) -> Provider:
        raise NotImplementedError

    @pytest.fixture
    def command(self) -> tuple[str, ...]:
        return ("python3", "-u", "-c", SERVER)

    @pytest.fixture
    def spec(self, provider: Provider, command: tuple[str, ...]) -> Iterator[NewSpec]:
        """Makes specifications of instances that are removed in the end."""
        made: list[str] = []

        def make(**fields: Any) -> Spec:
            key = f"w-{os.urandom(8).hex()}"
            made.append(key)
            defaults: dict[str, Any] = {
                "key": key,
                "kind": "workspace",
                "tenant": "contract",
                "name": f"contract-{len(made)}",
                "offset": next(_offsets),
                "limits": Limits(256 * MIB, 1000, 128),
                "command": command,
                "volumes": (WORKSPACE_VOLUME,),
            }
            return Spec(**(defaults | fields))

        yield make
        for key in made:
            provider.remove(key, volumes=True)

    @pytest.fixture
    def ask(self, provider: Provider) -> Ask:
        """Asks the server in an instance, once it serves: `ask(key, "env", "NAME")`."""

        def ask(key: str, path: str, said: str = "", *, status: int = 200) -> str:
            def found() -> tuple[int, str] | None:
                seen = provider.observe(key)
                if seen is None or not seen.address:
                    return None
                return request(dial(seen.address, MCP_PORT), f"/{path}?{quote(said)}")

            got: tuple[int, str] = eventually(found)
            assert got[0] == status, got
            return got[1]

        return ask

    # What it is

    def test_it_says_what_it_is(self, provider: Provider) -> None:
        assert provider.name
        found = provider.availability()
        assert found.ok, found.reason

    # Life

    def test_one_runs_and_answers(self, provider: Provider, spec: NewSpec, ask: Ask) -> None:
        wanted = spec(environment={"COLOUR": "blue green"})
        seen = provider.ensure(wanted, running=True)
        assert (seen.key, seen.digest) == (wanted.key, wanted.digest())
        assert seen.state in ("starting", "running")
        assert ask(wanted.key, "healthz") == "ok"
        assert ask(wanted.key, "env", "COLOUR") == "blue green"
        seen = _observed(provider, wanted.key)
        assert (seen.state, seen.digest) == ("running", wanted.digest())
        assert seen.address
        assert seen.started_at is not None
        assert wanted.key in {one.key for one in provider.every()}
        assert wanted.key in provider.stored()

    def test_asking_again_changes_nothing(self, provider: Provider, spec: NewSpec, ask: Ask) -> None:
        wanted = spec()
        provider.ensure(wanted, running=True)
        run = ask(wanted.key, "run")
        provider.ensure(wanted, running=True)
        assert ask(wanted.key, "run") == run

    def test_a_stopped_one_starts_again_on_its_volume(
        self, provider: Provider, spec: NewSpec, ask: Ask
    ) -> None:
        wanted = spec()
        before = provider.ensure(wanted, running=True)
        run = ask(wanted.key, "run")
        ask(wanted.key, "write", "kept=through it all")
        for _ in range(2):
            seen = provider.ensure(wanted, running=False)
            assert seen.state == "stopped"
            found = provider.observe(wanted.key)
            assert found is None or found.state == "stopped"
        again = provider.ensure(wanted, running=True)
        assert ask(wanted.key, "read", "kept") == "through it all"
        assert ask(wanted.key, "run") != run
        assert again.address == before.address

    def test_one_that_never_ran_may_be_wished_stopped(self, provider: Provider, spec: NewSpec) -> None:
        wanted = spec()
        assert provider.ensure(wanted, running=False).state == "stopped"
        found = provider.observe(wanted.key)
        assert found is None or found.state == "stopped"

    @pytest.mark.parametrize(
        "change",
        [
            {"environment": {"COLOUR": "red"}},
            {"limits": Limits(300 * MIB, 500, 100)},
            {"restart_number": 1},
        ],
        ids=["environment", "limits", "restart"],
    )
    def test_another_specification_makes_it_anew_on_its_volume(
        self, provider: Provider, spec: NewSpec, ask: Ask, change: dict[str, Any]
    ) -> None:
        first = spec(environment={"COLOUR": "blue"})
        provider.ensure(first, running=True)
        run = ask(first.key, "run")
        ask(first.key, "write", "kept=yes")
        second = replace(first, **change)
        seen = provider.ensure(second, running=True)
        assert seen.digest == second.digest() != first.digest()
        if "limits" not in change:  # these may be changed in place
            assert eventually(lambda: ask(first.key, "run") != run)
        assert ask(first.key, "env", "COLOUR") == second.environment["COLOUR"]
        assert ask(first.key, "read", "kept") == "yes"

    def test_it_is_removed_and_its_volume_when_that_is_asked(
        self, provider: Provider, spec: NewSpec, ask: Ask
    ) -> None:
        wanted = spec()
        provider.ensure(wanted, running=True)
        ask(wanted.key, "write", "kept=yes")
        for _ in range(2):
            provider.remove(wanted.key, volumes=False)
        assert provider.observe(wanted.key) is None
        assert wanted.key not in {one.key for one in provider.every()}
        assert wanted.key in provider.stored()
        provider.ensure(wanted, running=True)
        assert ask(wanted.key, "read", "kept") == "yes"
        for _ in range(2):
            provider.remove(wanted.key, volumes=True)
        assert provider.observe(wanted.key) is None
        assert wanted.key not in provider.stored()

    def test_one_that_nobody_knows(self, provider: Provider) -> None:
        key = f"w-{os.urandom(8).hex()}"
        assert provider.observe(key) is None
        provider.remove(key, volumes=True)
        for call in (
            lambda: provider.usage(key),
            lambda: list(provider.logs(key)),
            lambda: list(provider.export(key)),
        ):
            with pytest.raises(NotThere):
                call()

    def test_one_that_ends_by_itself_is_seen(self, provider: Provider, spec: NewSpec, ask: Ask) -> None:
        wanted = spec()
        provider.ensure(wanted, running=True)
        run = ask(wanted.key, "run")
        ask(wanted.key, "exit", "3")
        seen = eventually(lambda: _stopped(provider, wanted.key))
        assert seen.exit_code == 3
        assert seen.reason
        provider.ensure(wanted, running=True)
        assert ask(wanted.key, "run") != run

    def test_several_at_once_are_apart(self, provider: Provider, spec: NewSpec, ask: Ask) -> None:
        wanted = [spec() for _ in range(3)]
        threads = [
            threading.Thread(target=provider.ensure, args=(w,), kwargs={"running": True}) for w in wanted
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for one in wanted:
            ask(one.key, "write", f"name={one.key}")
        for one in wanted:
            assert ask(one.key, "read", "name") == one.key
        assert len({_observed(provider, one.key).address for one in wanted}) == 3

    # Limits and walls

    def test_memory_ends_at_its_limit(self, provider: Provider, spec: NewSpec, ask: Ask) -> None:
        if Capability.LIMITS_MEMORY not in provider.capabilities:
            pytest.skip(f"{provider.name} does not limit memory")
        wanted = spec(limits=Limits(96 * MIB, 1000, 128))
        provider.ensure(wanted, running=True)
        address = eventually(lambda: _observed(provider, wanted.key).address)
        ask(wanted.key, "healthz")
        with contextlib.suppress(OSError, http.client.HTTPException):  # it may have been killed
            status, _ = request(dial(address, MCP_PORT), "/allocate?512")
            assert status == 500

    def test_processes_end_at_their_limit(self, provider: Provider, spec: NewSpec, ask: Ask) -> None:
        if Capability.LIMITS_PIDS not in provider.capabilities:
            pytest.skip(f"{provider.name} does not limit processes")
        wanted = spec(limits=Limits(256 * MIB, 1000, 32))
        provider.ensure(wanted, running=True)
        assert int(ask(wanted.key, "children", "64")) < 32

    def test_nothing_outside_the_volume_can_be_written(
        self, provider: Provider, spec: NewSpec, ask: Ask
    ) -> None:
        wanted = spec()
        provider.ensure(wanted, running=True)
        assert ask(wanted.key, "id") != "0"
        for path in ("/etc/x", "/usr/x", "/x"):
            ask(wanted.key, "outside", path, status=500)

    def test_secrets_are_not_told(self, spec: NewSpec) -> None:
        assert "s3cret" not in repr(spec(environment={"TOKEN": "s3cret"}))

    def test_what_it_cannot_run_is_refused_and_leaves_nothing(
        self, provider: Provider, spec: NewSpec
    ) -> None:
        if Capability.SERVICES in provider.capabilities:
            wanted = spec(kind="service", image="no-such-image-anywhere:none", volumes=())
        else:
            wanted = spec(kind="service", image="anything", volumes=())
        with pytest.raises(Refused) as refused:
            provider.ensure(wanted, running=True)
        assert str(refused.value)
        assert provider.observe(wanted.key) is None

    # News

    def test_events_tell_of_changes(self, provider: Provider, spec: NewSpec, ask: Ask) -> None:
        wanted, heard, stop = spec(), list[str](), threading.Event()

        listener = threading.Thread(target=_into, args=(heard, provider.events(stop)), daemon=True)
        listener.start()

        def is_heard() -> bool:
            """After a while, and one more change: what happened before it listened may be missing."""
            end = time.monotonic() + 1
            while wanted.key not in heard and time.monotonic() < end:
                time.sleep(0.02)
            if wanted.key in heard:
                return True
            provider.ensure(wanted, running=False)
            provider.ensure(wanted, running=True)
            return False

        provider.ensure(wanted, running=True)
        eventually(is_heard)
        ask(wanted.key, "healthz")
        heard.clear()
        ask(wanted.key, "exit", "1")
        eventually(lambda: wanted.key in heard)
        stop.set()
        listener.join(timeout=30)
        assert not listener.is_alive()

    # Looking in

    def test_what_it_wrote(self, provider: Provider, spec: NewSpec, ask: Ask) -> None:
        if Capability.LOGS not in provider.capabilities:
            pytest.skip(f"{provider.name} keeps no logs")
        wanted = spec()
        provider.ensure(wanted, running=True)
        for n in range(5):
            ask(wanted.key, "say", f"line {n}")
        lines = eventually(lambda: _with(list(provider.logs(wanted.key)), b"line 4\n"))
        assert lines[-5:] == [b"line %d\n" % n for n in range(5)]
        assert list(provider.logs(wanted.key, tail=2)) == [b"line 3\n", b"line 4\n"]
        provider.ensure(wanted, running=False)
        assert b"line 4\n" in list(provider.logs(wanted.key))

    def test_what_it_writes_is_followed(self, provider: Provider, spec: NewSpec, ask: Ask) -> None:
        if Capability.LOGS not in provider.capabilities:
            pytest.skip(f"{provider.name} keeps no logs")
        wanted, heard, stop = spec(), list[bytes](), threading.Event()
        provider.ensure(wanted, running=True)
        ask(wanted.key, "say", "before")
        followed = provider.logs(wanted.key, tail=10, follow=True, stop=stop)
        reader = threading.Thread(target=_into, args=(heard, followed), daemon=True)
        reader.start()
        eventually(lambda: b"before\n" in heard)
        ask(wanted.key, "say", "after")
        eventually(lambda: b"after\n" in heard)
        stop.set()
        reader.join(timeout=30)
        assert not reader.is_alive()

    def test_what_it_uses(self, provider: Provider, spec: NewSpec, ask: Ask) -> None:
        if Capability.USAGE not in provider.capabilities:
            pytest.skip(f"{provider.name} cannot tell what is used")
        wanted = spec()
        provider.ensure(wanted, running=True)
        ask(wanted.key, "allocate", "20")
        used = provider.usage(wanted.key)
        assert used.cpu_seconds >= 0
        assert used.memory_bytes > MIB
        assert provider.volume_bytes(wanted.key) is None or provider.volume_bytes(wanted.key) >= 0  # type: ignore[operator]
        provider.ensure(wanted, running=False)
        with pytest.raises(NotThere):
            provider.usage(wanted.key)

    def test_a_terminal_in_it(self, provider: Provider, spec: NewSpec, ask: Ask) -> None:
        if Capability.TERMINAL not in provider.capabilities:
            pytest.skip(f"{provider.name} has no terminal")
        wanted = spec()
        with pytest.raises(NotThere):
            provider.execute(wanted.key, ("sh",), columns=80, rows=24)
        provider.ensure(wanted, running=True)
        ask(wanted.key, "healthz")
        terminal = provider.execute(wanted.key, ("sh",), columns=80, rows=24)
        try:
            terminal.write(b"echo $((40 + 2)); stty size\n")
            _read_until(terminal, b"24 80")
            terminal.resize(100, 30)
            terminal.write(b"stty size\n")
            _read_until(terminal, b"30 100")
            terminal.write(b"exit\n")
            _read_until(terminal, None)
        finally:
            terminal.close()
            terminal.close()

    # The volume

    def test_the_volume_is_copied_out_and_in(self, provider: Provider, spec: NewSpec, ask: Ask) -> None:
        if Capability.SNAPSHOTS not in provider.capabilities:
            pytest.skip(f"{provider.name} has no snapshots")
        first, second = spec(), spec()
        provider.ensure(first, running=True)
        ask(first.key, "write", "one=first")
        provider.ensure(first, running=False)
        content = b"".join(provider.export(first.key))
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            names = {member.name.removeprefix("./") for member in tar.getmembers()}
        assert "one" in names
        provider.ensure(second, running=True)
        ask(second.key, "write", "two=second")
        provider.ensure(second, running=False)
        provider.restore(second, io.BytesIO(content))
        provider.ensure(second, running=True)
        assert ask(second.key, "read", "one") == "first"
        ask(second.key, "read", "two", status=500)
        ask(second.key, "write", "one=written over")

    def test_links_within_the_volume_are_kept_as_they_are(
        self, provider: Provider, spec: NewSpec, ask: Ask
    ) -> None:
        """Also those that name a file of the image, as each virtual environment has them."""
        if Capability.SNAPSHOTS not in provider.capabilities:
            pytest.skip(f"{provider.name} has no snapshots")
        wanted = spec()
        provider.ensure(wanted, running=False)
        provider.restore(wanted, io.BytesIO(good_tar()))
        provider.ensure(wanted, running=True)
        assert ask(wanted.key, "link", "bin/python") == "/usr/bin/python3"
        assert ask(wanted.key, "read", "bin/near") == "here"

    @pytest.mark.parametrize("kind", ["parent", "absolute", "link", "hard link", "device", "rubbish", "cut"])
    def test_what_would_leave_the_volume_is_refused(
        self, provider: Provider, spec: NewSpec, ask: Ask, kind: str
    ) -> None:
        if Capability.SNAPSHOTS not in provider.capabilities:
            pytest.skip(f"{provider.name} has no snapshots")
        wanted = spec()
        provider.ensure(wanted, running=True)
        ask(wanted.key, "write", "kept=as before")
        provider.ensure(wanted, running=False)
        with pytest.raises(Refused):
            provider.restore(wanted, io.BytesIO(bad_tar(kind)))
        provider.ensure(wanted, running=True)
        assert ask(wanted.key, "read", "kept") == "as before"


def good_tar() -> bytes:
    """A file, a link to it, and a link to what only the image has."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        folder = tarfile.TarInfo("bin")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(folder)
        file = tarfile.TarInfo("file")
        file.size = 4
        tar.addfile(file, io.BytesIO(b"here"))
        for name, to in (("bin/near", "../file"), ("bin/python", "/usr/bin/python3")):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, to
            tar.addfile(link)
    return buffer.getvalue()


def bad_tar(kind: str) -> bytes:
    """A tar stream that no volume may be made from."""
    if kind == "rubbish":
        return b"this is no tar archive at all" * 100
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        good = tarfile.TarInfo("good")
        good.size = 100_000
        tar.addfile(good, io.BytesIO(b"x" * good.size))
        bad = tarfile.TarInfo({"parent": "../bad", "absolute": "/bad"}.get(kind, "bad"))
        if kind == "link":
            bad.type, bad.linkname = tarfile.SYMTYPE, "../../etc"
            tar.addfile(bad)
            bad = tarfile.TarInfo("bad/through")
        elif kind == "hard link":
            bad.type, bad.linkname = tarfile.LNKTYPE, "../../etc/passwd"
        elif kind == "device":
            bad.type, bad.devmajor, bad.devminor = tarfile.CHRTYPE, 1, 3
        tar.addfile(bad)
    return buffer.getvalue()[:50_000] if kind == "cut" else buffer.getvalue()


def _observed(provider: Provider, key: str) -> Observed:
    found = provider.observe(key)
    assert found is not None
    return found


def _stopped(provider: Provider, key: str) -> Observed | None:
    found = provider.observe(key)
    return found if found is not None and found.state == "stopped" else None


def _with(lines: list[bytes], line: bytes) -> list[bytes] | None:
    return lines if line in lines else None


def _into(heard: list[Any], source: Iterator[Any]) -> None:
    for one in source:
        heard.append(one)  # noqa: PERF402  as they come, not in the end


def _read_until(terminal: Any, wanted: bytes | None) -> bytes:
    """What was read up to `wanted`, or up to the end."""
    read = b""
    while wanted is None or wanted not in read:
        more = terminal.read()
        if not more:
            assert wanted is None, read
            break
        read += more
    return read
