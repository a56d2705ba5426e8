"""An optional power: what a backend counts of its own work, and what it holds now. To ask costs no trip to the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from .records import Partition
from .runs import EventId

__all__ = ["Hearing", "Metering", "Meters"]


@dataclass(slots=True)
class Meters:
    """Counted since the backend was made, unless it says "now".

    Attributes:
        round_trips: to a server of Redis, with all that goes together; transactions, on SQLite.
        sent_bytes, received_bytes: over the connections of requests.
        retries: requests that were sent again, since their connection broke or the server could not take them just then.
        connections: opened for requests; those that are opened later than the first ones replace lost ones.
        connected: of these, open now.
        journal_depth: writes that wait in a journal now; None where there is no journal.
        journal_aside: writes that the store refused for good, kept beside.
        journal_oldest_s: seconds since the oldest write that waits was accepted, or found at the start; to about a second.
        away: whether the journal knows the store to be away now.
    """

    round_trips: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0
    retries: int = 0
    connections: int = 0
    connected: int = 0
    journal_depth: int | None = None
    journal_aside: int = 0
    journal_oldest_s: float = 0.0
    away: bool = False


@runtime_checkable
class Metering(Protocol):
    """A backend that counts."""

    def meters(self) -> Meters:
        """Return a copy of the counts. It may be called from any thread."""
        ...


@runtime_checkable
class Hearing(Protocol):
    """A backend that hears of the events of the runs that are followed here, also of those that nobody has read yet."""

    def newest_event(self, partition: Partition, run: str) -> EventId | None:
        """Return the newest event of a run that this process knows of; None where it knows none."""
        ...
