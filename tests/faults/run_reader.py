"""A process of readers that join a run late, leave it, and come back by their last id. It prints what each of them saw.

Run as `python run_reader.py URL OWNER THREAD READERS`. It takes the ids of runs from its input, a line each, and prints a line of
JSON for each reader when it has seen the end: the run, how often it came back, and its events.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from contextlib import aclosing
from typing import Any

import clew
from clew.errors import NotFoundError
from clew.store import Store


async def read(store: Store, thread: clew.Ref, run: str) -> dict[str, Any]:
    """Return what a reader saw: each event that it was given, in the order of coming, a resync as one without an id."""
    seen: list[list[Any]] = []
    last: str | None = None
    returns = 0
    await asyncio.sleep(random.random())
    while True:
        stay = random.randrange(1, 60)
        try:
            async with aclosing(store.runs.follow(thread, run, after=last)) as events:
                async for event in events:
                    seen.append([event.id, event.kind, event.data.decode()])
                    last = event.id or last
                    stay -= 1
                    if event.is_end or not stay:
                        break
        except NotFoundError:
            # Its producer is still to make it.
            await asyncio.sleep(0.02)
            continue
        if event.is_end:
            return {"run": run, "returns": returns, "seen": seen}
        returns += 1


async def serve(url: str, owner: str, thread: str, readers: int) -> None:
    async with clew.connect(url) as store:

        async def one(run: str) -> None:
            found = await read(store, clew.Ref(owner, thread), run)
            os.write(1, (json.dumps(found) + "\n").encode())

        async with asyncio.TaskGroup() as group:
            while line := await asyncio.to_thread(sys.stdin.readline):
                for _ in range(readers):
                    group.create_task(one(line.strip()))


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
