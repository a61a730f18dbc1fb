"""The protocol's own test suite against the fixtures, and the inspector against the real tools; both come by npm."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gatehouse_workspace.tests.running import Workspace, running

PACKAGES = [
    "node@22",
    "@modelcontextprotocol/conformance@0.2.0-alpha.12",
    "@modelcontextprotocol/inspector@2.12.0",
]
TOOL_ERROR = 5

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages installed, and their Node."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not here: the conformance suite and the inspector come from it")
    folder = tmp_path_factory.mktemp("node")
    (folder / "package.json").write_text('{"private": true}')
    command = [npm, "install", "--no-audit", "--no-fund", *PACKAGES]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        pytest.skip(f"npm could not install the suite: {done.stderr[-300:]}")
    return folder


def node_run(folder: Path, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(folder / "node_modules/.bin/node"), str(folder / "node_modules" / script), *arguments]
    env = {"PATH": f"{folder}/node_modules/.bin:{os.environ['PATH']}", "HOME": str(folder)}
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=600, check=False
    )


@pytest.mark.parametrize(("revision", "scored"), [("2025-11-25", 30), ("2026-07-28", 37)])
def test_every_scored_scenario_passes(node: Path, tmp_path: Path, revision: str, scored: int) -> None:
    suite = "@modelcontextprotocol/conformance/dist/index.js"
    with running(tmp_path / "root", module="conformance") as fixtures:
        done = node_run(node, suite, "server", "--url", f"{fixtures.url}/mcp", "--requirements", revision)
    free = set(re.findall(r"^  [✓✗] (\S+) \(", done.stdout, re.MULTILINE))
    results = re.findall(r"^([✓✗]) (\S+): ", done.stdout, re.MULTILINE)
    counted = [(mark, name) for mark, name in results if name not in free]
    assert [name for mark, name in counted if mark != "✓"] == [], done.stdout[-5000:]
    assert len(counted) == scored, done.stdout[-5000:]


def test_the_inspector_calls_the_real_tools(node: Path, workspace: Workspace) -> None:
    inspector = "@modelcontextprotocol/inspector/clients/launcher/build/index.js"

    def ask(*arguments: str, code: int = 0) -> dict[str, Any]:
        address = f"{workspace.url}/mcp"
        done = node_run(node, inspector, "--cli", address, "--transport", "http", *arguments)
        assert done.returncode == code, done.stderr
        return dict(json.loads(done.stdout))

    assert len(ask("--method", "tools/list")["tools"]) >= 32
    found = ask("--method", "tools/call", "--tool-name", "git_status")
    assert found["structuredContent"]["branch"] == "main"
    found = ask(
        "--method", "tools/call", "--tool-name", "read_file", "--tool-arg", "path=../x", code=TOOL_ERROR
    )
    assert "outside" in found["content"][0]["text"]
    assert ask("--method", "resources/read", "--uri", "workspace://git/status")["contents"]
    assert ask("--method", "prompts/list")["prompts"]
