"""Ways to ask a process whether it is there."""

import contextlib
import http.client
import socket
from pathlib import Path

from gateway.supervisor.ports import LOOPBACK


def listens(path: Path) -> bool:
    """Whether something accepts connections on the Unix socket."""
    with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
        probe.settimeout(0.5)
        probe.connect(str(path))
        return True
    return False


def answers(port: int, path: str, timeout: float = 2.0) -> tuple[int, bytes]:
    """Status and body of a GET over loopback; status 0 when no answer came."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"Accept": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()
