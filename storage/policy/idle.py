"""What a statement says without effect: actions that no request asks of its resources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .actions import Kind, kind_of
from .grammar import Idle
from .patterns import Pattern


def never_asked(
    bucket: str, actions: Mapping[str, Iterable[str]], resources: Iterable[Pattern]
) -> tuple[Idle, ...]:
    """The texts of actions (with all that each stands for) that are asked of buckets alone, beside resources that are
    objects of `bucket`, or the other way round.
    """
    patterns = tuple(resources)
    reached: set[Kind] = set()
    if any(pattern.may_match(bucket) for pattern in patterns):
        reached.add("bucket")
    if any(pattern.may_match_below(f"{bucket}/") for pattern in patterns):
        reached.add("object")
    kinds = {text: set(map(kind_of, names)) for text, names in actions.items()}
    return tuple(Idle(text, next(iter(of))) for text, of in kinds.items() if of.isdisjoint(reached))
