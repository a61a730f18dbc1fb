"""Texts with wildcards and policy variables (IAM user guide, "Policy elements: variables and tags").

`*` is any run of characters, `/` too; `?` is any one. `${key}` is a value of the request, `${key, 'else'}` has a
default, `${*}`, `${?}` and `${$}` are the characters themselves. What a variable stands for is always literal: a
user named `*` is no wildcard.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

Values = Callable[[str], Sequence[str] | None]
"""The request's values of a condition key (lower case), None where it has none."""

_VARIABLES: Final = re.compile(r"\$\{([^{}]*)\}")
_TOKEN: Final = re.compile(r"\$\{([^{}]*)\}|\*+|\?")
_WILDCARD: Final = re.compile(r"\*+|\?")
_VARIABLE: Final = re.compile(r"\s*([A-Za-z0-9:/_.\-]+)\s*(?:,\s*'([^']*)'\s*)?\Z")


@dataclass(frozen=True, slots=True)
class Variable:
    key: str  # lower case
    default: str | None = None


class _Any:
    __slots__ = ()


ONE: Final = _Any()
MANY: Final = _Any()
Piece = str | Variable | _Any


@dataclass(frozen=True, slots=True)
class Pattern:
    """One text of a policy, taken apart."""

    text: str
    pieces: tuple[Piece, ...]
    plain: re.Pattern[str] | None = None  # of one without variables

    @property
    def is_fixed(self) -> bool:
        """Whether it stands for one text alone."""
        return all(isinstance(piece, str) for piece in self.pieces)

    @property
    def variables(self) -> list[Variable]:
        return [piece for piece in self.pieces if isinstance(piece, Variable)]

    def matches(self, text: str, values: Values) -> bool:
        """Whether the pattern stands for `text` in the request; never where one of its variables has no value."""
        if self.plain is not None:
            return self.plain.match(text) is not None
        pieces = self._filled(values)
        return pieces is not None and _fits(pieces, text)

    def literal(self, values: Values) -> str | None:
        """The text with its variables filled in and its wildcards as plain characters; None: one has no value."""
        pieces = self._filled(values)
        if pieces is None:
            return None
        return "".join(piece if isinstance(piece, str) else "*" if piece is MANY else "?" for piece in pieces)

    def may_match_below(self, prefix: str) -> bool:
        """Whether it can stand for `prefix` or for a text that begins with it; variables may be anything."""
        at = _closed(self.pieces, {(0, 0)})
        for character in prefix:
            at = _closed(self.pieces, _stepped(self.pieces, at, character))
            if not at:
                return False
        return True

    def may_match(self, text: str) -> bool:
        """Whether it can stand for `text`; variables may be anything."""
        at = _closed(self.pieces, {(0, 0)})
        for character in text:
            at = _closed(self.pieces, _stepped(self.pieces, at, character))
        return (len(self.pieces), 0) in at

    def _filled(self, values: Values) -> tuple[str | _Any, ...] | None:
        found: list[str | _Any] = []
        for piece in self.pieces:
            if isinstance(piece, Variable):
                given = values(piece.key)
                # Of several values nobody can tell which was meant.
                value = given[0] if given is not None and len(given) == 1 else piece.default
                if value is None:
                    return None
                found.append(value)
            else:
                found.append(piece)
        return tuple(found)


def read(text: str, *, variables: bool = True) -> Pattern:
    """Take a text apart. `variables` False reads `${` as itself, as policies of version 2008-10-17 do.

    Raises ValueError for a variable that is none.
    """
    if variables and "${" in _VARIABLES.sub("", text):
        raise ValueError("a policy variable is not closed")
    pieces: list[Piece] = []
    end = 0
    for token in (_TOKEN if variables else _WILDCARD).finditer(text):
        pieces.append(text[end : token.start()])
        end = token.end()
        word = token[0]
        if word[0] != "$":
            pieces.append(MANY if word[0] == "*" else ONE)
        elif token[1] in ("*", "?", "$"):
            pieces.append(token[1])
        else:
            found = _VARIABLE.match(token[1])
            if found is None:
                raise ValueError(f"{word} is no policy variable")
            pieces.append(Variable(found[1].lower(), found[2]))
    pieces.append(text[end:])
    return _pattern(text, pieces)


