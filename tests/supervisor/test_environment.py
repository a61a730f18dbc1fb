"""The `.env` file: made with secrets, kept private, completed and never overwritten."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import env
from gateway.supervisor import environment


@pytest.fixture(autouse=True)
def no_secrets(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As a new user has it; whatever `load` puts into the environment is taken out again."""
    before = set(os.environ)
    for name in (*environment.fresh_secrets(), "GATEHOUSE_ENV"):
        monkeypatch.delenv(name, raising=False)
    yield
    for name in os.environ.keys() - before:
        del os.environ[name]


def test_made_at_the_first_start(tmp_path: Path):
    file = tmp_path / ".env"
    os.umask(0o022)

    environment.load(file, {"GATEHOUSE_ENV": "development"})

    values = env.parse_env_file(file)
    assert set(values) == {*environment.fresh_secrets(), "GATEHOUSE_ENV"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert os.environ["SECRET_KEY"] == values["SECRET_KEY"]


def test_kept_and_completed(tmp_path: Path):
    file = tmp_path / ".env"
    file.write_text("# mine\nSECRET_KEY=chosen\nPUBLIC_BASE_URL=https://files.example.org")

    environment.load(file, {})
    once = file.read_text()
    environment.load(file, {})

    assert once.startswith("# mine\nSECRET_KEY=chosen\nPUBLIC_BASE_URL=https://files.example.org\n")
    assert "GATEHOUSE_ENCRYPTION_KEYS=k1:" in once
    assert file.read_text() == once
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_real_environment_wins_and_is_not_written_down(tmp_path: Path, monkeypatch):
    file = tmp_path / ".env"
    monkeypatch.setenv("SECRET_KEY", "from outside")
    monkeypatch.setenv("JWT_SECRET_KEY_FILE", "/run/secrets/jwt")

    environment.load(file, {})

    assert "from outside" not in file.read_text()
    assert "JWT_SECRET_KEY" not in env.parse_env_file(file)
    assert os.environ["SECRET_KEY"] == "from outside"


def test_processes_get_neither_the_file_nor_the_supervisors_python(monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")

    given = environment.of_processes(Path("/srv/home"), {"REDIS_URL": "redis://x"})

    assert given["GATEHOUSE_ENV_FILE"] == os.devnull
    assert given["GATEHOUSE_HOME"] == "/srv/home"
    assert given["REDIS_URL"] == "redis://x"
    assert "PYTHONDONTWRITEBYTECODE" not in given
