"""Where a thread can be cut: never between two items that share a link, as a tool call and its result do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    best = 0
    for index in _whole_cuts(items):
        if index >= count - keep:
            return index
        best = index
    return best


def last_safe_cut(items: Sequence[Linked], most: int) -> int:
    """Return the greatest index up to `most` at which no link leads across a cut: what comes before it can go.

    Args:
        items: oldest first.
        most: from 0 to their number.
    """
    if most == len(items):
        return most
    best = 0
    for index in _whole_cuts(items):
        if index > most:
            break
        best = index
    return best


def _whole_cuts(items: Sequence[Linked]) -> Iterator[int]:
    """Yield the indexes at which no link leads across a cut, in order; 0 is the first."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for index, item in enumerate(items):
        for link in item.links:
            first.setdefault(link, index)
            last[link] = index
    # A link spans the cuts at the indexes after its first item, up to its last one.
    change = [0] * (len(items) + 2)
    for link, index in first.items():
        change[index + 1] += 1
        change[last[link] + 1] -= 1
    spans = 0
    for index in range(len(items)):
        spans += change[index]
        if spans == 0:
            yield index


def check_keep(keep: int) -> int:
    """Return `keep`, or raise InvalidError unless it is a whole number of at least 1."""
    if isinstance(keep, bool) or not isinstance(keep, int) or not 1 <= keep <= MOST:
        raise InvalidError(f"keep must be a whole number of at least 1, not {keep!r}; to empty a thread, truncate it after 0")
    return keep
