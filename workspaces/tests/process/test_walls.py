"""What a sandbox can see and do, tried from inside."""

from __future__ import annotations

import contextlib
import os
import site
import socket
import subprocess
import tempfile
import venv
from pathlib import Path
from typing import Any

import pytest

from gateway.supervisor import account as accounts
from workspaces.providers.base import Limits
from workspaces.tests.process.conftest import ROOT, Box, Runner, box, running
from workspaces.tests.provider_contract import MIB, eventually


def test_it_has_no_power(shared: Box) -> None:
    status = dict(
        line.split(":", 1) for line in shared.sh("cat /proc/self/status").splitlines() if ":" in line
    )
    assert set(status["Uid"].split()) == {"10001"}
    assert {status[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Seccomp"].strip() == "2"


def test_it_sees_no_file_of_the_machine(shared: Box, runner: Runner) -> None:
    marked = Path("/tmp/gatehouse-marked-for-a-test")
    marked.write_text("x")
    try:
        assert marked.name not in shared.sh("ls -A /tmp")
    finally:
        marked.unlink()
    for path in (runner.home, ROOT / "gateway", ROOT / "workspaces", "/root", "/var", "/sys", "/boot"):
        assert shared.try_sh(f"ls {path}")[0] == 500, path
    assert set(shared.sh("ls -A /").split()) <= {
        *(
            "bin",
            "dev",
            "etc",
            "home",
            "lib",
            "lib32",
            "lib64",
            "libx32",
            "opt",
            "proc",
            "run",
            "sbin",
            "tmp",
        ),
        *("usr", "workspace"),
        *(path.parts[1] for path in (ROOT,)),
    }
    assert "shadow" not in shared.sh("ls /etc")
    assert shared.sh("cat /etc/passwd").count("\n") == 2


def test_it_writes_nowhere_but_to_its_own(shared: Box) -> None:
    for path in (
        "/x",
        "/etc/x",
        "/usr/x",
        "/opt/gatehouse/x",
        "/dev/x",
        "/run/gatehouse/x",
        "/run/x",
        "/home/x",
    ):
        assert shared.try_sh(f"touch {path}")[0] == 500, path
    shared.sh("touch /tmp/x ~/x /dev/shm/x /workspace/x && rm /tmp/x ~/x /dev/shm/x /workspace/x")
    assert (
        "No space left" in shared.try_sh("head -c 200000000 /dev/zero > /tmp/large; rm /tmp/large; false")[1]
    )


def test_it_cannot_put_a_link_where_the_edge_connects(shared: Box) -> None:
    """Followed, it would lead whoever may use the workspace to the platform's own sockets."""
    said = shared.try_sh(
        "cd /run/gatehouse && rm -f p8080.sock; ln -s ../../run/caddy-admin.sock p9.sock; mv p8080.sock q"
    )
    assert "Read-only file system" in said[1]
    assert {path.name for path in shared.folder.iterdir()} == {"p8080.sock", "egress.sock", "gateway.sock"}
    assert shared.folder.stat().st_mode & 0o077 == 0


def test_it_sees_its_own_processes_only(shared: Box) -> None:
    commands = shared.sh("cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert "workspaces.runner" not in commands
    assert "pytest" not in commands
    assert "inside.py" in commands.split("sh -c")[0]


def test_it_has_no_network_but_itself(shared: Box) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        said = shared.python(
            "import socket\n"
            f"for host in ('127.0.0.1', '10.255.255.254', '1.1.1.1'):\n"
            "    s = socket.socket(); s.settimeout(3)\n"
            f"    print(s.connect_ex((host, {port})))\n"
        )
    refused, unreachable = "111", "101"
    assert said.split() == [refused, unreachable, unreachable]
    assert [line.split(":")[0].strip() for line in shared.sh("cat /proc/net/dev").splitlines()[2:]] == ["lo"]


def test_it_meets_no_socket_without_a_name(shared: Box) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0gatehouse-test-{os.getpid()}")
        listener.listen()
        said = shared.python(
            "import socket\n"
            f"print(socket.socket(socket.AF_UNIX).connect_ex('\\0gatehouse-test-{os.getpid()}'))"
        )
    assert said.strip() == "111"


@pytest.mark.parametrize(
    "call",
    [
        "ptrace(0, 0, 0, 0)",
        "unshare(0x10000000)",
        "setns(0, 0)",
        "mount(b'none', b'/tmp', b'tmpfs', 0, 0)",
        "umount2(b'/tmp', 0)",
        "personality(0xffffffff)",
        "syscall(425, 8, 0)",  # io_uring_setup
        "syscall(438, 1, 0, 0)",  # pidfd_getfd
        "socket(40, 1, 0)",  # AF_VSOCK
        "ioctl(0, 0x5412, b'x')",  # TIOCSTI
    ],
)
def test_a_call_that_no_workspace_needs_is_denied(shared: Box, call: str) -> None:
    said = shared.python(
        f"import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nprint(libc.{call}, ctypes.get_errno())"
    )
    assert said.split() == ["-1", "1"]


def test_ordinary_programs_run(shared: Box) -> None:
    shared.sh(
        "git init -q /tmp/r && cd /tmp/r && git -c user.name=x -c user.email=x@y commit -q --allow-empty -m x"
    )
    assert shared.python(
        "import threading, subprocess, multiprocessing, tempfile, socket, ssl\n"
        "t = threading.Thread(target=print, args=('a',)); t.start(); t.join()\n"
        "print(subprocess.run(['id', '-un'], capture_output=True, text=True).stdout.strip())\n"
        "a, b = socket.socketpair(); a.send(b'c'); print(b.recv(1).decode())\n"
        "print(len(ssl.create_default_context().get_ca_certs()) > 10)\n"
    ).split() == ["a", "workspace", "c", "True"]
    assert shared.sh("umask").strip() == "0022"


def test_no_secret_stands_where_others_look(shared: Box, runner: Runner) -> None:
    secret = b"s3cret-of-the-box"
    assert shared.sh("echo $TOKEN").strip().encode() == secret
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            assert secret not in (entry / "cmdline").read_bytes()
    for path in (*runner.home.rglob("*"), runner.home.parent / "runner.log"):
        if path.is_file():
            assert secret not in path.read_bytes(), path


def test_the_walls_between_two(shared: Box, another: Any) -> None:
    other = another()
    other.sh("echo theirs > /workspace/file; echo theirs > /tmp/file")
    assert shared.try_sh("cat /workspace/file /tmp/file")[0] == 500
    assert other.spec.key not in shared.sh(
        "find / -name 'w-*' 2>/dev/null; cat /proc/mounts /proc/self/mountinfo"
    )
    other.sh("sleep 43210 >/dev/null 2>&1 &")
    assert "43210" in other.sh("cat /proc/[0-9]*/cmdline").split("cat")[0]
    assert "43210" not in shared.sh("cat /proc/[0-9]*/cmdline")


def test_memory_of_several_processes_is_held_too(another: Any) -> None:
    greedy = another(limits=Limits(96 * MIB, 1000, 64))
    killed = greedy.python(
        "import subprocess, time\n"
        "hog = 'import time; x = b\"x\" * (48 << 20); time.sleep(60)'\n"
        "two = [subprocess.Popen(['python3', '-c', hog]) for _ in range(2)]\n"
        "while all(one.poll() is None for one in two): time.sleep(0.05)\n"
        "print(sorted(str(one.poll()) for one in two))\n"
        "for one in two: one.kill()\n"
    )
    assert killed.strip() == "['-9', 'None']"
    told = b"the memory limit of 96 MiB is reached"
    eventually(lambda: told in b"".join(greedy.runner.provider.logs(greedy.spec.key)))
    assert greedy.sh("echo still there").strip() == "still there"


def test_a_command_that_takes_too_much_ends_with_the_reason(another: Any, runner: Runner) -> None:
    command = ("python3", "-c", "import time; x = b'x' * (200 << 20); time.sleep(60)")
    greedy = another(limits=Limits(96 * MIB, 1000, 64), command=command)
    seen = eventually(lambda: _ended(runner, greedy))
    assert (seen.exit_code, seen.reason) == (137, "It took more memory than its limit of 96 MiB.")


def _ended(runner: Runner, box: Box) -> Any:
    seen = runner.provider.observe(box.spec.key)
    return seen if seen is not None and seen.state == "stopped" else None


@pytest.mark.skipif(not os.access("/usr/local", os.W_OK), reason="a home below /usr is made by root")
def test_a_home_among_the_machines_programs_is_hidden() -> None:
    with running(below="/usr/local") as runner:
        inner = box(runner)
        inner.start()
        assert inner.sh(f"ls -A {runner.home}").strip() == ""
        assert inner.sh("echo kept > /workspace/file && cat /workspace/file").strip() == "kept"
        content = b"".join(runner.provider.export(inner.spec.key))
        assert b"kept" in content
        runner.provider.remove(inner.spec.key, volumes=True)


def test_the_platforms_python_may_stand_below_tmp() -> None:
    with tempfile.TemporaryDirectory(prefix="gh-python-") as name:
        Path(name).chmod(0o755)
        home, account = Path(name) / "home", accounts.choose()
        home.mkdir()
        account.own(home)
        venv.create(Path(name) / "venv", symlinks=True)
        asked = (
            "import sys; from pathlib import Path; from workspaces.runner import confinement; "
            "confinement.find(Path(sys.argv[1]))"
        )
        done = subprocess.run(
            [Path(name) / "venv" / "bin" / "python", "-c", asked, str(home)],
            env={"PYTHONPATH": os.pathsep.join((str(ROOT), *site.getsitepackages()))},
            capture_output=True,
            text=True,
            check=False,
            **account.popen_arguments(),  # type: ignore[call-overload]
        )
    assert done.returncode == 0, done.stderr
