"""Small objects in their rows against files of their own: what STORAGE_INLINE_LIMIT should be."""

from __future__ import annotations

from collections.abc import Iterator

from bench import load
from bench.load import Load
from bench.measures import Signer
from bench.peers import Peers
from bench.table import Row
from tests.instance import Instance, Member, running

SIZES = (4 << 10, 16 << 10, 64 << 10)
KEYS = 1000


def inlining(instance: Instance, peers: Peers) -> Iterator[Row]:
    """Each size with a limit above it; the peer is an instance of the same with a limit of nothing."""
    with running(STORAGE_INLINE_LIMIT="1M") as rows, running(STORAGE_INLINE_LIMIT="0") as files:
        members = {each: each.member() for each in (rows, files)}
        for member in members.values():
            member.bucket("small")
        for size in SIZES:
            for method in ("PUT", "GET"):
                inline, filed = (_rate(each, member, method, size) for each, member in members.items())
                yield Row(
                    f"{size >> 10} KiB {method} in the row (in a file), 64 at once", "/s", inline, filed
                )


def _rate(instance: Instance, member: Member, method: str, size: int) -> float:
    """The GETs read what the PUTs before them wrote."""
    sign = Signer(member)
    targets = [sign(method, "small", f"{size}/{number}") for number in range(KEYS)]
    return load.run(Load(instance.port, targets, method, b"x" * size if method == "PUT" else b"")).rate
