"""The place of what is stored, as bytes that no other place has: a ciphertext is bound to them, and opens nowhere else."""

from __future__ import annotations

from typing import Final

import msgspec

from ..checkpoints import Write
from ..records import Partition
from ..runs import EventId

_encode: Final = msgspec.msgpack.Encoder().encode


def of_log(partition: Partition, log: str) -> bytes:
    """Return what the places of a log's entries begin with; the entry's stored id follows."""
    return _encode(("entry", *partition, log))


def of_document(partition: Partition, key: str) -> bytes:
    """Return the place of a document."""
    return _encode(("document", *partition, key))


def of_head(partition: Partition, branch: str, id: str) -> bytes:
    """Return the place of a checkpoint's head."""
    return _encode(("head", *partition, branch, id))


def of_part(partition: Partition, branch: str, name: str) -> bytes:
    """Return the place of a checkpoint's part."""
    return _encode(("part", *partition, branch, name))


def of_write(partition: Partition, branch: str, id: str, write: Write) -> bytes:
    """Return the place of a write."""
    return _encode(("write", *partition, branch, id, write.path, write.task, write.index, write.channel))


def of_run(partition: Partition, run: str) -> bytes:
    """Return the place of a run's own data."""
    return _encode(("run", *partition, run))


def of_event(partition: Partition, run: str, at: EventId, kind: str) -> bytes:
    """Return the place of a run's event."""
    return _encode(("event", *partition, run, at.epoch, at.seq, kind))


def of_end(partition: Partition, run: str, kind: str) -> bytes:
    """Return the place of a run's terminal event, of which there is one: who interrupts a run cannot know its id before."""
    return _encode(("end", *partition, run, kind))


def of_value(key: str) -> bytes:
    """Return the place of a value."""
    return _encode(("value", key))


def of_token(partition: Partition, token: str) -> bytes:
    """Return the place of a `once` token's digest."""
    return _encode(("once", *partition, token))


def of_file(path: str) -> bytes:
    """Return the place of a file: its encoded key, wherever the folder or bucket is."""
    return _encode(("file", path))
