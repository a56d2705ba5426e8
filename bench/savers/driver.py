"""A program of its own: one saver, driven as a graph drives it, and timed here, ordered line by line.

    python -m bench.savers.driver KIND URL

Each line of its input is the name of an order below and its arguments; each line of its output is JSON. What is made ready for
a measurement is not in its seconds.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from typing import Any, Final

from .contenders import SAVERS, Saver
from .conversation import Conversation, Step

STEPS: Final = 10
"""How many steps of a thread are timed, at five messages below the size that is meant to five above it."""


class Driver:
    """The orders, as methods; their arguments are words."""

    def __init__(self, saver: Saver) -> None:
        self._saver = saver
        self._threads: dict[str, Conversation] = {}
        self._made = 0

    async def do(self, line: str) -> object:
        """Do what a line says, and return the answer."""
        order, *words = line.split()
        method = getattr(self, f"order_{order}")
        return await method(*words)

    # -- not timed ----------------------------------------------------------------------------------------------------------

    async def order_fill(self, name: str, size: str) -> int:
        """Let a thread grow to this many messages, with the writes and the checkpoint of each step. Returns how many it has."""
        talk = self._threads[name] = Conversation(self._saver, name)
        await self._put(talk, talk.begin(1))
        for _ in range(int(size) - 1):
            step = talk.go_on()
            await self._write(step)
            await self._put(talk, step)
        return await self._count(talk)

    async def order_delta(self, name: str, steps: str) -> int:
        """Let a thread grow whose messages are a delta channel."""
        talk = self._threads[name] = Conversation(self._saver, name, delta=True)
        await self._put(talk, talk.begin())
        for _ in range(int(steps)):
            step = talk.go_on()
            await self._write(step)
            await self._put(talk, step)
        return len(talk.messages)

    async def order_take(self, name: str) -> int:
        """Read a thread that another worker wrote, to go on from there."""
        talk = self._threads[name] = Conversation(self._saver, name)
        found = await self._saver.aget_tuple(talk.config)
        assert found is not None, f"there is no thread {name}"
        talk.resume(found)
        return len(talk.messages)

    async def order_begin(self, name: str, size: str) -> int:
        """Put the first checkpoint of a thread."""
        talk = self._threads[name] = Conversation(self._saver, name)
        await self._put(talk, talk.begin(int(size)))
        return len(talk.messages)

    async def order_write(self, name: str) -> int:
        """Put the writes of a thread's next step, and not its checkpoint."""
        await self._write(self._threads[name].go_on())
        return len(self._threads[name].messages)

    async def order_step(self, name: str) -> int:
        """Put the checkpoint of a thread's next step, and not its writes."""
        talk = self._threads[name]
        await self._put(talk, talk.go_on())
        return len(talk.messages)

    # -- timed: seconds for one operation -------------------------------------------------------------------------------------

    async def order_put(self, size: str, threads: str) -> float:
        """Put ten steps each of some new threads around this size, one message more each time."""
        took = 0.0
        for _ in range(int(threads)):
            talk = await self._begin(int(size) - STEPS // 2)
            gc.collect()
            for _ in range(STEPS):
                step = talk.go_on()
                start = time.perf_counter()
                config = await self._saver.aput(step.config, step.checkpoint, step.metadata, step.changed)
                took += time.perf_counter() - start
                talk.note(config)
        return took / (int(threads) * STEPS)

    async def order_get(self, names: str, count: str) -> float:
        """Get the last checkpoint of some threads (their names with commas) in turn, this often in all."""
        configs = [self._threads[name].config for name in names.split(",")]
        gc.collect()
        start = time.perf_counter()
        for number in range(int(count)):
            await self._saver.aget_tuple(configs[number % len(configs)])
        return (time.perf_counter() - start) / int(count)

    async def order_history(self, name: str, count: str) -> list[float]:
        """Get the history of a thread's delta channel. Returns the writes it has, then the seconds."""
        talk = self._threads[name]
        gc.collect()
        start = time.perf_counter()
        for _ in range(int(count)):
            found = await self._saver.aget_delta_channel_history(config=talk.config, channels=["messages"])
        return [len(found["messages"]["writes"]), (time.perf_counter() - start) / int(count)]

    async def order_together(self, size: str, threads: str) -> float:
        """Take ten steps each in some new threads, all at once: writes, checkpoint, and a reading of it."""
        talks = [await self._begin(int(size) - STEPS // 2) for _ in range(int(threads))]
        gc.collect()
        start = time.perf_counter()
        await asyncio.gather(*(self._work(talk) for talk in talks))
        return (time.perf_counter() - start) / (int(threads) * STEPS * 3)

    async def _work(self, talk: Conversation) -> None:
        for _ in range(STEPS):
            step = talk.go_on()
            await self._write(step)
            await self._put(talk, step)
            await self._saver.aget_tuple(talk.config)

    # -- one operation ------------------------------------------------------------------------------------------------------

    async def _begin(self, size: int) -> Conversation:
        self._made += 1
        talk = Conversation(self._saver, f"new-{self._made}")
        await self._put(talk, talk.begin(size))
        return talk

    async def _put(self, talk: Conversation, step: Step) -> None:
        talk.note(await self._saver.aput(step.config, step.checkpoint, step.metadata, step.changed))

    async def _write(self, step: Step) -> None:
        await self._saver.aput_writes(step.config, step.writes, step.task, step.path)

    async def _count(self, talk: Conversation) -> int:
        found = await self._saver.aget_tuple(talk.config)
        messages: list[Any] = [] if found is None else found.checkpoint["channel_values"]["messages"]
        assert messages == talk.messages, "what was put is not what is got"
        return len(messages)


async def main(kind: str, url: str) -> None:
    """Do what the lines of the input say, until it ends."""
    async with SAVERS[kind](url) as saver:
        driver = Driver(saver)
        gc.collect()
        gc.freeze()
        while line := await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(await driver.do(line)), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
