"""The first messages of a new conversation, 1,000 at once in four processes: how many sessions there are afterwards."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from clew import Store

from ..core.place import Place, open_place
from ..measure import tell
from ..report import Row, judge
from ..topics import Plan, Topic
from .place import LEAD_NS, now_ns

NAME: Final = "first-messages-race"
PROCESSES: Final = 4
MESSAGES: Final = 1_000


@asynccontextmanager
async def start_racer(url: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Start `bench.service.racer`; it ends with the block."""
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "bench.service.racer", url, str(MESSAGES // PROCESSES))
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=1 << 20)
    try:
        yield process
        assert process.stdin is not None, "it was started with pipes"
        process.stdin.close()
        await asyncio.wait_for(process.wait(), 30)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def run(plan: Plan) -> list[Row]:
    """Measure `first-messages-race`: the sessions that callers were given, and those that are left, the more of both."""
    tell(f"{NAME}: {plan.rounds} rounds of {MESSAGES:,} messages in {PROCESSES} processes")
    async with AsyncExitStack() as stack:
        place: Place = await stack.enter_async_context(open_place())
        racers = [await stack.enter_async_context(start_racer(place.server.url)) for _ in range(PROCESSES)]
        for racer in racers:
            await _read(racer)
        counts, seconds = [], []
        for number in range(plan.rounds):
            owner = f"race-{number}"
            begin = now_ns() + LEAD_NS
            for racer in racers:
                assert racer.stdin is not None, "it was started with pipes"
                racer.stdin.write(f"{owner} {begin}\n".encode())
            answers = [await _read(racer) for racer in racers]
            given = {session for sessions, _ in answers for session in sessions}
            kept = await _list_sessions(place.store, owner)
            if not given <= kept:
                raise RuntimeError(f"sessions were given that are not there: {given - kept}")
            counts.append(len(kept))
            seconds.append(max(took for _, took in answers))
    most = max(counts)
    note = f"sessions, the most of all rounds; the slowest of {MESSAGES:,} callers had it after {max(seconds):.2f} s"
    return [judge(NAME, most, most, 1, plan.rounds, note=note, unit="sessions")]


async def _read(racer: asyncio.subprocess.Process) -> tuple[list[str], float]:
    """Return the sessions that a racer's callers were given, and the seconds until the last one had it."""
    assert racer.stdout is not None, "it was started with pipes"
    async with asyncio.timeout(120):
        line = await racer.stdout.readline()
    if not line:
        raise RuntimeError("a racer ended: its error stands above")
    sessions, took = json.loads(line)
    return sessions, took


async def _list_sessions(store: Store, owner: str) -> set[str]:
    found: set[str] = set()
    cursor: str | None = None
    while True:
        page = await store.threads.list(owner, limit=1_000, cursor=cursor)
        found |= {thread.id for thread in page}
        if not page.has_more:
            return found
        cursor = page.cursor


TOPIC: Final = Topic((NAME,), run)
