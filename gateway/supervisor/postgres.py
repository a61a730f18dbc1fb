"""The embedded PostgreSQL: makes the cluster with its roles, says how to run it and whether it answers."""

import shutil
import signal
import socket
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from gateway.supervisor.child import die_with_parent
from gateway.supervisor.errors import Refusal
from gateway.supervisor.home import Home, explain
from gateway.supervisor.ports import LOOPBACK

DATABASE = "gatehouse"
LOGIN = "gatehouse"
OWNER = "gatehouse_owner"
SUPERUSER = "postgres"


@dataclass(frozen=True)
class Postgres:
    """One cluster in a home. `durable` off trades safety against power loss for speed (tests)."""

    home: Home
    programs: Path
    port: int
    durable: bool = True

    @property
    def data(self) -> Path:
        return self.home.path / "postgres" / "data"

    def prepare(self) -> None:
        """Make the cluster, its database and its two roles, unless they are there."""
        if (self.data / "PG_VERSION").exists():
            return
        folder = self.data.parent
        try:
            for unfinished in folder.glob("initdb-*"):
                shutil.rmtree(unfinished)
            fresh = Path(tempfile.mkdtemp(prefix="initdb-", dir=folder))
            self.home.account.own(fresh)
            self._initdb(fresh)
            self._run([self._program("postgres"), "--single", "-D", str(fresh), "postgres"], self._roles())
            fresh.rename(self.data)  # only now is there a cluster: an interrupted first start begins anew
        except OSError as error:
            raise Refusal(explain(error, self.home.path)) from error

    def command(self) -> list[str]:
        """How to run the server in the foreground."""
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "128MB",
            "password_encryption": "scram-sha-256",
            "log_destination": "stderr",
            "log_line_prefix": "",
            "log_timezone": "UTC",
            "log_checkpoints": "off",
            # Rows and the values in statements may be secret; the program that sent them tells its error itself.
            "log_error_verbosity": "terse",
            "log_min_error_statement": "panic",
            "timezone": "UTC",
        }
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [self._program("postgres"), "-D", str(self.data), *options]

    def url(self, role: str) -> str:
        """Connection URL of `LOGIN`, `OWNER` or `SUPERUSER`."""
        return f"postgresql://{role}:{self.home.secret(role)}@{LOOPBACK}:{self.port}/{DATABASE}"

    def is_ready(self) -> bool:
        """Whether the server asks for a password, which it does once it takes connections."""
        startup = f"user\0{LOGIN}\0database\0{DATABASE}\0\0".encode()
        packet = struct.pack("!ii", 8 + len(startup), 3 << 16) + startup
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=0.5) as wire:
                wire.sendall(packet)
                return wire.recv(4096).startswith(b"R")
        except OSError:
            return False

    def _initdb(self, folder: Path) -> None:
        with tempfile.NamedTemporaryFile("w", dir=folder.parent) as password:
            password.write(self.home.secret(SUPERUSER))
            password.flush()
            self.home.account.own(Path(password.name))
            command = [self._program("initdb"), "--pgdata", str(folder), "--username", SUPERUSER]
            command += ["--pwfile", password.name, "--auth", "scram-sha-256", "--encoding", "UTF8"]
            command += ["--locale-provider", "builtin", "--locale", "C.UTF-8"]
            self._run(command if self.durable else [*command, "--no-sync"])

    def _roles(self) -> str:
        """SQL for single-user mode, one statement a line. The owner may create roles and alter the login."""
        createdb = "" if self.durable else " CREATEDB"  # test runs make databases of their own
        return "\n".join(
            [
                f"CREATE ROLE {OWNER} LOGIN CREATEROLE{createdb} PASSWORD '{self.home.secret(OWNER)}'",
                f"CREATE ROLE {LOGIN} LOGIN NOINHERIT PASSWORD '{self.home.secret(LOGIN)}'",
                f"GRANT {LOGIN} TO {OWNER} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE",
                f"CREATE DATABASE {DATABASE} OWNER {OWNER}",
                f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC",
                f"GRANT CONNECT ON DATABASE {DATABASE} TO {LOGIN}",
                # and empty them past triggers and foreign keys
                *([] if self.durable else [f"GRANT SET ON PARAMETER session_replication_role TO {OWNER}"]),
                "",
            ]
        )

    def _program(self, name: str) -> str:
        return str(self.programs / name)

    def _run(self, command: list[str], stdin: str = "") -> None:
        done = subprocess.run(
            command,
            input=stdin,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            cwd=self.data.parent,
            preexec_fn=die_with_parent(signal.SIGTERM),
            **self.home.account.popen_arguments(),  # type: ignore[call-overload]
        )
        failed = [
            line
            for line in done.stdout.splitlines()
            if "ERROR" in line or "FATAL" in line or "error:" in line
        ]
        if done.returncode or failed:
            said = failed[0] if failed else (done.stdout.strip().splitlines() or ["no message"])[-1]
            if "No space left" in done.stdout:
                said = "the disk is full: free some space, or set GATEHOUSE_HOME to another disk"
            raise Refusal(f"cannot make the database in {self.data.parent}: {said.strip()}")
