"""The runner's end of the channel to a sandbox's first process (`inside.py`), which is not believed."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import socket
from collections.abc import Callable
from typing import Any

from workspaces.providers.base import NotThere, Unavailable

_LONGEST_ANSWER = 4096
_TERMINAL_SECONDS = 10.0


class Control:
    """`broken` is called when the first process says what it was not asked: it has been taken over."""

    def __init__(self, channel: socket.socket, broken: Callable[[], None]) -> None:
        self._channel, self._broken = channel, broken
        self._loop = asyncio.get_running_loop()
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[int]] = {}
        self.begun: asyncio.Future[None] = self._loop.create_future()
        channel.setblocking(False)
        self._loop.add_reader(channel.fileno(), self._hear)

    def stop(self) -> None:
        """Ask the command to end."""
        self._say({"do": "stop"})

    async def terminal(self, command: tuple[str, ...], columns: int, rows: int) -> tuple[int, int]:
        """Start a command on a terminal of its own: its number, and the terminal's descriptor.

        Raises NotThere, Unavailable.
        """
        number = next(self._numbers)
        answer = self._asked[number] = self._loop.create_future()
        told = {"id": number, "command": command, "columns": columns, "rows": rows}
        self._say({"do": "terminal", **told})
        try:
            async with asyncio.timeout(_TERMINAL_SECONDS):
                return number, await answer
        except TimeoutError as error:
            raise Unavailable("The sandbox gives no terminal now.") from error

    def hang_up(self, number: int) -> None:
        """End what `terminal` started."""
        self._say({"do": "hang up", "id": number})

    def distrust(self) -> None:
        """What it gave does not behave as if nobody else had it."""
        self._broken()

    def close(self) -> None:
        self._loop.remove_reader(self._channel.fileno())
        self._channel.close()
        gone = NotThere("It does not run.")
        waiting: list[asyncio.Future[Any]] = [*self._asked.values(), self.begun]
        for answer in waiting:
            if not answer.done():
                answer.set_exception(gone)
                answer.exception()  # nobody has to ask for it
        self._asked.clear()

    def _say(self, message: dict[str, object]) -> None:
        with contextlib.suppress(OSError):  # its end is seen elsewhere
            self._channel.send(json.dumps(message).encode())

    def _hear(self) -> None:
        descriptors: list[int] = []
        try:
            data, descriptors, _, _ = socket.recv_fds(self._channel, _LONGEST_ANSWER, 1)
            if not data:
                self._loop.remove_reader(self._channel.fileno())
                return
            said = json.loads(data)
            if said.get("started") is True and not self.begun.done():
                self.begun.set_result(None)
                return
            answer = self._asked.pop(said["id"])
            if answer.done():  # asked, and given up
                return
            if descriptors and os.isatty(descriptors[0]):
                answer.set_result(descriptors.pop())
            else:
                answer.set_exception(NotThere(f"No terminal: {str(said.get('error'))[:200]}."))
        except BlockingIOError:
            pass
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self._broken()
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
