"""Which provider something new gets, and what is said where there is none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.errors import Invalid, Unavailable
from workspaces.providers import registry
from workspaces.providers.base import Availability, Capability
from workspaces.providers.fake import FakeProvider


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    made = FakeProvider()
    monkeypatch.setattr(registry, "PATHS", {"fake": "unused", "missing": "no_such_module.Provider"})
    monkeypatch.setattr(registry, "MADE", {"fake": made})
    monkeypatch.setattr(registry, "_found", {})
    yield made
    made.close()


def test_the_first_that_can_be_used(fake: FakeProvider) -> None:
    assert registry.choose() == "fake"
    assert registry.choose("fake", able=frozenset({Capability.SERVICES})) == "fake"
    assert registry.usable() == ["fake"]
    assert [(offer.name, offer.availability.ok) for offer in registry.offered()] == [
        ("fake", True),
        ("missing", False),
    ]


def test_why_none_can_be_used(fake: FakeProvider) -> None:
    fake.is_available = Availability(False, "The engine sleeps.")
    with pytest.raises(Unavailable, match="The engine sleeps") as refused:
        registry.choose()
    assert refused.value.code == "no_provider"
    with pytest.raises(Unavailable, match="no_such_module is not installed"):
        registry.choose("missing")
    with pytest.raises(Invalid, match="no provider kubernetes"):
        registry.choose("kubernetes")


def test_what_a_provider_cannot_do(fake: FakeProvider) -> None:
    with pytest.raises(Unavailable, match="it has no terminal"):
        registry.choose(able=frozenset({Capability.TERMINAL}))
