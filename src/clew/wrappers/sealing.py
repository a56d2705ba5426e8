"""Encryption: each document, entry, part, write and event is sealed for its place; an entry with its envelope, but for its id."""

from __future__ import annotations

from collections.abc import Sequence

from ..codec import decode_entries, decode_entry, encode_entry
from ..errors import UnreadableError
from ..frames import SEALED
from ..limits import MAX_DIGEST_BYTES
from ..records import FORMAT, Entry, Partition
from .coding import mark
from .keyring import NONCE_BYTES, InvalidTag, Keyring
from .places import of_log

PLAIN = "it is not encrypted, and encryption_plain=refuse: it is from before encryption was turned on, or not from clew"


class Sealing:
    """The coding that encrypts.

    Args:
        keyring: the keys.
        takes_plain: whether what is not encrypted is read too, as what was written before.
    """

    def __init__(self, keyring: Keyring, *, takes_plain: bool = True) -> None:
        self._keyring = keyring
        self._takes_plain = takes_plain

    @property
    def newest_key(self) -> str | None:
        """See Coding.newest_key."""
        return self._keyring.newest.id

    def encode(self, place: bytes, data: bytes) -> bytes:
        """See Coding.encode."""
        return self._keyring.seal(place, data)

    def decode(self, place: bytes, stored: bytes) -> bytes:
        """See Coding.decode."""
        if stored.startswith(SEALED):
            return self._keyring.open(place, stored)
        if self._takes_plain:
            return stored
        raise UnreadableError(PLAIN)

    def encode_entry(self, partition: Partition, log: str, entry: Entry) -> Entry:
        """See Coding.encode_entry."""
        key = entry.key
        return Entry(FORMAT, key, 0, self._keyring.seal(of_log(partition, log) + key, encode_entry(entry)))

    def decode_entries(self, partition: Partition, log: str, stored: Sequence[Entry]) -> list[Entry]:
        """See Coding.decode_entries."""
        count = len(stored)
        if not count:
            return []
        prefix = of_log(partition, log)
        first, step = stored[0].position, 1 if stored[-1].position >= stored[0].position else -1
        if stored[-1].position - first == step * (count - 1):
            # The usual page, all of the newest key and without a hole, at once. What has another key does not open with this one.
            key = self._keyring.newest
            decrypt, start = key.decrypt, len(key.header)
            end, bound = start + NONCE_BYTES, key.header + prefix
            try:
                opened = [decrypt((data := each.data)[start:end], data[end:], bound + each.key) for each in stored]
            except (InvalidTag, ValueError):
                # Which of them is wrong, and how, is found out one by one.
                return [self._open(prefix, each) for each in stored]
            entries = decode_entries(opened, first, step)
            if len(entries) == count:
                return entries
        return [self._open(prefix, each) for each in stored]

    def _open(self, prefix: bytes, stored: Entry) -> Entry:
        if stored.unreadable is not None:
            return stored
        if not stored.data.startswith(SEALED):
            return stored if self._takes_plain else mark(stored, PLAIN)
        try:
            envelope = self._keyring.open(prefix + stored.key, stored.data)
        except UnreadableError as e:
            return mark(stored, str(e))
        return decode_entry(envelope, stored.position) or mark(stored, "it holds nothing")

    def encode_digests(self, place: bytes, digest: bytes) -> Sequence[bytes]:
        """See Coding.encode_digests."""
        hashed = [key.hash(place, digest)[:MAX_DIGEST_BYTES] for key in self._keyring.keys.values()]
        return [*hashed, digest] if self._takes_plain else hashed

    def describe(self) -> dict[str, str | int | float | bool | None]:
        """See Coding.describe."""
        return {"encryption": self._keyring.describe(takes_plain=self._takes_plain)}
