"""Calls to backends that somebody waits for: how long, and how many at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import sleep

import pytest

from gateway.errors import Unavailable, UpstreamTimeout
from storage.services import far


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(far, "_PATIENCE", 0.01)


@pytest.fixture
def go_on() -> Iterator[Event]:
    event = Event()
    yield event
    event.set()


def test_what_takes_too_long_is_told_and_keeps_its_place(go_on: Event) -> None:
    for _ in range(2):
        with pytest.raises(UpstreamTimeout) as late:
            far.ask(go_on.wait, 1, 7, seconds=0.01)
        assert (late.value.code, late.value.status) == ("backend_timeout", 504)
    for tenant_id, backend_id in ((1, 8), (2, 7)):
        with pytest.raises(Unavailable) as busy:
            far.ask(lambda: True, tenant_id, backend_id)
        assert (busy.value.code, busy.value.status) == ("backend_busy", 503)
    assert far.ask(lambda: "others", 2, 8) == "others"
    with far.bounded():
        assert far.ask(lambda: "of the door", 1, 7) == "of the door"


def test_a_place_is_free_again(go_on: Event) -> None:
    with far.place(3, 9), far.place(3, 9):
        with pytest.raises(Unavailable), far.place(3, 9):
            raise AssertionError
        assert far.ask(lambda: True, 4, 10)
    for _ in range(5):
        assert far.ask(lambda: True, 3, 9)


def test_one_caller_waits_a_moment_for_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(far, "_PATIENCE", 10)
    entered = Event()

    def third() -> str:
        entered.set()
        with far.place(6, 12):
            return "entered"

    with ThreadPoolExecutor(1) as threads:
        with far.place(6, 12), far.place(6, 12):
            waiting = threads.submit(third)
            assert entered.wait(30)
            while not far._waits:
                sleep(0.001)
            with pytest.raises(Unavailable), far.place(6, 12):
                raise AssertionError
        assert waiting.result(30) == "entered"


def test_what_it_raises_is_raised() -> None:
    for error in (ValueError, TimeoutError):

        def work(error: type[Exception] = error) -> None:
            raise error

        with pytest.raises(error):
            far.ask(work, 5, 11)
