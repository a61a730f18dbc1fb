"""Which of them makes its cases, thousands in seconds, when it is collected."""

from __future__ import annotations

from pathlib import Path

import pytest

# By what `-m` asks for: the files that have nothing of it.
WITHOUT = {
    "not long": ("test_as_staff.py", "test_past_nobodys_door.py"),
    "long": ("test_as_nobody.py",),
}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    parts = str(config.option.markexpr).split(" and ")
    return True if any(collection_path.name in WITHOUT.get(part, ()) for part in parts) else None


@pytest.fixture
def unlimited(settings) -> None:
    settings.API_RATE_LIMIT = settings.AUTH_RATE_LIMIT = 0


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each operation's case gets an id of its own: all have their function's, and of one id two workers run one."""
    for one in items:
        label = getattr(one, "operation_label", None)
        if label and one.id.params is None:
            one._id = one.id.with_params(label)
