"""Stored secrets sealed anew under the first of GATEHOUSE_ENCRYPTION_KEYS, so that older keys can be taken out.

Columns named in BOUND_BY are found by themselves; what is sealed elsewhere, apps register. A run may stop anywhere and
begin anew. What lives for hours at most (letters, tickets, temporary credentials) is left to its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.apps import apps
from django.db import models
from django.utils.module_loading import import_string

from gateway import crypto
from gateway.db.scope import platform_scope

BOUND_BY: Final = {
    "secret_sealed": "secret_aad",
    "sealed": "place",
    "private_sealed": "aad",
    "secrets_sealed": "secrets_aad",
    "source_sealed": "links_aad",
    "target_sealed": "links_aad",
}
"""Names of columns, and the row's property that each value is bound to."""
_AT_ONCE: Final = 500


@dataclass(slots=True)
class Outcome:
    """Of one place: how many values were sealed anew, and how many no configured key opens."""

    place: str
    sealed: int = 0
    lost: int = 0


Step = Callable[[], Iterator[Outcome]]
_steps: list[str] = []


def register(path: str) -> None:
    """Have the step at the dotted `path` run at each resealing."""
    _steps.append(path)


def columns() -> list[tuple[type[models.Model], str]]:
    """Every column that is sealed by itself."""
    return [
        (model, field.name)
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, models.BinaryField) and field.name in BOUND_BY
    ]


def reseal() -> Iterator[Outcome]:
    """Seal anew whatever is not under the first key, a place at a time."""
    with platform_scope("an operator rotates the encryption keys"):
        for model, field in columns():
            yield _column(model, field)
        for path in _steps:
            yield from import_string(path)()


def _column(model: type[models.Model], field: str) -> Outcome:
    outcome = Outcome(f"{model._meta.label}.{field}")
    rows: Any = model._base_manager.order_by("pk")
    for row in rows.iterator(chunk_size=_AT_ONCE):
        old = bytes(getattr(row, field) or b"")
        if not old:
            continue
        try:
            new = crypto.resealed(old, getattr(row, BOUND_BY[field]))
        except crypto.CannotOpen:
            outcome.lost += 1
            continue
        if new is not None:  # one that was changed meanwhile is under the first key by itself
            outcome.sealed += rows.filter(pk=row.pk, **{field: old}).update(**{field: new})
    return outcome
