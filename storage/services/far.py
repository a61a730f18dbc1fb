"""Calls to backends that somebody waits for: few at once of each tenant and backend, and none for long.

A web process has few threads, and a backend that stalls would keep them all. Over the number one caller waits a
moment for a place, as a backend that is well soon leaves one, and others are refused at once. What takes longer than
its time goes on in a thread of its own, where it keeps its place until it is done. Within the S3 door's own bounds
(`bounded`) nothing is bounded again. Each process counts by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLong
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from threading import Condition
from typing import Final, TypeVar

from gateway.errors import Unavailable, UpstreamTimeout

T = TypeVar("T")

SECONDS: Final = 10.0
_PATIENCE: Final = 1.0
_MOST_OF_ONE, _MOST = 2, 3  # of a web process's threads (WEB_THREADS, 5) some are always left
_threads: Final = ThreadPoolExecutor(_MOST, thread_name_prefix="backends")
_taken: Final[dict[tuple[str, int], int]] = {}
_free: Final = Condition()
_waits = False
_is_bounded: Final[ContextVar[bool]] = ContextVar("is_bounded", default=False)


@contextmanager
def bounded() -> Iterator[None]:
    """Around work whose number and waiting somebody else bounds."""
    token = _is_bounded.set(True)
    try:
        yield
    finally:
        _is_bounded.reset(token)


@contextmanager
def place(tenant_id: int, backend_id: int) -> Iterator[None]:
    """Around calls that end by themselves. Raises Unavailable, `backend_busy`, where no place is free."""
    if _is_bounded.get():
        yield
        return
    with ExitStack() as stack:
        _enter(stack, tenant_id, backend_id)
        yield


def ask(work: Callable[[], T], tenant_id: int, backend_id: int, *, seconds: float = SECONDS) -> T:
    """What `work` answers, or raises; it runs in another thread and so touches no row.

    Raises Unavailable, `backend_busy`, where no place is free, UpstreamTimeout, `backend_timeout`, after `seconds`.
    """
    if _is_bounded.get():
        return work()
    with ExitStack() as stack:
        _enter(stack, tenant_id, backend_id)
        running: Future[T] = _threads.submit(work)
        places = stack.pop_all()
        running.add_done_callback(lambda _: places.close())
    try:
        return running.result(seconds)
    except TooLong as e:
        if running.done():
            raise  # the work's own
        raise UpstreamTimeout(
            f"The backend did not answer within {seconds:.0f} seconds; what it was asked may still be done.",
            code="backend_timeout",
        ) from e


def _enter(stack: ExitStack, tenant_id: int, backend_id: int) -> None:
    wanted = {("tenant", tenant_id): _MOST_OF_ONE, ("backend", backend_id): _MOST_OF_ONE, ("all", 0): _MOST}

    def is_free() -> bool:
        return all(_taken.get(which, 0) < most for which, most in wanted.items())

    with _free:
        if not (is_free() or _waited_for(is_free)):
            raise Unavailable(
                "The backend is slow and is being asked already; try again.", code="backend_busy"
            )
        for which in wanted:
            _taken[which] = _taken.get(which, 0) + 1
    stack.callback(_leave, tuple(wanted))


def _waited_for(is_free: Callable[[], bool]) -> bool:
    global _waits
    if _waits:
        return False
    _waits = True
    try:
        return _free.wait_for(is_free, _PATIENCE)
    finally:
        _waits = False


def _leave(which: tuple[tuple[str, int], ...]) -> None:
    with _free:
        for one in which:
            _taken[one] -= 1
            if not _taken[one]:
                del _taken[one]
        _free.notify_all()
