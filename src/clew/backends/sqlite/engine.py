"""The threads behind a store, from any event loop: open them, give them work, close them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from .address import Address
from .gathering import PlainAppend
from .jobs import AnyJob, Job, hand_back
from .reader import Readers
from .unit import Clock, Unit, Work
from .writer import Writer

T = TypeVar("T")
READER_THREADS = 2


class Engine:
    """One writer thread, and readers beside it; a store in memory has the writer only, which reads too."""

    def __init__(self, address: Address, clock: Clock) -> None:
        self._writer = Writer(address, clock)
        self.watch = self._writer.watch
        self._readers = None if address.path is None else Readers(address, clock)
        self._read_jobs = self._writer.jobs if self._readers is None else self._readers.jobs
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._reading = self._running = 0
        self._closers: list[AnyJob] = []

    async def open(self) -> None:
        """Start the threads, and return when the file is open."""
        opening: Job[None] = Job(_do_nothing)
        self._running = 1
        if self._readers is not None:
            self._reading = READER_THREADS
            self._running += READER_THREADS
            for number in range(READER_THREADS):
                self._start(f"clew-sqlite-reader-{number}", self._readers.run, self._end_reader)
        self._start("clew-sqlite-writer", lambda: self._writer.run(opening), self._end_thread)
        await opening.future

    async def write(self, work: Work[T], plain: PlainAppend | None = None) -> T:
        """Run the work in the next transaction, and return its result when that is on the disk.

        A caller that is cancelled does not stop it.
        """
        job = Job(work, plain=plain)
        self._writer.jobs.put(job)
        return await job.future

    async def read(self, work: Work[T]) -> T:
        """Run work that only reads."""
        job = Job(work, reads=True)
        self._read_jobs.put(job)
        return await job.future

    @property
    def transactions(self) -> int:
        """How many there have been: of writes, and of reads."""
        return self._writer.transactions + (0 if self._readers is None else self._readers.transactions)

    @property
    def is_stopped(self) -> bool:
        """Whether no work is taken any more, or never was."""
        return not self._running or self._writer.jobs.is_refusing

    def stop(self) -> None:
        """Take no more work, and let the threads end when what was taken is done. Does not wait for them."""
        self._writer.jobs.refuse()
        self._read_jobs.close()
        self.watch.wake_all()

    async def close(self) -> None:
        """Stop, and return when the threads have ended. May be called again, and from another event loop."""
        self.stop()
        with self._lock:
            closer: Job[None] = Job(_do_nothing)
            is_running = self._running > 0
            if is_running:
                self._closers.append(closer)
        if is_running:
            await closer.future
        for thread in self._threads:
            thread.join()

    def _start(self, name: str, run: Callable[[], None], end: Callable[[], None]) -> None:
        def live() -> None:
            try:
                run()
            finally:
                end()

        thread = threading.Thread(target=live, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _end_reader(self) -> None:
        with self._lock:
            self._reading -= 1
            is_last = not self._reading
        if is_last:
            # The writer closes last: only then does SQLite put the whole log back into the file.
            self._writer.jobs.close()
        self._end_thread()

    def _end_thread(self) -> None:
        with self._lock:
            self._running -= 1
            closers = [] if self._running else self._closers
        hand_back(closers)


def _do_nothing(unit: Unit) -> None:
    """Opening and closing are waited for like work."""
