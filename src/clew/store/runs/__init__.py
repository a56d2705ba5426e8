"""The verbs for runs: answers made apart from the request that asked for them, and read by whoever comes, from wherever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from functools import cached_property

from ...backend import Backend, Running
from ...errors import AlreadyExistsError, ConflictError, InvalidError, NotFoundError
from ...ids import new_id
from ...limits import MAX_PAGE, check_limit
from ...model import Page, ThreadKey
from ...records import Partition
from ...run_limits import check_retention, check_run_data, check_run_id
from ...runs import LARGEST_NUMBER, EventId, EventPage, Retention, Run, RunEvent, new_run_id
from ..checks import partition_of, ttl_ms_of
from .following import follow, settle
from .looks import Looks
from .needs import need_running
from .producer import Producer
from .repeating import repeat

__all__ = ["Producer", "Runs"]

LEASE_S = 15.0
"""How long a producer that says nothing is believed to live."""


LONGEST_WAIT_S = 86_400


class Runs:
    """The verbs for the runs of a thread, on one backend. Made by `Store`; a producer's own verbs are on `Producer`.

    A run that is open although its producer's lease ran out is marked `interrupted` by whatever verb meets it.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._looks = Looks()

    @cached_property
    def _running(self) -> Running:
        """The backend's runs, asked for once: the check costs as much as a short call."""
        return need_running(self._backend)

    async def start(
        self,
        thread: ThreadKey,
        *,
        id: str | None = None,
        data: bytes = b"",
        takes_turn: bool = True,
        wait: float = 0.0,
        lease: float = LEASE_S,
        retention: Retention | None = None,
    ) -> Producer:
        """Make a run with its log, and return its producer, which renews its lease from now on: `async with` it, or end it.

        Start it before the work is dispatched, and give the run's id to the client at once: then no reader comes too late.

        Args:
            id: unique in the thread, and never used again; made, as `run_` and 128 bits, for None.
            data: bytes of the caller's own, kept in the record; at most `run_limits.MAX_RUN_DATA_BYTES`.
            takes_turn: whether it is to be the only such run of the thread while it is open.
            wait: seconds to wait for the turn, while another run has it.
            lease: seconds until a producer that died is noticed, from 0.1 to 3,600; a live one renews it three times as often.
            retention: how long log and record are kept, apart from the thread.

        Raises:
            ConflictError: another run has the turn (`actual` is its id), and still had it after `wait` seconds.
            AlreadyExistsError: the thread has a run with this id: follow that one.
            NotFoundError, GoneError: there is no such thread.
            UnsupportedError: the store has no runs.
        """
        running = self._running
        partition = partition_of(thread)
        run = new_run_id() if id is None else check_run_id(id)
        lease_ms = _lease_ms_of(lease)
        keep = check_retention(Retention() if retention is None else retention)
        check_run_data(data)
        loop = asyncio.get_running_loop()
        until = loop.time() + _check_wait(wait)
        holder = new_id()
        while True:
            try:
                record = await repeat(
                    lambda: running.start_run(
                        partition, run, holder, lease_ms=lease_ms, takes_turn=takes_turn, retention=keep, data=data
                    )
                )
            except AlreadyExistsError:
                raise
            except ConflictError as conflict:
                if not await self._has_ended(partition, str(conflict.actual), until):
                    raise
            else:
                return Producer(running, partition, record, lease_ms)

    async def take_over(self, thread: ThreadKey, run: str, *, lease: float = LEASE_S) -> Producer:
        """Go on with an open run whose producer's lease ran out, as the producer of its next epoch: the older one is fenced.

        Raises:
            ConflictError: its producer lives, or it has ended (`actual` is its state).
            NotFoundError, GoneError: there is no such run, or its log vanished.
        """
        running = self._running
        partition = partition_of(thread)
        check_run_id(run)
        lease_ms = _lease_ms_of(lease)
        holder = new_id()
        record = await repeat(lambda: running.claim_run(partition, run, holder, lease_ms=lease_ms))
        return Producer(running, partition, record, lease_ms)

    async def interrupt(self, thread: ThreadKey, run: str) -> Run:
        """End a run whose producer's lease ran out as `interrupted`, and return it; one that lives or has ended is left as it is.

        Every verb that meets such a run does it anyway.
        """
        running = self._running
        return await running.interrupt_run(partition_of(thread), check_run_id(run))

    async def cancel(self, thread: ThreadKey, run: str) -> Run:
        """Ask a run's producer to stop, and return the run, which is open until the producer has written its end.

        One that has ended is left as it is; one whose producer is dead is marked `interrupted`.
        """
        running = self._running
        partition = partition_of(thread)
        return await settle(running, partition, await running.cancel_run(partition, check_run_id(run)))

    async def get(self, thread: ThreadKey, run: str) -> Run:
        """Return a run as it is now.

        Raises:
            NotFoundError: the thread has no such run (any more); another owner's is not found either.
            GoneError: the thread was deleted.
        """
        running = self._running
        partition = partition_of(thread)
        return await settle(running, partition, await running.find_run(partition, check_run_id(run)))

    async def list(self, thread: ThreadKey, *, only_open: bool = False, limit: int = 20, cursor: str | None = None) -> Page[Run]:
        """Return a thread's runs, the newest first; a thread nobody knows has none.

        Args:
            only_open: whether to leave out those that have ended; one that is found dead is left out too.
            limit: from 1 to `limits.MAX_PAGE`; a page may be shorter.
            cursor: a page's `cursor`, to go on after it.
        """
        running = self._running
        partition = partition_of(thread)
        check_limit(limit)
        before = None if cursor is None else _read_cursor(cursor)
        # One more than asked for tells whether more follow.
        found = await running.list_runs(partition, only_open=only_open, limit=min(limit + 1, MAX_PAGE), before=before)
        has_more = len(found) > limit or len(found) == MAX_PAGE
        page = [await settle(running, partition, run) for run in found[:limit]]
        following = str(page[-1].number) if page else None
        return Page([run for run in page if run.is_open or not only_open], has_more, following)

    async def active(self, thread: ThreadKey) -> Run | None:
        """Return the thread's newest run that is open and alive, None where there is none."""
        cursor: str | None = None
        while True:
            page = await self.list(thread, only_open=True, limit=20, cursor=cursor)
            if page.data:
                return page.data[0]
            if not page.has_more:
                return None
            cursor = page.cursor

    async def events(self, thread: ThreadKey, run: str, *, after: EventId | str | None = None, limit: int = 100) -> EventPage:
        """Return the events after a cursor that are there now, in order, and whether more are.

        Args:
            after: an event's id; from the oldest that is kept for None.
            limit: from 1 to `run_limits.MAX_EVENTS_AT_ONCE`.

        Raises:
            UnknownCursorError: the run has no such event yet.
            NotFoundError, GoneError: there is no such run, or no such thread.
        """
        running = self._running
        return await running.read_events(partition_of(thread), check_run_id(run), after=_event_id_of(after), limit=limit)

    def follow(self, thread: ThreadKey, run: str, *, after: EventId | str | None = None) -> AsyncGenerator[RunEvent]:
        """Yield the events after a cursor (all of them for None), then each new one; end after the terminal event.

        Each event is yielded once, in order. Where one was lost in between, as after a cursor that was trimmed away, an
        event of the kind `resync` comes first, which has no id: forget what you have of this run, read the thread's items
        again, and go on with what follows. Where `after` is the terminal event, it ends at once.

        Raises:
            NotFoundError: the thread has no such run (any more).
            GoneError: the thread was deleted, before or meanwhile.
            UnavailableError: the store stayed away past its time-out: follow again after the last id.
            InvalidError: `after` is no event's id.
        """
        running = self._running
        return follow(running, self._looks, partition_of(thread), check_run_id(run), _event_id_of(after))

    async def _has_ended(self, partition: Partition, run: str, until: float) -> bool:
        """Tell whether the run that has the turn has ended, waiting for it as long as the caller does."""
        running = self._running
        try:
            if not (await running.interrupt_run(partition, run)).is_open:
                return True
            async with asyncio.timeout_at(until):
                async for _ in follow(running, self._looks, partition, run, None):
                    pass
        except TimeoutError:
            return False
        except NotFoundError:
            # It went meanwhile; where the whole thread did, the next try says so.
            return True
        return True


def _event_id_of(after: EventId | str | None) -> EventId | None:
    return EventId.parse(after) if isinstance(after, str) else after


def _lease_ms_of(lease: float) -> int:
    lease_ms = ttl_ms_of(lease)
    if not 100 <= lease_ms <= 3_600_000:
        raise InvalidError(f"a producer's lease is from 0.1 to 3,600 seconds, not {lease!r}")
    return lease_ms


def _check_wait(wait: float) -> float:
    if isinstance(wait, bool) or not isinstance(wait, int | float) or not 0 <= wait <= LONGEST_WAIT_S:
        raise InvalidError(f"a run waits for its turn from 0 to {LONGEST_WAIT_S:,} seconds, not {wait!r}")
    return wait


def _read_cursor(cursor: str) -> int:
    if isinstance(cursor, str) and cursor.isascii() and cursor.isdigit() and len(cursor) < 20:
        return min(int(cursor), LARGEST_NUMBER)
    raise InvalidError("the cursor is none that a page of runs gave: start again without one")
