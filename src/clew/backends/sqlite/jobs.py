"""Work on its way from an event loop to a thread, and its result on the way back: one wake-up a batch for each loop."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import queue
import threading
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from ...errors import ClosedError
from .gathering import PlainAppend
from .unit import Work

T = TypeVar("T")


class _Signal(enum.Enum):
    NUDGE = enum.auto()
    END = enum.auto()


class Job(Generic[T]):
    """A piece of work, and the future of whoever waits for it. A caller that went away does not stop it."""

    __slots__ = ("error", "future", "loop", "plain", "reads", "result", "work")

    def __init__(self, work: Work[T], *, reads: bool = False, plain: PlainAppend | None = None) -> None:
        self.work = work
        self.reads = reads
        self.plain = plain
        """What the work comes to, where that is a plain append: it may be written together with others."""
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[T] = self.loop.create_future()
        self.result: T | None = None
        self.error: BaseException | None = None

    def settle(self) -> None:
        """Hand the result over, in the job's own loop."""
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)  # type: ignore[arg-type]  # it was set, by the thread
        else:
            self.future.set_exception(self.error)


AnyJob = Job[Any]
"""A job of whatever result: the queue does not look inside."""


class JobQueue:
    """Where jobs wait, for one thread or several. Closing it is final; what was put before is still served."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[AnyJob | _Signal] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self.is_refusing = False
        """Whether `put` raises."""

    def put(self, job: AnyJob) -> None:
        """Add a job; ClosedError after `refuse` or `close`."""
        with self._lock:
            if self.is_refusing:
                raise ClosedError("this store is closed: connect again")
            self._queue.put(job)

    def nudge(self) -> None:
        """Let a thread that waits in `take` return with nothing."""
        with self._lock:
            if not self._closed:
                self._queue.put(_Signal.NUDGE)

    def refuse(self) -> None:
        """Take no more jobs."""
        with self._lock:
            self.is_refusing = True

    def close(self) -> None:
        """Take no more jobs, and let the threads end after the last one."""
        with self._lock:
            self.is_refusing = True
            if not self._closed:
                self._closed = True
                self._queue.put(_Signal.END)

    def take(self, timeout: float | None, most: int) -> list[AnyJob] | None:
        """Return up to `most` jobs that wait, after waiting up to `timeout` seconds (None: for ever) for the first.

        Nothing may come: an empty list. None: the queue is closed, and every job was taken.
        """
        jobs: list[AnyJob] = []
        try:
            found = self._queue.get(timeout=timeout)
            while not isinstance(found, _Signal):
                jobs.append(found)
                if len(jobs) == most:
                    return jobs
                found = self._queue.get_nowait()
        except queue.Empty:
            return jobs
        if found is _Signal.END:
            self._queue.put(found)  # for the next call, and for the other threads
            return jobs or None
        return jobs

    def empty(self) -> bool:
        """Tell whether nothing waits just now."""
        return self._queue.empty()


def hand_back(jobs: Sequence[AnyJob]) -> None:
    """Settle every job in its own loop, with one call to each loop. A loop that was closed has nobody waiting."""
    by_loop: dict[asyncio.AbstractEventLoop, list[AnyJob]] = {}
    for job in jobs:
        by_loop.setdefault(job.loop, []).append(job)
    for loop, own in by_loop.items():
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle_all, own)


def _settle_all(jobs: Sequence[AnyJob]) -> None:
    for job in jobs:
        job.settle()
