"""A Ceph of one monitor, one disk in memory and one RADOS Gateway, without systemd and without root."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from uuid import uuid4

from tests.ports import free_ports
from tests.stack import Process, listens

NEEDED = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "monmaptool", "ceph-authtool", "ceph")

_CONF = """
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{mon_port}]
public network = 127.0.0.0/8
ms bind msgr1 = false
keyring = {home}/keyring
auth allow insecure global id reclaim = false
run dir = {home}
admin socket = {home}/$name.sock
log file = {home}/$name.log
pid file =
crash dir = {home}
mon data = {home}/mon
mon initial members = a
mon data avail crit = 1
mon allow pool size one = true
mon warn on pool no redundancy = false
osd data = {home}/osd
osd objectstore = memstore
memstore device bytes = 4294967296
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd heartbeat grace = 300
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw enable usage log = false
rgw crypt require ssl = false
rgw lc debug interval = 10
"""


def missing() -> list[str]:
    """The programs that are not installed here (Debian: ceph-mon, ceph-osd, radosgw, ceph-common)."""
    return [name for name in NEEDED if shutil.which(name, path=_PATH) is None]


_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


class RadosGateway:
    """`url` speaks S3 between start and stop. It needs about 12 s to start and 300 MiB."""

    def __init__(self, access_key: str, secret_key: str) -> None:
        # Sockets have short names, whatever the temporary folders of tests are called.
        self.home = Path(tempfile.mkdtemp(prefix="rgw-"))
        mon_port, self.port = free_ports(2)
        self.url = f"http://127.0.0.1:{self.port}"
        self._mon_port, self._fsid = mon_port, str(uuid4())
        self._keys = ("--access-key", access_key, "--secret-key", secret_key)
        self._environment = {**os.environ, "PATH": _PATH, "CEPH_CONF": str(self.home / "ceph.conf")}
        self._processes: list[Process] = []

    def start(self) -> None:
        values = {"fsid": self._fsid, "mon_port": self._mon_port, "port": self.port, "home": self.home}
        (self.home / "ceph.conf").write_text(_CONF.format(**values))
        (self.home / "mon").mkdir()
        (self.home / "osd").mkdir()
        keyring, monmap, osd = str(self.home / "keyring"), str(self.home / "monmap"), str(uuid4())
        self._run(
            "ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *"
        )
        for name in ("client.admin", "client.rgw", "osd.0"):
            caps = ("--cap", "mon", "allow *", "--cap", "osd", "allow *", "--cap", "mgr", "allow *")
            self._run("ceph-authtool", keyring, "--gen-key", "-n", name, *caps)
        at = f"[v2:127.0.0.1:{self._mon_port}]"
        self._run("monmaptool", "--create", "--fsid", self._fsid, "--addv", "a", at, monmap)
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", keyring)
        self._serve("ceph-mon", "-i", "a", port=self._mon_port)
        self._run("ceph", "osd", "new", osd)
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        self._serve("ceph-osd", "-i", "0", port=None)
        user = ("user", "create", "--uid", "tests", "--display-name", "tests", *self._keys)
        self._run("radosgw-admin", "-n", "client.rgw", *user)
        self._serve("radosgw", "-n", "client.rgw", port=self.port)

    def stop(self) -> None:
        for process in reversed(self._processes):
            process.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def _serve(self, *command: str, port: int | None) -> None:
        process = Process(command[0], self.home, self._environment, *command, "-f")
        self._processes.append(process)
        process.start(lambda: port is None or listens(("127.0.0.1", port)), patience=120)

    def _run(self, *command: str) -> None:
        done = subprocess.run(
            command, env=self._environment, cwd=self.home, capture_output=True, text=True, timeout=120
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
