"""Round trips of each method, by the server's own count of what it read from its sockets: made by a worker that has seen nothing
of the thread before."""

from __future__ import annotations

import asyncio
from typing import Final

import clew
from clew.adapters.chatkit import ChatKitStore
from servers import Server, find

from ..measure import tell
from ..report import Row, judge
from ..topics import Plan, Topic
from .methods import METHODS, RARE, Call

NAME: Final = "chatkit-round-trips"
NOTE: Final = "reads of the socket for one call, the most of all rounds, by the server's own count; so below"
RARE_NAME: Final = "chatkit-trips-of-the-rare"


async def run(plan: Plan) -> list[Row]:
    """Measure `chatkit-round-trips`, a row for each method."""
    wanted = {f"{name}/{method}": case for name, cases in ((NAME, METHODS), (RARE_NAME, RARE)) for method, case in cases.items()}
    wanted = {name: case for name, case in wanted.items() if plan.wants(name)}
    if not wanted:
        return []
    rows: list[Row] = []
    tell(f"{NAME}: {plan.rounds} rounds of {len(wanted)} methods")
    with Server(find("redis-8.2")) as server:
        async with clew.connect(server.url) as first, clew.connect(server.url) as second:
            writer, kit = ChatKitStore[None](first, owner="ada"), ChatKitStore[None](second, owner="ada")
            # What a connection does once is no part of a call: it is opened, and the scripts are loaded, by these.
            for case in wanted.values():
                await (await case(writer, kit))()
            for name, case in wanted.items():
                counts = [await count_trips(server, await case(writer, kit)) for _ in range(plan.rounds)]
                most = max(counts)
                note = NOTE if not rows else ""
                rows.append(judge(name, most, most, 0, plan.rounds, note=note, unit="trips"))
    return rows


async def count_trips(server: Server, call: Call) -> int:
    """Return how often the server read from its sockets for a call."""
    start = await asyncio.to_thread(_look, server)
    before = await asyncio.to_thread(_look, server)
    await call()
    after = await asyncio.to_thread(_look, server)
    # To look takes reads of its own, the same each time.
    return after - before - (before - start)


def _look(server: Server) -> int:
    return int(server.info("stats")["total_reads_processed"])


TOPIC: Final = Topic((NAME, RARE_NAME), run)
