"""Real servers that the tools talk to: git's own HTTP back end, and a small GitLab; plain or with TLS."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class _Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        pass

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))


@contextlib.contextmanager
def serving(handler: type[BaseHTTPRequestHandler], tls: Authority | None = None) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if tls:
        server.socket = tls.context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://localhost:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def git_server(
    folder: Path, *, password: str = "", delay: float = 0, tls: Authority | None = None
) -> Iterator[str]:
    """Serve the repositories in `folder`; with a password to ann only. `delay` slows each answer down."""
    expected = "Basic " + base64.b64encode(f"ann:{password}".encode()).decode()
    token = "Basic " + base64.b64encode(f"oauth2:{password}".encode()).decode()

    class Handler(_Quiet):
        def do_GET(self) -> None:
            body = (
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.command == "POST"
                else b""
            )
            if self.headers.get("Transfer-Encoding") == "chunked":
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
            if password and self.headers.get("Authorization") not in (expected, token):
                self.answer(401, b"", WWW_Authenticate='Basic realm="git"')
                return
            time.sleep(delay)
            parts = urlsplit(self.path)
            env = {
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REQUEST_METHOD": self.command,
                "PATH_INFO": parts.path,
                "QUERY_STRING": parts.query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "HTTP_GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "REMOTE_USER": "ann",
            }
            done = subprocess.run(
                ["git", "http-backend"], input=body, env=env, capture_output=True, check=False
            )
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
            status = int(fields.pop("Status", "200").split()[0])
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.answer(status, content, **fields)

        do_POST = do_GET

    with serving(Handler, tls) as url:
        yield url


OPENAPI = """\
openapi: 3.0.0
info: {title: A small GitLab, version: "4"}
paths:
  /api/v4/projects/{id}/merge_requests:
    get:
      operationId: listMergeRequests
      summary: List merge requests
      tags: [merge_requests]
      parameters:
        - {$ref: "#/components/parameters/id"}
    post:
      operationId: createMergeRequest
      summary: Create a merge request
  /api/v4/projects/{id}/issues:
    get: {operationId: listIssues, summary: List issues of a project}
components:
  parameters:
    id: {name: id, in: path, required: true, schema: {type: string}}
"""


@contextlib.contextmanager
def gitlab(tls: Authority | None = None) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Its address, and the requests that came. Accepts the tokens `glpat-…`."""
    asked: list[dict[str, Any]] = []

    class Handler(_Quiet):
        def do_GET(self) -> None:
            body = self.body()
            token = self.headers.get("PRIVATE-TOKEN", "")
            asked.append({"method": self.command, "path": self.path, "token": token, "body": body.decode()})
            path = urlsplit(self.path).path
            if path == "/api/v4/openapi.yaml":
                self.answer(200, OPENAPI.encode(), Content_Type="application/yaml")
            elif path == "/api/v4/projects/9/redirect":
                self.answer(302, Location="https://elsewhere.example/")
            elif path == "/api/v4/projects/9/long":
                self.answer(200, b"[" + b"1," * 300_000 + b"1]", Content_Type="application/json")
            elif path == "/api/v4/projects/9/binary":
                self.answer(200, b"\x00\x01" * 100, Content_Type="application/octet-stream")
            elif not token.startswith("glpat-"):
                self.answer(401, b'{"message":"401 Unauthorized"}', Content_Type="application/json")
            elif path == "/api/v4/projects/9/missing":
                self.answer(404, b'{"message":"404 Not Found"}', Content_Type="application/json")
            else:
                said = json.dumps({"path": self.path, "as": token[-3:], "got": body.decode()}).encode()
                self.answer(200, said, Content_Type="application/json", X_Next_Page="2", X_Total="30")

        do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_GET

    with serving(Handler, tls) as url:
        yield url, asked


class Authority:
    """A certificate authority of its own, with a certificate for localhost."""

    def __init__(self, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tests' own authority")])
        ca = self._sign(name, key.public_key(), name, key, x509.BasicConstraints(ca=True, path_length=0))
        server_key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        alt = x509.SubjectAlternativeName([x509.DNSName("localhost")])
        certificate = self._sign(subject, server_key.public_key(), name, key, alt)
        self.pem = ca.public_bytes(serialization.Encoding.PEM).decode()
        chain = folder / "server.pem"
        chain.write_bytes(
            server_key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(chain)

    @staticmethod
    def _sign(
        subject: x509.Name, key: Any, issuer: x509.Name, by: ec.EllipticCurvePrivateKey, extension: Any
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(extension, critical=True)
            .sign(by, hashes.SHA256())
        )
