"""Rounds: each contender does its operations in turn, again and again, so that a slow moment of the machine meets all of them."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Awaitable, Callable, Mapping

Work = Callable[[int], Awaitable[object]]
"""Does this many operations."""


def tell(text: str) -> None:
    """Print a line of progress."""
    print(text, file=sys.stderr, flush=True)


async def interleave(title: str, works: Mapping[str, Work], *, rounds: int, count: int) -> dict[str, list[float]]:
    """Return the seconds that one operation took, a figure a round, for each contender.

    Before the rounds each one warms up with half a round. What is alive then is kept out of the garbage collector's way, which
    runs before each round, and in it as it would anywhere.

    Args:
        works: the contenders by name, in the order of their turns.
        rounds: how many, at least 5.
        count: operations in a round.
    """
    if rounds < 5:
        raise ValueError(f"a median of {rounds} rounds says little: use at least 5")
    tell(f"{title}: {rounds} rounds of {count:,}")
    for work in works.values():
        await work((count + 1) // 2)
    times: dict[str, list[float]] = {name: [] for name in works}
    gc.collect()
    gc.freeze()
    try:
        for _ in range(rounds):
            for name, work in works.items():
                gc.collect()
                start = time.perf_counter()
                await work(count)
                times[name].append((time.perf_counter() - start) / count)
    finally:
        gc.unfreeze()
    return times
