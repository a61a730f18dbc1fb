"""Tools of workspaces for programs that do not speak MCP: one request each, over the server's own protocol.

What answers is not trusted (`probing`): a most is read of it, and the call has an end, at which the tool is told to
stop. A call keeps one of web's threads, so only some may be under way at a time in a process, and not all of them for
one tenant.
"""

from __future__ import annotations

import json
import secrets
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any, Final

import orjson

from gateway.errors import Conflict, Invalid, NotFound, Unavailable, UpstreamFailed, UpstreamTimeout
from workspaces import assertions
from workspaces.addresses import MCP_PORT, dial
from workspaces.models import Instance, Workspace

from . import probing, schemas, waking

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tenants.principal import Principal

PERMISSION: Final = "workspace.use"
REVISION: Final = "2025-11-25"
"""The protocol's; stateless, so no call needs another one before it."""
MOST_BYTES: Final = 8 << 20
DEFAULT_SECONDS: Final = 60
MOST_SECONDS: Final = 100
"""Less than the edge waits for web (`EdgeSettings.process_timeout`)."""
_WAKE_SECONDS: Final = 15.0
_LOOK_SECONDS: Final = 0.1
_MOST_PAGES: Final = 20
_AT_ONCE: Final = 3
_OF_TENANT: Final = 2
_WAITING_TOO: Final = 1
"""Beside those under way, of a tenant and of all: one of web's threads is left for what is no tool."""
_TURN_SECONDS: Final = 5.0
_INVALID_PARAMS: Final = -32602  # JSON-RPC 2.0, section 5.1

_turns, _places = BoundedSemaphore(_AT_ONCE), BoundedSemaphore(_AT_ONCE + _WAITING_TOO)
_of_tenant: defaultdict[int, tuple[BoundedSemaphore, BoundedSemaphore]] = defaultdict(
    lambda: (BoundedSemaphore(_OF_TENANT + _WAITING_TOO), BoundedSemaphore(_OF_TENANT))
)


@dataclass(frozen=True, slots=True)
class Result:
    """A tool's answer (MCP 2025-11-25, Tools, section 5.2). `is_error`: the tool says that it failed."""

    content: list[Any]
    structured: Any
    is_error: bool


def list_tools(workspace: Workspace, *, actor: Principal) -> list[dict[str, Any]]:
    """The tools that the workspace's server has, each as MCP describes it; one that sleeps is woken.

    Raises Forbidden, NotFound, Conflict (stopped), Unavailable (failed, starting for too long, too many calls),
    UpstreamFailed, UpstreamTimeout.
    """
    actor.require(PERMISSION)
    with _turn(actor.tenant.pk):
        running = _awake(workspace, actor)
        return _tools(running, actor, time.monotonic() + DEFAULT_SECONDS)


def invoke(
    workspace: Workspace,
    tool: str,
    parameters: Mapping[str, Any],
    *,
    actor: Principal,
    seconds: float = DEFAULT_SECONDS,
) -> Result:
    """Call a tool; at the end of `seconds` (MOST_SECONDS at most) its work is cancelled.

    Raises as `list_tools`, NotFound for a tool that is not there (`tool_not_found`), Invalid with the server's words
    for parameters that it does not take (`invalid_parameters`).
    """
    actor.require(PERMISSION)
    with _turn(actor.tenant.pk):
        running = _awake(workspace, actor)
        until = time.monotonic() + min(seconds, MOST_SECONDS)
        answer = _ask(
            running, "tools/call", {"name": tool, "arguments": dict(parameters)}, actor=actor, until=until
        )
        if "error" in answer:
            _raise(answer["error"])
        result = _result(answer)
        if result.is_error:
            _check_call(running, tool, parameters, result, actor)
    return result


@contextmanager
def _turn(tenant_id: int) -> Iterator[None]:
    places, turns = _of_tenant[tenant_id]
    with ExitStack() as taken:
        for room, seconds in ((places, 0), (_places, 0), (turns, _TURN_SECONDS), (_turns, _TURN_SECONDS)):
            if not room.acquire(timeout=seconds):
                raise Unavailable(
                    "Too many tools are being called here; try again, or speak MCP.", code="bridge_busy"
                )
            taken.callback(room.release)
        yield


def _awake(workspace: Workspace, actor: Principal) -> Workspace:
    """The workspace as it is once it runs."""
    if workspace.deleted_at is not None:
        raise NotFound("No such workspace.", code="workspace_not_found")
    until = time.monotonic() + _WAKE_SECONDS
    row = workspace
    while True:
        if row.desired_state == row.observed_state == Instance.Desired.RUNNING and row.address:
            return row
        if row.desired_state == Instance.Desired.STOPPED:
            if row.stopped_for != waking.IDLE:
                raise Conflict("The workspace is stopped; start it first.", code="workspace_stopped")
            waking.wake(row, actor=actor)
        elif row.observed_state == Instance.Observed.FAILED:
            raise Unavailable(f"The workspace could not be started: {row.error}", code="workspace_failed")
        if time.monotonic() >= until:
            raise Unavailable("The workspace is starting; try again shortly.", code="workspace_starting")
        time.sleep(_LOOK_SECONDS)
        found = Workspace.objects.visible_to(actor).present().filter(pk=workspace.pk).first()
        if found is None:
            raise NotFound("No such workspace.", code="workspace_not_found")
        row = found


