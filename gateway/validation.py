"""Input checked, with errors that name the field: rows by their model's rules, times of queries."""

from __future__ import annotations

from datetime import UTC, datetime

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.dateparse import parse_datetime

from gateway.errors import Invalid


def validated(instance: models.Model, *, exclude: tuple[str, ...] = ()) -> None:
    """Check a new or changed row, uniqueness aside: writing tells that. Raises Invalid by field."""
    try:
        instance.full_clean(exclude=exclude, validate_unique=False, validate_constraints=False)
    except ValidationError as e:
        field, messages = next(iter(e.message_dict.items()))
        raise Invalid(f"{field}: {messages[0]}", errors=e.message_dict) from None


def moment(name: str, text: str) -> datetime:
    """A time of a query, in UTC: RFC 3339 also takes zones that PostgreSQL does not. Raises Invalid by `name`."""
    try:
        found = parse_datetime(text)
        if found is not None and found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    message = "Not a time with its zone (RFC 3339)."
    raise Invalid(f"{name}: {message}", errors={name: [message]})
