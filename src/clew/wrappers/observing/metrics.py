"""Counting the operations of a store for Prometheus. What the backend counts itself is read when somebody scrapes."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final
from weakref import WeakValueDictionary

from ...backend import Backend
from ...metering import Hearing, Metering, Meters
from ...records import Partition
from ...runs import NOWHERE, EventId, Run, RunEvent
from ..following import leaving
from . import instruments as found
from .observed import FOLLOWING, WAITING, Following, Verb

RunKey = tuple[Partition, str]
_COUNTERS: Final = {
    "round_trips": found.ROUND_TRIPS,
    "sent_bytes": found.SENT_BYTES,
    "received_bytes": found.RECEIVED_BYTES,
    "retries": found.RETRIES,
    "connections": found.CONNECTIONS,
}
_stores: Final[WeakValueDictionary[int, StoreMetrics]] = WeakValueDictionary()


class Follower:
    """Somebody who follows, and how far.

    Attributes:
        run: which run; None for one who follows a thread.
        at: the newest event that was read.
        events: how many were read.
    """

    __slots__ = ("at", "events", "kind", "run")

    def __init__(self, kind: str, run: RunKey | None, at: EventId) -> None:
        self.kind, self.run, self.at, self.events = kind, run, at, 0


class StoreMetrics:
    """Implements Observer. One store's."""

    def __init__(self, engine: str) -> None:
        self.engine = engine
        self._seconds = found.OPERATION_SECONDS
        self._backend: Backend | None = None
        self._told = Meters()
        self._lock = threading.Lock()
        """Whoever scrapes may do so in a thread of its own."""
        self._followers: dict[int, Follower] = {}
        self._written: dict[RunKey, EventId] = {}
        """The newest event that was written here of each run that is followed here."""
        self._left = dict.fromkeys(FOLLOWING.values(), 0)
        """The events that those were given who follow no more, by kind, and that are not counted yet."""

    def begin(self, backend: Backend) -> None:
        """See Observer.begin."""
        self._backend = backend
        _stores[id(self)] = self

    def end(self) -> None:
        """See Observer.end."""
        if self._backend is not None:
            self.count()
            self._backend = None
        _stores.pop(id(self), None)

    def see(self, operation: str, verb: Verb) -> Verb:
        """See Observer.see."""
        note, engine = self._note, self.engine
        clock = time.perf_counter
        accepts = operation in ("commit", "outlast")
        observe_ok: Callable[[float], None] | None = None

        async def call(*arguments: Any, **named: Any) -> Any:
            nonlocal observe_ok
            began = clock()
            try:
                answer = await verb(*arguments, **named)
            except BaseException as error:
                note(operation, error, clock() - began)
                raise
            took = clock() - began
            if accepts and answer.pending:
                # It is in a journal, and not in the store.
                self._seconds.labels(operation, "pending", engine).observe(took)
                return answer
            if observe_ok is None:
                # Not before: an operation that nobody uses has no lines.
                observe_ok = self._seconds.labels(operation, "ok", engine).observe
            observe_ok(took)
            return answer

        if operation in WAITING:
            return self._see_waiting(operation, verb)
        return self._see_writing(operation, call) if operation in ("append_events", "end_run") else call

    def _see_waiting(self, operation: str, verb: Verb) -> Verb:
        async def call(*arguments: Any, **named: Any) -> Any:
            try:
                return await verb(*arguments, **named)
            except Exception as error:
                self._count_error(operation, error)
                raise

        return call

    def _see_writing(self, operation: str, verb: Verb) -> Verb:
        """Remember how far a run was written, while somebody follows it here."""

        async def append_events(partition: Partition, run: Run, events: Sequence[RunEvent]) -> Any:
            answer = await verb(partition, run, events)
            note(partition, run, events[-1].at)
            return answer

        async def end_run(partition: Partition, run: Run, end: RunEvent) -> Any:
            answer = await verb(partition, run, end)
            note(partition, run, end.at)
            return answer

        def note(partition: Partition, run: Run, at: EventId) -> None:
            if (partition, run.id) in self._written:
                self._written[partition, run.id] = max(at, self._written[partition, run.id])

        return append_events if operation == "append_events" else end_run

    def see_following(self, operation: str, verb: Following) -> Following:
        """See Observer.see_following."""
        kind = FOLLOWING[operation]

        def follow(partition: Partition, what: str, *, after: Any = None) -> AsyncIterator[Any]:
            at = after if isinstance(after, EventId) else NOWHERE
            follower = Follower(kind, (partition, what) if kind == "run" else None, at)
            return self._follow(operation, follower, verb(partition, what, after=after))

        return follow

    async def _follow(self, operation: str, follower: Follower, source: AsyncIterator[Any]) -> AsyncIterator[Any]:
        key, run = id(follower), follower.run
        self._followers[key] = follower
        if run is not None:
            self._written.setdefault(run, NOWHERE)
        try:
            async with leaving(source):
                async for each in source:
                    if run is not None:
                        follower.at = each.at
                    follower.events += 1
                    yield each
        except Exception as error:
            self._count_error(operation, error)
            raise
        finally:
            with self._lock:
                del self._followers[key]
                self._left[follower.kind] += follower.events
            if run is not None and all(other.run != run for other in self._followers.values()):
                del self._written[run]

    def _note(self, operation: str, error: BaseException, seconds: float) -> None:
        if isinstance(error, Exception):
            self._count_error(operation, error)
        outcome = "cancelled" if isinstance(error, asyncio.CancelledError) else type(error).__name__
        self._seconds.labels(operation, outcome, self.engine).observe(seconds)

    def _count_error(self, operation: str, error: Exception) -> None:
        found.ERRORS.labels(operation, type(error).__name__, self.engine).inc()

    # -- when somebody scrapes ----------------------------------------------------------------------------------------

    def count(self) -> Meters:
        """Add what was counted since the last call to the counters, and return all of it."""
        with self._lock:
            return self._count()

    def _count(self) -> Meters:
        now = self._backend.meters() if isinstance(self._backend, Metering) else Meters()
        for name, counter in _COUNTERS.items():
            counter.labels(self.engine).inc(max(0, getattr(now, name) - getattr(self._told, name)))
        self._told = now
        left, self._left = self._left, dict.fromkeys(self._left, 0)
        for follower in list(self._followers.values()):
            events = follower.events
            left[follower.kind] += events
            self._left[follower.kind] -= events
        for kind, given in left.items():
            found.FOLLOWED.labels(kind).inc(max(0, given))
        return now

    def lags(self) -> list[int]:
        """Return how many events each follower of a run has not read, of those that are known here."""
        newest = dict(self._written)
        followers = [each for each in list(self._followers.values()) if each.run is not None]
        for each in followers:
            assert each.run is not None
            heard = self._backend.newest_event(*each.run) if isinstance(self._backend, Hearing) else None
            newest[each.run] = max(newest.get(each.run, NOWHERE), each.at, heard or NOWHERE)
        return [_distance(each.at, newest[each.run]) for each in followers if each.run is not None]

    def followers(self, kind: str) -> int:
        """Return how many follow runs, or threads."""
        return sum(each.kind == kind for each in list(self._followers.values()))


