"""What parameters of a tool plainly do not fit: the first level of its JSON Schema.

The schema is a workspace's, so it is not run through a validator, whose regular expressions and references would be
the workspace's too; the server itself has judged all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def misfits(schema: Any, parameters: Mapping[str, Any]) -> dict[str, str]:
    """Why a parameter does not fit, by its name; empty where nothing is plainly wrong."""
    if not isinstance(schema, dict):
        return {}
    properties, required = schema.get("properties"), schema.get("required")
    known: dict[str, Any] = properties if isinstance(properties, dict) else {}
    found = {
        name: "Required."
        for name in (required if isinstance(required, list) else [])
        if isinstance(name, str) and name not in parameters
    }
    for name, value in parameters.items():
        if name not in known:
            if schema.get("additionalProperties") is False:
                found[name] = "Unknown."
        elif not _fits(known[name], value):
            found[name] = "Not of the right type."
    return found


def _fits(schema: Any, value: Any) -> bool:
    named = schema.get("type") if isinstance(schema, dict) else None
    names = named if isinstance(named, list) else [named]
    types = [_TYPES[name] for name in names if isinstance(name, str) and name in _TYPES]
    if not types or len(types) != len(names):
        return True
    if isinstance(value, bool):
        return (bool,) in types
    return any(isinstance(value, each) for each in types)
