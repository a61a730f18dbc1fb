"""Tools and a prompt that ask by their answer, which the client repeats with what it found (SEP-2322)."""

from __future__ import annotations

import json
from typing import Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp_types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequest,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    SamplingMessage,
    TextContent,
)

Asked = str | InputRequiredResult


def _form(message: str, name: str, kind: str = "string") -> ElicitRequest:
    schema = {"type": "object", "properties": {name: {"type": kind}}, "required": [name]}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def _model(text: str) -> CreateMessageRequest:
    message = SamplingMessage(role="user", content=TextContent(type="text", text=text))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=100))


def _ask(state: str | None = None, **requests: InputRequest) -> InputRequiredResult:
    return InputRequiredResult(input_requests=requests, request_state=state)


def _field(ctx: Context[Any, Any], request: str, name: str) -> object:
    found = (ctx.input_responses or {}).get(request)
    return (found.content or {}).get(name) if isinstance(found, ElicitResult) else None


async def test_input_required_result_elicitation(ctx: Context[Any, Any]) -> Asked:
    """Asks for a name."""
    name = _field(ctx, "user_name", "name")
    return f"Hello, {name}!" if name else _ask(user_name=_form("What is your name?", "name"))


async def test_input_required_result_sampling(ctx: Context[Any, Any]) -> Asked:
    """Asks the client's model."""
    found = (ctx.input_responses or {}).get("capital_question")
    if isinstance(found, CreateMessageResult) and isinstance(found.content, TextContent):
        return f"The model said: {found.content.text}"
    return _ask(capital_question=_model("What is the capital of France?"))


async def test_input_required_result_list_roots(ctx: Context[Any, Any]) -> Asked:
    """Asks for the client's roots."""
    found = (ctx.input_responses or {}).get("client_roots")
    return (
        f"{len(found.roots)} roots"
        if isinstance(found, ListRootsResult)
        else _ask(client_roots=ListRootsRequest())
    )


async def test_input_required_result_request_state(ctx: Context[Any, Any]) -> Asked:
    """Gets its state back."""
    if _field(ctx, "confirm", "ok") is not None and ctx.request_state == "begun":
        return "state-ok: confirmed"
    return _ask("begun", confirm=_form("Please confirm", "ok", "boolean"))


async def test_input_required_result_multiple_inputs(ctx: Context[Any, Any]) -> Asked:
    """Asks three things at once."""
    requests: dict[str, InputRequest] = {
        "user_name": _form("What is your name?", "name"),
        "greeting": _model("Generate a greeting"),
        "client_roots": ListRootsRequest(),
    }
    if requests.keys() <= (ctx.input_responses or {}).keys():
        return "All three are here."
    return _ask("three", **requests)


async def test_input_required_result_multi_round(ctx: Context[Any, Any]) -> Asked:
    """Asks twice; the state carries the first answer."""
    state = json.loads(ctx.request_state or "{}")
    name, colour = _field(ctx, "step1", "name"), _field(ctx, "step2", "color")
    if state.get("round") == 2 and colour:
        return f"{state['name']} likes {colour}."
    if state.get("round") == 1 and name:
        return _ask(json.dumps({"round": 2, "name": name}), step2=_form("Which colour?", "color"))
    return _ask(json.dumps({"round": 1}), step1=_form("What is your name?", "name"))


async def test_input_required_result_tampered_state(ctx: Context[Any, Any]) -> Asked:
    """A state that was changed on the way does not come here: the SDK seals it."""
    return (
        "state-ok" if ctx.request_state else _ask("sealed", confirm=_form("Please confirm", "ok", "boolean"))
    )


async def test_input_required_result_capabilities(ctx: Context[Any, Any]) -> InputRequiredResult:
    """Asks only what the client can answer."""
    known = ctx.client_capabilities
    requests: dict[str, InputRequest] = {}
    if known is None or known.sampling is not None:
        requests["sample"] = _model("Say hello")
    if known is None or known.elicitation is not None:
        requests["ask"] = _form("What is your name?", "name")
    return _ask("gated", **requests)


async def test_input_required_result_prompt(
    ctx: Context[Any, Any],
) -> list[UserMessage] | InputRequiredResult:
    """A prompt that asks."""
    context = _field(ctx, "user_context", "context")
    if not context:
        return _ask(user_context=_form("What context should the prompt use?", "context"))
    return [UserMessage(TextContent(type="text", text=f"Use this context: {context}"))]


def register(server: MCPServer[Any]) -> None:
    """Add the tools and the prompt."""
    for fn in (
        test_input_required_result_elicitation, test_input_required_result_sampling,
        test_input_required_result_list_roots, test_input_required_result_request_state,
        test_input_required_result_multiple_inputs, test_input_required_result_multi_round,
        test_input_required_result_tampered_state, test_input_required_result_capabilities,
    ):  # fmt: skip
        server.add_tool(fn)
    server.prompt()(test_input_required_result_prompt)