def _distance(at: EventId, newest: EventId) -> int:
    # Of an epoch that the follower has not come to, at least its own events are known.
    return newest.seq - at.seq if newest.epoch == at.epoch else newest.seq + 1


def look() -> None:
    """Take a look at all stores of this process, as a scrape does."""
    stores = [store for ref in _stores.valuerefs() if (store := ref()) is not None]
    connected: dict[str, int] = dict.fromkeys(_engines, 0)
    meters = []
    for store in stores:
        meters.append(store.count())
        connected[store.engine] = connected.get(store.engine, 0) + meters[-1].connected
    _engines.update(connected)
    for engine, number in connected.items():
        found.CONNECTED.labels(engine).set(number)
    for kind in FOLLOWING.values():
        found.FOLLOWERS.labels(kind).set(sum(store.followers(kind) for store in stores))
    lags = [lag for store in stores for lag in store.lags()]
    found.LAG.set(max(lags, default=0))
    found.BEHIND.set(sum(lag > 0 for lag in lags))
    found.DEPTH.set(sum(each.journal_depth or 0 for each in meters))
    found.ASIDE.set(sum(each.journal_aside for each in meters))
    found.OLDEST.set(max((each.journal_oldest_s for each in meters), default=0))
    found.AWAY.set(any(each.away for each in meters))


_engines: Final[set[str]] = set()
found.looks.append(look)
