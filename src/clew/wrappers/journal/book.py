"""The file of a journal: writes that wait, in the order they were accepted, each on the disk before it is acknowledged.

One process has it open at a time. One thread writes it, and all that waits goes into one transaction, with one sync.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeVar
from urllib.parse import quote

from ...backends.sqlite.address import Address
from ...backends.sqlite.faults import is_busy, translate
from ...backends.sqlite.jobs import AnyJob, Job, JobQueue, hand_back
from ...backends.sqlite.memo import Memo
from ...backends.sqlite.scripts import transaction
from ...backends.sqlite.unit import Unit, read_clock
from ...errors import ClewError, ConflictError, DeniedError, FullError
from ...records import Partition
from .tables import check_format, find_writes, make_tables, put_write

log = logging.getLogger("clew.journal")
T = TypeVar("T")

MOST_AT_ONCE: Final = 512


class Flight(NamedTuple):
    """Writes to one partition that go to the store in one commit, and do so again with the same token until that is known."""

    partition: Partition
    first: int
    last: int


class Book:
    """An open journal. Made by `open_book`; `aclose` closes it.

    Attributes:
        path: the file.
        id: of this journal, for ever: tokens are made from it.
        max_bytes: how far the file may grow; None where only the disk says.
        found: the numbers of the writes that waited when it was opened, by partition, in order.
        litter: how many stood there then that the store has.
        highest: the number of the last write then; 0 for none.
        largest: the most bytes of a write's record, of those that are there.
        flights: those that were on their way then.
        aside: how many were refused for good.
    """

    def __init__(self, path: str, store: str, max_bytes: int | None) -> None:
        self.path = path
        self.id = ""
        self.max_bytes = max_bytes
        self.found: dict[Partition, deque[int]] = {}
        self.litter = self.highest = self.largest = 0
        self.flights: list[Flight] = []
        self.aside = 0
        self._store = store
        self._address = Address(path, timeout_s=1.0, max_bytes=max_bytes)
        self._jobs = JobQueue()
        self._thread: threading.Thread | None = None
        self._lock: sqlite3.Connection | None = None
        self._closing: Job[None] | None = None

    async def open(self) -> None:
        """Open the file, which is made where there is none. See `open_book`."""
        opening: Job[None] = Job(lambda unit: None)
        self._thread = threading.Thread(target=self._run, args=(opening,), name="clew-journal", daemon=True)
        self._thread.start()
        try:
            await asyncio.shield(opening.future)
        except asyncio.CancelledError:
            self._jobs.close()
            raise

    async def aclose(self) -> None:
        """Finish what was given, and let go of the file."""
        self._jobs.close()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def add(self, partition: Partition, body: bytes, kept: Callable[[int], None]) -> asyncio.Future[int]:
        """Keep a write; the future has its number when it is on the disk, after `kept` was called with it.

        `kept` is called also where the caller was cancelled. FullError where there is no room, and nothing was kept.
        """

        def work(unit: Unit) -> int:
            self.largest = max(self.largest, len(body))
            return put_write(unit.db, partition, body)

        job = Job(work)
        job.future.add_done_callback(lambda done: kept(done.result()) if done.exception() is None else None)
        self._jobs.put(job)
        return asyncio.shield(job.future)

    async def do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do `work` in a transaction, whole or not at all, and return its result when that is on the disk."""
        job = Job(lambda unit: work(unit.db))
        self._jobs.put(job)
        return await asyncio.shield(job.future)

    # -- the thread ---------------------------------------------------------------------------------------------------

    def _run(self, opening: Job[None]) -> None:
        db = None
        try:
            try:
                db = self._open()
            except Exception as error:
                opening.error = error
                self._jobs.close()
                return
            finally:
                hand_back((opening,))
            unit = Unit(db, read_clock, Memo())
            while (batch := self._jobs.take(None, MOST_AT_ONCE)) is not None:
                self._serve(unit, batch)
                del batch
        finally:
            if db is not None:
                db.close()
            if self._lock is not None:
                self._lock.close()

    def _serve(self, unit: Unit, batch: Sequence[AnyJob]) -> None:
        try:
            try:
                self._transact(unit, batch)
            except Exception:
                for job in batch:
                    # Together they did not go in: each alone, so that only the one at fault fails.
                    try:
                        self._transact(unit, (job,))
                    except sqlite3.Error as error:
                        job.error = translate(error, self._address)
                    except Exception as error:
                        job.error = error
        finally:
            hand_back(batch)

    def _transact(self, unit: Unit, batch: Sequence[AnyJob]) -> None:
        with transaction(unit.db):
            for job in batch:
                job.result = job.work(unit)

    def _open(self) -> sqlite3.Connection:
        self._lock = _lock(self.path)
        try:
            if not os.path.exists(self.path):
                os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            db = sqlite3.connect(f"file:{quote(self.path)}?mode=rw", isolation_level=None, timeout=1.0, uri=True)
            try:
                self._prepare(db)
            except BaseException:
                db.close()
                raise
        except sqlite3.Error as error:
            raise translate(error, self._address) from error
        except OSError as error:
            raise _cannot_be_made(self.path, error) from error
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        is_new = check_format(db, self.path)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA journal_size_limit = 67108864")
        # What is read next stands all over the file, so some of its pages are kept.
        db.execute("PRAGMA cache_size = -16384")
        # What is deleted is overwritten where its page is written anyway; a whole page is not written for that alone.
        db.execute("PRAGMA secure_delete = FAST")
        make_tables(db, self._store, is_new=is_new)
        if self._address.max_bytes is not None:
            page_size = db.execute("PRAGMA page_size").fetchone()[0]
            db.execute(f"PRAGMA max_page_count = {self._address.max_bytes // page_size}")
        (self.id,) = db.execute("SELECT id FROM meta").fetchone()
        self.found, count, self.highest, self.largest = find_writes(db)
        self.litter = count - sum(map(len, self.found.values()))
        self.flights = [
            Flight(Partition(owner, name), first, last)
            for first, last, owner, name in db.execute("SELECT first, last, owner, name FROM flight ORDER BY first")
        ]
        (self.aside,) = db.execute("SELECT count(*) FROM aside").fetchone()


async def open_book(path: str, store: str, *, max_bytes: int | None = None) -> Book:
    """Open the journal in this file, which is made where there is none; its folder has to be there.

    Args:
        store: which store the writes are for, for people.
        max_bytes: how far the file may grow before FullError.

    Raises:
        ConflictError: another process, or this one, has it open.
        UnsupportedError: the file is no journal, one of a newer format, or damaged.
        FullError, DeniedError, UnavailableError: it cannot be made or written.
    """
    book = Book(path, store, max_bytes)
    await book.open()
    return book


def _lock(path: str) -> sqlite3.Connection:
    """Hold the file's lock, which the system lets go of when the process ends, however it ends."""
    name = f"{path.removesuffix('.db')}.lock"
    try:
        if not os.path.exists(name):
            os.close(os.open(name, os.O_CREAT | os.O_RDWR, 0o600))
        lock = sqlite3.connect(name, isolation_level=None, timeout=0.0, check_same_thread=False)
    except OSError as error:
        raise _cannot_be_made(name, error) from error
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        lock.close()
        if is_busy(error):
            raise ConflictError(f"the journal {path} is open elsewhere: a journal belongs to one process") from error
        raise translate(error, Address(name)) from error
    return lock


def _cannot_be_made(path: str, error: OSError) -> ClewError:
    kind = DeniedError if isinstance(error, PermissionError) else FullError
    return kind(f"the journal {path} cannot be made: {error.strerror}")
