"""The contract, on a real engine through the real broker."""

from __future__ import annotations

import pytest

from workspaces.providers.docker import DockerProvider
from workspaces.tests.provider_contract import ProviderContract


class TestDocker(ProviderContract):
    @pytest.fixture
    def provider(self, provider: DockerProvider) -> DockerProvider:
        return provider
