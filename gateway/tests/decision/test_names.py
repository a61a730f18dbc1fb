"""Look-ups of names: kept, shared, few for each asker, and by the system's resolver as it is."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from threading import Event

import pytest
import pytest_asyncio

from gateway.decision import names as subject
from gateway.decision.names import Names

ROOT = Path(__file__).resolve().parents[3]
MINE = (("backend", 1), 1)
OTHERS = (("backend", 2), 1)


@pytest_asyncio.fixture
async def names() -> AsyncIterator[Names]:
    made = Names()
    yield made
    await made.close()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """What the resolver is asked; it knows all names but one."""
    found: Counter[str] = Counter()

    def resolved(host: str) -> list[str]:
        found[host] += 1
        return [] if host == "gone" else ["192.0.2.1"]

    monkeypatch.setattr(subject, "resolved", resolved)
    return found


async def test_a_name_is_looked_up_once_and_kept(names: Names, asked: Counter[str]) -> None:
    together = await asyncio.gather(*(names.find("Here", (MINE,)) for _ in range(9)), names.find("here"))
    assert {*map(tuple, together)} == {("192.0.2.1",)}
    assert asked["here"] <= 2  # of two askers each asks for itself
    before = asked["here"]
    assert await names.find("HERE", (OTHERS,)) == ["192.0.2.1"]
    assert asked["here"] == before


async def test_what_is_not_found_is_looked_up_again(names: Names, asked: Counter[str]) -> None:
    for _ in range(2):
        assert not await names.find("gone")
        with pytest.raises(OSError, match="gone does not resolve"):
            await names.resolve("gone", 80)
    assert asked["gone"] == 4


async def test_addresses_are_not_looked_up(names: Names, asked: Counter[str]) -> None:
    for address in ("127.0.0.1", "::1"):
        assert await names.find(address) == (address,)
    assert not asked


async def test_who_takes_its_places_holds_up_nobody_else(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = Event()

    def resolved(host: str) -> list[str]:
        if host.startswith("stalls"):
            go_on.wait(60)
        return ["192.0.2.1"]

    monkeypatch.setattr(subject, "resolved", resolved)

    def waits(seconds: float) -> None:
        monkeypatch.setattr(subject, "RESOLVE_SECONDS", seconds)

    try:
        waits(0.1)
        assert not await names.find("stalls", (MINE,))
        # Its one place is taken for as long as the thread is at it.
        assert not await names.find("well", (MINE,))
        waits(60)
        assert await names.find("well", (OTHERS,))
        waits(0.1)
        assert not await names.find("stalls", (OTHERS,))
    finally:
        go_on.set()
    async with asyncio.timeout(60):
        while names._running:
            await asyncio.sleep(0.01)
    waits(60)
    assert await names.find("stalls", (MINE,))


def test_names_that_stall_hold_up_no_others_look_ups(tmp_path: Path) -> None:
    """With the system's own resolver and a name server that says nothing of some names."""
    resolver = tmp_path / "resolv.conf"
    resolver.write_text("nameserver 127.0.0.1\n")
    apart = ["unshare", "--user", "--map-root-user", "--net", "--mount", "sh", "-c"]
    if (
        not shutil.which("ip")
        or subprocess.run([*apart, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no namespaces of its own may be made here")
    mounted = f'mount --bind {resolver} /etc/resolv.conf && exec "$@"'
    ran = subprocess.run(
        [*apart, mounted, "sh", sys.executable, "-m", "gateway.tests.decision.stalling_names"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=90,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
