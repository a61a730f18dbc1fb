"""Rows of ours against theirs, measured in turns so that what disturbs the machine disturbs both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

NAME, FIGURE = 58, 14


@dataclass(frozen=True)
class Row:
    """`aim` is the least ratio that is hoped for; None where there is none. `peer` None: nothing to compare."""

    name: str
    unit: str
    figure: float
    peer: float | None = None
    aim: float | None = None
    less_is_better: bool = False

    def __str__(self) -> str:
        cells = [f"{self.name:<{NAME}}", f"{_said(self.figure, self.unit):>{FIGURE}}"]
        if self.peer is not None:
            ratio = self.figure / self.peer
            cells += [f"{_said(self.peer, self.unit):>{FIGURE}}", f"{ratio:>8.2f}"]
            if self.aim is not None:
                cells.append(f"   ≥ {self.aim:<5}{'' if ratio >= self.aim else ' missed'}")
            elif self.less_is_better:
                cells.append(f"   {_said(self.figure - self.peer, self.unit)} added")
        return "".join(cells).rstrip()


def heading() -> str:
    titles = f"{'measured':<{NAME}}{'gateway':>{FIGURE}}{'peer':>{FIGURE}}{'ratio':>8}   aim"
    return f"{titles}\n{'-' * (len(titles) + 6)}"


def in_turns(ours: Callable[[], float], theirs: Callable[[], float], rounds: int = 3) -> tuple[float, float]:
    """The medians of both, each measured `rounds` times, one after the other."""
    figures = [(ours(), theirs()) for _ in range(rounds)]
    return median(own for own, _ in figures), median(peer for _, peer in figures)


def _said(value: float, unit: str) -> str:
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.2f} {unit}"
