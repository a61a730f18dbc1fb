"""Fields of request bodies take what the OpenAPI document says, no more."""

from __future__ import annotations

import pytest
from rest_framework.exceptions import ValidationError

from gateway.api.fields import Text


def test_spaces_around_a_text_count_for_its_length() -> None:
    field = Text(max_length=4)
    assert field.run_validation(" ab ") == "ab"
    with pytest.raises(ValidationError, match="no more than 4 characters"):
        field.run_validation("\nabcd")
