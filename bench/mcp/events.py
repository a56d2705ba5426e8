"""Events of MCP streams: kept by clew, and by fastmcp's own event store on its own Redis store, on one server in the same run.

One writer waits for each event before the next; two writers of one stream are two workers, each with connections of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Final

from fastmcp.server.event_store import EventStore as FastEventStore
from key_value.aio.stores.redis import RedisStore
from mcp.server.streamable_http import EventMessage, EventStore
from mcp.types import JSONRPCNotification

import clew
from clew.adapters.mcp import ClewEventStore
from servers import Server

from ..core.place import make_client, open_place
from ..measure import Work, interleave
from ..report import Row, judge, judge_throughput
from ..topics import Plan, Topic

NAME: Final = "event-store-append"
ONE: Final = f"{NAME}/one-writer"
TWO: Final = f"{NAME}/two-writers"
LOST: Final = f"{NAME}/lost"
CALLS: Final = 200
KEEP: Final = 100
"""As many as fastmcp keeps of a stream by default."""
RACED: Final = 200
"""Events of each of two writers, all of which must be there afterwards."""
STREAM: Final = "7"


def make_event(number: int = 0) -> JSONRPCNotification:
    """Return a message as a tool sends it while it works: 128 bytes of progress."""
    params = {"progressToken": 1, "progress": number, "message": "step " + "." * 30}
    return JSONRPCNotification(jsonrpc="2.0", method="notifications/progress", params=params)


async def run(plan: Plan) -> list[Row]:
    """Measure `event-store-append`."""
    rows: list[Row] = []
    async with AsyncExitStack() as stack:
        place = await stack.enter_async_context(open_place())
        other = await stack.enter_async_context(clew.connect(place.server.url))
        ours = [ClewEventStore(store, scope="bench", keep=KEEP) for store in (place.store, other)]
        theirs = [await _make_theirs(stack, place.server, KEEP) for _ in range(2)]
        for name, writers in ((ONE, 1), (TWO, 2)):
            if plan.wants(name):
                works = {"subject": _append(ours[:writers]), "floor": _append(theirs[:writers])}
                times = await interleave(name, works, rounds=plan.rounds, count=CALLS)
                note = "floor: fastmcp's EventStore on py-key-value's RedisStore, by default as many events kept"
                rows.append(judge_throughput(name, times["subject"], times["floor"], note=note))
        if plan.wants(LOST):
            racers = [ClewEventStore(store, scope="race") for store in (place.store, other)]
            theirs = [await _make_theirs(stack, place.server, 2 * RACED + 1) for _ in range(2)]
            ours_lost, theirs_lost = await _race(racers), await _race(theirs)
            note = f"of {2 * RACED} events that two workers write to one stream; the floor column has what fastmcp's loses"
            rows.append(judge(LOST, ours_lost, ours_lost, theirs_lost, 1, note=note, unit="events"))
    return rows


async def _make_theirs(stack: AsyncExitStack, server: Server, keep: int) -> EventStore:
    client = await stack.enter_async_context(make_client(server))
    # The store wants text, so it has a client of its own kind.
    client.connection_pool.connection_kwargs["decode_responses"] = True
    return FastEventStore(RedisStore(client=client), max_events_per_stream=keep)


def _append(stores: Sequence[EventStore]) -> Work:
    async def write(store: EventStore, count: int) -> None:
        event = make_event()
        for _ in range(count):
            await store.store_event(STREAM, event)

    async def work(count: int) -> None:
        await asyncio.gather(*(write(store, count // len(stores)) for store in stores))

    return work


async def _race(stores: Sequence[EventStore]) -> int:
    """Return how many events of two writers at once are not replayed."""
    first = await stores[0].store_event("race", None)
    found: set[object] = set()

    async def write(store: EventStore, start: int) -> None:
        for number in range(start, start + RACED):
            await store.store_event("race", make_event(number))

    async def see(event: EventMessage) -> None:
        assert isinstance(event.message, JSONRPCNotification), "as they were written"
        found.add((event.message.params or {})["progress"])

    await asyncio.gather(*(write(store, n * RACED) for n, store in enumerate(stores)))
    await stores[0].replay_events_after(first, see)
    return 2 * RACED - len(found)


TOPIC: Final = Topic((ONE, TWO, LOST), run)
