"""Where a commit is worked out: the partition as it stands, and its logs, each looked up once."""

from __future__ import annotations

from typing import Final

from ...records import Partition
from .heads import Head, find_log
from .unit import Unit

_NEW_LOG: Final = "INSERT INTO log (partition, name) VALUES (?, ?)"
_RAISE_FLOOR: Final = "UPDATE log SET floor = ? WHERE id = ?"


class OpenLog:
    """A log that a commit works on: its number, and the highest position ever given in it."""

    __slots__ = ("id", "is_shorter", "last")

    def __init__(self, id: int, last: int) -> None:
        self.id, self.last = id, last
        self.is_shorter = False
        """Whether its newest entries went, so that they do not show any more how far it had come."""


class Desk:
    """One commit's."""

    __slots__ = ("_logs", "db", "number", "partition")

    def __init__(self, unit: Unit, partition: Partition, head: Head | None, log: str) -> None:
        """`head` is the partition's row with the log of this name, None where the commit makes the partition."""
        self.db = unit.db
        self.partition = partition
        self.number = 0 if head is None else head.id
        """The partition's number; 0 until it is made."""
        self._logs: dict[str, OpenLog | None] = {}
        if head is not None and log:
            self._logs[log] = None if head.log is None else OpenLog(*head.log)

    def find_log(self, name: str) -> OpenLog | None:
        """Return the log, None where there is none."""
        if name not in self._logs:
            found = find_log(self.db, self.number, name) if self.number else None
            self._logs[name] = None if found is None else OpenLog(*found)
        return self._logs[name]

    def make_log(self, name: str) -> OpenLog:
        """Return the log, made where there was none."""
        log = self.find_log(name)
        if log is None:
            number = self.db.execute(_NEW_LOG, (self.number, name)).lastrowid
            assert number is not None
            log = self._logs[name] = OpenLog(number, 0)
        return log

    def finish(self) -> None:
        """Write down how far the logs had come whose newest entries went."""
        for log in self._logs.values():
            if log is not None and log.is_shorter:
                self.db.execute(_RAISE_FLOOR, (log.last, log.id))
