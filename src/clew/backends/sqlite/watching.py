"""Who waits for news of which partition or run, and how they are told.

The writer tells them after its commits; for the commits of other processes it looks at the file every few hundredths of a
second, once for all followers, and only while there are any.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias

from ...records import Partition

SHORTEST_S: Final = 0.02
LONGEST_S: Final = 0.05
"""The time between two looks at the file: it grows from the one to the other while nothing comes."""


Topic: TypeAlias = Partition | tuple[Partition, str] | tuple[Partition, str, str]
"""What there may be news of: a partition, one of its runs, or the record of one."""


def run_topic(partition: Partition, run: str) -> Topic:
    """Return the topic of a run's events."""
    return partition, run


def record_topic(partition: Partition, run: str) -> Topic:
    """Return the topic of a run's record: its producer, its end, a request to stop. Not of every event."""
    return partition, run, "record"


class Ear:
    """A follower's: rung when there may be something new. It belongs to one event loop."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.rung = asyncio.Event()


class Watch:
    """The ears of one store, over all event loops."""

    def __init__(self, nudge: Callable[[], None]) -> None:
        """`nudge` wakes the thread that looks at the file."""
        self._nudge = nudge
        self._lock = threading.Lock()
        self._ears: dict[Topic, set[Ear]] = {}
        self._rest_s = SHORTEST_S

    @property
    def is_watched(self) -> bool:
        """Whether anybody follows."""
        return bool(self._ears)

    @contextlib.contextmanager
    def listen(self, topic: Topic) -> Iterator[Ear]:
        """Give an ear for this topic, for as long as the block lasts."""
        ear = Ear()
        with self._lock:
            first = not self._ears
            self._ears.setdefault(topic, set()).add(ear)
        if first:
            self._nudge()
        try:
            yield ear
        finally:
            with self._lock:
                ears = self._ears[topic]
                ears.discard(ear)
                if not ears:
                    del self._ears[topic]

    def rest(self, *, moved: bool) -> float:
        """Return the seconds until the next look, given whether this one found the file moved."""
        self._rest_s = SHORTEST_S if moved else min(self._rest_s * 1.1, LONGEST_S)
        return self._rest_s

    def wake(self, topics: Iterable[Topic]) -> None:
        """Ring whoever follows one of these."""
        with self._lock:
            ears = {ear for topic in topics for ear in self._ears.get(topic, ())}
        _ring(ears)

    def wake_all(self) -> None:
        """Ring everybody."""
        with self._lock:
            ears = {ear for found in self._ears.values() for ear in found}
        _ring(ears)


def _ring(ears: Iterable[Ear]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[Ear]] = {}
    for ear in ears:
        by_loop.setdefault(ear.loop, []).append(ear)
    for loop, own in by_loop.items():
        with contextlib.suppress(RuntimeError):  # a loop that was closed has nobody waiting
            loop.call_soon_threadsafe(_ring_all, own)


def _ring_all(ears: Iterable[Ear]) -> None:
    for ear in ears:
        ear.rung.set()
