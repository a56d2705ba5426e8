"""Threads that read, each with its own connection: a reader sees the last commit and never waits for a writer's sync."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence
from typing import Final

from .address import Address
from .connection import open_reader
from .jobs import AnyJob, JobQueue, hand_back
from .unit import Clock
from .writer import run_reads

MOST_AT_ONCE: Final = 32
"""Reads against one state of the file, so that no old state is held for long."""


class Readers:
    """A queue of reads, and what the threads that serve it do; each opens its connection at its first read."""

    def __init__(self, address: Address, clock: Clock) -> None:
        self.jobs = JobQueue()
        self._address, self._clock = address, clock
        self.transactions = 0

    def run(self) -> None:
        """Be one of the threads, until `jobs` is closed."""
        with contextlib.ExitStack() as stack:
            db: sqlite3.Connection | None = None
            while (batch := self.jobs.take(None, MOST_AT_ONCE)) is not None:
                try:
                    if db is None:
                        db = open_reader(self._address)
                        stack.callback(db.close)
                    self.transactions += 1
                    run_reads(db, batch, self._address, self._clock)
                except Exception as e:
                    _refuse(batch, e)
                finally:
                    hand_back(batch)
                    del batch


def _refuse(batch: Sequence[AnyJob], error: Exception) -> None:
    for job in batch:
        job.error = error
