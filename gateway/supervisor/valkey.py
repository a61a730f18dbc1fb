"""The embedded Valkey: its configuration, how to run it and whether it answers."""

import socket
from dataclasses import dataclass
from pathlib import Path

from gateway.supervisor.home import Home
from gateway.supervisor.ports import LOOPBACK


@dataclass(frozen=True)
class Valkey:
    """One server in a home. `durable` off keeps nothing on disk (tests)."""

    home: Home
    program: Path
    port: int
    durable: bool = True

    def command(self) -> list[str]:
        """How to run the server in the foreground; it reads `configuration` on its standard input."""
        return [str(self.program), "-"]

    def configuration(self) -> bytes:
        """On stdin, so that the password shows neither in a process list nor in a file."""
        lines = [
            f"bind {LOOPBACK}",
            f"port {self.port}",
            f'dir "{self.home.path / "valkey"}"',
            f"requirepass {self.home.secret('valkey')}",
            f"appendonly {'yes' if self.durable else 'no'}",
            'save ""',
            "maxmemory-policy noeviction",
            "loglevel warning",
        ]
        return "\n".join([*lines, ""]).encode()

    def url(self) -> str:
        return f"redis://:{self.home.secret('valkey')}@{LOOPBACK}:{self.port}/0"

    def is_ready(self) -> bool:
        """Whether the server has loaded its data and takes commands."""
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=0.5) as wire:
                wire.sendall(f"AUTH {self.home.secret('valkey')}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2:
                    received = wire.recv(256)
                    if not received:
                        return False
                    answer += received
                return answer.startswith(b"+OK\r\n+PONG")
        except OSError:
            return False
