"""How a tool is declared: a method, its annotations, and errors that a model can act on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mcp.server.mcpserver.context import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools.base import Tool
from mcp_types import CallToolResult, TextContent, ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field, ValidationError

READ = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
CHANGE = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)
OVERWRITE = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
)
NETWORK_READ = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=True)
NETWORK = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=True)
NETWORK_OVERWRITE = ToolAnnotations(read_only_hint=False, destructive_hint=True, open_world_hint=True)
COMMAND = NETWORK_OVERWRITE

Gate = Callable[[], Awaitable[None]]


class WorkspaceTool(Tool):
    """A tool that waits for the workspace to be ready and says in plain words what is wrong with arguments."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    gate: Gate = Field(exclude=True)

    async def run(
        self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False
    ) -> Any:
        """Raises ToolError for arguments that do not fit, unknown ones included, and while `gate` does."""
        known = self.fn_metadata.arg_model.model_fields
        if unknown := [name for name in arguments if name not in known]:
            raise ToolError(
                f"{self.name} has no argument {', '.join(map(repr, unknown))}; it takes: {', '.join(known) or 'none'}"
            )
        try:
            self.fn_metadata.validate_arguments(arguments)
        except ValidationError as error:
            raise ToolError(f"{self.name}: {_in_words(error)}") from error
        await self.gate()
        return await super().run(arguments, context, convert_result)


def make(
    fn: Callable[..., Any], gate: Gate, hints: ToolAnnotations, title: str, *, structured: bool | None = False
) -> WorkspaceTool:
    """A tool of the method `fn`, named as it is and described by its docstring."""
    plain = Tool.from_function(
        fn, title=title, description=_description(fn), annotations=hints, structured_output=structured
    )
    fields = {name: getattr(plain, name) for name in Tool.model_fields}
    return WorkspaceTool(**fields, gate=gate)


def answer(text: str, structured: BaseModel | Mapping[str, Any]) -> CallToolResult:
    """A result with words for the model and data for programs."""
    data = structured.model_dump(mode="json") if isinstance(structured, BaseModel) else dict(structured)
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=data)


def _description(fn: Callable[..., Any]) -> str:
    return " ".join((fn.__doc__ or "").split())


def _in_words(error: ValidationError) -> str:
    parts = []
    for item in error.errors(include_url=False, include_context=False, include_input=False)[:10]:
        name = ".".join(str(part) for part in item["loc"])
        parts.append(f"argument {name!r}: {item['msg'][:1].lower()}{item['msg'][1:]}")
    return "; ".join(parts)
