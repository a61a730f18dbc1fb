"""Resources, prompts, completion, and the requests of older revisions that the SDK leaves to servers."""

from __future__ import annotations

import base64
import json
from typing import Any

from mcp.server import ServerRequestContext
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp_types import (
    Completion,
    CompletionArgument,
    CompletionContext,
    EmbeddedResource,
    EmptyResult,
    PromptReference,
    ResourceTemplateReference,
    SetLevelRequestParams,
    SubscribeRequestParams,
    TextContent,
    TextResourceContents,
    UnsubscribeRequestParams,
)

from conformance.content import IMAGE, PNG


def _said(text: str) -> UserMessage:
    return UserMessage(TextContent(type="text", text=text))


def static_text() -> str:
    """A text."""
    return "This is the content of the static text resource."


def static_binary() -> bytes:
    """An image."""
    return base64.b64decode(PNG)


def template(id: str) -> str:  # noqa: A002 - the name in the address
    """One of many."""
    return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


def watched() -> str:
    """A text that clients may watch."""
    return "Watched resource content"


def test_simple_prompt() -> list[UserMessage]:
    """One message."""
    return [_said("This is a simple prompt for testing.")]


def test_prompt_with_arguments(arg1: str, arg2: str) -> list[UserMessage]:
    """Its arguments, in a message."""
    return [_said(f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'")]


def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:
    """A resource and a message."""
    held = TextResourceContents(
        uri=resourceUri, mime_type="text/plain", text="Embedded resource content for testing."
    )
    return [
        UserMessage(EmbeddedResource(type="resource", resource=held)),
        _said("Please process the embedded resource above."),
    ]


def test_prompt_with_image() -> list[UserMessage]:
    """An image and a message."""
    return [UserMessage(IMAGE), _said("Please analyze the image above.")]


async def complete(
    ref: PromptReference | ResourceTemplateReference,
    argument: CompletionArgument,
    context: CompletionContext | None,
) -> Completion:
    """Nothing to suggest."""
    return Completion(values=[], total=0, has_more=False)


async def _accept(ctx: ServerRequestContext[Any, Any], params: object) -> EmptyResult:
    return EmptyResult()


def register(server: MCPServer[Any]) -> None:
    """Add all of it."""
    server.resource("test://static-text", mime_type="text/plain")(static_text)
    server.resource("test://static-binary", mime_type="image/png")(static_binary)
    server.resource("test://template/{id}/data", mime_type="application/json")(template)
    server.resource("test://watched-resource", mime_type="text/plain")(watched)
    for fn in (
        test_simple_prompt,
        test_prompt_with_arguments,
        test_prompt_with_embedded_resource,
        test_prompt_with_image,
    ):
        server.prompt()(fn)
    server.completion()(complete)  # type: ignore[no-untyped-call]
    low = server._lowlevel_server  # no public door for these
    low.add_request_handler("logging/setLevel", SetLevelRequestParams, _accept)
    low.add_request_handler("resources/subscribe", SubscribeRequestParams, _accept)
    low.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, _accept)
