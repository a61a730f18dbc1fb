"""Requests written by hand: signed by botocore, then bent, and sent without a client library's help."""

from __future__ import annotations

import hashlib
import http.client
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock
from xml.etree import ElementTree

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.stack import Account


@dataclass
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def code(self) -> str:
        """The error's code; the document must be S3's and name the request as the headers do."""
        root = ElementTree.fromstring(self.body)
        assert root.tag == "Error"
        assert root.findtext("Message")
        assert root.findtext("Resource")
        assert root.findtext("RequestId") == self.headers["x-amz-request-id"]
        assert self.headers["content-type"] == "application/xml"
        return root.findtext("Code") or ""


class Auth(S3SigV4Auth):
    """botocore's signer, told what to say of the payload."""

    def __init__(self, credentials: Credentials, payload: str) -> None:
        super().__init__(credentials, "s3", "us-east-1")
        self._payload = payload

    def payload(self, request: AWSRequest) -> str:
        return self._payload


def signed(
    account: Account,
    method: str,
    target: str,
    body: bytes = b"",
    *,
    headers: dict[str, str] | None = None,
    payload: str | None = None,
    skew: timedelta = timedelta(),
    key_id: str | None = None,
    secret: str | None = None,
) -> dict[str, str]:
    """The headers of a signed request for `target` (path and query below the stack's address)."""
    request = AWSRequest(method, account.stack.url + target, headers=headers or {}, data=body)
    now = (datetime.now(UTC) + skew).replace(tzinfo=None)
    with mock.patch("botocore.auth.get_current_datetime", return_value=now):
        credentials = Credentials(key_id or account.key_id, secret or account.secret)
        Auth(credentials, payload or hashlib.sha256(body).hexdigest()).add_auth(request)
    return dict(request.headers.items())


def send(account: Account, method: str, target: str, headers: dict[str, str], body: Any = b"") -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", account.stack.port, timeout=30)
    try:
        connection.putrequest(method, target, skip_host="Host" in headers, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        if "Content-Length" not in headers and "Transfer-Encoding" not in headers:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return Reply(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def call(account: Account, method: str, target: str, body: bytes = b"", **options: Any) -> Reply:
    """Sign and send; `options` are those of `signed`."""
    return send(account, method, target, signed(account, method, target, body, **options), body)


def send_half(account: Account, target: str, headers: dict[str, str], announced: int, body: bytes) -> None:
    """A PUT whose client goes away in the middle of its body."""
    lines = [
        f"PUT {target} HTTP/1.1",
        f"Host: 127.0.0.1:{account.stack.port}",
        f"Content-Length: {announced}",
    ]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    with socket.create_connection(("127.0.0.1", account.stack.port), timeout=10) as connection:
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
