"""A program of its own: it writes events to many runs, or publishes as many messages, at a steady rate.

    python -m bench.streams.writer REDIS_URL

Each line of its input is a word and numbers; each line of its output is JSON. `runs N`: make N runs and say their ids.
`subject N` and `floor N`: write N events at RATE a second, one run after the other. `end`: end the runs.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

import clew
from clew import Ref
from clew.store.runs import Producer

from .events import OWNER, RATE, make_event


class Writer:
    """Producers of many runs, and a client beside them."""

    def __init__(self, store: clew.Store, client: redis.Redis) -> None:
        self._store = store
        self._client = client
        self._producers: list[Producer] = []

    async def make_runs(self, count: int) -> list[tuple[str, str]]:
        """Make runs, each in a thread of its own; return the names of threads and runs."""
        for number in range(count):
            thread = await self._store.threads.create(OWNER, id=f"t{number}")
            self._producers.append(await self._store.runs.start(Ref(OWNER, thread.id), lease=600))
        return [(f"t{number}", producer.id) for number, producer in enumerate(self._producers)]

    async def write(self, count: int) -> float:
        """Append `count` events at the rate; return the seconds it took."""
        producers = self._producers
        return await _pace(count, lambda number: producers[number % len(producers)].append(make_event()))

    async def publish(self, count: int) -> float:
        """Publish `count` messages at the rate; return the seconds it took."""
        channels, publish = [f"floor:{number}" for number in range(len(self._producers))], self._client.publish
        return await _pace(count, lambda number: publish(channels[number % len(channels)], make_event()))

    async def end(self) -> None:
        """End every run."""
        await asyncio.gather(*(producer.finish() for producer in self._producers))


async def _pace(count: int, write: Callable[[int], Awaitable[object]]) -> float:
    """Write at a steady rate whatever the answers take; what is due at the same moment is written one after the other."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    for number in range(count):
        due = begin + number / RATE
        if due > loop.time():
            await asyncio.sleep(due - loop.time())
        await write(number)
    return loop.time() - begin


async def main(url: str) -> None:
    """Do what the lines say."""
    parts = urlsplit(url)
    options: dict[str, Any] = {"host": parts.hostname, "port": parts.port, "protocol": 2, "socket_timeout": None}
    async with clew.connect(url) as store, redis.Redis(**options, retry=Retry(NoBackoff(), 0)) as client:
        writer = Writer(store, client)
        while line := (await asyncio.to_thread(sys.stdin.readline)).split():
            answer: object = None
            if line[0] == "runs":
                answer = await writer.make_runs(int(line[1]))
            elif line[0] == "subject":
                answer = await writer.write(int(line[1]))
            elif line[0] == "floor":
                answer = await writer.publish(int(line[1]))
            else:
                await writer.end()
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
