"""The document is made without a warning."""

from __future__ import annotations

import pytest
from django.core.management import call_command


def test_without_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    call_command(
        "spectacular", "--validate", "--fail-on-warn", "--format", "openapi-json", "--file", "/dev/null"
    )
