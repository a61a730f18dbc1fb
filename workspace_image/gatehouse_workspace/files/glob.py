"""Globs over paths. Each name is matched by itself, so that no pattern takes a regular expression forever."""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import translate


def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a path fits: `*`, `?` and `[…]` within a name, `**` for any number of folders."""
    names = [
        None if part == "**" else re.compile(translate(part)).match for part in pattern.strip("/").split("/")
    ]
    end = len(names)

    def reach(states: set[int]) -> set[int]:
        """With those behind a `**`, which may stand for no folder."""
        for state in sorted(states):
            while state < end and names[state] is None:
                state += 1
                states.add(state)
        return states

    def fits(path: str) -> bool:
        states = reach({0})
        for name in path.split("/"):
            after = set()
            for state in states:
                if state < end:
                    match = names[state]
                    if match is None:
                        after.add(state)
                    elif match(name):
                        after.add(state + 1)
            states = reach(after)
        return end in states

    return fits
