"""A command with a terminal in a container: an exec whose connection the engine hands over."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import socket
import threading
import time
from typing import Any

import h11
from docker.errors import APIError

from workspaces.providers.base import NotThere, Refused, Unavailable

from .engine import asking, socket_path

# The engine has no word for ending an exec, so each tells the number of its process first and is ended by a second
# one: everything in its session, and whatever else bears its mark. HUP as when a terminal is closed, then KILL.
_START = 'unset GATEHOUSE_GIT_USERNAME GATEHOUSE_GIT_PASSWORD; echo "$$"; exec "$@"'
_END = """
for signal in HUP KILL; do
  for folder in /proc/[0-9]*; do
    pid=${folder#/proc/}
    [ "$pid" = $$ ] && continue
    read -r line 2>/dev/null <"$folder/stat" || continue
    set -- ${line##*) }
    if [ "$4" = "$SESSION" ] || grep -q "GATEHOUSE_TERMINAL=$MARK" "$folder/environ" 2>/dev/null; then
      kill -$signal "$pid" 2>/dev/null
    fi
  done
  [ $signal = HUP ] && sleep 0.3
done
"""
_FIRST_LINE = re.compile(rb"(\d{1,10})\r?\n")
_START_SECONDS = 15.0


class DockerTerminal:
    """The Terminal of the contract."""

    def __init__(self, api: Any, container: str, command: tuple[str, ...], columns: int, rows: int) -> None:
        """Raises NotThere, Refused, Unavailable."""
        self._api, self._container = api, container
        self._mark = secrets.token_hex(8)
        self._closing = threading.Lock()
        self._closed = False
        self._early = b""
        self._exec = self._create(
            ["/bin/sh", "-c", _START, "sh", *command],
            tty=True,
            environment=[f"GATEHOUSE_TERMINAL={self._mark}", "TERM=xterm-256color"],
        )
        self._socket = self._connect()
        try:
            self._session = self._first_line()
            self.resize(columns, rows)
        except BaseException:
            self._socket.close()
            raise

    def read(self, most: int = 65_536) -> bytes:
        if self._early:
            early, self._early = self._early[:most], self._early[most:]
            return early
        try:
            return self._socket.recv(most)
        except OSError:
            return b""

    def write(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # its command has ended, which `read` tells
            self._socket.sendall(data)

    def resize(self, columns: int, rows: int) -> None:
        with contextlib.suppress(APIError):  # likewise
            self._api.exec_resize(self._exec, height=rows, width=columns)

    def close(self) -> None:
        with self._closing:
            if self._closed:
                return
            self._closed = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(NotThere, Refused, Unavailable), asking():
            end = self._create(
                ["/bin/sh", "-c", _END],
                environment=[f"SESSION={self._session}", f"MARK={self._mark}"],
            )
            self._api.exec_start(end, detach=True)
        self._socket.close()

    def _create(self, command: list[str], *, environment: list[str], tty: bool = False) -> str:
        try:
            made = self._api.exec_create(
                self._container, command, stdin=tty, tty=tty, environment=environment
            )
        except APIError as e:
            if e.status_code == 409:
                raise NotThere("It does not run.") from e
            raise
        return str(made["Id"])

    def _connect(self) -> socket.socket:
        """The connection, past its upgrade. The SDK's own would lose what came together with the answer's head."""
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(_START_SECONDS)
        http = h11.Connection(h11.CLIENT)
        body = json.dumps({"Tty": True, "Detach": False}).encode()
        head = h11.Request(
            method="POST",
            target=f"/v{self._api.api_version}/exec/{self._exec}/start",
            headers=[
                ("Host", "docker"),
                ("Connection", "Upgrade"),
                ("Upgrade", "tcp"),
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body))),
            ],
        )
        try:
            connection.connect(str(socket_path()))
            for event in (head, h11.Data(data=body), h11.EndOfMessage()):
                connection.sendall(http.send(event) or b"")
            while (answer := http.next_event()) is h11.NEED_DATA:
                http.receive_data(connection.recv(4096))
        except (OSError, h11.RemoteProtocolError) as e:
            connection.close()
            raise Unavailable("The container engine did not start the command.") from e
        if not isinstance(answer, h11.InformationalResponse) or answer.status_code != 101:
            connection.close()
            status = getattr(answer, "status_code", 0)
            raise (
                NotThere("It does not run.")
                if status in (404, 409)
                else Unavailable("The container engine did not start the command.")
            )
        self._early = http.trailing_data[0]
        return connection

    def _first_line(self) -> str:
        """The number of the command's process in the container."""
        until = time.monotonic() + _START_SECONDS
        try:
            while b"\n" not in self._early and len(self._early) < 4096 and time.monotonic() < until:
                more = self._socket.recv(4096)
                if not more:
                    break
                self._early += more
        except OSError as e:
            raise Unavailable("The command did not start in time.") from e
        found = _FIRST_LINE.match(self._early)
        if not found:
            raise Refused("There is no shell in it.")
        self._early = self._early[found.end() :]
        self._socket.settimeout(None)
        return found[1].decode()
