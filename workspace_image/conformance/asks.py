"""Tools that ask the client in mid-call, as revisions before 2026-07-28 do."""

from __future__ import annotations

from typing import Any

from mcp.server.mcpserver import Context, MCPServer
from mcp_types import SamplingMessage, TextContent
from pydantic import BaseModel, Field, JsonValue

WORDS = ["active", "inactive", "pending"]


class Answer(BaseModel):
    """A text from the user."""

    response: str = Field(description="The user's answer")


class Defaults(BaseModel):
    """A default of each primitive type (SEP-1034)."""

    name: str = Field("John Doe")
    age: int = Field(30)
    score: float = Field(95.5)
    status: str = Field("active", json_schema_extra={"enum": [*WORDS]})
    verified: bool = Field(True)


def _titled(**titles: str) -> list[JsonValue]:
    return [{"const": word, "title": title} for word, title in titles.items()]


class Choices(BaseModel):
    """Every way to write an enumeration (SEP-1330)."""

    untitledSingle: str = Field(json_schema_extra={"enum": [*WORDS]})
    titledSingle: str = Field(
        json_schema_extra={"oneOf": [*_titled(low="Low", medium="Medium", high="High")]}
    )
    untitledMulti: list[str] = Field(
        json_schema_extra={"items": {"type": "string", "enum": ["read", "write", "execute"]}}
    )
    titledMulti: list[str] = Field(
        json_schema_extra={"items": {"anyOf": [*_titled(feature="Feature", bug="Bug", docs="Docs")]}}
    )
    legacyEnum: str = Field(
        json_schema_extra={"enum": [*WORDS], "enumNames": ["Active", "Inactive", "Pending"]}
    )


async def test_sampling(prompt: str, ctx: Context[Any, Any]) -> str:
    """Asks the client's model."""
    said = await ctx.session.create_message(
        messages=[SamplingMessage(role="user", content=TextContent(type="text", text=prompt))],
        max_tokens=100,
        related_request_id=ctx.request_id,
    )
    return f"LLM response: {said.content.text if isinstance(said.content, TextContent) else ''}"


async def _elicit(ctx: Context[Any, Any], message: str, schema: type[BaseModel]) -> str:
    found = await ctx.elicit(message, schema)
    content = found.data.model_dump_json() if found.action == "accept" else "{}"
    return f"action={found.action}, content={content}"


async def test_elicitation(message: str, ctx: Context[Any, Any]) -> str:
    """Asks the user for a text."""
    return f"User response: {await _elicit(ctx, message, Answer)}"


async def test_elicitation_sep1034_defaults(ctx: Context[Any, Any]) -> str:
    """Asks the user, with defaults."""
    return f"Elicitation completed: {await _elicit(ctx, 'Who are you?', Defaults)}"


async def test_elicitation_sep1330_enums(ctx: Context[Any, Any]) -> str:
    """Asks the user to choose."""
    return f"Elicitation completed: {await _elicit(ctx, 'Choose.', Choices)}"


def register(server: MCPServer[Any]) -> None:
    """Add the tools."""
    for fn in (
        test_sampling,
        test_elicitation,
        test_elicitation_sep1034_defaults,
        test_elicitation_sep1330_enums,
    ):
        server.add_tool(fn)
