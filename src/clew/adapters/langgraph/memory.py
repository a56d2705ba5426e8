"""What a saver knows of threads, so that a put sends only what is new: bounded in bytes, and never needed.

What it says of another life of a thread is found out by the store, and forgotten. Copies of a saver share one memory.
"""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import Future
from threading import Lock
from typing import Final, NamedTuple

from ...checkpoints import Span
from ...model import Ref
from .prints import Print

MOST_LISTS: Final = 64
"""The lists of one thread that are remembered, the last ones written or read: each run of a subgraph has some of its own."""
_RECORD: Final = 500
"""Bytes that a record costs beside what it holds."""


class List(NamedTuple):
    """A list as it was last written or read.

    Attributes:
        body: its elements in MessagePack, without the header.
        length: how many there are.
        spans: the items that they are, where they are items.
        name: the part that holds it.
        depth: how many parts it is made of.
        made: the print of its messages, where they have one and were put here.
    """

    body: bytes
    length: int
    spans: tuple[Span, ...]
    name: str
    depth: int = 1
    made: Print | None = None


class Known:
    """What is known of one thread.

    Attributes:
        key: its owner and id.
        ref: the same, for the store.
        made_ms: when it was made; 0 where that is not known.
        lists: by branch and channel.
        runs: the ids of runs that the index is known to have for it.
        absent_at: the id that a checkpoint would have had when the thread was found not to be there; None where it was.
        begun: done when the put that begins the thread is; None where none is under way.
        last: the newest position that is known.
        window: how many of the newest items hold the last state; None where that is not known.
    """

    __slots__ = ("absent_at", "begun", "key", "last", "lists", "made_ms", "ref", "runs", "size", "window")

    def __init__(self, key: tuple[str, str]) -> None:
        self.key = key
        self.ref = Ref(*key)
        self.made_ms = 0
        self.lists: OrderedDict[tuple[str, str], List] = OrderedDict()
        self.runs: set[str] = set()
        self.absent_at: str | None = None
        self.begun: Future[None] | None = None
        self.last = 0
        self.window: int | None = None
        self.size = _RECORD

    def begin(self) -> None:
        """The put that begins the thread is under way."""
        if self.begun is None:
            self.begun = Future()

    def end_beginning(self) -> None:
        """The put that begins the thread is done, or has failed."""
        begun, self.begun, self.absent_at = self.begun, None, None
        if begun is not None and not begun.done():
            begun.set_result(None)


class Memory:
    """What is known of the threads that were used last, by owner and id."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._known: OrderedDict[tuple[str, str], Known] = OrderedDict()
        self._size = 0
        # The loops of synchronous and asynchronous callers are in threads of their own.
        self._lock = Lock()

    def find(self, owner: str, thread: str) -> Known:
        """Return what is known of a thread, which may be nothing."""
        key = (owner, thread)
        known = self._known.get(key)
        if known is not None:
            try:
                self._known.move_to_end(key)
                return known
            except KeyError:
                # Another thread has just let it go.
                pass
        with self._lock:
            known = self._known.get(key)
            if known is None:
                known = self._known[key] = Known(key)
                self._size += known.size
                self._shrink()
            return known

    def learn(self, known: Known, made_ms: int, found: dict[tuple[str, str], List]) -> None:
        """Remember lists of the thread that was made at `made_ms`; what was known of another one is forgotten."""
        with self._lock:
            if self._known.get(known.key) is not known:
                # It was forgotten while the store was asked.
                return
            before = known.size
            if known.made_ms != made_ms:
                known.lists.clear()
                known.runs.clear()
                known.made_ms, known.size, known.last = made_ms, _RECORD, 0
            lists = known.lists
            for key, record in found.items():
                old = lists.get(key)
                lists[key] = record
                lists.move_to_end(key)
                known.size += _size_of(record) + _RECORD if old is None else _size_of(record) - _size_of(old)
                spans = record.spans
                if spans:
                    first, count = spans[-1] if len(spans) == 1 else max(spans)
                    known.last = max(known.last, first + count - 1)
                    known.window = known.last + 1 - (first if len(spans) == 1 else min(spans).first)
            while len(lists) > MOST_LISTS:
                known.size -= _size_of(lists.popitem(last=False)[1]) + _RECORD
            self._size += known.size - before
            self._shrink()

    def forget(self, owner: str, thread: str) -> None:
        """Know nothing of a thread any more."""
        with self._lock:
            known = self._known.pop((owner, thread), None)
            if known is not None:
                self._size -= known.size
                known.end_beginning()

    @property
    def size(self) -> int:
        """Bytes that it holds, about."""
        return self._size

    def _shrink(self) -> None:
        while self._size > self._most and len(self._known) > 1:
            self._size -= self._known.popitem(last=False)[1].size


def _size_of(record: List) -> int:
    return len(record.body) + (0 if record.made is None else len(record.made.states))
