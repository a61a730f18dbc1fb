"""The security pages name tests that exist, and every defence names one or says that it has none."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
APPS = ("gateway", "tenants", "storage", "realtime", "workspaces", "workspace_image", "devices", "tests")
SECTIONS = {
    1: 5,
    2: 4,
    3: 7,
    4: 4,
    5: 4,
    6: 8,
    7: 6,
    8: 4,
    9: 2,
    10: 7,
    11: 7,
    12: 3,
    13: 4,
    14: 3,
    15: 4,
    16: 5,
    17: 3,
}
"""Chapters of ASVS 5.0.0, and how many sections each has."""


@cache
def known() -> frozenset[str]:
    """The names of all test functions."""
    return frozenset(
        node.name
        for app in APPS
        for pattern in ("test_*.py", "*_contract.py")
        for path in (ROOT / app).rglob(pattern)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    )


def rows(page: str) -> list[list[str]]:
    """The cells of the rows of every table of a page, without their heads."""
    found: list[list[str]] = []
    for line in (ROOT / "docs" / page).read_text(encoding="utf-8").splitlines():
        if line.startswith("|---"):
            found.pop()  # the head stands above
        elif line.startswith("|"):
            found.append([cell.strip() for cell in line.strip().strip("|").split("|")])
    return found


@pytest.mark.parametrize("page", ["threat-model.md", "asvs.md", "security.md"])
def test_the_tests_that_are_named_exist(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", text))
    assert named
    assert not named - known()
    for path in re.findall(r"`((?:tests|gateway|tenants|storage|realtime|workspaces)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path


def test_every_threat_has_attacker_asset_defence_and_test() -> None:
    threats = rows("threat-model.md")
    assert len(threats) > 40
    for row in threats:
        assert len(row) == 5, row
        assert all(row), row
        assert re.search(r"`test_\w+`|\*\*no test\*\*", row[4]), row


def test_every_section_of_the_standard_is_answered() -> None:
    """Each section of each chapter has its row, or its chapter one that says why it does not apply."""
    judged = rows("asvs.md")
    assert all(
        len(row) == 4 and row[1] and re.search(r"`test_\w+`|\*\*no test\*\*", row[2]) for row in judged
    )
    answered = [row[0].split()[0] for row in judged]
    for chapter, sections in SECTIONS.items():
        if f"V{chapter}" in answered:
            continue
        expected = [f"V{chapter}.{section}" for section in range(1, sections + 1)]
        assert [name for name in answered if name.startswith(f"V{chapter}.")] == expected
