"""The contract, kept by real sandboxes."""

from __future__ import annotations

import pytest

from workspaces.providers.process import ProcessProvider
from workspaces.tests.provider_contract import ProviderContract


class TestProcess(ProviderContract):
    @pytest.fixture
    def provider(self, provider: ProcessProvider) -> ProcessProvider:
        return provider
