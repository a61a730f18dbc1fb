"""kill -9 of each process in turn while clients write and read: what was promised holds."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections import Counter
from typing import Any

import pytest

from tests.faults.conftest import Moto
from tests.faults.listener import Listener, wait_open
from tests.faults.load import LONGEST_REQUEST, Client, Ledger, listed, read
from tests.instance import Instance, until

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

CLIENTS = 3  # of each bucket
BEFORE_SECONDS = 4.0
AFTER_SECONDS = 6.0
SETTLE_SECONDS = 60.0

PROCESSES = ["web", "live", "decision", "worker", "beat", "front", "caddy", "postgres", "valkey"]
WITH_CHILDREN = ["web", "worker", "postgres"]


@pytest.mark.parametrize("name", PROCESSES)
def test_of_a_process(instance: Instance, provider: Moto, name: str) -> None:
    def kill() -> None:
        before = instance.main_pid(name)
        assert before
        os.kill(before, signal.SIGKILL)
        until(lambda: instance.main_pid(name) not in (None, before), 30, f"{name} is started again")

    _survives(instance, provider, kill)


@pytest.mark.parametrize("name", WITH_CHILDREN)
def test_of_a_child(instance: Instance, provider: Moto, name: str) -> None:
    """Processes that keep others: the newest of them dies, which its parent has to notice."""

    def killed() -> bool:
        children = set(instance.pids(name)) - {instance.main_pid(name)}
        with contextlib.suppress(
            ProcessLookupError, ValueError
        ):  # it has just ended by itself, or there is none
            os.kill(max(children), signal.SIGKILL)
            return True
        return False

    _survives(instance, provider, lambda: until(killed, 10, f"a child of {name} is killed", pause=0))


def _survives(instance: Instance, provider: Moto, kill: Any) -> None:
    member = instance.member()
    remote = instance.remote(provider.url, "any", "any")
    ledgers = [Ledger(member.bucket("own")), Ledger(member.bucket("elsewhere", remote))]
    listener = Listener(member.api, "types=storage.object.*")
    listener.start()
    wait_open(listener)

    over = threading.Event()
    s3 = member.s3(connect_timeout=5, read_timeout=LONGEST_REQUEST, max_pool_connections=2 * CLIENTS)
    clients = [Client(number, s3, ledger, over) for ledger in ledgers for number in range(CLIENTS)]
    for client in clients:
        client.start()
    time.sleep(BEFORE_SECONDS)
    kill()
    time.sleep(AFTER_SECONDS)
    until(instance.healthy, SETTLE_SECONDS, "the platform is healthy again")
    over.set()
    for client in clients:
        client.join(2 * LONGEST_REQUEST)

    for ledger in ledgers:
        print(ledger.bucket, dict(ledger.answers), f"longest {ledger.longest:.1f} s")
        assert not ledger.wrong
        assert ledger.longest < LONGEST_REQUEST
        assert not any("Timeout" in answer for answer in ledger.answers)
        assert ledger.answers["write: ok"] > 5
    _settles(lambda: _differences(s3, ledgers, listener))
    _settles(lambda: _differences_there(provider, s3, ledgers[1].bucket))
    listener.close()


def _settles(differences: Any) -> None:
    """Within a minute nothing differs any more."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while found := differences():
        assert time.monotonic() < deadline, "\n".join(found)
        time.sleep(1)


def _differences(s3: Any, ledgers: list[Ledger], listener: Listener) -> list[str]:
    """Where lists, bodies and events are not what was acknowledged."""
    found = []
    for ledger in ledgers:
        there = listed(s3, ledger.bucket)
        for key in ledger.keys.values():
            held = there.pop(key.name, None)
            if held not in key.possible:
                found.append(f"{ledger.bucket}/{key.name} is listed as {held}, not {key.possible}")
            elif read(s3, ledger.bucket, key.name) != held:
                found.append(f"{ledger.bucket}/{key.name} is listed as {held} and not readable as that")
        found += [f"{ledger.bucket}/{name} was never written" for name in there]
        found += _differences_of_events(ledger, listener.events)
    if listener.ids != sorted(set(listener.ids)):
        found.append("an event came twice, or out of order")
    return found


def _differences_of_events(ledger: Ledger, events: list[dict[str, Any]]) -> list[str]:
    """Each acknowledged write once, no other that was not tried, and the last one is what the key holds."""
    seen: dict[str, list[str | None]] = {name: [] for name in ledger.keys}
    for event in events:
        bucket, _, name = event["subject"].partition("/")
        if bucket == ledger.bucket:
            seen[name].append(None if event["type"] == "storage.object.deleted" else event["data"]["etag"])
    found = []
    for key in ledger.keys.values():
        told = seen[key.name]
        times = Counter(told)
        found += [
            f"{ledger.bucket}/{key.name}: {etag} was told {times[etag]} times"
            for etag in key.written
            if times[etag] != 1
        ]
        if strange := set(told) - key.tried - {None}:
            found.append(f"{ledger.bucket}/{key.name}: told of {strange}")
        if (told[-1] if told else None) not in key.possible:
            found.append(f"{ledger.bucket}/{key.name}: told {told[-1:]} last, not {key.possible}")
    return found


def _differences_there(provider: Moto, s3: Any, bucket: str) -> list[str]:
    """Where the provider's own list is not ours."""
    ours = listed(s3, bucket)
    with provider.s3() as theirs:
        names = [each["Name"] for each in theirs.list_buckets()["Buckets"]]
        if any(listed(theirs, name) == ours for name in names):
            return []
    return [f"no bucket of the provider holds what {bucket} lists: {ours}"]
