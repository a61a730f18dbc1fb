"""What cannot start says why in one line, what to do, and exits 1."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from gateway import env
from gateway.supervisor import account
from gateway.supervisor.errors import Refusal
from tests.ports import free_ports
from tests.supervisor.conftest import PYTHON, until


def refused(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1, done
    (line,) = [line for line in done.stderr.splitlines() if line]
    assert line.startswith("gatehouse: ")
    assert "Traceback" not in done.stdout
    return line


def test_a_port_in_use_is_named_with_its_variable(gatehouse):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        line = refused(gatehouse("up", GATEHOUSE_HTTP_PORT=port))

    assert line == f"gatehouse: port {port} is in use: set GATEHOUSE_HTTP_PORT to another one"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("SECRET_KEY=a\nnonsense\n", "line 2: expected NAME=value"),
        ("SECRET_KEY='a\n", "line 1: the quote is not closed"),
        ("GATEHOUSE_HTTP_PORT=eighty\n", "GATEHOUSE_HTTP_PORT='eighty' is not a whole number"),
        ("GATEHOUSE_ENV=test\n", "GATEHOUSE_ENV=test is neither development nor production"),
    ],
)
def test_a_broken_env_file_is_named_with_its_line(gatehouse, home, text, problem):
    home.mkdir()
    (home / ".env").write_text(text)

    line = refused(gatehouse("up"))

    assert problem in line
    assert str(home / ".env") in line


def test_a_home_that_is_a_file(gatehouse, home):
    home.write_text("")

    assert "a part of the path is a file: set GATEHOUSE_HOME to a folder" in refused(gatehouse("up"))


def test_a_home_in_use_names_the_process(gatehouse, home):
    with subprocess.Popen(
        [sys.executable, "-m", "gateway.supervisor", "services", "--home", str(home), "--", "sleep", "60"]
    ) as first:
        until(lambda: (home / "lock").exists() and (home / "lock").read_text().strip() == str(first.pid))

        line = refused(gatehouse("up"))
        first.terminate()

    assert f"is in use by a running instance (process {first.pid}): stop it with `make down`" in line


def test_a_home_without_permission(gatehouse, home):
    """As the user that root drops to, or as ourselves where we are not root."""
    home.mkdir(mode=0o555)
    who = account.choose()
    done = subprocess.run(
        [PYTHON, "-m", "gateway.supervisor", "up"],
        env={"PATH": os.environ["PATH"], "GATEHOUSE_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        cwd=env.PROJECT,
        user=who.uid if who.switch else None,
        group=who.gid if who.switch else None,
        extra_groups=[] if who.switch else None,
    )

    line = refused(done)

    assert line.endswith("no permission: set GATEHOUSE_HOME to a folder of your own, or fix its owner")


def test_a_home_on_a_full_disk(monkeypatch, home):
    """A file system of a few pages, where this machine lets us mount one."""
    from gateway.supervisor.home import Home

    home.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8k,nr_inodes=3", "tmpfs", str(home)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("may not mount a small file system here")
    try:
        with pytest.raises(Refusal, match="the disk is full: free some space"):
            Home(home)
    finally:
        subprocess.run(["umount", str(home)], check=True)


def test_a_home_too_long_for_sockets(gatehouse, home):
    line = refused(gatehouse("up", GATEHOUSE_HOME=str(home / ("x" * 100))))

    assert "too long a path for the sockets in it: set GATEHOUSE_HOME to a shorter one" in line


def test_half_of_an_outside_database(gatehouse):
    line = refused(gatehouse("up", DATABASE_URL="postgresql://a@127.0.0.1/b", **public_ports()))

    assert "set both DATABASE_URL" in line


def test_an_old_python_is_told_so(tmp_path):
    """The old interpreter reads the entry itself, so that must be plain; here the version is feigned."""
    source = (env.PROJECT / "gateway" / "supervisor" / "__main__.py").read_text()
    feigned = "import sys\nsys.version_info = (3, 9, 2)\n" + source
    done = subprocess.run([sys.executable, "-c", feigned], capture_output=True, text=True, check=False)

    assert "Python 3.11 or newer is needed, this is 3.9" in refused(done)
    compile(source, "__main__.py", "exec", dont_inherit=True)


def test_make_without_python(tmp_path):
    """PATH holds make's own needs only."""
    for tool in ("make", "sh", "echo"):
        found = subprocess.run(["which", tool], capture_output=True, text=True, check=True).stdout.strip()
        (tmp_path / tool).symlink_to(found)
    done = subprocess.run(
        ["make", "up"],
        cwd=env.PROJECT,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert "there is no python3: install it" in done.stderr


def test_reset_asks_first(gatehouse, home):
    home.mkdir()
    (home / "instance.json").write_text("{}")
    (home / "notes.txt").write_text("mine")

    assert "say so with `make reset YES=1`" in refused(gatehouse("reset"))
    done = gatehouse("reset", YES="1")

    assert done.returncode == 0
    assert [entry.name for entry in home.iterdir()] == ["notes.txt"]


def test_status_and_down_of_nothing(gatehouse, home):
    status, down = gatehouse("status"), gatehouse("down")

    assert (status.returncode, down.returncode) == (3, 0)
    assert status.stdout == down.stdout == f"nothing runs in {home}\n"


def public_ports() -> dict[str, str]:
    http, https = free_ports(2)
    return {"GATEHOUSE_HTTP_PORT": str(http), "GATEHOUSE_HTTPS_PORT": str(https)}


def test_a_home_that_the_account_cannot_enter(gatehouse, home):
    """As root, which drops to another user; an ordinary user's folders are its own."""
    if not account.choose().switch:
        pytest.skip("only root drops to another user")
    home.parent.chmod(0o700)

    line = refused(gatehouse("up"))

    assert f"cannot enter {home}: put GATEHOUSE_HOME where every user may pass" in line
    assert not (home / "run").exists()
