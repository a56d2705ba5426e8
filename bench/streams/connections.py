"""How many connections a process holds that follows 500 runs."""

from __future__ import annotations

import asyncio
from typing import Final

import clew
from clew import Ref
from servers import Server

from ..core.place import open_place
from ..report import Row, judge
from ..topics import Plan, Topic
from .events import OWNER, RUNS

NAME: Final = "streams-connections"


async def run(plan: Plan) -> list[Row]:
    """Measure `streams-connections`: what the server counts more when a second store has joined that follows every run."""
    async with open_place() as place:
        producers = []
        for number in range(RUNS):
            thread = await place.store.threads.create(OWNER, id=f"t{number}")
            producers.append(await place.store.runs.start(thread))
        before = await asyncio.to_thread(_count, place.server)
        async with clew.connect(place.server.url) as store:
            seen = [asyncio.create_task(_follow(store, f"t{n}", producer.id)) for n, producer in enumerate(producers)]
            most = 0
            for _ in range(plan.rounds):
                await asyncio.gather(*(producer.append(b"an event") for producer in producers))
                most = max(most, await asyncio.to_thread(_count, place.server))
            await asyncio.gather(*(producer.finish() for producer in producers))
            counts = await asyncio.gather(*seen)
    if set(counts) != {plan.rounds + 2}:
        raise RuntimeError(f"the followers saw {sorted(set(counts))} events of {plan.rounds + 2}: this is no fair count")
    note = "more connections on the server than before, at most; the floor is the count before, the producers' own"
    return [judge(NAME, most - before, most, before, plan.rounds, note=note)]


async def _follow(store: clew.Store, thread: str, run: str) -> int:
    return len([event async for event in store.runs.follow(Ref(OWNER, thread), run)])


def _count(server: Server) -> int:
    return int(server.info("clients")["connected_clients"])


TOPIC: Final = Topic((NAME,), run)
