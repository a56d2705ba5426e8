"""`memory-200-steps`: what a server has more of after a thread grew to 200 messages, one a step, with the writes of each step."""

from __future__ import annotations

import asyncio
import statistics
from typing import Final

from ..measure import tell
from ..report import Row, judge
from ..topics import Plan, Topic
from .field import Field, open_field

NAME: Final = "memory-200-steps"
STEPS: Final = 200
PEERS: Final = ("plainredis", "checkpoint-redis")


async def run(plan: Plan) -> list[Row]:
    """Measure `memory-200-steps`, in megabytes (a million bytes)."""
    async with open_field() as field:
        tell(f"{NAME}: {plan.rounds} threads")
        ours = [await _grow(field, "clew-redis", number) for number in range(plan.rounds)]
        found, missing = await field.find_all(PEERS)
        theirs = {name: await _grow(field, name, 0) for name in found}
    middle = statistics.median(ours)
    note = ", ".join(f"{name} {size:.1f}" for name, size in theirs.items())
    note = f"MB of used_memory for a thread of {STEPS} steps; {note or missing}; the last state alone has 0.135"
    return [judge(NAME, middle, middle, min(theirs.values(), default=0), plan.rounds, note=note, unit="MB")]


async def _grow(field: Field, name: str, number: int) -> float:
    program = await field.find(name)
    server = await field.find_server(name)
    await program.ask("fill", f"warm-{number}", 10)
    before = await asyncio.to_thread(server.info, "memory")
    await program.ask("fill", f"grown-{number}", STEPS)
    after = await asyncio.to_thread(server.info, "memory")
    return (int(after["used_memory"]) - int(before["used_memory"])) / 1e6


TOPIC: Final = Topic((NAME,), run)
