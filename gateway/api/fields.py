"""Request bodies and their fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

from rest_framework import serializers


class Body(serializers.Serializer[Any]):
    """A JSON object of the fields that it names: any other, and one that is only shown, is refused by name."""

    def to_internal_value(self, data: Any) -> Any:
        strange: dict[str, list[str]] = {}
        if isinstance(data, Mapping):
            takes = {field.field_name for field in self._writable_fields}
            for name in map(str, data):
                if name not in takes:
                    strange[name] = ["Read-only." if name in self.fields else "Unknown field."]
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as error:
            found = cast("dict[str, Any]", error.detail)  # a serializer's, which are by field
            raise serializers.ValidationError({**found, **strange}) from None
        if strange:
            raise serializers.ValidationError(strange)
        return values


class Text(serializers.CharField):
    """A JSON string and nothing else: DRF's own field takes numbers for text.

    The length is that of what was sent, as the document says: DRF looks once the spaces around it are gone.
    """

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        if self.max_length is not None and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        return super().to_internal_value(data)


class Whole(serializers.IntegerField):
    """A JSON integer and nothing else: DRF's own field takes texts and whole floats."""

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return super().to_internal_value(data)


class Flag(serializers.BooleanField):
    """JSON's true or false and nothing else: DRF's own field takes "yes" and 1."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class Id(serializers.UUIDField):
    """A JSON string of a UUID and nothing else: DRF's own field takes numbers for ids."""

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str):
            self.fail("invalid", value=data)
        return super().to_internal_value(data)
