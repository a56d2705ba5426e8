"""A stored document: one JSON object in a plain string, whole at every moment, whose list of entries stands last but for a seal.

The seal has a fixed length: when it was written to, a revision, its time to live. So one step can tell whether the document is
still the one that was read, and another can add an entry without reading, sending or writing the rest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec

from ...errors import InvalidError, UnreadableError
from ...ids import new_key
from ...model import JSON
from .exact import DATETIMES, encode_entries, encode_object, thaw

START: Final = b'],"last_active":"'
_REVISION: Final = b'","_revision":"'
_TTL: Final = b',"_ttl_ms":'
DIGITS: Final = 13
"""Room for a hundred years in milliseconds."""
KEPT: Final = len(_TTL) + DIGITS + 1
"""The last bytes of a seal, from the comma before its time to live: they stay when an entry is added."""
SEAL_BYTES: Final = len(START) + 32 + len(_REVISION) + 16 + 1 + KEPT
TTL_AT: Final = (SEAL_BYTES - 1 - DIGITS, SEAL_BYTES - 1)
"""Where in a seal its milliseconds stand."""
OF_SEAL: Final = ("last_active", "_revision", "_ttl_ms")

SPARE: Final = 128
"""A head is filled up with spaces to a multiple of so many bytes, and has at least so many to spare."""

_SEAL: Final = re.compile(rb'\],"last_active":"[^"\\]{32}","_revision":"[0-9a-f]{16}","_ttl_ms": *[0-9]+\}')


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it was read, datetimes put back.

    Attributes:
        head: every field but the entries and the seal's.
        entries: the list.
        seal: how it ends; None where another program wrote it.
    """

    head: dict[str, JSON]
    entries: list[JSON]
    seal: bytes | None


@dataclass(frozen=True, slots=True)
class Before:
    """The document that a draft follows, as it is stored.

    Attributes:
        room: how many bytes stand before its first entry.
        body: its entries, as JSON with commas between them.
        count: how many they are.
    """

    room: int
    body: bytes
    count: int


@dataclass(frozen=True, slots=True)
class Draft:
    """A document to be stored, in pieces.

    Attributes:
        start: all before the first entry.
        body: the entries, as JSON with commas between them.
        seal: all after them.
        count: how many entries it has.
        rest: what has to be put in the place of the stored document's seal, before the new one, and `start` in the place of its
            beginning, to make it this one; None where that does not do.
    """

    start: bytes
    body: bytes
    seal: bytes
    count: int
    rest: bytes | None

    @property
    def raw(self) -> bytes:
        """All of it."""
        return b"".join((self.start, self.body, self.seal))


def make_seal(ttl_ms: int) -> bytes:
    """Return a new seal, of another revision than any before.

    Args:
        ttl_ms: how long the document stays after each write; 0 for ever.
    """
    return b"%s%s%*d}" % (fresh_part(), _TTL, DIGITS, ttl_ms)


def fresh_part() -> bytes:
    """Return what is new in a seal at each write; its last KEPT bytes follow."""
    now = datetime.now(UTC).isoformat(timespec="microseconds").encode()
    return b"".join((START, now, _REVISION, new_key()[8:].hex().encode(), b'"'))


def ttl_ms_in(seal: bytes) -> int:
    """Return the time to live that a seal says, in milliseconds; 0 for ever."""
    return int(seal[TTL_AT[0] : TTL_AT[1]])


def compose(
    head: dict[str, JSON], field: str, entries: list[JSON], ttl_ms: int, what: str, before: Before | None = None
) -> Draft:
    """Return a document with a new seal; InvalidError where it would not come back as it is.

    Args:
        before: the document that it follows: entries that still read the same are not looked at again, nor sent.
    """
    name = b',"%s":[' % field.encode()
    known = (b"", 0) if before is None else (before.body, before.count)
    encoded, reads_on = encode_entries(entries, f"{what}'s {field}", known)
    start = encode_object(head, what)[:-1]
    size = len(start) + len(name)
    if before is not None and reads_on and size <= before.room:
        rest = encoded[1 + len(before.body) : -1]
        # The same bytes again, where nothing was added: most saves copy none of them.
        body = encoded[1:-1] if rest else before.body
        return Draft(start.ljust(before.room - len(name)) + name, body, make_seal(ttl_ms), len(entries), rest)
    # Spaces, so that a head that grows a little can be written in the same place.
    start = start.ljust((len(start) + 2 * SPARE) // SPARE * SPARE)
    return Draft(start + name, encoded[1:-1], make_seal(ttl_ms), len(entries), None)


def find_before(raw: bytes, field: str, count: int) -> Before | None:
    """Return a sealed document in the pieces that a draft needs; None where it has none to go on from."""
    name = b',"%s":[' % field.encode()
    at = raw.find(name) if count else -1
    return None if at < 0 else Before(at + len(name), raw[at + len(name) : -SEAL_BYTES], count)


def seal_of(data: bytes) -> bytes | None:
    """Return the seal that a document ends with, None where it has none."""
    end = data[-SEAL_BYTES:]
    return end if _SEAL.fullmatch(end) else None


def decode(data: bytes, what: str) -> dict[str, JSON]:
    """Return a stored document as it is, or raise UnreadableError where it is no JSON object."""
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise UnreadableError(f"{what} is not JSON ({e}): it is kept as it is; delete it, or save with overwrite=True") from e
    if not isinstance(found, dict):
        raise UnreadableError(f"{what} is no JSON object: it is kept as it is; delete it, or save with overwrite=True")
    return found


def split(found: dict[str, JSON], field: str, raw: bytes, what: str) -> Document:
    """Return the document that `raw` was decoded to in its parts, datetimes put back."""
    entries = found.pop(field, None)
    if entries is None:
        entries = []
    if not isinstance(entries, list):
        raise UnreadableError(f"{what} has no list as its {field}: it is kept as it is; delete it, or save with overwrite=True")
    seal = seal_of(raw)
    if seal is not None:
        for name in OF_SEAL:
            found.pop(name, None)
    for entry in entries:
        # In place; most have none, so it is not called for each.
        if type(entry) is dict and DATETIMES in entry:
            thaw(entry)
    return Document(thaw(found), entries, seal)


def check_entry(entry: JSON) -> JSON:
    """Return an entry, or raise InvalidError unless it is an object."""
    if not isinstance(entry, dict):
        raise InvalidError(f"an entry is a JSON object, as a dict, not {type(entry).__name__}")
    return entry
