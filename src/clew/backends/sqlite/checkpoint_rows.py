"""The rows of parts: written once, found by name, and deleted when nothing needs them any more."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from ...checkpoints import Part, Span

NAMES_AT_ONCE: Final = 64
"""Names in one statement; a list is filled up to a power of two, so that few statements are prepared."""

_ADD: Final = """
INSERT INTO part (partition, branch, name, after, spans, data) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (partition, branch, name) DO NOTHING"""
_HAS: Final = "SELECT name FROM part WHERE partition = ? AND branch = ? AND name IN ({})"
_USES: Final = "SELECT uses FROM checkpoint WHERE partition = ? AND branch = ?"
_CHAINS: Final = "SELECT name, after FROM part WHERE partition = ? AND branch = ?"
_DELETE: Final = "DELETE FROM part WHERE partition = ? AND branch = ? AND name = ?"

encode = msgspec.msgpack.Encoder().encode
decode_names = msgspec.msgpack.Decoder(tuple[str, ...]).decode
_decode_numbers = msgspec.msgpack.Decoder(list[int]).decode


class NewPart(NamedTuple):
    """A part that a commit brings."""

    branch: str
    name: str
    part: Part


class Pending:
    """What a commit leaves to its end: the positions of all it appends are known only then, and which parts are needed."""

    __slots__ = ("loose", "parts", "promised")

    def __init__(self) -> None:
        self.promised: set[tuple[str, str]] = set()
        """Branch and name of each part that this commit brings."""
        self.parts: list[NewPart] = []
        self.loose: set[str] = set()
        """The branches that lost a checkpoint."""

    def finish(self, db: sqlite3.Connection, partition: int, appended: Sequence[int]) -> None:
        """Write the parts, and delete those of the loose branches that nothing needs.

        Args:
            appended: the positions of what the commit appended to the log `items`, in the order of its changes.
        """
        rows = [
            (partition, branch, name, part.after, _encode_spans(part.spans, appended), part.data)
            for branch, name, part in self.parts
        ]
        if rows:
            db.executemany(_ADD, rows)
        for branch in self.loose:
            _collect(db, partition, branch)


def find_missing(db: sqlite3.Connection, partition: int, branch: str, names: Collection[str]) -> str | None:
    """Return one of the names that no part of the branch has, None where each is there."""
    missing = set(names)
    for batch in cut_names(names):
        found = db.execute(_HAS.format(", ".join("?" * len(batch))), (partition, branch, *batch))
        missing.difference_update([name for (name,) in found])
    return min(missing, default=None)


def cut_names(names: Iterable[str]) -> Iterator[list[str]]:
    """Yield the names in lists of 1, 2, 4 and so on up to NAMES_AT_ONCE, the last one filled up by a repeated name."""
    rest = list(names)
    for at in range(0, len(rest), NAMES_AT_ONCE):
        batch = rest[at : at + NAMES_AT_ONCE]
        yield batch + batch[:1] * ((1 << (len(batch) - 1).bit_length()) - len(batch))


def decode_spans(spans: bytes | None) -> tuple[Span, ...]:
    """Return the spans of a part's row."""
    if spans is None:
        return ()
    numbers = iter(_decode_numbers(spans))
    return tuple(map(Span, numbers, numbers))


def _encode_spans(spans: Sequence[Span], appended: Sequence[int]) -> bytes | None:
    """Return spans of positions as they are stored: each append's place is its position, and neighbours are one span."""
    if not spans:
        return None
    numbers: list[int] = []
    for first, count in spans:
        places = [(first, count)] if first > 0 else [(place, 1) for place in appended[-first - 1 : -first - 1 + count]]
        for place, size in places:
            if numbers and numbers[-2] + numbers[-1] == place:
                numbers[-1] += size
            else:
                numbers += (place, size)
    return encode(numbers)


def _collect(db: sqlite3.Connection, partition: int, branch: str) -> None:
    """Delete the parts of a branch that no checkpoint uses, and that none of these goes on from."""
    place = (partition, branch)
    chains: dict[str, str | None] = dict(db.execute(_CHAINS, place))
    for (uses,) in db.execute(_USES, place):
        for name in decode_names(uses):
            following: str | None = name
            while following is not None:
                following = chains.pop(following, None)
    if chains:
        db.executemany(_DELETE, [(*place, name) for name in chains])
