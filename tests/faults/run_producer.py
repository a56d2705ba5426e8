"""A process that makes a run, or goes on with one whose producer was killed. It prints each event that was acknowledged.

Run as `python run_producer.py URL OWNER THREAD RUN COUNT LEASE`, the lease in seconds. A line is `<event id> <data>`, and
the last one is `end <state>`.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys

import clew
from clew.errors import AlreadyExistsError, ConflictError, FencedError
from clew.store import Store

FENCED = 3
"""The exit code of a producer that was replaced."""


async def begin(store: Store, thread: clew.Ref, run: str, lease: float) -> clew.Producer | None:
    """Return the run's producer; None where it has ended."""
    while True:
        try:
            return await store.runs.start(thread, id=run, lease=lease, takes_turn=False)
        except AlreadyExistsError:
            pass
        try:
            return await store.runs.take_over(thread, run, lease=lease)
        except ConflictError:
            if not (await store.runs.get(thread, run)).is_open:
                return None
        await asyncio.sleep(0.01)


def say(text: str) -> None:
    """Print a line at once and whole."""
    os.write(1, f"{text}\n".encode())


async def produce(url: str, owner: str, thread: str, run: str, count: int, lease: float) -> None:
    async with clew.connect(url) as store:
        producer = await begin(store, clew.Ref(owner, thread), run, lease)
        if producer is None:
            say(f"end {(await store.runs.get(clew.Ref(owner, thread), run)).state}")
            return
        async with producer:

            async def one(number: int) -> None:
                data = f"{producer.run.epoch}.{number}.{random.randrange(10**9)}"
                say(f"{await producer.append(data.encode())} {data}")

            for number in range(0, count, 4):
                # Several at once, as the parts of an answer come.
                await asyncio.gather(*(one(number + n) for n in range(random.randint(1, 4))))
                await asyncio.sleep(random.random() * 0.02)
        say(f"end {producer.run.state}")


if __name__ == "__main__":
    try:
        asyncio.run(produce(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]), float(sys.argv[6])))
    except* FencedError:
        # On a busy machine its lease ran out, and somebody was quick: it is told, and goes.
        sys.exit(FENCED)
