"""What a purge consists of: the registry in which apps name their steps, once they are ready."""

from __future__ import annotations

from collections.abc import Callable

from django.utils.module_loading import import_string

Step = Callable[[int], str]
"""Removes what it can of a tenant's, by its id; answers what is left to wait for, empty when nothing is.

It may run again at any point, and removes in small transactions of its own.
"""

_named: list[tuple[int, str, str]] = [
    (80, "people", "tenants.services.purge.remove_people"),
    (90, "rest", "tenants.services.purge.remove_rest"),
]


def register(name: str, path: str, *, order: int) -> None:
    """Have the step at the dotted `path` run at each purge; lower orders first."""
    _named.append((order, name, path))


def steps() -> list[tuple[str, Step]]:
    return [(name, import_string(path)) for _, name, path in sorted(_named)]
