"""`delta-history`: of a delta channel whose writes stand at 200 ancestors: round trips, and the time beside the peers."""

from __future__ import annotations

import asyncio
import statistics
from typing import Final

from servers import Server

from ..measure import tell
from ..report import Row, judge, judge_cost
from ..topics import Plan, Topic
from .field import PEERS, open_field

NAME: Final = "delta-history"
TIME: Final = f"{NAME}/time"
ANCESTORS: Final = 200


async def run(plan: Plan) -> list[Row]:
    """Measure `delta-history`; its time against the quickest of the peers informs only."""
    async with open_field() as field:
        names = ("clew-redis", "clew-sqlite", "memory", *PEERS)
        programs, _ = await field.find_all(names)
        for program in programs.values():
            await program.ask("delta", "delta", ANCESTORS)
            writes, _ = await program.ask("history", "delta", 1)
            if writes != ANCESTORS:
                raise RuntimeError(f"the history has {writes} writes of {ANCESTORS}: this is no fair reading")
        tell(f"{NAME}: {plan.rounds} rounds by {', '.join(programs)}")
        ours, server = programs["clew-redis"], await field.find_server("clew-redis")
        trips = 0
        times: dict[str, list[float]] = {name: [] for name in programs}
        for _ in range(plan.rounds):
            start = await asyncio.to_thread(_look, server)
            before = await asyncio.to_thread(_look, server)
            await ours.ask("history", "delta", 1)
            after = await asyncio.to_thread(_look, server)
            # To look takes reads of its own, the same each time.
            trips = max(trips, after - before - (before - start))
            for name, program in programs.items():
                times[name].append((await program.ask("history", "delta", 2))[1])
    middles = {name: statistics.median(figures) for name, figures in times.items()}
    note = ", ".join(f"{name} {seconds * 1e3:.1f}" for name, seconds in middles.items())
    note = f"reads of the socket, the most of all rounds; milliseconds: {note}"
    rows = [judge(NAME, trips, trips, 1, plan.rounds, note=note, unit="trips")]
    quickest = min((name for name in PEERS if name in times), key=lambda name: middles[name], default=None)
    if quickest is not None:
        rows.append(judge_cost(TIME, times["clew-redis"], times[quickest], note=f"floor: {quickest}", free=True))
    return rows


def _look(server: Server) -> int:
    return int(server.info("stats")["total_reads_processed"])


TOPIC: Final = Topic((NAME,), run)
