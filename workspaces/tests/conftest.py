"""What tests of workspaces start from: the fake as the only provider, and a tenant with its administrator."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tenants.principal import Principal
from tests import factories
from workspaces.providers import registry
from workspaces.providers.fake import FakeProvider


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    """The far side of everything that runs."""
    made = FakeProvider()
    monkeypatch.setattr(registry, "PATHS", {"fake": "unused"})
    monkeypatch.setattr(registry, "MADE", {"fake": made})
    monkeypatch.setattr(registry, "_found", {})
    yield made
    made.close()


@pytest.fixture
def admin() -> Principal:
    return factories.member(factories.tenant())
