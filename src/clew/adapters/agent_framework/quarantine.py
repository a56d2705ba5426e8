"""What could not be read: left out of the history, reported once, and kept in the store as it is."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

logger = logging.getLogger(__name__)

MAX_REMEMBERED: Final = 1_000
"""Records that one quarantine remembers, the newest ones."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that holds no message this version can read. It stays in the store as it is, and is left out of the history.

    Attributes:
        thread_id: where it stands.
        position: its place there.
        id: the item's id; None where the envelope itself is corrupt.
        reason: why, without any of its content.
    """

    thread_id: str
    position: int
    id: str | None
    reason: str


class Quarantine:
    """The records one provider has left out.

    Args:
        notify: called once for each of them.
    """

    def __init__(self, notify: Callable[[Unreadable], None] | None) -> None:
        self._notify = notify
        self._records: dict[tuple[str, int], Unreadable] = {}

    def report(self, record: Unreadable) -> None:
        """Log a record and pass it on, the first time it is met."""
        key = (record.thread_id, record.position)
        if key in self._records:
            return
        if len(self._records) >= MAX_REMEMBERED:
            del self._records[next(iter(self._records))]
        self._records[key] = record
        where = record.thread_id, record.position
        logger.warning("thread %r: the record at position %d is left out of the history: %s", *where, record.reason)
        if self._notify is None:
            return
        try:
            self._notify(record)
        except Exception:
            # A report that fails must not do what the bad record could not: stop the session.
            logger.exception("on_unreadable failed")

    def records(self) -> tuple[Unreadable, ...]:
        """Return what was reported, the earliest first."""
        return tuple(self._records.values())