def _tools(workspace: Workspace, actor: Principal, until: float) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    for _ in range(_MOST_PAGES):
        answer = _ask(workspace, "tools/list", {"cursor": cursor} if cursor else {}, actor=actor, until=until)
        result = answer.get("result")
        if not isinstance(result, dict) or not isinstance(result.get("tools"), list):
            raise _nonsense("its list of tools is none")
        found += [
            each for each in result["tools"] if isinstance(each, dict) and isinstance(each.get("name"), str)
        ]
        cursor = result.get("nextCursor")
        if not isinstance(cursor, str) or not cursor:
            break
    return found


def _ask(
    workspace: Workspace, method: str, params: dict[str, Any], *, actor: Principal, until: float
) -> dict[str, Any]:
    """One JSON-RPC call: the message that answers it. Raises UpstreamFailed, UpstreamTimeout."""
    number, session = secrets.token_hex(8), secrets.token_hex(8)
    message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    try:
        status, kind, body = _post(workspace, message, actor, session, until)
    except TimeoutError:
        _cancel(workspace, number, session, actor)
        raise UpstreamTimeout(
            "The tool did not end in time, and was told to stop.", code="tool_timeout"
        ) from None
    except probing.NoAnswer as error:
        raise UpstreamFailed(
            f"The workspace does not answer: {error}", code="workspace_unreachable"
        ) from None
    if status == 503:
        raise Unavailable("The workspace is too busy.", code="workspace_busy")
    for found in _messages(kind, body):
        if found.get("id") == number and ("result" in found or "error" in found):
            return found
    raise _nonsense(f"status {status}, and no answer to what was asked")


def _post(
    workspace: Workspace, message: dict[str, Any], actor: Principal, session: str, until: float
) -> tuple[int, str, bytes]:
    body = json.dumps(message).encode()
    headers = {
        "Host": f"localhost:{MCP_PORT}",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": REVISION,
        "Mcp-Session-Id": session,  # names this call alone, for its cancellation
        **assertions.headers(actor, workspace.pk),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request = f"POST /mcp HTTP/1.0\r\n{head}\r\n".encode("latin-1") + body
    return probing.exchange(dial(workspace.address, MCP_PORT), request, until=until, most=MOST_BYTES)


def _cancel(workspace: Workspace, number: str, session: str, actor: Principal) -> None:
    """Have the work stop (MCP 2025-11-25, Cancellation). That its connection has ended tells most servers already."""
    params = {"requestId": number, "reason": "The time is up."}
    message = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}
    with suppress(TimeoutError, probing.NoAnswer):
        _post(workspace, message, actor, session, time.monotonic() + 1)


def _messages(kind: str, body: bytes) -> Iterator[dict[str, Any]]:
    """The JSON-RPC messages of an answer, which is one or a stream of events. Raises UpstreamFailed."""
    texts = [body]
    if kind.partition(";")[0].strip().lower() == "text/event-stream":
        events = body.replace(b"\r\n", b"\n").split(b"\n\n")
        texts = [b"\n".join(_data(event)) for event in events]
    for text in filter(None, texts):
        try:
            found = orjson.loads(text)  # which takes no half characters: they could not be passed on
        except ValueError:
            raise _nonsense("what it says is no JSON") from None
        if isinstance(found, dict):
            yield found


def _data(event: bytes) -> list[bytes]:
    """The data lines of an event (HTML, section 9.2.6)."""
    lines = (line for line in event.split(b"\n") if line.startswith(b"data:"))
    return [line[5:].removeprefix(b" ") for line in lines]


def _result(answer: dict[str, Any]) -> Result:
    result = answer["result"]
    if not isinstance(result, dict) or not isinstance(result.get("content", []), list):
        raise _nonsense("its answer is no tool's")
    return Result(result.get("content", []), result.get("structuredContent"), result.get("isError") is True)


def _raise(error: Any) -> None:
    told = error if isinstance(error, dict) else {}
    words = str(told.get("message", ""))[:2000] or "it says no more"
    if told.get("code") == _INVALID_PARAMS:
        if "unknown tool" in words.lower():
            raise NotFound(words, code="tool_not_found")
        raise Invalid(words, code="invalid_parameters", errors={"parameters": [words]})
    raise UpstreamFailed(f"The workspace's server answers with an error: {words}", code="workspace_error")


def _check_call(
    workspace: Workspace, tool: str, parameters: Mapping[str, Any], result: Result, actor: Principal
) -> None:
    """Tell a call that could not work from a tool that failed: servers answer both as the tool's error."""
    described = {each["name"]: each for each in _tools(workspace, actor, time.monotonic() + DEFAULT_SECONDS)}
    if tool not in described:
        raise NotFound(
            f"The workspace has no tool {tool}.", code="tool_not_found", errors={"tool": ["Unknown."]}
        )
    if errors := schemas.misfits(described[tool].get("inputSchema"), parameters):
        words = _words(result) or "The tool does not take these parameters."
        raise Invalid(
            words, code="invalid_parameters", errors={f"parameters.{k}": [v] for k, v in errors.items()}
        )


def _words(result: Result) -> str:
    texts = [
        part["text"]
        for part in result.content
        if isinstance(part, dict) and isinstance(part.get("text"), str)
    ]
    return "\n".join(texts)[:2000]


def _nonsense(why: str) -> UpstreamFailed:
    return UpstreamFailed(f"The workspace's server does not answer as one: {why}.", code="workspace_error")
