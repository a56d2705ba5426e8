"""What a wrapper does to bytes on their way in and out.

Frames are told by how they begin, so that what was stored before a coding was turned on, or by an older key, is read too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..codec import encode_entry
from ..records import FORMAT, Entry, Partition


class Coding(Protocol):
    """A way to store bytes. What it writes is always the same for the same bytes in the same place, while its settings are."""

    @property
    def newest_key(self) -> str | None:
        """The id of the key that it writes with; None where it does not encrypt."""
        ...

    def encode(self, place: bytes, data: bytes) -> bytes:
        """Return what is stored for `data` in this place."""
        ...

    def decode(self, place: bytes, stored: bytes) -> bytes:
        """Return the data; UnreadableError where it cannot be had."""
        ...

    def encode_entry(self, partition: Partition, log: str, entry: Entry) -> Entry:
        """Return the entry that is stored for one."""
        ...

    def decode_entries(self, partition: Partition, log: str, stored: Sequence[Entry]) -> list[Entry]:
        """Return the entries of stored ones; those that cannot be read are marked."""
        ...

    def encode_digests(self, place: bytes, digest: bytes) -> Sequence[bytes]:
        """Return what may be stored for a digest, the one that is written first."""
        ...

    def describe(self) -> dict[str, str | int | float | bool | None]:
        """Return facts for people."""
        ...


class Chain:
    """Two codings: what the first makes of the bytes goes through the second."""

    def __init__(self, first: Coding, second: Coding) -> None:
        self._first = first
        self._second = second

    @property
    def newest_key(self) -> str | None:
        """See Coding.newest_key."""
        return self._second.newest_key or self._first.newest_key

    def encode(self, place: bytes, data: bytes) -> bytes:
        """See Coding.encode."""
        return self._second.encode(place, self._first.encode(place, data))

    def decode(self, place: bytes, stored: bytes) -> bytes:
        """See Coding.decode."""
        return self._first.decode(place, self._second.decode(place, stored))

    def encode_entry(self, partition: Partition, log: str, entry: Entry) -> Entry:
        """See Coding.encode_entry."""
        return self._second.encode_entry(partition, log, self._first.encode_entry(partition, log, entry))

    def decode_entries(self, partition: Partition, log: str, stored: Sequence[Entry]) -> list[Entry]:
        """See Coding.decode_entries."""
        return self._first.decode_entries(partition, log, self._second.decode_entries(partition, log, stored))

    def encode_digests(self, place: bytes, digest: bytes) -> Sequence[bytes]:
        """See Coding.encode_digests."""
        return [last for each in self._first.encode_digests(place, digest) for last in self._second.encode_digests(place, each)]

    def describe(self) -> dict[str, str | int | float | bool | None]:
        """See Coding.describe."""
        return {**self._first.describe(), **self._second.describe()}


def mark(stored: Entry, why: str) -> Entry:
    """Return a stored entry that cannot be read as what it is: kept, with the reason."""
    return Entry(
        FORMAT, stored.key, 0, encode_entry(stored), "unreadable", "unreadable", position=stored.position, unreadable=why
    )
