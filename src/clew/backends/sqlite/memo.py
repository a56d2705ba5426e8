"""What the writer remembers of partitions between its commits, so that an append need not look them up again.

It holds only what this connection wrote or read under its write lock. It is emptied whenever another connection has
committed, a transaction was rolled back, or it grows too large. Readers never look here.
"""

from __future__ import annotations

from typing import Final

from ...records import Partition

MOST_REMEMBERED: Final = 4_096


class OpenLog:
    """A log as it stands: its number, and the highest position ever given in it."""

    __slots__ = ("id", "is_shorter", "last")

    def __init__(self, id: int, last: int) -> None:
        self.id, self.last = id, last
        self.is_shorter = False
        """Whether its newest entries went, so that they do not show any more how far it had come."""


class Standing:
    """A living partition as it stands, and those of its logs that were looked up (None: there is no such log)."""

    __slots__ = ("expires_ms", "id", "logs", "made_ms", "revision", "sliding_ms")

    def __init__(self, id: int, revision: int, expires_ms: int | None, sliding_ms: int | None, made_ms: int) -> None:
        self.id, self.revision, self.made_ms = id, revision, made_ms
        self.expires_ms, self.sliding_ms = expires_ms, sliding_ms
        self.logs: dict[str, OpenLog | None] = {}


class Memo:
    """Partitions by their names, when those dropped of late had begun, and the latest moment of each owner's listing."""

    __slots__ = ("_dropped_us", "_listed_us", "_standing")

    def __init__(self) -> None:
        self._standing: dict[Partition, Standing] = {}
        self._listed_us: dict[str, int] = {}
        self._dropped_us: dict[Partition, int] = {}

    def get(self, partition: Partition, now_ms: int) -> Standing | None:
        """Return what is known of a partition; None where nothing is, or where it has expired since."""
        standing = self._standing.get(partition)
        if standing is not None and standing.expires_ms is not None and standing.expires_ms <= now_ms:
            return self._standing.pop(partition) and None
        return standing

    def put(self, partition: Partition, standing: Standing) -> None:
        """Remember a partition that is in the file."""
        if len(self._standing) >= MOST_REMEMBERED:
            self.clear()
        self._standing[partition] = standing

    def forget(self, partition: Partition) -> None:
        """Look it up again next time."""
        self._standing.pop(partition, None)

    def get_dropped_us(self, partition: Partition) -> int:
        """Return when the one of this name that was dropped last had begun, in microseconds; 0 where that is not known."""
        return self._dropped_us.get(partition, 0)

    def put_dropped_us(self, partition: Partition, moment: int) -> None:
        """Remember when a partition that is dropped had begun; it does no harm where it is not dropped after all."""
        if len(self._dropped_us) >= MOST_REMEMBERED:
            self._dropped_us.clear()
        self._dropped_us[partition] = moment

    def get_listed_us(self, owner: str) -> int | None:
        """Return the latest moment in this owner's listing, None where it is not known."""
        return self._listed_us.get(owner)

    def put_listed_us(self, owner: str, moment: int) -> None:
        """Remember the latest moment in this owner's listing."""
        if len(self._listed_us) >= MOST_REMEMBERED:
            self._listed_us.clear()
        self._listed_us[owner] = moment

    def clear(self) -> None:
        """Forget everything that may not be so any more."""
        self._standing.clear()
        self._listed_us.clear()
