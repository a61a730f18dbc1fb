"""A sandbox's ways out: the proxy, and the platform under the sandbox's own address."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from gatehouse_workspace.settings import GATEWAY_PORT

from workspaces.runner.destinations import Destinations
from workspaces.tests.process.conftest import Box, Runner, box, running


class _Page(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        heads = f"{self.headers.get('Proxy-Authorization')} {self.headers.get('Connection')}"
        body = f"{self.path} {self.headers['Host']} {heads}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def page() -> Iterator[int]:
    """The port of a web server on this machine."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.server_port
        server.shutdown()


def through(inner: Box, head: str) -> str:
    """What the proxy answers to a request, to the end of the connection."""
    return inner.python(
        "import socket\n"
        "s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect('/run/gatehouse/egress.sock')\n"
        f"s.sendall({head.encode()!r})\n"
        "got = b''\n"
        "while more := s.recv(65536): got += more\n"
        "print(got.decode())"
    )


def test_a_program_is_told_where_to_ask_who_calls(shared: Box) -> None:
    """At the port that the workspace's server relays to the platform."""
    told = shared.sh("echo $GATEHOUSE_INTROSPECT_URL").strip()
    assert told == f"http://127.0.0.1:{GATEWAY_PORT}/internal/auth/introspect"


def test_a_page_is_fetched_through_the_proxy(shared: Box, page: int) -> None:
    said = through(
        shared,
        f"GET http://127.0.0.1:{page}/a?b HTTP/1.1\r\nHost: 127.0.0.1:{page}\r\n"
        "Proxy-Authorization: Basic eDp5\r\nConnection: keep-alive\r\n\r\n",
    )
    assert said.startswith("HTTP/1.")
    assert f"/a?b 127.0.0.1:{page} None close" in said


def test_a_tunnel_is_opened_through_the_proxy(shared: Box, page: int) -> None:
    said = through(shared, f"CONNECT localhost:{page} HTTP/1.1\r\n\r\nGET /in HTTP/1.0\r\nHost: in\r\n\r\n")
    assert said.startswith("HTTP/1.1 200 ")
    assert "/in in None None" in said
    used = shared.runner.provider.usage(shared.spec.key)
    assert used.sent_bytes > 0
    assert used.received_bytes > 0


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("CONNECT 169.254.169.254:80 HTTP/1.1", 403),  # the clouds' metadata, also in development
        ("CONNECT [fe80::1]:80 HTTP/1.1", 403),
        ("CONNECT 168.63.129.16:80 HTTP/1.1", 403),
        ("CONNECT [::ffff:169.254.169.254]:80 HTTP/1.1", 403),
        ("CONNECT 0.0.0.0:8080 HTTP/1.1", 403),
        ("CONNECT 127.0.0.1:25 HTTP/1.1", 403),
        ("CONNECT 127.0.0.1:0 HTTP/1.1", 403),
        ("CONNECT no-such-host.invalid:443 HTTP/1.1", 502),
        ("CONNECT 127.0.0.1 HTTP/1.1", 400),
        ("CONNECT 127.0.0.1:x HTTP/1.1", 400),
        ("GET /relative HTTP/1.1", 400),
        ("GET https://example.org/ HTTP/1.1", 400),
        ("nonsense", 400),
    ],
)
def test_what_the_proxy_refuses(shared: Box, head: str, status: int) -> None:
    assert through(shared, f"{head}\r\n\r\n").startswith(f"HTTP/1.1 {status} ")


def test_a_head_without_end_is_refused(shared: Box) -> None:
    assert through(shared, "GET http://example.org/ HTTP/1.1\r\nX: " + "x" * 40_000).startswith(
        "HTTP/1.1 431 "
    )


@pytest.fixture(scope="module")
def strict(page: int) -> Iterator[Runner]:
    """A runner as in production, and one that knows the page's port for the platform's own."""
    with running(WORKSPACE_EGRESS_PRIVATE="false") as started:
        yield started


def test_this_machine_is_closed_outside_development(strict: Runner, page: int) -> None:
    inner = box(strict)
    inner.start()
    for host in ("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", socket.gethostname()):
        said = through(inner, f"CONNECT {host}:{page} HTTP/1.1\r\n\r\n")
        assert said.startswith(("HTTP/1.1 403 ", "HTTP/1.1 502 ")), (host, said)
    strict.provider.remove(inner.spec.key, volumes=True)


@pytest.mark.parametrize(
    ("address", "private", "strict"),
    [
        ("93.184.216.34", True, True),
        ("2606:2800:220:1::1", True, True),
        ("127.0.0.1", True, False),
        ("10.0.0.1", True, False),
        ("192.168.1.1", True, False),
        ("172.17.0.2", True, False),
        ("100.64.0.1", True, False),
        ("::1", True, False),
        ("fd00::1", True, False),
        ("::ffff:10.0.0.1", True, False),
        ("64:ff9b::a00:1", True, False),  # 10.0.0.1 by way of NAT64
        ("2002:a00:1::", True, False),  # 10.0.0.1 by way of 6to4
        ("64:ff9b::a9fe:a9fe", False, False),
        ("169.254.169.254", False, False),
        ("fd00:ec2::254", False, False),
        ("224.0.0.1", False, False),
        ("255.255.255.255", True, False),
        ("0.0.0.0", False, False),
        ("::", False, False),
    ],
)
def test_which_addresses_may_be_dialled(address: str, private: bool, strict: bool) -> None:
    assert Destinations(True, frozenset()).allows(address, 443) is private
    assert Destinations(False, frozenset()).allows(address, 443) is strict


def test_the_platforms_own_ports_are_closed_everywhere_here() -> None:
    destinations = Destinations(True, frozenset({5432}))
    assert not destinations.allows("127.0.0.1", 5432)
    assert not destinations.allows("10.0.0.1", 5432)
    assert destinations.allows("127.0.0.1", 5433)


def test_the_platform_sees_which_workspace_asks(shared: Box) -> None:
    """What comes by the gateway's socket begins with a line that nobody inside wrote."""
    path = shared.runner.home / "run" / "plain.sock"
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as edge:
        edge.bind(str(path))
        path.chmod(0o666)
        edge.listen()
        edge.settimeout(20)
        heard = []

        def answer() -> None:
            connection, _ = edge.accept()
            with connection:
                heard.append(connection.recv(4096))
                while b"\r\n\r\n" not in heard[-1]:
                    heard[-1] += connection.recv(4096)
                connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nhello")

        thread = threading.Thread(target=answer)
        thread.start()
        said = shared.sh("curl -sS --unix-socket /run/gatehouse/gateway.sock http://platform/x")
        thread.join(20)
    path.unlink()
    assert said == "hello"
    line, _, rest = heard[0].partition(b"\r\n")
    assert line.decode().split()[:4] == ["PROXY", "TCP6", "fd67:6174:6568:1f2e::", "::1"]
    assert rest.startswith(b"GET /x HTTP/1.1\r\n")


def test_without_the_edge_the_connection_is_closed(shared: Box) -> None:
    status, said = shared.try_sh(
        "curl -sS --max-time 20 --unix-socket /run/gatehouse/gateway.sock http://platform/"
    )
    assert status == 500
    assert "timed out" not in said
