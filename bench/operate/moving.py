"""Importing a foreign layout, against reading the same lists raw and appending what they hold in batches.

Both read from one server and write to another, emptied before each turn. The floor looks at nothing: it knows the sessions, reads
their lists with redis-py, and appends as many at once, under ids that are made, to as many threads at once.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, cast

import redis.asyncio as redis

import clew
from clew import NewItem, Ref, Store
from clew.moving import move
from clew.moving.lists import MOST
from clew.moving.mover import WIDE
from servers import Server, find

from ..core.place import OWNER, make_client
from ..measure import Work, interleave
from ..report import Row, judge_cost
from ..topics import Plan, Topic

NAME: Final = "import-rate"
ITEMS: Final = 100_000
SHAPES: Final = {"sessions": 1_000, "one-list": 1}
"""How many sessions the items are in."""
ROUNDS: Final = 5
"""Of 100,000 items each."""
LAYOUT: Final = "openai-agents"

Sessions = dict[str, int]


async def run(plan: Plan) -> list[Row]:
    """Measure `import-rate` for many sessions and for one."""
    rows: list[Row] = []
    for shape, sessions in SHAPES.items():
        name = f"{NAME}/{shape}"
        if not plan.wants(name):
            continue
        async with _open(sessions) as works:
            times = await interleave(name, works, rounds=ROUNDS, count=ITEMS)
        note = f"{ITEMS:,} items of 500 bytes in {sessions:,} sessions of {LAYOUT}; {ROUNDS} rounds, whatever --rounds says"
        rows.append(judge_cost(name, times["subject"], times["floor"], note=note))
    return rows


@asynccontextmanager
async def _open(sessions: int) -> AsyncGenerator[dict[str, Work]]:
    with Server(find("redis-8.2")) as source, Server(find("redis-8.2")) as target:
        async with make_client(source, links=WIDE) as reader, clew.connect(target.url) as store:
            await _write(reader, sessions, ITEMS // sessions)

            async def subject(_: int) -> None:
                report = await move(LAYOUT, source.url, store, OWNER, lambda done, total: None)
                assert report.items == ITEMS, report

            async def floor(_: int) -> None:
                few = asyncio.Semaphore(WIDE)

                async def bring(session: str) -> None:
                    async with few:
                        await _copy(reader, store, session)

                await asyncio.gather(*(bring(str(n)) for n in range(sessions)))

            yield {"subject": _on_empty(target, subject), "floor": _on_empty(target, floor)}


def _on_empty(target: Server, work: Callable[[int], Awaitable[None]]) -> Work:
    async def begin(count: int) -> None:
        target.call("FLUSHALL", "ASYNC")
        await work(count)

    return begin


async def _write(client: redis.Redis, sessions: int, each: int) -> None:
    for session in range(sessions):
        for start in range(0, each, 1_000):
            data = [
                json.dumps({"role": "user", "content": f"{n} " + "lorem ipsum " * 38})
                for n in range(start, min(start + 1_000, each))
            ]
            await client.rpush(f"agents:session:{session}:messages", *data)


async def _copy(client: redis.Redis, store: Store, session: str) -> None:
    key, start = f"agents:session:{session}:messages", 0
    while found := cast(list[bytes], await client.lrange(key, start, start + MOST - 1)):
        await store.items.append(Ref(OWNER, session), [NewItem(data) for data in found], create=True)
        start += len(found)


TOPIC: Final = Topic((NAME,), run)
