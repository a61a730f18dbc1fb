"""The least a program can do to keep a body: MD5 and CRC64NVME over it, into a file, durable, then answer.

`python -m bench.barestore PORT FOLDER`. Takes `PUT /anything` with Content-Length; a thread a connection, and for
large bodies one more, so that receiving overlaps with digesting. No names, no index, no rights.
"""

from __future__ import annotations

import hashlib
import os
import queue
import socket
import sys
import threading
from contextlib import suppress
from itertools import count
from pathlib import Path

from awscrt.checksums import crc64nvme

BUFFER = 512 << 10
_numbers = count()


class _File:
    """Where a body goes; `take` hands a piece to another thread, `write` does it here."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
        self._path = path
        self._md5, self._crc = hashlib.md5(usedforsecurity=False), 0
        self._pieces: queue.Queue[bytes] = queue.Queue(8)
        self._thread: threading.Thread | None = None

    def take(self, piece: bytes) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._drain)
            self._thread.start()
        self._pieces.put(piece)

    def write(self, piece: bytes) -> None:
        self._md5.update(piece)
        self._crc = crc64nvme(piece, self._crc)
        while piece:
            piece = piece[os.write(self._fd, piece) :]

    def finish(self) -> str:
        if self._thread is not None:
            self._pieces.put(b"")
            self._thread.join()
        os.fdatasync(self._fd)
        os.close(self._fd)
        target = self._path.with_suffix(".done")
        self._path.rename(target)
        folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(folder)
        os.close(folder)
        return self._md5.hexdigest()

    def _drain(self) -> None:
        while piece := self._pieces.get():
            self.write(piece)


def _serve(wire: socket.socket, folder: Path) -> None:
    received = b""
    with wire, suppress(ConnectionResetError):
        while True:
            while b"\r\n\r\n" not in received:
                if not (piece := wire.recv(BUFFER)):
                    return
                received += piece
            head, _, received = received.partition(b"\r\n\r\n")
            _, _, told = head.lower().partition(b"content-length:")
            size = int(told.split(b"\r\n", 1)[0])
            file = _File(folder / str(next(_numbers)))
            keep = file.write if size <= BUFFER else file.take
            left = size
            while left:
                piece = received[:left] or wire.recv(min(BUFFER, left))
                if not piece:
                    return
                received, left = received[len(piece) :], left - len(piece)
                keep(piece)
            etag = file.finish()
            wire.sendall(f'HTTP/1.1 200 OK\r\nETag: "{etag}"\r\nContent-Length: 0\r\n\r\n'.encode())


def main(port: int, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", port), backlog=256) as listener:
        while True:
            wire, _ = listener.accept()
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_serve, args=(wire, folder), daemon=True).start()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
