"""Parts of the runner that can be wronged without a sandbox."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
from pathlib import Path

import pytest

from workspaces.providers.base import NotThere
from workspaces.runner import seccomp
from workspaces.runner import terminal as terminals
from workspaces.runner.control import Control
from workspaces.runner.journal import BEHIND, LONGEST_LINE, Journal
from workspaces.runner.records import Record, Records
from workspaces.runner.terminal import Terminal
from workspaces.runner.volumes import Volumes

KEY = "w-0123456789abcdef"


@pytest.mark.parametrize(
    "said",
    [
        b"{}",
        b"no json",
        b"[" * 4000,
        b"1",
        json.dumps({"id": 7, "terminal": True}).encode(),
        json.dumps({"started": True}).encode() * 2,
    ],
)
async def test_a_first_process_that_says_what_it_was_not_asked_is_broken(said: bytes) -> None:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    broken = asyncio.Event()
    control = Control(near, broken.set)
    with far:
        far.send(said)
        await asyncio.wait_for(broken.wait(), 10)
    control.close()


async def test_a_descriptor_that_is_no_terminal_is_not_taken(tmp_path: Path) -> None:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control = Control(near, lambda: None)
    before = _open()
    with far, (tmp_path / "file").open("w") as file:
        asked = asyncio.create_task(control.terminal(("sh",), 80, 24))
        await asyncio.sleep(0)
        number = json.loads(far.recv(4096))["id"]
        socket.send_fds(far, [json.dumps({"id": number, "terminal": True}).encode()], [file.fileno()])
        with pytest.raises(NotThere):
            await asked
        assert _open() == before + 1  # the file itself
    control.close()


async def test_a_terminal_of_one_that_ends_meanwhile_is_not_there() -> None:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control = Control(near, lambda: None)
    asked = asyncio.create_task(control.terminal(("sh",), 80, 24))
    await asyncio.sleep(0)
    control.close()
    far.close()
    with pytest.raises(NotThere):
        await asked


def test_a_record_that_cannot_be_read_is_as_none(tmp_path: Path) -> None:
    records = Records(tmp_path)
    assert list(records.load()) == []
    records.save(Record(KEY, "d" * 64, running=True, started_at=1.0))
    (tmp_path / "w-1111111111111111.json").write_text('{"key": "w-1')
    (tmp_path / "w-2222222222222222.json").write_text(f'{{"key": "{KEY}", "digest": "x"}}')
    (tmp_path / "w-3333333333333333.json").write_text("[]")
    (tmp_path / "w-4444444444444444.new").write_text("half")
    (found,) = records.load()
    assert (found.key, found.running, found.started_at) == (KEY, False, 1.0)
    records.forget(KEY)
    records.forget(KEY)
    assert list(records.load()) == []


@pytest.mark.parametrize(
    ("there", "kept"), [(("old",), "old"), (("old", "new"), "old"), (("", "old"), ""), (("", "new"), "")]
)
def test_a_restore_that_was_cut_off_leaves_one_of_both(
    tmp_path: Path, there: tuple[str, ...], kept: str
) -> None:
    for suffix in there:
        folder = tmp_path / (f"{KEY}.{suffix}" if suffix else KEY)
        folder.mkdir()
        (folder / "file").write_text(suffix)
    Volumes(tmp_path).recover()
    assert (tmp_path / KEY / "file").read_text() == kept


async def test_lines_are_bounded(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "logs" / "x.log")
    journal.prepare()
    follower = journal.follow()
    journal.write(b"x" * (LONGEST_LINE + 5))
    journal.write(b"\npart")
    journal.end()
    assert journal.tail(10) == [b"x" * LONGEST_LINE + b"\n", b"xxxxx\n", b"part\n"]
    assert journal.tail(0) == []
    for n in range(BEHIND + 10):
        journal.write(b"%d\n" % n)
    assert (await follower.next()).splitlines()[0] == b"10"
    assert await follower.next() == b""


def test_there_is_a_filter_for_this_machine_and_its_sister() -> None:
    for machine in ("x86_64", "aarch64"):
        program = seccomp.program(machine)
        assert len(program) % 8 == 0
        assert len(program) // 8 < 4096  # BPF_MAXINSNS
    assert not seccomp.supported("riscv64")


def _open() -> int:
    """How many descriptors this process has."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_terminal_whose_other_holder_makes_it_block_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A property of the descriptor that the sandbox kept a copy of, and may change at any time."""
    monkeypatch.setattr(terminals, "_END_SECONDS", 0.1)
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control = Control(near, lambda: None)
    mine, theirs = os.openpty()
    copy = os.dup(mine)
    terminal = Terminal(control, 1, mine)
    os.set_blocking(copy, True)
    try:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(terminal.read(), 0.2)
        os.write(theirs, b"hello")
        assert await asyncio.wait_for(terminal.read(), 10) == b"hello"
        await asyncio.wait_for(terminal.write(b"x" * 100_000), 10)  # more than it takes, and nobody reads
    finally:
        terminal.close()
        for descriptor in (copy, theirs):
            os.close(descriptor)
        await asyncio.sleep(0.3)
        far.close()
        control.close()


async def test_one_that_reads_a_terminal_away_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminals, "_END_SECONDS", 0.2)
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    broken = asyncio.Event()
    control = Control(near, broken.set)
    mine, theirs = os.openpty()
    held = threading.Event()
    # As where what was there to read has gone by the time it is read.

    def held_up(descriptor: int, ours: socket.socket) -> None:
        held.wait(20)
        ours.close()

    monkeypatch.setattr(terminals, "_carry", held_up)
    terminal = Terminal(control, 1, mine)
    terminal.close()
    await asyncio.wait_for(broken.wait(), 10)
    held.set()
    for descriptor in (mine, theirs):
        os.close(descriptor)
    far.close()
    control.close()
