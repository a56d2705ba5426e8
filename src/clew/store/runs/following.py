"""Following a run: settle it if it is stale, then yield its events, and prove by their ids that none is missing."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator

from ...backend import Running
from ...errors import UnknownCursorError
from ...records import Partition
from ...runs import NOWHERE, EventId, Run, RunEvent, resync
from .looks import Looks


async def settle(running: Running, partition: Partition, run: Run) -> Run:
    """Return the run; where it is stale, mark it `interrupted` first."""
    return await running.interrupt_run(partition, run.id) if run.is_stale else run


async def follow(
    running: Running, looks: Looks, partition: Partition, run: str, after: EventId | None
) -> AsyncGenerator[RunEvent]:
    """See Runs.follow."""
    found = await settle(running, partition, await running.find_run(partition, run))
    with looks.keep(running, partition, found):
        try:
            async with contextlib.aclosing(_chain(running, partition, run, after, after or NOWHERE)) as events:
                async for event in events:
                    yield event
            return
        except UnknownCursorError:
            if after is None:
                raise
        # The reader holds an event that the log does not know: what it has is not this log's.
        yield resync()
        async with contextlib.aclosing(_chain(running, partition, run, None, None)) as events:
            async for event in events:
                yield event


async def _chain(
    running: Running, partition: Partition, run: str, after: EventId | None, last: EventId | None
) -> AsyncGenerator[RunEvent]:
    """Yield the events, with a resync before one that does not stand right after `last` (None: whatever comes first)."""
    events = running.follow_events(partition, run, after=after)
    try:
        async for event in events:
            if last is not None and event.before != last:
                yield resync()
            yield event
            last = event.at
    finally:
        if isinstance(events, AsyncGenerator):
            await events.aclose()
