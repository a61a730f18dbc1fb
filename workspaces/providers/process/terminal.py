"""A terminal in a sandbox, over a WebSocket on the runner's socket."""

from __future__ import annotations

import json
from pathlib import Path

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection, unix_connect

from workspaces.providers.base import NotThere, ProviderError, Refused, Unavailable

_OPEN_SECONDS = 15.0
_LONGEST_FRAME = 1 << 20
_ERRORS: dict[int, type[ProviderError]] = {4404: NotThere, 4422: Refused}


class SandboxTerminal:
    """`workspaces.providers.base.Terminal`."""

    def __init__(self, path: Path, key: str, command: tuple[str, ...], *, columns: int, rows: int) -> None:
        """Raises NotThere, Refused, Unavailable."""
        self._rest = b""
        uri = f"ws://runner/instances/{key}/terminal"
        try:
            self._socket: ClientConnection = unix_connect(
                str(path),
                uri,
                legacy=True,
                compression=None,
                ping_interval=None,
                open_timeout=_OPEN_SECONDS,
                close_timeout=1,
                max_size=_LONGEST_FRAME,
                proxy=None,
            )
        except (OSError, WebSocketException) as error:
            raise Unavailable(f"The runner does not answer: {error}") from error
        try:
            self._socket.send(json.dumps({"command": command, "columns": columns, "rows": rows}))
            self._socket.recv(_OPEN_SECONDS)
        except ConnectionClosed as error:
            told = error.rcvd
            raise _ERRORS.get(told.code if told else 0, Unavailable)(
                told.reason if told else "The runner broke off."
            ) from error
        except TimeoutError as error:
            self._socket.close()
            raise Unavailable("The sandbox gives no terminal now.") from error

    def read(self, most: int = 65_536) -> bytes:
        if not self._rest:
            try:
                data = self._socket.recv()
            except (ConnectionClosed, OSError):
                return b""
            self._rest = data if isinstance(data, bytes) else data.encode()
        data, self._rest = self._rest[:most], self._rest[most:]
        return data

    def write(self, data: bytes) -> None:
        try:
            self._socket.send(data)
        except (ConnectionClosed, OSError):
            return  # its end is what `read` tells

    def resize(self, columns: int, rows: int) -> None:
        try:
            self._socket.send(json.dumps({"columns": columns, "rows": rows}))
        except (ConnectionClosed, OSError):
            return

    def close(self) -> None:
        self._socket.close()
