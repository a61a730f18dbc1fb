"""The OpenAPI document is true for who may do everything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from schemathesis.specs.openapi import checks

from tests import factories
from workspaces.providers import registry
from workspaces.providers.fake import FakeProvider

from .schema import schema, settings

# The application closes its connections after each request, as it does in a server.
pytestmark = [pytest.mark.long, pytest.mark.django_db(transaction=True)]

# What is valid by its form may still be refused: an expiry in the past, a name that is taken.
_NOT_ASKED = [checks.positive_data_acceptance]


@pytest.fixture
def somewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A provider, so that what asks for one is not refused as long as none is there."""
    made = FakeProvider()
    monkeypatch.setattr(registry, "PATHS", {"fake": "unused"})
    monkeypatch.setattr(registry, "MADE", {"fake": made})
    monkeypatch.setattr(registry, "_found", {})
    yield
    made.close()


@schema.parametrize()
@settings
def test_as_staff(case: Any, unlimited: None, somewhere: None) -> None:
    """No call makes a 5xx, and every answer is what the document says."""
    case.call_and_validate(
        headers={"Authorization": factories.bearer(factories.staff())}, excluded_checks=_NOT_ASKED
    )
