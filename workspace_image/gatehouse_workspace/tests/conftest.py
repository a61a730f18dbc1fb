"""One server for most tests: each works in a folder of its own beneath its root."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from gatehouse_workspace.tests.remotes import Authority
from gatehouse_workspace.tests.running import Workspace, running


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Workspace]:
    base = tmp_path_factory.mktemp("workspace")
    with running(base / "root", GATEHOUSE_RUN_COMMAND="1", GITLAB_CA=authority.pem) as found:
        found.until("ready")
        yield found


@pytest.fixture
def here(workspace: Workspace) -> Path:
    """A folder of this test beneath the root; its name is its path for the tools."""
    folder = workspace.root / f"t-{uuid4().hex[:8]}"
    folder.mkdir()
    return folder
