"""Answers of the engine that go on until somebody ends them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from threading import Event
from typing import Any

_LOOK_SECONDS = 0.5
_MOST_LINE = 64 << 10


def until(stop: Event | None, stream: Any) -> Iterator[Any]:
    """What the SDK's stream gives, until its end or until `stop` is set, whichever thread sets it."""
    over = Event()

    def watch() -> None:
        while not over.is_set():
            if stop is not None and stop.wait(_LOOK_SECONDS):
                break
        _close(stream)

    watcher = threading.Thread(target=watch, name="docker-stream", daemon=True) if stop is not None else None
    if watcher is not None:
        watcher.start()
    try:
        for one in stream:
            if stop is not None and stop.is_set():
                return
            yield one
    finally:
        over.set()
        if watcher is None:
            _close(stream)


def _close(stream: Any) -> None:
    with contextlib.suppress(OSError, AttributeError, ValueError):  # it ended by itself meanwhile
        stream.close()


def lines(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Lines, each with a newline; one that is too long is cut into several."""
    rest = b""
    for part in parts:
        *whole, rest = (rest + part).split(b"\n")
        for line in whole:
            yield line + b"\n"
        while len(rest) > _MOST_LINE:
            yield rest[:_MOST_LINE] + b"\n"
            rest = rest[_MOST_LINE:]
    if rest:
        yield rest + b"\n"
