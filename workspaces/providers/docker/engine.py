"""The engine as the broker shows it, and its failures in the words of the contract."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from django.conf import settings
from docker import APIClient
from docker.errors import APIError, DockerException, NotFound

from workspaces.providers.base import NotThere, ProviderError, Refused, Unavailable

LABEL_KEY, LABEL_KIND, LABEL_DIGEST = "gatehouse.key", "gatehouse.kind", "gatehouse.digest"
_CALL_SECONDS = 60.0
_MOST_WORDS = 300
_AWAY_WORDS = "The container engine cannot be reached: the broker does not answer."
_AWAY = (502, 503, 504)


def socket_path() -> Path:
    """Where the broker listens."""
    return Path(settings.HOME) / "run" / "broker.sock"


@dataclass(frozen=True, slots=True)
class Names:
    """What this platform's things are called on the engine."""

    platform: str
    network: str

    def container(self, key: str) -> str:
        return f"gatehouse-{self.platform}-{key}"

    def helper(self, key: str) -> str:
        return f"{self.container(key)}-helper"

    def volume(self, key: str, name: str, number: int = 0) -> str:
        """`number`: which one since the beginning; restoring makes the next."""
        return f"{self.container(key)}-{name}" + (f".{number}" if number else "")


class Engine:
    """A client for each process, made when it is first needed."""

    def __init__(self) -> None:
        self._making = threading.Lock()
        self._made: dict[tuple[int, float], Any] = {}
        self._names: Names | None = None

    def api(self, seconds: float = _CALL_SECONDS) -> Any:
        """The SDK's low-level client whose calls take at most so long a step. Raises Unavailable."""
        _knock()
        with self._making, asking():
            at = (os.getpid(), seconds)  # a fork must not share its parent's connections
            if at not in self._made:
                self._made[at] = APIClient(f"unix://{socket_path()}", version="auto", timeout=seconds)
            return self._made[at]

    def info(self, seconds: float = _CALL_SECONDS) -> dict[str, Any]:
        """What the broker tells of the engine. Raises Unavailable."""
        api = self.api(seconds)
        with asking():
            found: dict[str, Any] = api.info()
        told = found["Gatehouse"]
        self._names = Names(told["Platform"], told["Network"])
        return found

    def names(self) -> Names:
        """Raises Unavailable."""
        if self._names is None:
            self.info()
        assert self._names is not None
        return self._names


def _knock() -> None:
    """Raises Unavailable where nobody listens: the SDK would leave a socket open for each attempt."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1.0)
        try:
            connection.connect(str(socket_path()))
        except OSError as e:
            raise Unavailable(_AWAY_WORDS) from e


@contextmanager
def asking() -> Iterator[None]:
    """Within the block the SDK's failures become those of the contract."""
    try:
        yield
    except ProviderError:
        raise
    except APIError as e:
        raise failure(e) from e
    except (requests.RequestException, DockerException, OSError) as e:
        if isinstance(e.__cause__, APIError):  # of asking for the version, which the SDK wraps
            raise failure(e.__cause__) from e
        raise Unavailable(_AWAY_WORDS) from e


def failure(error: APIError) -> ProviderError:
    """The engine's answer as an error of the contract."""
    words, status = said(error), error.status_code or 0
    if status in _AWAY:
        return Unavailable(words)
    if isinstance(error, NotFound):
        return NotThere(words)
    if status in (400, 403, 413):
        return Refused(words)
    return Unavailable(words)


def said(error: APIError) -> str:
    """The engine's own words, cut."""
    words = " ".join(str(error.explanation or error).split())
    return words if len(words) <= _MOST_WORDS else words[: _MOST_WORDS - 1] + "…"
