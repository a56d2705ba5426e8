"""The way of a producer's events to the store: in order, without a gap, those that wait together in one trip."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final

from ...backend import Running
from ...errors import ClewError, FencedError, NotFoundError, NotReplicatedError, UnavailableError
from ...records import Partition
from ...run_limits import MAX_APPEND_BYTES, MAX_EVENTS_AT_ONCE
from ...runs import Run, RunEvent
from .repeating import repeat

_UNKNOWN: Final = (UnavailableError, NotReplicatedError)
"""What leaves open whether something was written."""
_FINAL: Final = (FencedError, NotFoundError)
"""What no later call can mend."""


class _Parcel:
    """The events of one call, and the future of whoever waits for them."""

    __slots__ = ("events", "future", "size")

    def __init__(self, events: Sequence[RunEvent], future: asyncio.Future[None]) -> None:
        self.events = events
        self.future = future
        self.size = sum(len(event.data) for event in events)


class Queue:
    """One producer's events on their way.

    The caller who finds nothing under way sends its own; those who come meanwhile go together in the next trip. A trip whose
    outcome is unknown stays in front, and is made again, with the very same events, before any other.
    """

    def __init__(self, running: Running, partition: Partition, run: Run) -> None:
        self._running = running
        self._partition = partition
        self._run = run
        self._waiting: deque[_Parcel] = deque()
        self._trip: list[_Parcel] = []
        self._is_unsure = False
        """Whether the trip may have been made already."""
        self._is_sending = False
        self._rested = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.next_seq = 1
        """The number of the next event. Who reads it goes on to `send` without giving way."""

    async def send(self, events: Sequence[RunEvent]) -> None:
        """Return when these events, which begin at `next_seq`, are stored. A caller that is cancelled does not take them back."""
        parcel = _Parcel(events, asyncio.get_running_loop().create_future())
        self._waiting.append(parcel)
        self.next_seq += len(events)
        try:
            if not self._is_sending:
                await self._lead()
            await parcel.future
        except asyncio.CancelledError:
            parcel.future.cancel()
            raise

    async def drain(self) -> None:
        """Return when nothing waits; raise what keeps it from being stored."""
        while self._trip or self._waiting:
            if self._is_sending:
                await self._rested.wait()
                continue
            error = await self._lead()
            if error is not None:
                raise error

    async def _lead(self) -> Exception | None:
        """Make the next trip here, and leave what came meanwhile to a task; return what went wrong."""
        self._is_sending = True
        self._rested.clear()
        try:
            error = await self._travel()
        except asyncio.CancelledError:
            self._task = asyncio.create_task(self._go_on())
            raise
        if error is None and self._waiting:
            self._task = asyncio.create_task(self._go_on())
        else:
            self._rest()
        return error

    async def _go_on(self) -> None:
        try:
            while self._trip or self._waiting:
                if await self._travel() is not None:
                    return
        finally:
            self._rest()

    def _rest(self) -> None:
        self._is_sending = False
        self._rested.set()

    def _pack(self) -> None:
        """Put what waits into the next trip, as much as one may hold."""
        count = size = 0
        while self._waiting:
            parcel = self._waiting[0]
            count += len(parcel.events)
            size += parcel.size
            if self._trip and (count > MAX_EVENTS_AT_ONCE or size > MAX_APPEND_BYTES):
                return
            self._trip.append(self._waiting.popleft())

    async def _travel(self) -> Exception | None:
        """Make one trip until its outcome is known, and tell its callers; return what went wrong."""
        if not self._trip:
            self._pack()
        events = [event for parcel in self._trip for event in parcel.events]
        try:
            await repeat(lambda: self._attempt(events))
        except Exception as error:
            self._tell_all(error)
            return error
        arrived, self._trip = self._trip, []
        self._is_unsure = False
        for parcel in arrived:
            if not parcel.future.done():
                parcel.future.set_result(None)
        return None

    async def _attempt(self, events: Sequence[RunEvent]) -> None:
        try:
            await self._running.append_events(self._partition, self._run, events)
        except BaseException as error:
            # What the store refuses was not written, this time.
            is_refused = isinstance(error, ClewError) and not isinstance(error, _UNKNOWN)
            self._is_unsure = self._is_unsure or not is_refused
            raise

    def _tell_all(self, error: Exception) -> None:
        """Tell every caller that its events are not stored, as far as is known; forget those that surely are not."""
        told = [*self._trip, *self._waiting]
        if not self._is_unsure or isinstance(error, _FINAL):
            self.next_seq = told[0].events[0].at.seq
            self._trip, self._is_unsure = [], False
            self._waiting.clear()
        for parcel in told:
            if not parcel.future.done():
                parcel.future.set_exception(error)
