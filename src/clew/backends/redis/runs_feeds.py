"""What is heard of the runs that are followed here: one feed a run, whatever the number of its readers.

A feed keeps the newest events, each proved to stand right after the one before. Readers take them from there, and read the
log themselves where they are further behind. What is heard is only the fast path: after every doubt the log is read.
"""

from __future__ import annotations

import asyncio
import random
from bisect import bisect_left
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from ...errors import ClewError, ClosedError, GoneError, UnreadableError
from ...runs import EventId, EventPage, RunEvent
from .hub import Hub
from .runs_keys import RunKeys
from .runs_records import decode_value, parse_id

KEPT: Final = 128
"""Events that a feed keeps for its readers, at most."""
KEPT_BYTES: Final = 1 << 20
"""Bytes of data of those events, roughly at most."""
MOST_AT_ONCE: Final = 512
"""Events read from the log at once, at most."""
PAGE_BYTES: Final = 4 << 20
"""Bytes of data that a page is to have, at most; the first page may have eight times as many."""
SAFETY_S: Final = 10.0
"""How long a feed that hears nothing waits until it looks at the log, in seconds; each by chance up to a third less."""

Read: TypeAlias = Callable[[EventId, int], Awaitable[EventPage]]


class Pace:
    """How many events to read at once: twice as many after a full page of few bytes, fewer after one of many."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 32

    def note(self, page: EventPage) -> None:
        """Take the measure of a page that was read."""
        size = sum([len(event.data) for event in page.events])
        if size > PAGE_BYTES:
            self.count = max(1, self.count * PAGE_BYTES // size)
        elif page.has_more:
            self.count = min(2 * self.count, MOST_AT_ONCE)


class Feed:
    """The newest events of one run.

    Args:
        read: returns the events after an id, from the log.
    """

    def __init__(self, hub: Hub, keys: RunKeys, read: Read) -> None:
        self.readers = 0
        self.channel = keys.told
        self.moves = 0
        """How often there was something new, or might have been."""
        self.renewals = 0
        """How often the subscription was made anew: what a page read before that lacks may never be heard."""
        self.dropped = False
        """Whether the thread was dropped. Its tombstone may have been for no time at all."""
        self._hub = hub
        self._loop = hub.client.loop
        self._read = read
        self._base: EventId | None = None
        self._events: deque[RunEvent] = deque()
        self._bytes = 0
        self._next = b""
        self._waiting: list[asyncio.Future[None]] = []
        self._filling: asyncio.Task[None] | None = None
        self._again = False
        self._look = self._loop.call_later(SAFETY_S * random.uniform(0.67, 1.0), self._look_anyway)
        self._quiet = True

    @property
    def last(self) -> EventId | None:
        """The newest event that is known, None where nothing is."""
        return self._events[-1].at if self._events else self._base

    def after(self, cursor: EventId) -> Sequence[RunEvent] | None:
        """Return the events after a cursor that are known, in order; None where the log must be read for them."""
        last = self.last
        if last is None or self._base is None:
            return None
        if cursor >= last:
            return ()
        if cursor == self._base:
            return tuple(self._events)
        if cursor < self._base:
            return None
        if last.epoch == cursor.epoch and last.seq - cursor.seq < len(self._events):
            # The common case: it is a few events behind.
            found = len(self._events) - (last.seq - cursor.seq)
        else:
            found = bisect_left(self._events, cursor, key=_at) + 1
        if found < 1 or found > len(self._events) or self._events[found - 1].at != cursor:
            return None
        return [self._events[number] for number in range(found, len(self._events))]

    def seed(self, cursor: EventId, renewals: int) -> None:
        """Take it from a reader that nothing follows this cursor, unless the subscription was made anew since it asked."""
        if self.last is None and renewals == self.renewals:
            self._begin(cursor)

    async def wait(self, seen: int) -> None:
        """Return when something moved, at once where it has since `moves` was `seen`.

        Raises:
            UnavailableError: the log could not be read.
            GoneError: the thread was dropped.
            ClosedError: the store was closed.
        """
        if self.dropped:
            raise GoneError("the thread of this run has been deleted")
        if self._hub.closed:
            raise ClosedError("this store was closed: connect again")
        if self.moves != seen:
            return
        future: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append(future)
        try:
            await future
        finally:
            if not future.done() or future.cancelled():
                self._waiting = [other for other in self._waiting if other is not future]

    def hear(self, message: bytes | None) -> None:
        """Take a message: an event that is exactly the next one; for anything else the log is read."""
        if message is None:
            self.renewals += 1
            if self._hub.closed:
                self._wake()
            else:
                self._fill()
            return
        self._quiet = False
        if message == b"gone":
            self.dropped = True
            self._fail(GoneError("the thread of this run has been deleted"))
            return
        try:
            self._take(message)
        except UnreadableError:
            # Not of clew's making, or of a newer one's: the log tells.
            self._fill()

    def _take(self, message: bytes) -> None:
        if self._next and self._filling is None and message.startswith(self._next):
            self._add(decode_value(self._following(), message[len(self._next) :]))
            self._wake()
            return
        id, _, value = message.partition(b" ")
        if not id:
            self._fill()
            return
        at = parse_id(id)
        last = self.last
        if last is None and at.seq:
            # Nobody has told yet where the log ends; this is where it goes on.
            self._begin(EventId(at.epoch, at.seq - 1))
            self._add(decode_value(at, value))
            self._wake()
        elif last is None or at > last:
            self._fill()

    def close(self) -> None:
        """Nobody reads it any more."""
        self._look.cancel()
        if self._filling is not None:
            self._filling.cancel()

    def _begin(self, base: EventId) -> None:
        self._events.clear()
        self._bytes = 0
        self._base = base
        self._next = b"%d-%d " % (base.epoch, base.seq + 1)

    def _following(self) -> EventId:
        last = self.last
        assert last is not None
        return EventId(last.epoch, last.seq + 1)

    def _add(self, event: RunEvent) -> None:
        events = self._events
        events.append(event)
        self._bytes += len(event.data)
        while len(events) > KEPT or (self._bytes > KEPT_BYTES and len(events) > 1):
            oldest = events.popleft()
            self._base = oldest.at
            self._bytes -= len(oldest.data)
        self._next = b"%d-%d " % (event.at.epoch, event.at.seq + 1)

    def _wake(self) -> None:
        self.moves += 1
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def _fill(self) -> None:
        """Read the log after the newest event that is known. Where none is, each reader does it from its own place."""
        if self.last is None:
            self._wake()
        elif self._filling is not None:
            self._again = True
        else:
            self._filling = self._loop.create_task(self._read_log(), name="clew-redis-fill")

    async def _read_log(self) -> None:
        pace = Pace()
        try:
            while True:
                self._again = False
                last = self.last
                assert last is not None
                page = await self._read(last, pace.count)
                pace.note(page)
                for event in page.events:
                    self._add(event)
                if not page.has_more and not self._again:
                    break
        except ClewError as error:
            self._fail(error)
        finally:
            self._filling = None
        # Also where nothing came: a run may have lost its log, and ended.
        self._wake()

    def _fail(self, error: ClewError) -> None:
        """Tell the readers; the next one begins anew."""
        self.moves += 1
        waiting, self._waiting = self._waiting, []
        self._events.clear()
        self._base, self._next = None, b""
        for future in waiting:
            if not future.done():
                future.set_exception(error)

    def _look_anyway(self) -> None:
        if self._hub.closed:
            return
        if self._quiet:
            self._fill()
        self._quiet = True
        self._look = self._loop.call_later(SAFETY_S * random.uniform(0.67, 1.0), self._look_anyway)


def _at(event: RunEvent) -> EventId:
    return event.at
