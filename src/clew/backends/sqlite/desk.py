"""Where a commit is worked out: the partition as it stands, and its logs, each looked up once."""

from __future__ import annotations

from typing import Final

from ...records import Partition
from .checkpoint_rows import Pending
from .heads import find_log
from .memo import OpenLog, Standing
from .unit import Unit

_NEW_LOG: Final = "INSERT INTO log (partition, name) VALUES (?, ?)"
_RAISE_FLOOR: Final = "UPDATE log SET floor = ? WHERE id = ?"


class Desk:
    """One commit's."""

    __slots__ = ("_pending", "appended", "db", "now_ms", "partition", "revives", "standing")

    def __init__(self, unit: Unit, partition: Partition, standing: Standing, now_ms: int) -> None:
        """`standing` has the id 0 where the commit is going to make the partition; `now_ms` is the time of the commit."""
        self.db = unit.db
        self.partition = partition
        self.standing = standing
        self.now_ms = now_ms
        self.appended: list[int] = []
        """The position of each append to the log `items` so far."""
        self.revives = False
        """Whether the commit takes a tombstone away."""
        self._pending: Pending | None = None

    @property
    def number(self) -> int:
        """The partition's number, 0 until it is made."""
        return self.standing.id

    @property
    def pending(self) -> Pending:
        """What is left to the end of the commit."""
        if self._pending is None:
            self._pending = Pending()
        return self._pending

    def find_log(self, name: str) -> OpenLog | None:
        """Return the log, None where there is none."""
        logs = self.standing.logs
        if name not in logs:
            found = find_log(self.db, self.standing.id, name) if self.standing.id else None
            logs[name] = None if found is None else OpenLog(*found)
        return logs[name]

    def make_log(self, name: str) -> OpenLog:
        """Return the log, made where there was none."""
        log = self.find_log(name)
        if log is None:
            number = self.db.execute(_NEW_LOG, (self.standing.id, name)).lastrowid
            assert number is not None
            log = self.standing.logs[name] = OpenLog(number, 0)
        return log

    def finish(self) -> None:
        """Write what was left to the end, and how far the logs had come whose newest entries went."""
        if self._pending is not None:
            self._pending.finish(self.db, self.number, self.appended)
        for log in self.standing.logs.values():
            if log is not None and log.is_shorter:
                self.db.execute(_RAISE_FLOOR, (log.last, log.id))
                log.is_shorter = False
