"""The decision process's own limiter: a minute's worth at once, then the pace of the rate; bounded memory."""

from __future__ import annotations

from gateway.decision.limits import Limits


class Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def admitted(limits: Limits, times: int, rate: int, caller: str = "a", group: str = "s3") -> int:
    return sum(limits.take(group, caller, rate) == 0 for _ in range(times))


def test_a_minutes_worth_at_once_and_no_more() -> None:
    limits = Limits(now=Clock())
    assert admitted(limits, 100, 60) == 60
    assert limits.take("s3", "a", 60) == 1


def test_then_the_pace_of_the_rate() -> None:
    clock = Clock()
    limits = Limits(now=clock)
    assert admitted(limits, 100, 60) == 60
    clock.at += 5
    assert admitted(limits, 100, 60) == 5
    clock.at += 3600
    assert admitted(limits, 100, 60) == 60


def test_a_slow_rate_says_how_long() -> None:
    clock = Clock()
    limits = Limits(now=clock)
    assert limits.take("s3", "a", 1) == 0
    assert limits.take("s3", "a", 1) == 60
    clock.at += 59.5
    assert limits.take("s3", "a", 1) == 1
    clock.at += 0.5
    assert limits.take("s3", "a", 1) == 0


def test_callers_and_groups_count_apart() -> None:
    limits = Limits(now=Clock())
    assert admitted(limits, 5, 3, "a") == 3
    assert admitted(limits, 5, 3, "b") == 3
    assert admitted(limits, 5, 3, "a", "forward") == 3


def test_none_is_no_limit_and_is_not_remembered() -> None:
    limits = Limits(now=Clock())
    assert admitted(limits, 1000, 0) == 1000
    assert len(limits) == 0


def test_a_new_rate_counts_from_the_next_request() -> None:
    limits = Limits(now=Clock())
    assert admitted(limits, 100, 60) == 60
    assert limits.take("s3", "a", 600) == 1
    assert limits.take("s3", "a", 0) == 0


def test_memory_is_bounded_whoever_comes() -> None:
    clock = Clock()
    limits = Limits(callers=1000, now=clock)
    for number in range(10_000):
        limits.take("s3", f"stranger-{number}", 60)
        clock.at += 0.001
    assert len(limits) <= 1000


def test_the_busy_are_not_forgotten_for_strangers() -> None:
    clock = Clock()
    limits = Limits(callers=100, now=clock)
    assert admitted(limits, 3, 3, "busy") == 3
    for number in range(1000):
        limits.take("s3", f"stranger-{number}", 3)
        assert limits.take("s3", "busy", 3) > 0
