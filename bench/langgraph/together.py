"""`throughput-16`: sixteen threads of 20 messages in one process at once, against the best of the savers on Redis.

Each takes ten steps: the writes of a task, the checkpoint with one message more, and a reading of it.
"""

from __future__ import annotations

import statistics
from typing import Final

from ..report import Row, judge_throughput, miss
from ..topics import Plan, Topic
from .field import describe, open_field, take_turns

NAME: Final = "throughput-16"
THREADS: Final = 16
SIZE: Final = 20
PEERS: Final = ("plainredis", "checkpoint-redis")
ORIENTATION: Final = ("memory", "clew-sqlite", "checkpoint-sqlite")


async def run(plan: Plan) -> list[Row]:
    """Measure `throughput-16`."""
    async with open_field() as field:
        programs, missing = await field.find_all(("clew-redis", *PEERS, *ORIENTATION))
        if not any(name in programs for name in PEERS):
            return [miss(NAME, "; ".join(missing.values()))]
        times = await take_turns(NAME, programs, f"together {SIZE} {THREADS}", plan.rounds)
    best = min((name for name in PEERS if name in times), key=lambda name: statistics.median(times[name]))
    others = describe(times, [name for name in times if name != "clew-redis"], "clew-redis")
    note = f"floor: {best}; an operation took, as a multiple of clew's on Redis: {others}"
    return [judge_throughput(NAME, times["clew-redis"], times[best], note=note)]


TOPIC: Final = Topic((NAME,), run)
