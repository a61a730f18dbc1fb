"""Reading a JSON object field by field, so that nothing passes that was not asked for by name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeVar

from .refusal import Refusal, forbidden

T = TypeVar("T")


def parse(body: bytes) -> dict[str, Any]:
    """The one JSON object in `body`. Raises Refusal, also for a name that appears twice."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise forbidden("a field appears twice")
        return found

    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=once)
    except (ValueError, RecursionError) as e:
        raise Refusal(400, "broker: the body is no JSON") from e
    if not isinstance(value, dict):
        raise Refusal(400, "broker: the body is no JSON object")
    return value


class Fields:
    """An object of the client's. `take` what is known, then `done`: anything else that says something is refused.

    The engine reads names in any case (Go's encoding/json), so `privileged` is as unknown here as it should be.
    """

    def __init__(self, value: object, where: str = "") -> None:
        if not isinstance(value, dict):
            raise forbidden(f"{where or 'the body'} is no object")
        self._left = dict(value)
        self._where = where

    def take(self, name: str, check: Callable[[Any], T], default: T | None = None) -> T:
        """The checked value; the default where it is missing or null, Refusal where there is none."""
        value = self._left.pop(name, None)
        if value is None:
            if default is None:
                raise forbidden(f"{self._where}{name} is missing")
            return default
        try:
            return check(value)
        except ValueError as e:
            raise forbidden(f"{self._where}{name}: {e}") from e

    def done(self) -> None:
        """Raises Refusal for what was not taken, unless it is as good as absent (null, false, 0, empty)."""
        for name, value in self._left.items():
            if value not in (None, False, 0, "", [], {}):
                raise forbidden(f"{self._where}{name} is not allowed")


def text(pattern: str, *, most: int = 4096) -> Callable[[Any], str]:
    """A check: a string that matches as a whole."""
    compiled = re.compile(pattern)

    def check(value: Any) -> str:
        if not isinstance(value, str) or len(value) > most or not compiled.fullmatch(value):
            raise ValueError("not allowed")
        return value

    return check


def whole(least: int, most: int) -> Callable[[Any], int]:
    """A check: an integer within bounds."""

    def check(value: Any) -> int:
        if type(value) is not int or not least <= value <= most:
            raise ValueError(f"not within {least}..{most}")
        return value

    return check


def switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("neither true nor false")
    return value


def texts(*, count: int, most: int) -> Callable[[Any], list[str]]:
    """A check: a list of strings without NUL."""

    def check(value: Any) -> list[str]:
        if not isinstance(value, list) or len(value) > count:
            raise ValueError(f"not a list of at most {count}")
        for one in value:
            if not isinstance(one, str) or len(one) > most or "\0" in one:
                raise ValueError("not a list of strings")
        return value

    return check
