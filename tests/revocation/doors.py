"""A member who is let in by every kind of credential, at every process that asks for one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from threading import Thread
from typing import Any

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from realtime.tests.clients import Stream
from storage.s3.tests.signer import call
from tests.factories import PASSWORD
from tests.stack import Account, Stack

PATIENCE_SECONDS = 10.0
API = "/api/v1/"


class Web:
    """One of the web processes, talked to directly: before them, the edge would choose."""

    def __init__(self, stack: Stack, name: str) -> None:
        self.name = name
        transport = httpx.HTTPTransport(uds=str(stack.home / "run" / f"{name}.sock"))
        self.http = httpx.Client(transport=transport, base_url=stack.url, timeout=30)

    def ok(self, method: str, path: str, token: str, body: object = None) -> Any:
        """The `data` of a success."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = self.http.request(method, API + path, json=body, headers=headers)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:300]}"
        return answer.json()["data"] if answer.content else None

    def tokens(self, username: str, password: str = PASSWORD) -> dict[str, Any]:
        pair: dict[str, Any] = self.ok("POST", "auth/login", "", {"username": username, "password": password})
        return pair

    def cookie(self, username: str, password: str = PASSWORD) -> str:
        """The Cookie header of a browser that signs in."""
        self.http.cookies.clear()
        self.http.get("/app/login")
        token = next(value for name, value in self.http.cookies.items() if "csrf" in name)
        form = {"username": username, "password": password}
        answer = self.http.post("/app/login", data=form, headers={"X-CSRFToken": token})
        assert answer.status_code == 302, answer.text
        header = "; ".join(f"{name}={value}" for name, value in self.http.cookies.items())
        self.http.cookies.clear()
        return header


class Watch:
    """A stream or a socket, read until it ends; `ended` is when that was."""

    def __init__(self, read: Callable[[], None]) -> None:
        self.ended: float | None = None
        self._read = read
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with suppress(OSError, ConnectionClosed):
            self._read()
        self.ended = time.monotonic()


class Person:
    """A member with tokens, a session, an API key and an S3 key. `doors` say whether each is let in, now.

    A door's name is the credential's and the place's: `token at web`, `token at web2`, `token at stream`.
    """

    def __init__(self, account: Account, webs: tuple[Web, Web], closing: ExitStack) -> None:
        self.account, self.webs, self._closing = account, webs, closing
        web, name = webs[0], account.who.label
        self.name, self.slug = name, account.slug
        self.pair = web.tokens(name)
        self.session = web.cookie(name)
        self.key = web.ok("POST", "api-keys", self.pair["access"], {"name": "door"})
        self.credentials = {
            "token": {"Authorization": f"Bearer {self.pair['access']}"},
            "session": {"Cookie": self.session},
            "key": {"X-API-Key": self.key["api_key"]},
        }
        self.doors: dict[str, Callable[[], bool]] = {"S3 at decision": self._s3}
        for kind, headers in self.credentials.items():
            for at in webs:
                self.doors[f"{kind} at {at.name}"] = self._asks(at, headers)
            self.doors[f"{kind} at stream"] = self._opens(self._stream, headers)
            self.doors[f"{kind} at socket"] = self._opens(self._socket, headers)

    def _asks(self, web: Web, headers: dict[str, str]) -> Callable[[], bool]:
        return lambda: web.http.get(f"{API}users", headers=headers).status_code == 200

    def _s3(self) -> bool:
        return call(self.account, "PUT", "/s3/docs/door", b"content").status == 200

    def _opens(
        self, read: Callable[[dict[str, str]], Callable[[], None]], headers: dict[str, str]
    ) -> Callable[[], bool]:
        """It stays open from the first look on."""
        watches: list[Watch] = []

        def look() -> bool:
            if not watches:
                watches.append(Watch(read(headers)))
            return watches[0].ended is None

        return look

    def _stream(self, headers: dict[str, str]) -> Callable[[], None]:
        given = {name.replace("-", "_"): value for name, value in headers.items()}
        stream = self._closing.enter_context(Stream(self.account.stack.port, **given))
        assert stream.status == 200, stream.problem

        def read() -> None:
            for _ in stream.events(60):
                pass

        return read

    def _socket(self, headers: dict[str, str]) -> Callable[[], None]:
        url = f"ws://127.0.0.1:{self.account.stack.port}"
        origin = {"Origin": self.account.stack.url}
        made = connect(f"{url}{API}realtime/ws", additional_headers=headers | origin, proxy=None)
        socket = self._closing.enter_context(made)

        def read() -> None:
            while True:
                socket.recv()

        return read

    def named(self, *credentials: str, at: str = "") -> list[str]:
        """The doors of these credentials, all where none is named; `at` leaves those of a place."""
        found = [door for door in self.doors if not credentials or door.split(" at ")[0] in credentials]
        return [door for door in found if at in door]

    def open(self, *doors: str) -> list[str]:
        """Which of these let the member in; all where none is named."""
        return [door for door in doors or self.doors if self.doors[door]()]

    def closing(self, *doors: str) -> Iterator[tuple[str, float]]:
        """Each of the doors as it closes, with the seconds since the first look; at most PATIENCE_SECONDS."""
        return self._turning(False, *doors or self.doors)

    def opening(self, *doors: str) -> Iterator[tuple[str, float]]:
        """Each as it opens."""
        return self._turning(True, *doors)

    def _turning(self, to: bool, *doors: str) -> Iterator[tuple[str, float]]:
        start, left = time.monotonic(), list(doors)
        while left and time.monotonic() < start + PATIENCE_SECONDS:
            for door in tuple(left):
                if self.doors[door]() is to:
                    left.remove(door)
                    yield door, time.monotonic() - start
        for door in left:
            yield door, PATIENCE_SECONDS
