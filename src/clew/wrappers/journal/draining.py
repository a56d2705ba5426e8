"""Writing what waits to the store: in the order of the journal for each partition, and each once.

There is one who tries while the store is away, with pauses that grow and are jittered. No clock orders anything: numbers do.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from typing import Final

from ...errors import (
    ClewError,
    ClosedError,
    ConflictError,
    GoneError,
    InvalidError,
    NotFoundError,
    UnavailableError,
    UnreadableError,
)
from ...records import PRESENT, Once, Partition
from .book import Book, Flight
from .planning import MOST_CHANGES, Finished, Pick, Plan, finish, go_on, make_plans, take_out
from .taking import Taker

log = logging.getLogger("clew.journal")
FIRST_S: Final = 0.1
MOST_S: Final = 2.0
"""The pauses between two tries: from the first to the longest, doubled each time, and jittered."""
AT_ONCE: Final = 32
"""Partitions that are written at the same time; while half of them are on their way, the other half is read."""
REFUSALS: Final = (InvalidError, NotFoundError, ConflictError, UnreadableError)
"""What the store says of a write that it will never take."""
ATTEMPTS: Final = 20
MOST_LITTER: Final = 128 * 1024 * 1024
"""Bytes of what the store has that stay in a journal at most while something waits."""


class Drainer:
    """What waits in a book, by partition, and the task that writes it.

    Attributes:
        queues: the numbers of the writes that wait, by partition, in order. A partition that has none is not in it.
        away: why the store is known to be away; None while it is not.
        depth: how many writes wait.
        aside: how many were refused for good.
        trouble: what keeps the oldest of them waiting, for people.
    """

    def __init__(self, inner: Taker, book: Book, *, reach: Callable[[], Awaitable[None]] | None) -> None:
        """Nothing is started yet.

        Args:
            reach: asks whether any of the store is there, where a call can find it away while others go on.
        """
        self.queues: dict[Partition, deque[int]] = {}
        self.away: str | None = None
        self.depth = 0
        self.aside = book.aside
        self.trouble: str | None = None
        self._inner, self._book, self._reach = inner, book, reach
        self._flights = {flight.partition: flight for flight in book.flights}
        self._alone: dict[Partition, int] = {}
        """Up to which number each write of a partition goes alone, since together they were refused."""
        self._pauses: dict[Partition, tuple[float, float]] = {}
        """How long the last pause of a partition was, and when it ends by the loop's clock."""
        self._pause, self._next_try = FIRST_S, 0.0
        """The next pause while all of the store is away, and when the one that lasts ends."""
        self._next: list[Plan] = []
        """What goes out next, where that is known."""
        self._under_way: dict[asyncio.Task[Exception | None], Plan] = {}
        self._finished = Finished()
        self._waiters: dict[Partition, list[asyncio.Future[None]]] = {}
        self._wake, self._idle = asyncio.Event(), asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None
        self._litter = self._litter_bytes = book.litter
        """How many writes stand in the file that are over, and their bytes; of those that were found there, as many."""
        self._most_litter = min(MOST_LITTER, (book.max_bytes or MOST_LITTER * 8) // 8)
        self._highest = book.highest if book.litter else 0
        self.queues.update(book.found)
        self.depth = sum(map(len, book.found.values()))
        if self.depth or self._litter:
            self._idle.clear()
            self._wake.set()

    def start(self) -> None:
        """Write what waits, from now on."""
        self._task = asyncio.create_task(self._run(), name="clew-journal-drain")

    def add(self, partition: Partition, seq: int) -> None:
        """Queue a write that is in the book."""
        self.queues.setdefault(partition, deque()).append(seq)
        self.depth += 1
        self._idle.clear()
        self._wake.set()

    def note_away(self, error: UnavailableError) -> None:
        """A call found the store away: unless that may be of a part alone, let no other one wait for it."""
        if self._reach is None and self.away is None and self.queues:
            self._turn_away(str(error))

    async def settled(self, partition: Partition, seconds: float) -> None:
        """Return when nothing waits for a partition; UnavailableError where that takes longer, or the store is away."""
        if partition not in self.queues:
            return
        if self.away is None:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.setdefault(partition, []).append(waiter)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    return await waiter
        waiting = len(self.queues.get(partition, ()))
        raise UnavailableError(
            f"{waiting} accepted writes to {partition.name!r} wait in the journal: try again when they are written"
        )

    async def count_aside(self) -> int:
        """Return how many writes stand aside: fewer than before, where somebody has dropped some from the file."""
        before = self.aside
        if before and self._idle.is_set():
            with contextlib.suppress(ClewError):
                ((count,),) = await self._book.do(lambda db: db.execute("SELECT count(*) FROM aside").fetchall())
                if self.aside == before and self._idle.is_set():
                    self.aside = count
        return self.aside

    async def drained(self) -> None:
        """Return when nothing waits at all."""
        await self._idle.wait()

    async def aclose(self) -> None:
        """Stop. What the store has not taken stays in the book."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for waiters in self._waiters.values():
            for waiter in waiters:
                waiter.cancel()
        if self._finished:
            try:
                await self._book.do(lambda db: finish(db, self._finished, None))
            except ClewError as error:
                # It is sent again by the next one, with the same tokens, and not done twice.
                log.warning("the journal %s keeps what is written: %s", self._book.path, error)

    # -- the task -----------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        pause = FIRST_S
        while True:
            await self._wake.wait()
            try:
                is_idle = await self._round()
                pause = FIRST_S
            except ClosedError:
                return
            except Exception as error:
                # The journal itself cannot be read or written: what waits goes on waiting, and whoever asks is told.
                self._trouble(error)
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))
                pause = min(2 * pause, MOST_S)
                continue
            if not self.queues and not self._finished and not self._litter:
                self._wake.clear()
                self._idle.set()
            elif is_idle:
                await asyncio.sleep(self._rest())

    async def _round(self) -> bool:
        """Write the next commits of some partitions; tell whether there was nothing to do yet."""
        plans, self._next = self._next, []
        if self.away is not None:
            # What else was planned is planned again, the same, when it is back.
            plans = [plan for plan in plans if not self._pauses.get(plan.flight.partition)][:1]
            if plans and asyncio.get_running_loop().time() < self._next_try:
                plans = []
        if not plans:
            picks = self._pick()
            if not picks and not self._finished and not self._is_littered(resting=True):
                return True
            plans = await self._plan(picks)
        planning: asyncio.Task[list[Plan]] | None = None
        try:
            # The next ones are read while these are on their way.
            others = [] if self.away is not None else self._pick(plans)
            if others:
                planning = asyncio.create_task(self._plan(others))
            for plan in plans:
                self._under_way[asyncio.create_task(self._send(plan))] = plan
                # One after another, so that nobody else in this loop has to wait for all of them to be encoded.
                await asyncio.sleep(0)
            if planning is not None:
                self._next = await planning
            answers = await self._answers()
        except BaseException:
            for task in (*self._under_way, *filter(None, (planning,))):
                task.cancel()
            # Whether they were done is not known: they are planned again, the same.
            self._under_way.clear()
            raise
        failed = [error for error in answers.values() if error is not None and not isinstance(error, REFUSALS)]
        for task, error in answers.items():
            self._note(self._under_way.pop(task), error)
        if answers:
            await self._look(len(failed) < len(answers), failed)
        return False

    async def _answers(self) -> dict[asyncio.Task[Exception | None], Exception | None]:
        """Return what came of those that are over, when at most half of AT_ONCE are under way; none, where none follows."""
        most = AT_ONCE // 2 if self._next and self.away is None else 0
        over = [task for task in self._under_way if task.done()]
        while len(self._under_way) - len(over) > most:
            await asyncio.wait(self._under_way.keys() - over, return_when=asyncio.FIRST_COMPLETED)
            over = [task for task in self._under_way if task.done()]
        return {task: task.result() for task in over}

    def _pick(self, besides: Sequence[Plan] = ()) -> list[Pick]:
        under_way = {plan.flight.partition for plan in (*besides, *self._under_way.values())}
        now = asyncio.get_running_loop().time()
        picks: list[Pick] = []
        if self.away is not None and now < self._next_try:
            return picks
        # Away, one is enough to find out whether it is back. And the first are few: it works on them while others are read.
        most = 1 if self.away is not None else AT_ONCE // 2 if under_way else AT_ONCE // 8
        for partition, seqs in self.queues.items():
            if partition in under_way or (partition in self._pauses and self._pauses[partition][1] > now):
                continue
            flight = self._flights.get(partition)
            last, count = (None, MOST_CHANGES) if flight is None else (flight.last, MOST_CHANGES * 2)
            numbers = [seq for seq in islice(seqs, count) if last is None or seq <= last]
            alone = self._alone.get(partition, -1) >= numbers[0]
            picks.append(Pick(partition, numbers, last, alone, self._book.largest))
            if len(picks) == most:
                break
        return picks

    async def _plan(self, picks: list[Pick]) -> list[Plan]:
        finished = self._finished
        litter = (self._highest, self._litter) if self._is_littered(resting=not picks) else None
        try:
            plans, damaged = await self._book.do(lambda db: go_on(db, finished, litter, picks))
        except ClewError as error:
            if not picks:
                raise
            # There may be no room even to note what is on its way: each alone needs no note.
            self._trouble(error)
            single = [pick if pick.last is not None else pick._replace(alone=True) for pick in picks]
            plans, damaged = await self._book.do(lambda db: make_plans(db, single))
            with contextlib.suppress(ClewError):
                # Nor for a mark: that is the same trouble, and the next round tries again.
                await self._book.do(lambda db: take_out(db, finished))
                self._litter -= len(finished.seqs)
                self._finished = Finished()
        else:
            self._finished = Finished()
            if litter is not None:
                self._litter = self._litter_bytes = 0
        for partition, seq, reason in damaged:
            self._put_aside(partition, seq, reason)
        for plan in plans:
            self._flights[plan.flight.partition] = plan.flight
        return plans

    def _is_littered(self, *, resting: bool) -> bool:
        """Tell whether it is time to delete what is over: all is, or much of it, or there is nothing else to do."""
        if not self._litter or not self.queues or self._litter_bytes >= self._most_litter:
            return bool(self._litter)
        return resting and self._litter * 8 >= self.depth

    async def _send(self, plan: Plan) -> Exception | None:
        """Write a commit; return why that failed."""
        partition, write = plan.flight.partition, plan.write
        once = self._token(plan.flight) if write.once is None else write.once
        try:
            for _ in range(ATTEMPTS):
                try:
                    await self._inner.commit(partition, write.changes, expect=write.expect, once=once, listed=write.listed)
                    return None
                except GoneError:
                    raise
                except NotFoundError:
                    if not write.header or write.expect != PRESENT:
                        raise
                try:
                    together = [*write.changes, *write.header]
                    await self._inner.commit(partition, together, expect=0, once=once, listed=write.listed)
                    return None
                except ConflictError:
                    # Another one made it between the two.
                    continue
            return UnavailableError(f"{partition.name!r} comes and goes")
        except ClosedError:
            raise
        except Exception as error:
            return error

    def _token(self, flight: Flight) -> str | Once:
        return f"clew-journal/{self._book.id}/{flight.first}-{flight.last}"

    def _note(self, plan: Plan, error: Exception | None) -> None:
        flight = plan.flight
        partition = flight.partition
        if error is None:
            self._pop(partition, plan.seqs)
            self._finished.seqs += plan.seqs
            self._finished.done[partition] = plan.seqs[-1]
            self._litter += len(plan.seqs)
            self._litter_bytes += plan.size
            self._highest = max(self._highest, plan.seqs[-1])
        elif not isinstance(error, REFUSALS):
            self._put_off(partition)
            return
        elif len(plan.seqs) > 1:
            # All or nothing: nothing was written. Which of them is at fault shows when each goes alone.
            self._alone[partition] = flight.last
        else:
            self._put_aside(partition, flight.first, f"{type(error).__name__}: {error}")
        self._finished.flights.append(flight.first)
        self._flights.pop(partition, None)
        self._pauses.pop(partition, None)

    def _pop(self, partition: Partition, seqs: Sequence[int]) -> None:
        queue = self.queues[partition]
        for _ in seqs:
            queue.popleft()
        self.depth -= len(seqs)
        if not queue:
            del self.queues[partition]
            self._alone.pop(partition, None)
            for waiter in self._waiters.pop(partition, ()):
                if not waiter.done():
                    waiter.set_result(None)

    def _put_aside(self, partition: Partition, seq: int, reason: str) -> None:
        self._pop(partition, (seq,))
        self._finished.refused.append((seq, reason))
        self.aside += 1
        told = {"event": "journal_aside", "seq": seq}
        log.error("the store refused an accepted write for good, which is kept aside: %s", reason, extra=told)

    def _put_off(self, partition: Partition) -> None:
        before = self._pauses.get(partition, (FIRST_S / 2, 0.0))[0]
        pause = min(before * 2, MOST_S)
        self._pauses[partition] = (pause, asyncio.get_running_loop().time() + pause * random.uniform(0.5, 1.0))
        # The next try is another partition's, where there is one.
        self.queues[partition] = self.queues.pop(partition)

    async def _look(self, has_answered: bool, failed: list[Exception]) -> None:
        if has_answered:
            self._turn_back()
        if not failed:
            self.trouble = None
            return
        self._trouble(failed[0])
        if has_answered or not all(isinstance(error, UnavailableError) for error in failed):
            return
        if self._reach is not None:
            try:
                async with asyncio.timeout(1.0):
                    await self._reach()
                return self._turn_back()
            except (UnavailableError, TimeoutError):
                self._turn_away(str(failed[0]))
        else:
            self._turn_away(str(failed[0]))

    def _turn_away(self, why: str) -> None:
        if self.away is None:
            log.warning("the store is away, and writes are accepted into the journal: %s", why, extra={"event": "journal_away"})
        self.away = why
        self._next_try = asyncio.get_running_loop().time() + self._pause * random.uniform(0.5, 1.0)
        self._pause = min(2 * self._pause, MOST_S)

    def _turn_back(self) -> None:
        if self.away is not None:
            log.info("the store is back: %d writes wait", self.depth, extra={"event": "journal_back"})
            self.away = None
            self._pause = FIRST_S
            self._pauses.clear()

    def _trouble(self, error: Exception) -> None:
        said = f"{type(error).__name__}: {error}"
        if self.trouble is None:
            # One line for each time that it begins, and not one for each try.
            log.warning("what waits in the journal cannot be written yet: %s", said, extra={"event": "journal_trouble"})
        self.trouble = said

    def _rest(self) -> float:
        now = asyncio.get_running_loop().time()
        if self.away is not None and self._next_try > now:
            return self._next_try - now
        until = min((self._pauses[partition][1] for partition in self.queues if partition in self._pauses), default=now)
        return max(until - now, 0.001)
