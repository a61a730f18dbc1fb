"""The MCP conformance suite through the gateway: what the SDK's own server passes, passes here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack import ROOT
from workspaces.tests.server import server

from .bearing import bearing
from .conftest import Platform

SUITE = "@modelcontextprotocol/conformance@0.2.0-alpha.12"
NODE = "node@22"
HOME = ROOT / "var" / "conformance"

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def programs() -> Path:
    """The folder of the suite's and Node's commands; had from the registry once."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed, and the suite comes by it")
    folder = HOME / "node_modules" / ".bin"
    if not (folder / "conformance").exists() or not (folder / "node").exists():
        HOME.mkdir(parents=True, exist_ok=True)
        npm = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(HOME), NODE, SUITE]
        subprocess.run(npm, check=True, capture_output=True, timeout=300)
    return folder


@pytest.fixture(scope="module")
def url(platform: Platform) -> Iterator[str]:
    """The fixtures' server behind the real route."""
    owner = platform.member(platform.tenant())
    with server("conformance") as address:
        platform.workspace(owner, address=address)
        with bearing(platform.stack.url, platform.key(owner)) as port:
            yield f"http://localhost:{port}/ws/dev/mcp"


@pytest.mark.parametrize(("revision", "scenarios"), [("2025-11-25", 30), ("2026-07-28", 37)])
def test_every_scenario_passes(
    programs: Path, url: str, tmp_path: Path, revision: str, scenarios: int
) -> None:
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "NO_PROXY": "*"}
    command = [str(programs / "conformance"), "server", "--url", url, "--requirements", revision]
    done = subprocess.run(
        [*command, "-o", str(tmp_path)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=500,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-6000:]
    judged, _, unjudged = said.partition("\nNot scored")
    ran = dict(re.findall(r"^(?:.) ([\w-]+): \d+ passed, (\d+) failed", judged, re.MULTILINE))
    extra = set(re.findall(r"^ +\S ([\w-]+) \(", unjudged, re.MULTILINE))
    scored = {name: failed for name, failed in ran.items() if name not in extra}
    assert [name for name, failed in scored.items() if failed != "0"] == []
    assert len(scored) == scenarios, said[-4000:]
