"""What a piece of work is given: a connection, the time, and a place to note what it touched."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import TypeAlias, TypeVar

from .memo import Memo
from .watching import Topic

Clock: TypeAlias = Callable[[], int]
"""Returns microseconds since 1970. It may step back; nothing that must grow relies on it alone."""


def read_clock() -> int:
    """Return the machine's time in microseconds."""
    return time.time_ns() // 1000


class Unit:
    """One transaction's surroundings. Times are microseconds or milliseconds since 1970, as their names say."""

    __slots__ = ("_clock", "db", "left_debris", "memo", "touched")

    def __init__(self, db: sqlite3.Connection, clock: Clock, memo: Memo) -> None:
        self.db = db
        self.memo = memo
        """What is known of the file without a look at it. Only for work that writes."""
        self._clock = clock
        self.touched: list[Topic] = []
        """The partitions and runs whose followers are to look again."""
        self.left_debris = False
        """Whether rows were left that the sweeper is to purge."""

    def now_us(self) -> int:
        """Return the time now."""
        return self._clock()

    def now_ms(self) -> int:
        """Return the time now."""
        return self._clock() // 1000


T = TypeVar("T")
Work: TypeAlias = Callable[[Unit], T]
"""A function that runs in the transaction of a unit. It refuses (with a ClewError) before it writes, or not at all."""
