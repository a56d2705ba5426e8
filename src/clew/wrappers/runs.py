"""Runs behind a coding: a run's own data and the data of its events. Kinds, ids, holders and times stay as they are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from msgspec.structs import replace

from ..backend import Backend, Running
from ..errors import FencedError, NotFoundError, UnreadableError
from ..limits import check_partition
from ..records import Partition
from ..run_limits import check_end, check_events, check_run_data, check_run_id
from ..runs import INTERRUPTED, START, TAKEOVER, EventId, EventPage, Retention, Run, RunEvent
from .coding import Coding
from .following import leaving
from .places import of_end, of_event, of_run


class CodedRuns:
    """Implements Running around a backend that has it.

    What verbs other than the reading ones return has its data as it is stored where that cannot be read: a run whose key is
    gone can still be cancelled, interrupted and ended.
    """

    def __init__(self, inner: Backend, coding: Coding) -> None:
        self._backend = inner
        self._coding = coding

    @property
    def _inner(self) -> Running:
        assert isinstance(self._backend, Running)
        return self._backend

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
        _check(partition, run)
        sent = self._coding.encode(of_run(partition, run), check_run_data(data))
        made = await self._inner.start_run(
            partition, run, holder, lease_ms=lease_ms, takes_turn=takes_turn, retention=retention, data=sent
        )
        return self._show(partition, made)

    async def append_events(self, partition: Partition, run: Run, events: Sequence[RunEvent]) -> None:
        """See Running.append_events."""
        _check(partition, run.id)
        check_events(run, events)
        try:
            await self._inner.append_events(partition, run, [self._encode(partition, run.id, event) for event in events])
        except FencedError:
            # The same events may be there as another key, or none, had them.
            if not await self._are_there(partition, run.id, events):
                raise

    async def _are_there(self, partition: Partition, run: str, events: Sequence[RunEvent]) -> bool:
        first = events[0].at
        try:
            page = await self.read_events(partition, run, after=EventId(first.epoch, first.seq - 1), limit=len(events))
        except (NotFoundError, UnreadableError):
            return False
        return [(each.at, each.kind, each.data) for each in page.events] == [(each.at, each.kind, each.data) for each in events]

    async def end_run(self, partition: Partition, run: Run, end: RunEvent) -> Run:
        """See Running.end_run."""
        _check(partition, run.id)
        check_end(run, end)
        try:
            return self._show(partition, await self._inner.end_run(partition, run, self._encode(partition, run.id, end)))
        except FencedError:
            found = self._show(partition, await self._inner.find_run(partition, run.id))
            if found.end is not None and (found.end.at, found.end.kind, found.end.data) == (end.at, end.kind, end.data):
                return found
            raise

    async def renew_run(self, partition: Partition, run: Run, *, lease_ms: int) -> Run:
        """See Running.renew_run."""
        return self._show(partition, await self._inner.renew_run(partition, run, lease_ms=lease_ms))

    async def claim_run(self, partition: Partition, run: str, holder: str, *, lease_ms: int) -> Run:
        """See Running.claim_run."""
        return self._show(partition, await self._inner.claim_run(partition, run, holder, lease_ms=lease_ms))

    async def interrupt_run(self, partition: Partition, run: str, data: bytes = b"") -> Run:
        """See Running.interrupt_run."""
        _check(partition, run)
        sent = self._coding.encode(of_end(partition, run, INTERRUPTED), check_run_data(data, "a terminal event"))
        return self._show(partition, await self._inner.interrupt_run(partition, run, sent))

    async def cancel_run(self, partition: Partition, run: str) -> Run:
        """See Running.cancel_run."""
        return self._show(partition, await self._inner.cancel_run(partition, run))

    async def await_stop(self, partition: Partition, run: Run) -> Run:
        """See Running.await_stop."""
        return self._show(partition, await self._inner.await_stop(partition, run))

    async def find_run(self, partition: Partition, run: str) -> Run:
        """See Running.find_run."""
        return self._open(partition, await self._inner.find_run(partition, run))

    async def list_runs(
        self, partition: Partition, *, only_open: bool = False, limit: int = 20, before: int | None = None
    ) -> Sequence[Run]:
        """See Running.list_runs."""
        found = await self._inner.list_runs(partition, only_open=only_open, limit=limit, before=before)
        return [self._show(partition, run) for run in found]

    async def read_events(self, partition: Partition, run: str, *, after: EventId | None = None, limit: int = 100) -> EventPage:
        """See Running.read_events."""
        page = await self._inner.read_events(partition, run, after=after, limit=limit)
        return EventPage([self._decode(partition, run, event) for event in page.events], page.has_more)

    def follow_events(self, partition: Partition, run: str, *, after: EventId | None = None) -> AsyncIterator[RunEvent]:
        """See Running.follow_events."""
        return self._follow(partition, run, self._inner.follow_events(partition, run, after=after))

    async def _follow(self, partition: Partition, run: str, events: AsyncIterator[RunEvent]) -> AsyncIterator[RunEvent]:
        async with leaving(events):
            async for event in events:
                yield self._decode(partition, run, event)

    def _encode(self, partition: Partition, run: str, event: RunEvent) -> RunEvent:
        return replace(event, data=self._coding.encode(_place(partition, run, event), event.data))

    def _decode(self, partition: Partition, run: str, event: RunEvent) -> RunEvent:
        if not event.data and event.kind in (START, TAKEOVER):
            # The store's own.
            return event
        try:
            return replace(event, data=self._coding.decode(_place(partition, run, event), event.data))
        except UnreadableError as e:
            raise UnreadableError(f"the event {event.at} of the run {run!r} cannot be read: {e}") from e

    def _open(self, partition: Partition, run: Run) -> Run:
        try:
            data = self._coding.decode(of_run(partition, run.id), run.data)
        except UnreadableError as e:
            raise UnreadableError(f"the data of the run {run.id!r} cannot be read: {e}") from e
        return replace(run, data=data, end=None if run.end is None else self._decode(partition, run.id, run.end))

    def _show(self, partition: Partition, run: Run) -> Run:
        try:
            return self._open(partition, run)
        except UnreadableError:
            # Whoever only looks after it goes on.
            return run


def _check(partition: Partition, run: str) -> None:
    check_partition(partition)
    check_run_id(run)


def _place(partition: Partition, run: str, event: RunEvent) -> bytes:
    if event.is_end:
        return of_end(partition, run, event.kind)
    return of_event(partition, run, event.at, event.kind)
