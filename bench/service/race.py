"""The first messages of a new conversation, 1,000 at once in four processes: how many sessions there are afterwards."""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack
from typing import Final

from clew import Store

from ..core.place import Place, open_place
from ..measure import tell
from ..programs import start_program
from ..report import Row, judge
from ..topics import Plan, Topic
from .place import LEAD_NS, now_ns

NAME: Final = "first-messages-race"
PROCESSES: Final = 4
MESSAGES: Final = 1_000


async def run(plan: Plan) -> list[Row]:
    """Measure `first-messages-race`: the sessions that callers were given, and those that are left, the more of both."""
    tell(f"{NAME}: {plan.rounds} rounds of {MESSAGES:,} messages in {PROCESSES} processes")
    async with AsyncExitStack() as stack:
        place: Place = await stack.enter_async_context(open_place())
        command = (sys.executable, "-m", "bench.service.racer", place.server.url, str(MESSAGES // PROCESSES))
        racers = [await stack.enter_async_context(start_program(*command)) for _ in range(PROCESSES)]
        for racer in racers:
            await racer.receive()
        counts, seconds = [], []
        for number in range(plan.rounds):
            owner = f"race-{number}"
            begin = now_ns() + LEAD_NS
            for racer in racers:
                await racer.send(owner, begin)
            answers = [await racer.receive() for racer in racers]
            given = {session for sessions, _ in answers for session in sessions}
            kept = await _list_sessions(place.store, owner)
            if not given <= kept:
                raise RuntimeError(f"sessions were given that are not there: {given - kept}")
            counts.append(len(kept))
            seconds.append(max(took for _, took in answers))
    most = max(counts)
    note = f"sessions, the most of all rounds; the slowest of {MESSAGES:,} callers had it after {max(seconds):.2f} s"
    return [judge(NAME, most, most, 1, plan.rounds, note=note, unit="sessions")]


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
