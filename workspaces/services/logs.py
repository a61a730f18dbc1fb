"""What instances write to their standard output and error."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event
from typing import TYPE_CHECKING

from gateway.errors import Unavailable
from workspaces.providers import base

from . import terminals

if TYPE_CHECKING:
    from workspaces.models import Instance

MOST_LINES, LINES = 5000, 200
MOST_BYTES = 1 << 20
LONGEST_LINE = 16 << 10


def tail(instance: Instance, lines: int = LINES) -> list[str]:
    """The last lines, oldest first, of at most MOST_BYTES; none where it never ran.

    Raises Conflict (`not_supported`), Unavailable.
    """
    kept: list[str] = []
    size = 0
    for line in follow(instance, lines, stop=None):
        kept.append(text(line))
        size += len(line)
    while size > MOST_BYTES and len(kept) > 1:
        size -= len(kept.pop(0))
    return kept


def follow(instance: Instance, lines: int, *, stop: Event | None) -> Iterator[bytes]:
    """The last lines and then, with a `stop`, every other as it is written, until that is set or it ends. Blocks.

    Raises Conflict (`not_supported`), Unavailable.
    """
    provider = terminals.able(instance, base.Capability.LOGS, "logs")
    return _lines(provider, instance.key, min(lines, MOST_LINES), stop)


def _lines(provider: base.Provider, key: str, lines: int, stop: Event | None) -> Iterator[bytes]:
    try:
        yield from provider.logs(key, tail=lines, follow=stop is not None, stop=stop)
    except base.NotThere:
        return
    except base.ProviderError as error:
        raise Unavailable(str(error)) from None


def text(line: bytes) -> str:
    """A line as people see it: without its end and what a carriage return overwrote, cut where it is overlong."""
    seen = line.rstrip(b"\r\n").rpartition(b"\r")[2]
    return seen[:LONGEST_LINE].decode(errors="replace").replace("\0", "\ufffd")
