"""The runner's HTTP API (`workspaces.runner.api`), from this side of its socket."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Event
from typing import Any, BinaryIO

from workspaces.providers.base import NotThere, ProviderError, Refused, Unavailable

_CHUNK = 256 * 1024
_PATIENCE = 60.0
BEAT = b"\0"
"""A line of the runner's that nobody wrote, each second of silence."""
_ERRORS: dict[int, type[ProviderError]] = {404: NotThere, 422: Refused, 503: Unavailable}
_ARCHIVE_SECONDS = 300.0


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("runner", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Client:
    """Raises NotThere, Refused and Unavailable as the runner says, Unavailable where it does not answer."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def ask(
        self, method: str, target: str, said: Mapping[str, Any] | None = None, *, patience: float = _PATIENCE
    ) -> Any:
        """One question, its answer read whole."""
        body = None if said is None else json.dumps(said).encode()
        connection, answer = self._begin(method, target, body, patience)
        try:
            return json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unavailable(f"The runner's answer broke off: {error}") from error
        finally:
            connection.close()

    def send(self, target: str, content: BinaryIO) -> None:
        """PUT a stream."""
        connection, answer = self._begin(
            "PUT", target, iter(lambda: content.read(_CHUNK), b""), _ARCHIVE_SECONDS
        )
        answer.close()
        connection.close()

    def receive(self, target: str) -> Iterator[bytes]:
        """GET a stream to its end. Errors of the beginning are raised at once, not with the first part."""
        connection, answer = self._begin("GET", target, None, _ARCHIVE_SECONDS)

        def parts() -> Iterator[bytes]:
            try:
                while data := answer.read1(_CHUNK):
                    yield data
                if not answer.isclosed():
                    raise Unavailable("The runner broke off.")
            except (OSError, http.client.HTTPException) as error:
                raise Unavailable(f"The runner broke off: {error}") from error
            finally:
                connection.close()

        return parts()

    def lines(self, target: str, stop: Event | None) -> Iterator[bytes]:
        """GET a stream line by line, until its end or soon after `stop`. What only shows that it lives is left out."""
        connection, answer = self._begin("GET", target, None, _PATIENCE)

        def lines() -> Iterator[bytes]:
            rest = b""
            try:
                while (stop is None or not stop.is_set()) and (data := answer.read1(_CHUNK)):
                    *whole, rest = (rest + data).split(b"\n")
                    yield from (line + b"\n" for line in whole if line != BEAT)
            except (OSError, http.client.HTTPException) as error:
                raise Unavailable(f"The runner broke off: {error}") from error
            finally:
                connection.close()

        return lines()

    def _begin(
        self, method: str, target: str, body: bytes | Iterator[bytes] | None, patience: float
    ) -> tuple[_Connection, http.client.HTTPResponse]:
        connection = _Connection(self.path, patience)
        try:
            connection.request(method, target, body, encode_chunked=not isinstance(body, bytes | None))
            answer = connection.getresponse()
            if answer.status == 200:
                return connection, answer
            said = answer.read(4096)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Unavailable(f"The runner does not answer: {error}") from error
        connection.close()
        raise _error(answer.status, said)


def _error(status: int, said: bytes) -> ProviderError:
    try:
        text = str(json.loads(said)["error"])
    except (ValueError, KeyError, TypeError):
        text = f"The runner answered {status}."
    return _ERRORS.get(status, Unavailable)(text)
