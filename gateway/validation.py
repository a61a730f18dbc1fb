"""Rows checked by their model's rules, with errors that name the field."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models

from gateway.errors import Invalid


def validated(instance: models.Model, *, exclude: tuple[str, ...] = ()) -> None:
    """Check a new or changed row, uniqueness aside: writing tells that. Raises Invalid by field."""
    try:
        instance.full_clean(exclude=exclude, validate_unique=False, validate_constraints=False)
    except ValidationError as e:
        field, messages = next(iter(e.message_dict.items()))
        raise Invalid(f"{field}: {messages[0]}", errors=e.message_dict) from None
