"""A thread that a source keeps as a list, read in pieces of bounded size, each element under an id of its own.

An element's id is made from its list's key, its place and its bytes. Places are counted from where the list first began: where
its writer has cut off the oldest elements since, or does so meanwhile, the newest ones that were read are found again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from hashlib import blake2b
from typing import Any, Final

import msgspec

from ..model import JSON, NewItem
from .looking import Keys, name_of
from .records import Broken, FoundThread, reason_of

Describe = Callable[[bytes], NewItem]
"""Returns the item of an element; its id is the source's own, or None. What it raises is told, and the element left."""

WINDOW: Final = 4
"""Elements by which a place in a list is known again."""
PEEK: Final = 4
"""Elements that are looked at before a thread is made."""
FIRST: Final = 32
MOST: Final = 1_000
PIECE_BYTES: Final = 1024 * 1024
"""What a piece is to have, judged by those before it."""


class Mark(msgspec.Struct, forbid_unknown_fields=True):
    """How far a list was read: where it began, the place after the last element, and the digests of the last ones."""

    base: int
    next: int
    last: list[str]


class FoundList(FoundThread):
    """A thread whose items are the elements of one list."""

    __slots__ = ("_describe", "_key", "_keys")

    def __init__(self, keys: Keys, key: bytes, describe: Describe, *, owner: str | None, id: str, **known: Any) -> None:
        super().__init__(owner, id, name_of(key), **known)
        self._keys = keys
        self._key = key
        self._describe = describe

    async def items(self, mark: JSON) -> AsyncGenerator[list[NewItem | Broken]]:
        """See FoundThread.items."""
        base, place, count = await self._begin(mark), 0, FIRST
        window: list[str] = []
        seen: set[str] = set()
        while True:
            found = await self._keys.elements(self._key, place - len(window), len(window) + count)
            if found is None:
                yield [Broken("thread", self.where, "the key holds another type", self.id)]
                return
            if window and [digest(data) for data in found[: len(window)]] != window:
                again = await self._find(window, place)
                if again is None:
                    # It was emptied and begun anew: what it holds now comes with the next move.
                    return
                base, place, window = base + place - again, again, []
                continue
            new = found[len(window) :]
            if not new:
                break
            yield await self.make(new, base + place, seen)
            window = (window + [digest(data) for data in new[-WINDOW:]])[-WINDOW:]
            place += len(new)
            average = sum(map(len, new)) // len(new) + 1
            count = max(1, min(MOST, 4 * count, PIECE_BYTES // average))
        self.mark = msgspec.to_builtins(Mark(base, base + place, window))

    async def make(self, elements: Sequence[bytes], place: int, seen: set[str]) -> list[NewItem | Broken]:
        """Return the items of elements, the first of which stands at `place`; a source's own id names the first that has it."""
        made: list[NewItem | Broken] = []
        head = self._key + b"\0"
        for at, data in enumerate(elements, place):
            try:
                item = self._describe(data)
            except Exception as error:
                # Whatever a stranger's bytes make a decoder raise: this one is told, and the others are read.
                made.append(Broken("item", f"{self.where}, element {at}", reason_of(error), self.id))
                continue
            if item.id is None or item.id in seen:
                item = msgspec.structs.replace(item, id=derive_id(head, at, data))
            else:
                seen.add(item.id)
            made.append(item)
        return made

    async def _begin(self, mark: JSON) -> int:
        """Return how many elements were cut off the list's beginning since it was first read."""
        if mark is None:
            return 0
        try:
            known = msgspec.convert(mark, Mark)
        except msgspec.ValidationError:
            # A note that somebody else wrote: the ids tell what is there.
            return 0
        found = await self._find(known.last, known.next - known.base) if known.last else None
        return known.base if found is None else known.next - found

    async def _find(self, window: Sequence[str], place: int) -> int | None:
        """Return the place after the elements of a window, the greatest that is not above `place`; None where they are gone.

        Of a window whose first elements are cut off, the rest is enough.
        """
        start = place - len(window)
        found = await self._keys.elements(self._key, start, len(window)) or []
        if [digest(data) for data in found] == list(window):
            return place
        last: deque[str] = deque(maxlen=len(window))
        at, best = 0, None
        while at < place:
            piece = await self._keys.elements(self._key, at, min(FIRST, place - at)) or []
            if not piece:
                break
            for data in piece:
                last.append(digest(data))
                at += 1
                if list(last) == list(window[-len(last) :]):
                    best = at
        return best


def digest(data: bytes) -> str:
    """Return what an element is known again by."""
    return blake2b(data, digest_size=8).hexdigest()


def derive_id(head: bytes, place: int, data: bytes) -> str:
    """Return the id of what stands at a place under a key."""
    return blake2b(b"%b%d\0%b" % (head, place, data), digest_size=16, person=b"clew moving").hexdigest()


async def peek(keys: Keys, key: bytes) -> list[bytes] | Broken | None:
    """Return the first elements of a list; None where there is no such key."""
    found = await keys.elements(key, 0, PEEK)
    if found is None:
        return Broken("thread", name_of(key), "the key holds another type")
    return found or None
