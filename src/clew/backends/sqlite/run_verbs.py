"""The verbs of runs on a SQLite backend, each checked here and worked out in a thread."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Final

from ...errors import GoneError, InvalidError, NotFoundError
from ...limits import check_id, check_limit, check_partition, check_ttl
from ...records import Partition
from ...run_limits import (
    MAX_EVENTS_AT_ONCE,
    check_after,
    check_end,
    check_events,
    check_retention,
    check_run_data,
    check_run_id,
)
from ...runs import LARGEST_NUMBER, EventId, EventPage, Retention, Run, RunEvent
from . import run_reading as reading
from . import run_writing as writing
from .engine import Engine
from .watching import record_topic, run_topic

EVENTS_AT_ONCE: Final = 200


class RunVerbs:
    """Implements Running on an engine."""

    _engine: Engine

    async def start_run(
        self,
        partition: Partition,
        run: str,
        holder: str,
        *,
        lease_ms: int,
        takes_turn: bool,
        retention: Retention,
        data: bytes = b"",
    ) -> Run:
        """See Running.start_run."""
        _check_names(partition, run)
        check_id(holder, "the holder")
        check_ttl(lease_ms)
        check_retention(retention)
        check_run_data(data)
        return await self._engine.write(
            lambda unit: writing.start(unit, partition, run, holder, lease_ms, takes_turn, retention, data)
        )

    async def append_events(self, partition: Partition, run: Run, events: Sequence[RunEvent]) -> None:
        """See Running.append_events."""
        _check_names(partition, run.id)
        check_events(run, events)
        await self._engine.write(lambda unit: writing.append(unit, partition, run, events))

    async def end_run(self, partition: Partition, run: Run, end: RunEvent) -> Run:
        """See Running.end_run."""
        _check_names(partition, run.id)
        check_end(run, end)
        return await self._engine.write(lambda unit: writing.end(unit, partition, run, end))

    async def renew_run(self, partition: Partition, run: Run, *, lease_ms: int) -> Run:
        """See Running.renew_run."""
        _check_names(partition, run.id)
        check_ttl(lease_ms)
        return await self._engine.write(lambda unit: writing.renew(unit, partition, run, lease_ms))

    async def claim_run(self, partition: Partition, run: str, holder: str, *, lease_ms: int) -> Run:
        """See Running.claim_run."""
        _check_names(partition, run)
        check_id(holder, "the holder")
        check_ttl(lease_ms)
        return await self._engine.write(lambda unit: writing.claim(unit, partition, run, holder, lease_ms))

    async def interrupt_run(self, partition: Partition, run: str, data: bytes = b"") -> Run:
        """See Running.interrupt_run."""
        _check_names(partition, run)
        check_run_data(data, "a terminal event")
        return await self._engine.write(lambda unit: writing.interrupt(unit, partition, run, data))

    async def cancel_run(self, partition: Partition, run: str) -> Run:
        """See Running.cancel_run."""
        _check_names(partition, run)
        return await self._engine.write(lambda unit: writing.cancel(unit, partition, run))

    async def await_stop(self, partition: Partition, run: Run) -> Run:
        """See Running.await_stop."""
        _check_names(partition, run.id)
        with self._engine.watch.listen(record_topic(partition, run.id)) as ear:
            while True:
                ear.rung.clear()
                now = await self._engine.read(lambda unit: reading.find(unit, partition, run.id))
                if not now.is_open or now.cancel_ms is not None or now.epoch > run.epoch:
                    return now
                await ear.rung.wait()

    async def find_run(self, partition: Partition, run: str) -> Run:
        """See Running.find_run."""
        _check_names(partition, run)
        return await self._engine.read(lambda unit: reading.find(unit, partition, run))

    async def list_runs(
        self, partition: Partition, *, only_open: bool = False, limit: int = 20, before: int | None = None
    ) -> Sequence[Run]:
        """See Running.list_runs."""
        check_partition(partition)
        check_limit(limit)
        if before is not None and (isinstance(before, bool) or not isinstance(before, int) or not 0 <= before <= LARGEST_NUMBER):
            raise InvalidError(f"`before` is the number of a run, not {before!r}")
        return await self._engine.read(lambda unit: reading.list_runs(unit, partition, only_open, limit, before))

    async def read_events(self, partition: Partition, run: str, *, after: EventId | None = None, limit: int = 100) -> EventPage:
        """See Running.read_events."""
        _check_names(partition, run)
        place = check_after(after)
        check_limit(limit, most=MAX_EVENTS_AT_ONCE)
        return await self._engine.read(lambda unit: reading.read_events(unit, partition, run, place, limit))

    def follow_events(self, partition: Partition, run: str, *, after: EventId | None = None) -> AsyncIterator[RunEvent]:
        """See Running.follow_events."""
        _check_names(partition, run)
        return self._follow(partition, run, check_after(after))

    async def _follow(self, partition: Partition, run: str, after: EventId) -> AsyncIterator[RunEvent]:
        number: int | None = None
        with self._engine.watch.listen(run_topic(partition, run)) as ear:
            while True:
                ear.rung.clear()
                has_more = True
                while has_more:
                    work = partial(reading.read_part, partition=partition, run=run, after=after, limit=EVENTS_AT_ONCE)
                    try:
                        found, events, has_more, end = await self._engine.read(work)
                    except GoneError:
                        raise
                    except NotFoundError as error:
                        if number is None:
                            raise
                        raise GoneError(f"the run {run!r} has been deleted") from error
                    if number is not None and found != number:
                        raise GoneError(f"the run {run!r} has been deleted")
                    number = found
                    for event in events:
                        yield event
                        after = event.at
                if end is not None:
                    return
                await ear.rung.wait()


def _check_names(partition: Partition, run: str) -> None:
    check_partition(partition)
    check_run_id(run)
