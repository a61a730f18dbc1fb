"""The fake against the contract; the real providers' own tests do the same with theirs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from workspaces.providers.fake import FakeProvider

from .provider_contract import ProviderContract


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    made = FakeProvider()
    yield made
    made.close()


class TestFake(ProviderContract):
    @pytest.fixture
    def provider(self, provider: FakeProvider) -> FakeProvider:
        return provider
