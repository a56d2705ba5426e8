"""What crosses the line between the library and a database where a program's state is kept: checkpoints, parts, writes.

A *checkpoint* is the state of a program at one moment, in a *branch* of a partition. It has a head, and names the *parts* that
hold its values; parts are immutable and shared by checkpoints. What a program did on the way to the next checkpoint are its
*writes*. Nothing here knows a framework: heads, data and names are the caller's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

__all__ = [
    "Checkpoint",
    "DropCheckpoints",
    "Fenced",
    "Part",
    "PutCheckpoint",
    "PutWrites",
    "Revive",
    "Span",
    "Write",
]


class Span(NamedTuple):
    """Neighbouring entries of the partition's log `items`: from the position `first` on, `count` of them.

    In a change, a negative `first` means what the same commit appends: -1 is its first append, -2 the second. The store puts the
    positions that they got in its place, also where an entry was there already; so one such span may become several.
    """

    first: int
    count: int  # type: ignore[assignment] # every tuple has a method of this name


class Part(msgspec.Struct, frozen=True):
    """A value, or the end of one: what the part `after` holds, then `data` or the data of the entries in `spans`.

    Attributes:
        data: bytes of the caller's.
        after: the name of the part that this one goes on from; None where it stands alone.
        spans: entries of the log `items` that this part refers to, in order. An entry that was removed since is left out.
    """

    data: bytes = b""
    after: str | None = None
    spans: tuple[Span, ...] = ()


class Write(NamedTuple):
    """One write of a task: of these with the same checkpoint, path, task and index the first is kept, but for an index below 0,
    of which the last is."""

    path: str
    task: str
    index: int  # type: ignore[assignment] # every tuple has a method of this name
    channel: str
    data: bytes


# -- changes, for a backend with the power `Checkpointing` ------------------------------------------------------------------


class PutCheckpoint(msgspec.Struct, frozen=True):
    """Set the checkpoint `id` of `branch`, and add the parts that are not there yet; a part that is there stays as it is.

    Outcome: when the partition was made (milliseconds since 1970): what tells one life of its log from the next.

    Attributes:
        branch: which line of checkpoints; may be empty.
        id: ids of one branch are ordered as their UTF-8 bytes are, the latest last.
        parent: the id of the checkpoint before it; it need not be there.
        head: bytes of the caller's.
        uses: the names of its parts, each a channel, NUL, and a version; all of them are here, or there before.
        parts: new parts by name. A name is the branch's own: in another branch it is another part.
        made_ms: what an earlier outcome said; where it is another now, or a part in `uses` or one that a new part goes on from
            is nowhere, the commit is refused by a ConflictError, since positions and parts that the caller knows are gone: send
            all of it again. What an earlier change of the same commit brings is there.
    """

    branch: str
    id: str
    parent: str | None
    head: bytes
    uses: tuple[str, ...] = ()
    parts: Mapping[str, Part] = {}
    made_ms: int | None = None


class PutWrites(msgspec.Struct, frozen=True):
    """Add writes to a checkpoint, which need not be there yet. Outcome: how many were new or changed."""

    branch: str
    id: str
    writes: tuple[Write, ...]


class DropCheckpoints(msgspec.Struct, frozen=True):
    """Delete checkpoints with their writes, and each part that no other one needs. Outcome: how many were there.

    The log `items` stays as it is.
    """

    points: tuple[tuple[str, str], ...]


class Fenced(msgspec.Struct, frozen=True):
    """A condition: the lease `name` of the partition was last claimed with this fence; FencedError else. Outcome: 0."""

    name: str
    fence: int


class Revive(msgspec.Struct, frozen=True):
    """Let the partition begin anew where its tombstone stands, instead of GoneError. Outcome: 1 where it stood, else 0."""


# -- what is read -----------------------------------------------------------------------------------------------------------


class Checkpoint(msgspec.Struct, frozen=True):
    """A checkpoint as it is stored. `writes` are ordered by path, task and index."""

    branch: str
    id: str
    parent: str | None
    head: bytes
    uses: tuple[str, ...] = ()
    writes: tuple[Write, ...] = ()
