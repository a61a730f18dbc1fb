"""The plain listener in front of Caddy: `python -m gateway.edge.front`. It relays bytes and mends one thing.

Go's HTTP server, and so Caddy, writes every header name as `X-Amz-Meta-Name`. S3 writes the names of user metadata
in lower case, and botocore (boto3, the AWS CLI), alone among the clients, takes their case for part of the name:
`Metadata={"x": "y"}` would come back as `{"X": "y"}`. On connections that botocore opened, the names are put back
into lower case; every other connection is relayed without being looked at (docs/adr/, "header names").

One process, one buffer: what one side does not take is held (at most one read per direction) and the other side is
not read meanwhile, so memory stays flat whatever passes. Long bodies stay in the kernel (splice(2)). Caddy learns the
client's address by the PROXY protocol.
"""

from __future__ import annotations

import asyncio
import logging.config
import os
import resource
import signal
import socket
import sys
from collections.abc import Sequence

import uvloop
from django.conf import settings

from gateway.edge import instance
from gateway.edge.further import Further
from gateway.edge.listening import Address, Door, listen
from gateway.edge.pipes import Pipes
from gateway.edge.relay import Relay

_GRACE_SECONDS = 2.0
_LOOK_SECONDS = 30.0
"""Between looks at connections whose end nobody told: a client that says nothing more could keep them for ever."""


class Front:
    """The listening sockets and the connections they took."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, listeners: Sequence[socket.socket], caddy: str
    ) -> None:
        self.loop = loop
        self.caddy = caddy
        self.relays: set[Relay] = set()
        self.pipes = Pipes()
        self._doors = [Door(loop, listener, self._take) for listener in listeners]
        self._looking = loop.call_later(_LOOK_SECONDS, self._look)

    def stop(self) -> None:
        """Take no more connections."""
        self._looking.cancel()
        for door in self._doors:
            door.close()

    def _look(self) -> None:
        for relay in list(self.relays):
            relay.look()
        self._looking = self.loop.call_later(_LOOK_SECONDS, self._look)

    def _take(self, client: socket.socket) -> None:
        relay = Relay(self, client, self.caddy)
        self.relays.add(relay)
        relay.connect()


async def serve(listeners: Sequence[socket.socket]) -> None:
    """Relay until SIGTERM or SIGINT; connections then have a moment to end."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    front = Front(loop, listeners, str(instance.front_socket(settings)))
    further = Further(
        front,
        [listener.getsockname()[0] for listener in listeners],
        settings.DECISION_DIAL,
        settings.HOME,
        secure=str(instance.front_socket(settings, secure=True)),
    )
    asking = asyncio.create_task(further.run())
    await stopped.wait()
    asking.cancel()
    front.stop()
    deadline = loop.time() + _GRACE_SECONDS
    while front.relays and loop.time() < deadline:  # noqa: ASYNC110  once, at the end
        await asyncio.sleep(0.05)
    further.close()


def main() -> int:
    """Relay the instance's plain port; 1 with one line on stderr where it cannot be had."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
    logging.config.dictConfig(settings.LOGGING)
    addresses = instance.addresses(settings, settings.HTTP_PORT)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        listeners = [
            listen(Address(host.strip("[]"), int(port)))
            for host, _, port in (address.rpartition(":") for address in addresses)
        ]
    except OSError as e:
        sys.stderr.write(f"front: {' '.join(addresses)}: {os.strerror(e.errno or 0)}\n")
        return 1
    uvloop.run(serve(listeners))
    return 0


if __name__ == "__main__":
    sys.exit(main())
