"""An instance's volumes. Restoring makes a new one and then removes the old: until that moment the old one counts."""

from __future__ import annotations

import contextlib
from typing import Any

from docker.errors import NotFound

from workspaces.providers.base import Spec

from .engine import LABEL_KEY, LABEL_KIND, Names


def listed(api: Any, key: str = "") -> list[dict[str, Any]]:
    """Those of one instance, or all of the platform's."""
    filters = {"label": [f"{LABEL_KEY}={key}"]} if key else None
    return list(api.volumes(filters=filters)["Volumes"] or [])


def current(api: Any, names: Names, key: str, name: str) -> tuple[str, int] | None:
    """The volume of that name that counts, with its number. Younger ones are of a restore that broke off: removed."""
    plain = names.volume(key, name)
    numbers = {}
    for one in listed(api, key):
        base, _, number = one["Name"].partition(".")
        if base == plain:
            numbers[int(number or 0)] = one["Name"]
    if not numbers:
        return None
    first, *rest = sorted(numbers)
    for number in rest:
        remove(api, numbers[number])
    return numbers[first], first


def ensure(api: Any, names: Names, spec: Spec) -> dict[str, str]:
    """The volumes of the specification: its name → the engine's."""
    made = {}
    for volume in spec.volumes:
        found = current(api, names, spec.key, volume.name)
        made[volume.name] = found[0] if found else create(api, names.volume(spec.key, volume.name), spec)
    return made


def create(api: Any, name: str, spec: Spec) -> str:
    """Make it, or find it there."""
    api.create_volume(name, driver="local", labels={LABEL_KEY: spec.key, LABEL_KIND: spec.kind})
    return name


def remove(api: Any, name: str) -> None:
    with contextlib.suppress(NotFound):
        api.remove_volume(name)
