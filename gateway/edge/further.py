"""Ports beside the edge's own, as the deciders want them: services' ports, and addresses that only workspaces reach.

The decision process is asked about twice a second which (`GET /listeners`), so a new port is open, and one that was
taken away closed with its connections, within a second. A port that cannot be had (somebody else listens on it) is
tried again each time, and told in `<home>/run/listeners.json`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gateway.edge.listening import Address, Door, listen
from gateway.edge.raw import Carried, open_dial
from gateway.edge.relay import Relay

if TYPE_CHECKING:
    from gateway.edge.front import Front

log = logging.getLogger(__name__)

ASK_SECONDS: Final = 0.5
_ANSWER_SECONDS: Final = 5.0
_MOST_BYTES: Final = 4 << 20
FIRST_BYTE_SECONDS: Final = 10.0
"""For a client to say the first byte, which tells TLS from plain HTTP."""
CONNECTIONS: Final = 1000
"""That one port has at a time."""
_TLS_HANDSHAKE: Final = 0x16  # the content type of a ClientHello's record (RFC 8446, section 5.1)
REPORT: Final = "run/listeners.json"
"""Below the home: the ports that cannot be had, each with the reason."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A listener as the decision process tells of it (`gateway.decision.types.Listener`), at one address."""

    address: Address
    protocol: str
    dial: str


def failures(home: Path) -> Mapping[int, str]:
    """Why ports are not listened on, by number: `Address already in use`. Empty where all are, or nobody says."""
    try:
        found: Mapping[str, str] = json.loads((home / REPORT).read_text(encoding="utf-8"))
        return {int(port): reason for port, reason in found.items()}
    except (OSError, ValueError):
        return {}


@dataclass(slots=True)
class _Open:
    wanted: Wanted
    door: Door
    sniffed: dict[socket.socket, asyncio.TimerHandle] = field(default_factory=dict)
    relays: set[Relay] = field(default_factory=set)
    carried: set[asyncio.Task[None]] = field(default_factory=set)


class Further:
    """Listens for a `Front` on what the deciders want."""

    def __init__(
        self, front: Front, hosts: Sequence[str], decision: str, home: Path, *, secure: str, every: float = ASK_SECONDS
    ) -> None:  # fmt: skip
        """`hosts` are the edge's own, `decision` is the decision process's dial, `secure` Caddy's socket for TLS."""
        self._front, self._hosts, self._decision = front, hosts, decision
        self._report, self._secure, self._every = home / REPORT, secure, every
        self._open: dict[Address, _Open] = {}
        self._failed: dict[int, str] | None = None

    async def run(self) -> None:
        """For ever."""
        while True:
            try:
                async with asyncio.timeout(_ANSWER_SECONDS):
                    self.apply(self._read(await _ask(self._decision)))
            except (OSError, ValueError, KeyError, TypeError, TimeoutError, asyncio.IncompleteReadError) as e:
                log.debug("which ports to listen on is not known: %s", e)  # what is open stays
            await asyncio.sleep(self._every)

    def close(self) -> None:
        for address in list(self._open):
            self._shut(address)

    def apply(self, wanted: Iterable[Wanted]) -> None:
        """Have these listeners open and no others."""
        wishes = {each.address: each for each in wanted}
        for address, opened in list(self._open.items()):
            if wishes.get(address) != opened.wanted:
                self._shut(address)
        failed: dict[int, str] = {}
        for address, wish in wishes.items():
            if address in self._open:
                continue
            try:
                listener = listen(address)
            except OSError as e:
                failed[address.port] = os.strerror(e.errno or 0)
                continue
            self._open[address] = _Open(wish, Door(self._front.loop, listener, partial(self._take, address)))
        self._tell(failed)

    def _read(self, said: Any) -> Iterable[Wanted]:
        for each in said:
            for host in [each["host"]] if each["host"] else self._hosts:
                yield Wanted(Address(host, int(each["port"])), str(each["protocol"]), str(each["dial"]))

    def _shut(self, address: Address) -> None:
        opened = self._open.pop(address)
        opened.door.close()
        for client in list(opened.sniffed):
            self._forget(opened, client)
            client.close()
        for relay in opened.relays & self._front.relays:
            relay.close()
        for task in opened.carried:
            task.cancel()

    def _tell(self, failed: dict[int, str]) -> None:
        if failed == self._failed:
            return
        before = self._failed or {}
        for port, reason in failed.items():
            if before.get(port) != reason:
                log.warning("port %s cannot be listened on: %s", port, reason)
        self._failed = failed
        draft = self._report.with_suffix(".new")
        draft.write_text(json.dumps(failed), encoding="utf-8")
        draft.replace(self._report)

    def _take(self, address: Address, client: socket.socket) -> None:
        opened = self._open[address]
        opened.relays &= self._front.relays
        if len(opened.relays) + len(opened.carried) + len(opened.sniffed) >= CONNECTIONS:
            client.close()
            return
        if opened.wanted.protocol == "tcp":
            task = self._front.loop.create_task(Carried(client, opened.wanted.dial).run())
            opened.carried.add(task)
            task.add_done_callback(opened.carried.discard)
            return
        give_up = self._front.loop.call_later(FIRST_BYTE_SECONDS, self._drop, opened, client)
        opened.sniffed[client] = give_up
        self._front.loop.add_reader(client, self._sniff, opened, client)

    def _sniff(self, opened: _Open, client: socket.socket) -> None:
        """Relay a client that has said its first byte to where it is understood."""
        try:
            first = client.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            first = b""
        if not first:
            self._drop(opened, client)
            return
        self._forget(opened, client)
        try:
            path = self._secure if first[0] == _TLS_HANDSHAKE else self._front.caddy
            relay = Relay(self._front, client, path, mends=False)
        except OSError:
            client.close()
            return
        opened.relays.add(relay)
        self._front.relays.add(relay)
        relay.connect()

    def _drop(self, opened: _Open, client: socket.socket) -> None:
        self._forget(opened, client)
        client.close()

    def _forget(self, opened: _Open, client: socket.socket) -> None:
        self._front.loop.remove_reader(client)
        if (timer := opened.sniffed.pop(client, None)) is not None:
            timer.cancel()


async def _ask(dial: str) -> Any:
    """The decision process's list. Raises OSError, ValueError."""
    reader, writer = await open_dial(dial)
    try:
        writer.write(b"GET /listeners HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        await writer.drain()
        said = await reader.read(_MOST_BYTES)
        while not reader.at_eof() and len(said) < _MOST_BYTES:
            said += await reader.read(_MOST_BYTES)
    finally:
        writer.close()
    head, _, body = said.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise ValueError(head[:40].decode("latin-1"))
    return json.loads(body)
