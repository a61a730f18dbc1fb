"""What a purge consists of, and what it waits for: the registry in which apps name both, once they are ready."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.utils.module_loading import import_string

Step = Callable[[int], str]
"""Removes what it can of a tenant's, by its id; answers what is left to wait for, empty when nothing is.

It may run again at any point, and removes in small transactions of its own.
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a tenant must be kept for, in words; `until` is the earliest time of its end that is known."""

    text: str
    until: datetime | None


_keepers: list[str] = []
_named: list[tuple[int, str, str]] = [
    (80, "people", "tenants.services.purge.remove_people"),
    (90, "rest", "tenants.services.purge.remove_rest"),
]


def register(name: str, path: str, *, order: int) -> None:
    """Have the step at the dotted `path` run at each purge; lower orders first."""
    _named.append((order, name, path))


def keep(path: str) -> None:
    """Have no purge begin while the keeper at the dotted `path` names something: a function of the tenant's id that
    says what nobody may purge yet, or None."""
    _keepers.append(path)


def kept(tenant_id: int) -> list[Kept]:
    """All that the tenant must be kept for."""
    found: list[Kept | None] = [import_string(path)(tenant_id) for path in _keepers]
    return [one for one in found if one is not None]


def steps() -> list[tuple[str, Step]]:
    return [(name, import_string(path)) for _, name, path in sorted(_named)]
