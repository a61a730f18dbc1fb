"""Values of the environment that are lists or sizes: read as written, or refused with the variable's name."""

from __future__ import annotations

import pytest

from gateway import env


def test_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert env.pairs("STORAGE_FOLDERS") == {}
    monkeypatch.setenv("STORAGE_FOLDERS", " disk2=/mnt/two , disk3 = /mnt/with=sign,")
    assert env.pairs("STORAGE_FOLDERS") == {"disk2": "/mnt/two", "disk3": "/mnt/with=sign"}


@pytest.mark.parametrize("bad", ["disk2", "=/mnt", "disk2=", "disk2=/a,disk2=/b"])
def test_what_are_no_pairs(monkeypatch: pytest.MonkeyPatch, bad: str) -> None:
    monkeypatch.setenv("STORAGE_FOLDERS", bad)
    with pytest.raises(env.EnvError, match="STORAGE_FOLDERS: "):
        env.pairs("STORAGE_FOLDERS")


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("64", 64), ("8K", 8192), ("5GiB", 5 << 30), ("1 m", 1 << 20)]
)
def test_sizes(text: str, size: int) -> None:
    assert env.parse_size("X", text) == size


@pytest.mark.parametrize("bad", ["", "-1", "fast", "1.5G", "8KK"])
def test_what_are_no_sizes(bad: str) -> None:
    with pytest.raises(env.EnvError, match="X="):
        env.parse_size("X", bad)
