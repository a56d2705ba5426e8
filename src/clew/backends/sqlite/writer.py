"""The one thread that writes, and group commit: every commit that waits goes into one transaction, with one sync to the disk.

Work refuses before it writes, so one that is refused leaves no trace in its batch. When one breaks after it wrote, or the
batch cannot be committed, all of it is rolled back and each goes alone: only the broken one fails.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Sequence
from typing import Final

from .address import Address
from .connection import open_writer
from .faults import explain, is_busy, translate
from .gathering import Gathered
from .jobs import AnyJob, Job, JobQueue, hand_back
from .memo import Memo
from .sweeping import Sweeper
from .unit import Clock, Unit
from .watching import LONGEST_S, Topic, Watch

log = logging.getLogger("clew.sqlite")
MOST_AT_ONCE: Final = 512
"""Commits in one transaction: what waits longer goes into the next, so that none grows without end."""


class _TornError(Exception):
    """A piece of work broke after it had written."""


class _MistakenError(Exception):
    """The appends that were gathered were not as expected."""


class Writer:
    """A thread with the connection that writes. In a store in memory, it serves reads too."""

    def __init__(self, address: Address, clock: Clock) -> None:
        self.jobs = JobQueue()
        self.watch = Watch(self.jobs.nudge)
        self._address, self._clock = address, clock
        self._sweeper = Sweeper()
        self._memo = Memo()
        self.transactions = 0
        self._version = 0
        self._next_look = 0.0

    def run(self, opening: Job[None]) -> None:
        """Be the thread: settle `opening` when the file is open, or with why it cannot be; end when `jobs` is closed."""
        try:
            db = open_writer(self._address)
        except Exception as e:
            opening.error = e
            return
        finally:
            hand_back((opening,))
        try:
            self._version = _data_version(db)
            while (batch := self.jobs.take(self._pause(), MOST_AT_ONCE)) is not None:
                if batch:
                    self._serve(db, batch)
                    del batch
                self._look_around(db)
        finally:
            _close(db, self._address)

    def _pause(self) -> float:
        """Return how many seconds to wait for work before something else is due."""
        now = time.monotonic()
        due = self._sweeper.due
        if self._is_looking():
            due = min(due, self._next_look)
        return max(due - now, 0.0)

    # -- a batch ----------------------------------------------------------------------------------------------------

    def _serve(self, db: sqlite3.Connection, batch: Sequence[AnyJob]) -> None:
        try:
            reads = [job for job in batch if job.reads]
            if reads:
                self.transactions += 1
                # A read that is under way together with a write may see what was before it.
                run_reads(db, reads, self._address, self._clock)
                hand_back(reads)
                batch = [job for job in batch if not job.reads]
            if batch:
                self._wake(self._write(db, batch))
        except BaseException as e:
            for job in batch:
                job.error = job.error or e
            if not isinstance(e, Exception):
                raise
        finally:
            hand_back(batch)

    def _write(self, db: sqlite3.Connection, batch: Sequence[AnyJob]) -> list[Topic]:
        """Commit the batch together, or where that fails, each of it alone; return what was touched."""
        try:
            try:
                return self._transact(db, batch, gather=True)
            except _MistakenError:
                return self._transact(db, batch, gather=False)
        except (sqlite3.Error, _TornError) as e:
            if len(batch) == 1 or (isinstance(e, sqlite3.Error) and is_busy(e)):
                return self._fail(batch, e)
        touched: list[Topic] = []
        for job in batch:
            try:
                touched += self._transact(db, (job,), gather=False)
            except (sqlite3.Error, _TornError) as e:
                self._fail((job,), e)
        return touched

    def _transact(self, db: sqlite3.Connection, batch: Sequence[AnyJob], *, gather: bool) -> list[Topic]:
        unit = Unit(db, self._clock, self._memo)
        db.execute("BEGIN IMMEDIATE")
        try:
            self._note_others(db)
            gathered = Gathered(unit)
            for job in batch:
                if not (gather and _gather(gathered, job)):
                    _flush(gathered)
                    self._run_job(unit, job)
            _flush(gathered)
            db.execute("COMMIT")
            self.transactions += 1
        except BaseException:
            self._memo.clear()
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        if unit.left_debris:
            self._sweeper.hurry()
        return unit.touched

    def _run_job(self, unit: Unit, job: AnyJob) -> None:
        before = unit.db.total_changes
        job.result = job.error = None
        try:
            job.result = job.work(unit)
        except sqlite3.Error:
            raise
        except Exception as e:
            if unit.db.total_changes != before:
                raise _TornError from e
            job.error = e

    def _fail(self, batch: Sequence[AnyJob], error: sqlite3.Error | _TornError) -> list[Topic]:
        for job in batch:
            job.result = None
            job.error = explain(error, self._address) if isinstance(error, sqlite3.Error) else error.__cause__
        return []

    # -- between batches ----------------------------------------------------------------------------------------------

    def _wake(self, touched: Sequence[Topic]) -> None:
        if touched and self.watch.is_watched:
            self.watch.wake(touched)

    def _note_others(self, db: sqlite3.Connection) -> bool:
        """Tell whether another connection has committed since the last call; then what was remembered may not hold."""
        version = _data_version(db)
        if version == self._version:
            return False
        self._version = version
        self._memo.clear()
        if self.watch.is_watched:
            self.watch.wake_all()
        return True

    def _is_looking(self) -> bool:
        """Tell whether commits of other processes matter to anybody just now."""
        return self.watch.is_watched and self._address.path is not None

    def _look_around(self, db: sqlite3.Connection) -> None:
        """Do what is due: look whether another process committed, and purge a little of what is gone."""
        now = time.monotonic()
        try:
            if self._is_looking() and now >= self._next_look:
                self._next_look = now + LONGEST_S
                self._next_look = now + self.watch.rest(moved=self._note_others(db))
            if now >= self._sweeper.due:
                self._sweeper.sweep(db, self._clock() // 1000)
                self._memo.clear()
        except sqlite3.Error as e:
            if db.in_transaction:
                db.execute("ROLLBACK")
            # Nobody waits for this; whoever reads or writes next meets the same fault, and is told.
            log.warning("%s", translate(e, self._address))
            self._sweeper.postpone()
            self.watch.wake_all()


def _gather(gathered: Gathered, job: AnyJob) -> bool:
    """Take a plain append in; tell whether that was possible."""
    if job.plain is None:
        return False
    job.result, job.error = gathered.add(job.plain), None
    return job.result is not None


def _flush(gathered: Gathered) -> None:
    if not gathered.flush():
        raise _MistakenError


def run_reads(db: sqlite3.Connection, jobs: Sequence[AnyJob], address: Address, clock: Clock) -> None:
    """Run jobs that only read, each against one state of the file."""
    unit = Unit(db, clock, Memo())
    try:
        db.execute("BEGIN")
        for job in jobs:
            try:
                job.result = job.work(unit)
            except sqlite3.Error as e:
                job.error = explain(e, address)
            except Exception as e:
                job.error = e
    except sqlite3.Error as e:
        for job in jobs:
            job.error = explain(e, address)
    finally:
        if db.in_transaction:
            # Not COMMIT: in a damaged file even that may fail, and nothing was written.
            db.execute("ROLLBACK")


def _data_version(db: sqlite3.Connection) -> int:
    """Return a number that changes when another connection commits, never for this one's own commits."""
    return int(db.execute("PRAGMA data_version").fetchone()[0])


def _close(db: sqlite3.Connection, address: Address) -> None:
    """Put the log back into the file as far as others let us, and close. What is left there is read by the next one."""
    try:
        db.execute("PRAGMA busy_timeout = 0")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as e:
        log.info("%s", translate(e, address))
    finally:
        db.close()
