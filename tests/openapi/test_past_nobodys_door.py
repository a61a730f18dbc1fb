"""Nothing that a request holds gets past the door without a credential: every limit of every field is tried."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest

from .schema import schema, settings
from .test_as_nobody import EXAMPLES, OPEN_TO_ALL

# The application closes its connections after each request, as it does in a server.
pytestmark = [pytest.mark.long, pytest.mark.django_db(transaction=True)]


@schema.exclude(path_regex=OPEN_TO_ALL).parametrize()
@hypothesis.settings(settings, max_examples=EXAMPLES)
def test_past_nobodys_door(case: Any, unlimited: None) -> None:
    assert case.call().status_code in (401, 405)