def glob(text: str) -> Pattern:
    """A text in which only the wildcards mean something."""
    return read(text, variables=False)


def no_values(key: str) -> None:
    """What a text without variables is matched with."""


def _pattern(text: str, pieces: list[Piece]) -> Pattern:
    joined: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, str):
            if not piece:
                continue
            if joined and isinstance(joined[-1], str):
                joined[-1] += piece
                continue
        elif piece is MANY and joined and joined[-1] is MANY:
            continue
        joined.append(piece)
    if any(isinstance(piece, Variable) for piece in joined):
        return Pattern(text, tuple(joined))
    plain = tuple(piece for piece in joined if not isinstance(piece, Variable))
    return Pattern(text, plain, _compiled(plain))


@functools.lru_cache(4096)
def _compiled(pieces: tuple[str | _Any, ...]) -> re.Pattern[str]:
    """A regular expression that never goes back: the first place where a run between two stars fits is as good as
    any, so a long key cannot make a pattern of many stars slow."""
    runs: list[str] = [""]
    for piece in pieces:
        if piece is MANY:
            runs.append("")
        else:
            runs[-1] += re.escape(piece) if isinstance(piece, str) else "."
    first, *middle = runs
    if not middle:
        return re.compile(f"(?s:{first})\\Z")
    *between, last = middle
    return re.compile("(?s:" + first + "".join(f"(?>.*?{run})" for run in between if run) + f".*{last})\\Z")


def _fits(pieces: tuple[str | _Any, ...], text: str) -> bool:
    """As the expression of `_compiled`, for what is asked once: variables may be long, and compiling them is slow."""
    runs: list[list[str | _Any]] = [[]]
    for piece in pieces:
        if piece is MANY:
            runs.append([])
        else:
            runs[-1].append(piece)
    widths = [sum(len(piece) if isinstance(piece, str) else 1 for piece in run) for run in runs]
    if sum(widths) > len(text) or not _stands(runs[0], text, 0):
        return False
    if len(runs) == 1:
        return widths[0] == len(text)
    at = widths[0]
    for run, width in zip(runs[1:-1], widths[1:-1], strict=True):
        found = _first(run, text, at)
        if found < 0:
            return False
        at = found + width
    start = len(text) - widths[-1]
    return start >= at and _stands(runs[-1], text, start)


def _stands(run: list[str | _Any], text: str, at: int) -> bool:
    """Whether the run is what `text` has at a place; both are long enough."""
    for piece in run:
        if not isinstance(piece, str):
            at += 1
        elif text.startswith(piece, at):
            at += len(piece)
        else:
            return False
    return at <= len(text)


def _first(run: list[str | _Any], text: str, at: int) -> int:
    """The first place from `at` on where the run stands, or -1."""
    before, literal = 0, ""
    for piece in run:
        if isinstance(piece, str):
            literal = piece
            break
        before += 1
    while (found := text.find(literal, at + before)) >= 0:
        if _stands(run, text, found - before):
            return found - before
        at = found - before + 1
    return -1


_States = set[tuple[int, int]]  # piece, and the offset within a literal


def _closed(pieces: tuple[Piece, ...], states: _States) -> _States:
    """With what needs no character skipped."""
    found = set(states)
    todo = list(states)
    while todo:
        index, offset = todo.pop()
        if offset or index >= len(pieces) or isinstance(pieces[index], str) or pieces[index] is ONE:
            continue
        following = (index + 1, 0)
        if following not in found:
            found.add(following)
            todo.append(following)
    return found


def _stepped(pieces: tuple[Piece, ...], states: _States, character: str) -> _States:
    found: _States = set()
    for index, offset in states:
        if index >= len(pieces):
            continue
        piece = pieces[index]
        if isinstance(piece, str):
            if piece[offset] == character:
                found.add((index, offset + 1) if offset + 1 < len(piece) else (index + 1, 0))
        elif piece is ONE:
            found.add((index + 1, 0))
        else:
            found.add((index, 0))
    return found
