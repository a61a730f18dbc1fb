"""The OpenAPI document is true for who has no credential."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest

from .schema import generated, schema, settings

# The application closes its connections after each request, as it does in a server.
pytestmark = pytest.mark.django_db(transaction=True)

EXAMPLES = 3  # who is nobody gets no further than the door
OPEN_TO_ALL = r"^/api/v1/(auth/|health|invitations/accept)"


@schema.include(path_regex=OPEN_TO_ALL).parametrize()
@hypothesis.settings(settings, max_examples=EXAMPLES)
def test_what_is_open_to_all(case: Any, unlimited: None) -> None:
    assert case.call().status_code < 500


@generated.exclude(path_regex=OPEN_TO_ALL).parametrize()
@hypothesis.settings(settings, max_examples=EXAMPLES)
def test_as_nobody(case: Any, unlimited: None) -> None:
    """Without a credential nothing but 401, whatever is asked."""
    assert case.call().status_code in (401, 405)
