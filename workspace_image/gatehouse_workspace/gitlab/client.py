"""HTTPS to a GitLab: bounded, no redirects (the token would go along), errors in words."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcp.server.mcpserver.exceptions import ToolError

from gatehouse_workspace import certificates
from gatehouse_workspace.session import GitLab

if TYPE_CHECKING:
    import httpx2

SECONDS = 60.0
CONNECT_SECONDS = 10.0


@dataclass(frozen=True)
class Reply:
    """What came back; the body is cut after the bound that was asked for."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool


async def request(
    lab: GitLab,
    method: str,
    url: str,
    *,
    ca: str,
    limit: int,
    query: Mapping[str, Any] | None = None,
    body: Any = None,
) -> Reply:
    """One request. Raises ToolError where no answer comes."""
    import httpx2

    headers = {"User-Agent": "gatehouse-workspace"}
    if lab.token:
        headers["PRIVATE-TOKEN" if not _is_oauth(lab.token) else "Authorization"] = (
            lab.token if not _is_oauth(lab.token) else f"Bearer {lab.token}"
        )
    timeout = httpx2.Timeout(SECONDS, connect=CONNECT_SECONDS)
    try:
        async with (
            httpx2.AsyncClient(
                verify=certificates.context(ca), timeout=timeout, follow_redirects=False
            ) as client,
            client.stream(method, url, params=_flat(query), json=body, headers=headers) as response,
        ):
            return await _read(response, limit)
    except httpx2.TimeoutException:
        raise ToolError("GitLab did not answer in time") from None
    except httpx2.TransportError as error:
        raise ToolError(f"GitLab cannot be reached: {_why(error)}") from None
    except httpx2.InvalidURL:
        raise ToolError("GitLab's address is not valid") from None


async def _read(response: httpx2.Response, limit: int) -> Reply:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > limit:
            return Reply(response.status_code, response.headers, bytes(body[:limit]), True)
    return Reply(response.status_code, response.headers, bytes(body), False)


def _flat(query: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Lists as GitLab wants them: labels[]=a&labels[]=b."""
    if query is None:
        return None
    return {f"{name}[]" if isinstance(value, list) else name: value for name, value in query.items()}


def _is_oauth(token: str) -> bool:
    """Personal, project and group tokens have their own header; OAuth's are bare hexadecimal of 64 digits."""
    return len(token) == 64 and all(char in "0123456789abcdef" for char in token)


def _why(error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({cause.verify_message}); GITLAB_CA adds an authority"
        cause = cause.__cause__ or cause.__context__
    text = str(error)
    return "its host name cannot be resolved" if "Name or service" in text or "getaddrinfo" in text else text
