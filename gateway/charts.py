"""Charts as the pages draw them: paths in a box of fixed size, which the page stretches, and the same as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

WIDTH, HEIGHT = 1000, 200
MOST_POINTS = 250
MOST_ROWS = 60

Point = tuple[datetime, float]


@dataclass(frozen=True, slots=True)
class Chart:
    """What `_chart.html` shows. `said` is the chart in one sentence."""

    name: str
    title: str
    now: str
    mean: str
    most: str
    said: str
    path: str
    area: str
    scale: list[str]
    times: list[str]
    lines: list[float]
    limit_y: float | None
    rows: list[tuple[str, str]]
    width: int = WIDTH
    height: int = HEIGHT


def draw(
    name: str,
    title: str,
    points: Iterable[Point],
    *,
    begin: datetime,
    end: datetime,
    words: Callable[[float], str],
    limit: float | None = None,
    binary: bool = False,
) -> Chart | None:
    """The chart of what was measured from `begin` to `end`, oldest first; None where nothing was.

    `words` says a value for people. The `limit` is drawn where the values come near it. With `binary` the scale is
    round in powers of 1,024, as `words` says bytes.
    """
    found = thinned([point for point in points if begin <= point[0] <= end])
    if not found:
        return None
    values = [value for _, value in found]
    most, mean = max(values), sum(values) / len(values)
    top = limit if limit and most > limit / 3 else _round_up(most, 1024 if binary else 10)
    runs = list(_runs(found, begin, end, top))
    clock = "%H:%M" if end - begin <= timedelta(days=1) else "%d %b %H:%M"
    times = [begin, begin + (end - begin) / 2, end]
    return Chart(
        name=name,
        title=title,
        now=words(values[-1]),
        mean=words(mean),
        most=words(most),
        said=f"{title}: now {words(values[-1])}, mean {words(mean)}, most {words(most)}, since {begin:%H:%M} UTC.",
        path=" ".join(_line(run) for run in runs),
        area=" ".join(_area(run) for run in runs),
        scale=[words(top), words(top / 2), words(0)],
        times=[time.strftime(clock) for time in times],
        lines=[1, HEIGHT / 2, HEIGHT - 1],
        limit_y=1 if limit and top == limit else None,
        rows=[(f"{at:%Y-%m-%d %H:%M:%S}", words(value)) for at, value in reversed(thinned(found, MOST_ROWS))],
    )


def thinned(points: list[Point], most: int = MOST_POINTS) -> list[Point]:
    """At most about `most` of them, each the peak of its neighbours; the last one stays."""
    step = -(-len(points) // most) or 1
    if step == 1:
        return points
    peaks = [
        max(points[at : at + step], key=lambda point: point[1]) for at in range(0, len(points) - 1, step)
    ]
    return [*peaks, points[-1]]


def _runs(
    points: list[Point], begin: datetime, end: datetime, top: float
) -> Iterable[list[tuple[float, float]]]:
    """The points in the box, broken where nothing was measured for long."""
    seconds = (end - begin).total_seconds()
    gaps = sorted((after[0] - before[0]).total_seconds() for before, after in pairwise(points))
    gap = max(4 * gaps[len(gaps) // 2], 60.0) if gaps else 0.0
    run: list[tuple[float, float]] = []
    last: datetime | None = None
    for at, value in points:
        if last is not None and (at - last).total_seconds() > gap:
            yield run
            run = []
        x = WIDTH * (at - begin).total_seconds() / seconds
        run.append((round(x, 1), round(HEIGHT - (HEIGHT - 2) * min(1.0, value / top), 1)))
        last = at
    yield run


def _line(run: list[tuple[float, float]]) -> str:
    if len(run) == 1:
        run = [(run[0][0] - 1, run[0][1]), (run[0][0] + 1, run[0][1])]
    return "M" + "L".join(f"{x:g},{y:g}" for x, y in run)


def _area(run: list[tuple[float, float]]) -> str:
    return f"{_line(run)}L{run[-1][0]:g},{HEIGHT}L{run[0][0]:g},{HEIGHT}Z"


def _round_up(value: float, base: int) -> float:
    """The next of 1, 2, 5, 10, 20, … times a power of the base."""
    if value <= 0:
        return 1.0
    unit = 1.0
    while unit * base <= value:
        unit *= base
    while unit > value:
        unit /= base
    factors = (factor * ten for ten in (1, 10, 100) for factor in (1, 2, 5))
    return next((factor * unit for factor in factors if value <= factor * unit < base * unit), base * unit)
