"""The producer of a run: it appends events, keeps its lease, hears when to stop, and writes the end.

Every write is repeated with the same ids until its outcome is known, so that nothing is doubled and no number is left out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from types import TracebackType
from typing import Final

import msgspec

from ...backend import Running
from ...errors import ClewError, FencedError, NotFoundError
from ...records import Partition
from ...run_limits import check_end, check_events
from ...runs import CANCELLED, DONE, ERROR, INTERRUPTED, EventId, Run, RunEvent
from .queue import Queue
from .repeating import repeat
from .tending import StopReason, Tending

log = logging.getLogger("clew.runs")
FAREWELL_S: Final = 5.0
"""The longest that a producer which is cancelled takes to write its end."""


class Producer:
    """The producer of one run, in one event loop. Made by `Runs.start` and `Runs.take_over`.

    `async with` it: a body that ends is `done`, one that raises is `error`, one that is cancelled is `interrupted`, unless it
    wrote the end itself. Without that, call `finish`, `fail` or `cancelled`, each of which closes it too.
    """

    def __init__(self, running: Running, partition: Partition, run: Run, lease_ms: int) -> None:
        self._running = running
        self._partition = partition
        self._run = run
        self._queue = Queue(running, partition, run)
        self._tending = Tending(running, partition, run, lease_ms)
        self._is_ending = False

    @property
    def run(self) -> Run:
        """The run's record: as it was when this producer began, or as it ended."""
        return self._run

    @property
    def id(self) -> str:
        """The run's id."""
        return self._run.id

    @property
    def stop_reason(self) -> StopReason | None:
        """Why to stop: `cancelled` (somebody asked for it), `fenced` (the run is another's, or has ended), `gone` (it was
        deleted); None where there is no reason."""
        return self._tending.reason

    async def wait_stop(self) -> StopReason:
        """Return the reason to stop as soon as there is one."""
        return await self._tending.wait()

    # -- writing ------------------------------------------------------------------------------------------------------

    async def append(self, data: bytes, *, kind: str = "event") -> EventId:
        """Add an event, and return its id when it is stored. Calls that overlap share trips, and keep their order.

        Args:
            data: at most `run_limits.MAX_EVENT_BYTES`. Put several tokens in one event: it saves most of the memory.
            kind: a short word, as readers see it; clew's own (`start`, `done`, `resync` ...) are refused.

        Raises:
            FencedError: the run is another producer's, or has ended: stop at once.
            NotFoundError, GoneError: the run or its thread is gone: stop too.
            UnavailableError: the store stayed away. The event is written before the next one that is appended.
        """
        return await self.extend([(kind, data)])

    async def extend(self, events: Sequence[tuple[str, bytes]]) -> EventId:
        """Add several events, each a kind and data, in one trip and all or none; return the last one's id. As `append`."""
        if self._is_ending:
            raise self._closed()
        first = self._queue.next_seq
        made = [RunEvent(EventId(self._run.epoch, first + n), kind, data) for n, (kind, data) in enumerate(events)]
        check_events(self._run, made)
        try:
            await self._queue.send(made)
        except FencedError:
            self._tending.stop("fenced")
            raise
        except NotFoundError:
            self._tending.stop("gone")
            raise
        return made[-1].at

    # -- the end ------------------------------------------------------------------------------------------------------

    async def finish(self, data: bytes = b"") -> Run:
        """End the run as `done`, after all that was appended, and return it.

        Args:
            data: of the terminal event; at most `run_limits.MAX_RUN_DATA_BYTES`.

        Raises:
            FencedError: it is another producer's, or has ended otherwise.
            NotFoundError, GoneError: the run or its thread is gone.
            UnavailableError: the store stayed away: call it again, or the lease runs out and the run is `interrupted`.
        """
        return await self._end(DONE, data)

    async def fail(self, data: bytes = b"") -> Run:
        """End the run as `error`; as `finish`."""
        return await self._end(ERROR, data)

    async def cancelled(self, data: bytes = b"") -> Run:
        """End the run as `cancelled`, as its producer does when somebody asked for it; as `finish`."""
        return await self._end(CANCELLED, data)

    async def interrupted(self, data: bytes = b"") -> Run:
        """End the run as `interrupted`, as a producer does that has to go before it is ready; as `finish`."""
        return await self._end(INTERRUPTED, data)

    async def aclose(self) -> None:
        """Stop keeping the lease, without an end: the run is `interrupted` when the lease runs out, unless it was ended."""
        await self._tending.aclose()

    async def __aenter__(self) -> Producer:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if self._run.is_open:
                await self._end_as(error)
        finally:
            await self.aclose()

    async def _end_as(self, error: BaseException | None) -> None:
        if error is None:
            await self.finish()
            return
        try:
            if not isinstance(error, Exception):
                # Whoever cancels waits for this: a store that is away must not hold up a shutdown.
                async with asyncio.timeout(FAREWELL_S):
                    await self.interrupted()
            elif not isinstance(error, FencedError | NotFoundError):
                # The kind only: a message may hold what nobody else is to see.
                await self.fail(msgspec.json.encode({"error": type(error).__name__}))
        except (ClewError, TimeoutError) as failure:
            # The error of the body is the one to be told; the lease runs out, and then the run is interrupted.
            log.warning("the run %s could not be ended: %s", self.id, failure)

    async def _end(self, kind: str, data: bytes) -> Run:
        if not self._run.is_open:
            raise self._closed()
        # From here on nothing more is taken: the end is the last event.
        self._is_ending = True
        await self._queue.drain()
        end = RunEvent(EventId(self._run.epoch, self._queue.next_seq), kind, data)
        check_end(self._run, end)
        self._run = await repeat(lambda: self._running.end_run(self._partition, self._run, end))
        await self.aclose()
        return self._run

    def _closed(self) -> FencedError:
        return FencedError(f"the run {self.id!r} has ended, or is about to: nothing more is written to it")
