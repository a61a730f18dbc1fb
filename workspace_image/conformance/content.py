"""Tools whose answers have each kind of content, notifications, errors and schemas."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.prompts.base import Prompt
from mcp.server.mcpserver.tools.base import Tool
from mcp.shared.exceptions import MCPError
from mcp_types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    AudioContent,
    EmbeddedResource,
    ImageContent,
    TextContent,
    TextResourceContents,
)
from pydantic import Field

PAUSE = 0.05
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA="
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
}
"""Words of JSON Schema 2020-12 that a server must pass on as they are."""

IMAGE = ImageContent(type="image", data=PNG, mime_type="image/png")


def _embedded(uri: str, kind: str, text: str) -> EmbeddedResource:
    return EmbeddedResource(
        type="resource", resource=TextResourceContents(uri=uri, mime_type=kind, text=text)
    )


def test_simple_text() -> str:
    """One text."""
    return "This is a simple text response for testing."


def test_image_content() -> list[ImageContent]:
    """One image."""
    return [IMAGE]


def test_audio_content() -> list[AudioContent]:
    """One sound."""
    return [AudioContent(type="audio", data=WAV, mime_type="audio/wav")]


def test_embedded_resource() -> list[EmbeddedResource]:
    """One resource."""
    return [_embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")]


def test_multiple_content_types() -> list[TextContent | ImageContent | EmbeddedResource]:
    """A text, an image and a resource."""
    return [
        TextContent(type="text", text="Multiple content types test:"),
        IMAGE,
        _embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
    ]


async def test_tool_with_logging(ctx: Context[Any, Any]) -> str:
    """Three log messages before the answer."""
    for text in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.info(text)
        await asyncio.sleep(PAUSE)
    return "done"


async def test_tool_with_progress(ctx: Context[Any, Any]) -> str:
    """Three reports of progress before the answer."""
    for percent in (0, 50, 100):
        await ctx.report_progress(percent, 100, f"Completed step {percent} of 100")
        await asyncio.sleep(PAUSE)
    return "done"


async def test_reconnection(ctx: Context[Any, Any]) -> str:
    """Closes its stream in mid-call; the client comes back for the rest (SEP-1699)."""
    await ctx.info("before")
    await ctx.close_sse_stream()
    await asyncio.sleep(4 * PAUSE)
    await ctx.info("after")
    return "Reconnection test completed"


def test_error_handling() -> str:
    """Fails."""
    raise RuntimeError("This tool intentionally returns an error for testing")


def test_x_mcp_header(
    region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})] = "none",  # noqa: PT028
) -> str:
    """An argument that clients mirror in the header Mcp-Param-Region (SEP-2243)."""
    return region


async def test_missing_capability(ctx: Context[Any, Any]) -> str:
    """A protocol error for clients without sampling."""
    known = ctx.client_capabilities
    if known is None or known.sampling is None:
        raise MCPError(
            MISSING_REQUIRED_CLIENT_CAPABILITY,
            "sampling is needed",
            {"requiredCapabilities": {"sampling": {}}},
        )
    return "sampling is there"


def json_schema_2020_12_tool() -> str:
    """Its schema has the words of JSON Schema 2020-12."""
    return "ok"


def register(server: MCPServer[Any]) -> None:
    """Add the tools."""
    for fn in (
        test_simple_text, test_image_content, test_audio_content, test_embedded_resource,
        test_multiple_content_types, test_tool_with_logging, test_tool_with_progress, test_reconnection,
        test_error_handling, test_x_mcp_header, test_missing_capability,
    ):  # fmt: skip
        server.add_tool(fn)
    tool = Tool.from_function(json_schema_2020_12_tool)
    tool.parameters = SCHEMA
    server._tool_manager._tools[tool.name] = tool  # no public door takes a schema

    async def test_trigger_tool_change(ctx: Context[Any, Any]) -> str:
        """Tells listeners that the tools changed (SEP-2575)."""
        server.add_tool(test_simple_text, name="test_dynamic_tool")
        server.remove_tool("test_dynamic_tool")
        await ctx.notify_tools_changed()
        return "changed"

    async def test_trigger_prompt_change(ctx: Context[Any, Any]) -> str:
        """Tells listeners that the prompts changed (SEP-2575)."""
        server.add_prompt(Prompt.from_function(test_simple_text, name="test_dynamic_prompt"))
        server.remove_prompt("test_dynamic_prompt")
        await ctx.notify_prompts_changed()
        return "changed"

    server.add_tool(test_trigger_tool_change)
    server.add_tool(test_trigger_prompt_change)
