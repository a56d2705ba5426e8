"""From the append in one process to the reader in another: 500 live runs at 2,000 events a second, against bare pub/sub.

The floor is redis-py's PUBLISH in the one and its `listen()` in the other, over as many channels, with the same bytes.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
from collections.abc import Sequence
from typing import Final

from clew import Ref

from ..core.place import Place, make_client, open_place
from ..measure import tell
from ..programs import Program, start_program
from ..report import Row, judge
from ..topics import Plan, Topic
from .events import OWNER, RATE, RUNS, read_delay

NAME: Final = "streams-p99"
WRITER: Final = (sys.executable, "-m", "bench.streams.writer")
EVENTS: Final = 3_000
"""Events in a round."""


class Delays:
    """When events came, after they were made."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.wanted = 0
        self._enough = asyncio.Event()

    def note(self, data: bytes) -> None:
        """Note one that came just now."""
        self.seconds.append(read_delay(data))
        if len(self.seconds) >= self.wanted:
            self._enough.set()

    async def wait(self, count: int) -> None:
        """Start anew, and return when so many have come."""
        self.seconds.clear()
        self.wanted = count
        self._enough.clear()
        await self._enough.wait()


async def run(plan: Plan) -> list[Row]:
    """Measure `streams-p99`."""
    async with open_place() as place, start_program(*WRITER, place.server.url) as writer:
        runs = await writer.ask("runs", RUNS)
        subject, floor = Delays(), Delays()
        tasks = [asyncio.create_task(_follow(place, thread, run, subject)) for thread, run in runs]
        tasks.append(asyncio.create_task(_listen(place, floor)))
        try:
            figures, rates = await _measure(writer, subject, floor, plan.rounds)
        finally:
            await writer.ask("end")
            tasks[-1].cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    rows = []
    reached = f"{rates['subject']:,.0f} and {rates['floor']:,.0f}"
    for name, share, free in ((NAME, 0.99, False), (f"{NAME}/p50", 0.5, True)):
        s, f = (statistics.median(_quantile(times, share) for times in figures[which]) for which in ("subject", "floor"))
        note = f"microseconds that {share:.0%} of the delays are below; {reached} events a second were written"
        rows.append(judge(name, s / f, s * 1e6, f * 1e6, plan.rounds, note=note, free=free))
    return rows


async def _measure(
    writer: Program, subject: Delays, floor: Delays, rounds: int
) -> tuple[dict[str, list[list[float]]], dict[str, float]]:
    """Return the delays, a list a round, and the rates that were reached: the writer waits for each answer."""
    tell(f"{NAME}: {rounds} rounds of {EVENTS:,} events to {RUNS} runs at {RATE:,} a second")
    figures: dict[str, list[list[float]]] = {"subject": [], "floor": []}
    rates: dict[str, list[float]] = {"subject": [], "floor": []}
    for number in range(rounds + 1):
        for name, delays in (("subject", subject), ("floor", floor)):
            gc.collect()
            async with asyncio.timeout(60):
                _, seconds = await asyncio.gather(delays.wait(EVENTS), writer.ask(name, EVENTS))
            # The first round warms up.
            if number:
                figures[name].append(list(delays.seconds))
                rates[name].append(EVENTS / seconds)
    return figures, {name: statistics.median(reached) for name, reached in rates.items()}


async def _follow(place: Place, thread: str, run: str, delays: Delays) -> None:
    async for event in place.store.runs.follow(Ref(OWNER, thread), run):
        if event.kind == "event":
            delays.note(event.data)


async def _listen(place: Place, delays: Delays) -> None:
    async with make_client(place.server) as client, client.pubsub() as pubsub:
        await pubsub.subscribe(*(f"floor:{number}" for number in range(RUNS)))
        async for message in pubsub.listen():
            if message["type"] == "message":
                delays.note(message["data"])


def _quantile(times: Sequence[float], share: float) -> float:
    return sorted(times)[int(len(times) * share)]


TOPIC: Final = Topic((NAME,), run)
