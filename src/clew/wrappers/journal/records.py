"""What the journal keeps of a write, and which writes it can keep: those that need no look at the store to be accepted.

That is appends, and the making of a partition. What depends on a revision or on what is stored cannot be accepted.

A record has one of three forms, the commonest the shortest:

- an item's stored envelope (`clew.codec`) as it is: that item, appended to a thread that must be there, and listed;
- `_Plain`: appends to one log;
- `_Record`: any write that can be kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

import msgspec

from ...codec import encode_entry
from ...limits import ITEMS
from ...records import ANY, PRESENT, Append, Change, Entry, Expire, ExpiryKind, Once, PutDocument

FORMAT: Final = 3
"""The format of the records this code writes, and of the files that hold them; the newest it reads."""


class _Append(msgspec.Struct, frozen=True, array_like=True, tag=0, gc=False):
    log: str
    entry: Entry


class _Document(msgspec.Struct, frozen=True, array_like=True, tag=1, gc=False):
    key: str
    data: bytes | None
    is_new: bool


class _Expire(msgspec.Struct, frozen=True, array_like=True, tag=2, gc=False):
    ttl_ms: int | None
    kind: ExpiryKind


_Kept: TypeAlias = _Append | _Document | _Expire


class _Record(msgspec.Struct, frozen=True, array_like=True):
    expect: int | None
    listed: bool
    token: str | None
    digest: bytes | None
    changes: list[_Kept]
    header: list[_Kept]


class _Plain(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Appends to one log and nothing else. Told from a `_Record` by how many fields it has."""

    expect: int | None
    listed: bool
    log: str
    entries: list[Entry]


_PLAIN: Final = b"\x94"
"""How the MessagePack of four fields begins."""
_FIRST_OF_ENVELOPE: Final = b"\x01"
"""The first field of an envelope, its format. Of the other forms it is a revision that nobody expects."""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Record).decode
_decode_plain = msgspec.msgpack.Decoder(_Plain).decode
_decode_plains = msgspec.msgpack.Decoder(list[_Plain]).decode
_decode_item = msgspec.msgpack.Decoder(Entry).decode
_decode_items = msgspec.msgpack.Decoder(list[Entry]).decode


class Write(NamedTuple):
    """A commit as it is to be repeated: `header` makes the partition where it is not there."""

    changes: Sequence[Change]
    expect: int | None = None
    once: str | Once | None = None
    listed: bool = False
    header: Sequence[Change] = ()

    @property
    def is_plain(self) -> bool:
        """Whether it may go to the store in one commit with others: appends alone, without a token of their own.

        The header of the first one then makes the partition for all of them.
        """
        return self.once is None and self.expect != 0


def can_keep(write: Write) -> bool:
    """Tell whether a write can be accepted without the store."""
    if write.expect == 0:
        return all(_is_making(change) for change in write.changes)
    if write.expect is not None and write.expect != PRESENT:
        return False
    return bool(write.changes) and all(type(change) is Append for change in write.changes) and all(map(_is_making, write.header))


def _is_making(change: Change) -> bool:
    return isinstance(change, Append | Expire) or (
        isinstance(change, PutDocument) and (change.when is None or change.when == ANY)
    )


def encode_write(write: Write) -> bytes:
    """Return what the journal keeps."""
    if write.once is None and not write.header:
        log = _only_log(write.changes)
        if log is not None:
            entries = [change.entry for change in write.changes]  # type: ignore[union-attr]  # they are appends
            is_common = log == ITEMS and write.listed and write.expect == PRESENT
            # What could not be read where it came from is no envelope.
            if is_common and len(entries) == 1 and entries[0].unreadable is None:
                return encode_entry(entries[0])
            return _encode((write.expect, write.listed, log, entries))
    once = write.once
    token, digest = (once.token, once.digest) if isinstance(once, Once) else (once, None)
    changes, header = [_keep(change) for change in write.changes], [_keep(change) for change in write.header]
    return _encode(_Record(write.expect, write.listed, token, digest, changes, header))


def decode_write(body: bytes) -> Write:
    """Return the write; msgspec.DecodeError where the record is damaged."""
    if body[1:2] == _FIRST_OF_ENVELOPE:
        return _append([_decode_item(body)])
    if body[:1] == _PLAIN:
        plain = _decode_plain(body)
        return Write([Append(plain.log, entry) for entry in plain.entries], plain.expect, None, plain.listed)
    found = _decode(body)
    once = found.token if found.token is None or found.digest is None else Once(found.token, found.digest)
    return Write(
        [_make(kept) for kept in found.changes], found.expect, once, found.listed, [_make(kept) for kept in found.header]
    )


def join_writes(bodies: bytes, order: Sequence[int], groups: Sequence[Sequence[int]]) -> list[Write | None]:
    """Return what records say that stand one after another: those of each group as one write, None where they are not alike.

    Args:
        order: a number for each record.
        groups: the numbers of each write, in the order of the write.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError: one is damaged, or no appends to one log, or they are of two forms.
    """
    # One call for all: a call each costs more than the decoding.
    whole = b"\xdd%b%b" % (len(order).to_bytes(4, "big"), bodies)
    try:
        entries = dict(zip(order, _decode_items(whole), strict=True))
    except msgspec.DecodeError:
        plains = dict(zip(order, _decode_plains(whole), strict=True))
        return [_merge([plains[number] for number in group]) for group in groups]
    return [_append([entries[number] for number in group]) for group in groups]


def _append(entries: Sequence[Entry]) -> Write:
    return Write([Append(ITEMS, entry) for entry in entries], PRESENT, None, True)


def _merge(plains: Sequence[_Plain]) -> Write | None:
    expect, listed, log = plains[0].expect, plains[0].listed, plains[0].log
    for plain in plains:
        if plain.log != log or plain.expect != expect or plain.listed != listed:
            return None
    return Write([Append(log, entry) for plain in plains for entry in plain.entries], expect, None, listed)


def _only_log(changes: Sequence[Change]) -> str | None:
    """Return the log that every change appends to, None where one does something else."""
    first = changes[0] if changes else None
    if not isinstance(first, Append):
        return None
    return first.log if all(isinstance(change, Append) and change.log == first.log for change in changes) else None


def _keep(change: Change) -> _Kept:
    if isinstance(change, Append):
        return _Append(change.log, change.entry)
    if isinstance(change, PutDocument):
        return _Document(change.key, change.data, change.when is None)
    assert isinstance(change, Expire), "can_keep was asked"
    return _Expire(change.ttl_ms, change.kind)


def _make(kept: _Kept) -> Change:
    # Not `fresh`: it may have reached the store before, in a call whose answer was lost.
    if isinstance(kept, _Append):
        return Append(kept.log, kept.entry)
    if isinstance(kept, _Document):
        return PutDocument(kept.key, kept.data, None if kept.is_new else ANY)
    return Expire(kept.ttl_ms, kept.kind)
