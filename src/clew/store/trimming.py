"""Where a thread can be cut: never between two items that share a link, as a tool call and its result do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from ..errors import InvalidError

MOST: Final = 1 << 53


class Linked(Protocol):
    """An Item, or a NewItem."""

    @property
    def links(self) -> Sequence[str]: ...


def safe_cut(items: Sequence[Linked], keep: int) -> int:
    """Return the index of the first item to keep, so that at most `keep` stay and no link leads across the cut.

    Where the newest items are linked in a group larger than `keep`, the whole group stays.

    Args:
        items: oldest first.
        keep: at least 1.
    """
    check_keep(keep)
    count = len(items)
    if count <= keep:
        return 0
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for index, item in enumerate(items):
        for link in item.links:
            first.setdefault(link, index)
            last[link] = index
    # A link spans the cuts at the indexes after its first item, up to its last one.
    change = [0] * (count + 2)
    for link, index in first.items():
        change[index + 1] += 1
        change[last[link] + 1] -= 1
    spans, best = 0, 0
    for index in range(count):
        spans += change[index]
        if spans == 0:
            if index >= count - keep:
                return index
            best = index
    return best


def check_keep(keep: int) -> int:
    """Return `keep`, or raise InvalidError unless it is a whole number of at least 1."""
    if isinstance(keep, bool) or not isinstance(keep, int) or not 1 <= keep <= MOST:
        raise InvalidError(f"keep must be a whole number of at least 1, not {keep!r}; to empty a thread, truncate it after 0")
    return keep
