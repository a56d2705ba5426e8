"""What crosses the line between the library and a database: plain, frozen, bytes inside.

A *partition* holds *documents* (bytes under a key) and *logs* (ordered entries). A change describes one write, and a
backend applies the changes of a commit together or not at all. Nothing here knows a framework or a database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import msgspec

from .checkpoints import DropCheckpoints, Fenced, PutCheckpoint, PutWrites, Revive
from .errors import UnreadableError
from .frames import explain

FORMAT: Final = 1
"""The version of the stored envelope this code writes, and the newest it reads."""


class Partition(NamedTuple):
    """The unit of atomicity and of tenancy: one SQLite transaction, one Cluster slot.

    Two partitions never meet, whatever characters their parts hold.
    """

    owner: str
    name: str


class Entry(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One entry of a log, verbatim payload inside a small envelope. The items of a thread are entries.

    `codec.py` gives the stored form. `position` is the store's: it grows, is never reused, and is not stored in the
    envelope. The fields come in stored order, the commonest first, so that defaults need no bytes.
    """

    format: Literal[1]
    """FORMAT; a record with another one is `unreadable`."""
    key: bytes
    """The id as it is stored (`codec.pack_id`). Read `id` instead."""
    created_ms: int
    data: bytes
    kind: str = "message"
    codec: str = "json"
    author: str | None = None
    parent: str | None = None
    status: str | None = None
    links: tuple[str, ...] = ()
    position: int = 0
    unreadable: str | None = None
    """Why the stored envelope could not be decoded; then `data` is the envelope itself, kept as it is."""

    @property
    def id(self) -> str:
        """The entry's id, unique in its log."""
        return self.key.hex() if len(self.key) == 16 else self.key.rstrip(b"\xff").decode()

    @property
    def created_at(self) -> datetime:
        """When its writer made it, by the writer's clock, in UTC. Nothing is ordered by it."""
        return datetime.fromtimestamp(self.created_ms / 1000, UTC)

    def json(self) -> Any:  # callers know the shape of their own data
        """Return the data, decoded as JSON.

        Raises:
            UnreadableError: it is no JSON, or the stored record could not be decoded.
        """
        if self.unreadable is not None:
            raise UnreadableError(f"the record at position {self.position} is kept, but cannot be read: {self.unreadable}")
        try:
            return msgspec.json.decode(self.data)
        except msgspec.DecodeError as error:
            why = explain(self.data)
            if why is not None:
                raise UnreadableError(f"the item {self.id!r} is kept, but cannot be read: {why}") from error
            raise UnreadableError(f"the data of the item {self.id!r}, of codec {self.codec!r}, is no JSON: use `data`") from error


ExpiryKind: TypeAlias = Literal["fixed", "sliding"]


# -- changes: what a commit may hold --------------------------------------------------------------------------------


class Any_(msgspec.Struct, frozen=True):
    """The type of `ANY`."""


ANY: Final = Any_()
"""No condition: write whatever is there."""


class PutDocument(msgspec.Struct, frozen=True, gc=False):
    """Set the document `key`, or delete it where `data` is None.

    `when` is a condition on what is stored now: bytes that must be equal, None for "must not be there", or ANY.
    Outcome: 1 where the document was there before, else 0.
    """

    key: str
    data: bytes | None
    when: bytes | Any_ | None = ANY


class Append(msgspec.Struct, frozen=True, gc=False):
    """Add `entry` at the end of `log`, unless a live entry has its id: then the first one is kept.

    Outcome: the entry's position; negative, the position of the first one, where the id was there already.
    The id of a removed entry may be appended again, and gets a new position.

    `fresh` promises that the id was made for this very change (`ids.new_id`), so that no entry can have it yet: a backend
    may then look for it only where it sends the change a second time itself.
    """

    log: str
    entry: Entry
    fresh: bool = False


class Replace(msgspec.Struct, frozen=True):
    """Put `entry` in the place of the live entry with the same id; NotFoundError where there is none.

    `when`, if given, is the entry as it was read: ConflictError where the stored one differs.
    Outcome: its position.
    """

    log: str
    entry: Entry
    when: Entry | None = None


class Remove(msgspec.Struct, frozen=True):
    """Remove the entry with this id; its position stays empty, and stays a valid cursor. Outcome: its position, or 0.

    `when`, if given, is the entry as it was read: ConflictError where the stored one differs.
    """

    log: str
    id: str
    when: Entry | None = None


class Truncate(msgspec.Struct, frozen=True):
    """Remove every entry after the cursor (an id or a position). Outcome: how many entries went."""

    log: str
    after: int | str


class Trim(msgspec.Struct, frozen=True):
    """Remove every entry before this position, and forget their ids. Outcome: how many entries went."""

    log: str
    before: int


class Expire(msgspec.Struct, frozen=True):
    """Let the whole partition vanish `ttl_ms` after this commit (fixed) or after its last one (sliding); None keeps it for ever.

    As `Expiry.expire`, and only for a backend that has this power; in one commit with what makes the partition, so that nothing
    stays for ever where its writer dies in between. Outcome: 0. Of several in one commit the last one counts.
    """

    ttl_ms: int | None
    kind: ExpiryKind = "sliding"


CheckpointChange: TypeAlias = PutCheckpoint | PutWrites | DropCheckpoints
Change: TypeAlias = PutDocument | Append | Replace | Remove | Truncate | Trim | Expire | CheckpointChange | Fenced | Revive

PRESENT: Final = -1
"""As `expect`: the partition must exist, at whatever revision. 0 is "must not exist"."""


class Once(NamedTuple):
    """A `once` token, and a digest of what it is used for, so that another use of the same token is told from a repeated call.

    Attributes:
        token: as a token without a digest.
        digest: from 1 to `limits.MAX_DIGEST_BYTES` bytes, kept as long as the token is; 6 are enough to notice a mistake.
    """

    token: str
    digest: bytes


class Commit(msgspec.Struct, frozen=True, gc=False):
    """What a commit did.

    Attributes:
        revision: the partition's revision after it; each commit adds one.
        committed_ms: the store's clock, milliseconds since 1970.
        outcomes: one whole number a change, in their order; each change says what its number means.
        replayed: the `once` token was known: this is the first call's result, and nothing was written now.
        pending: the store is away, and the write waits in a journal (`on_outage=journal`): revision and outcomes are not
            known (0 and none), and `committed_ms` is when it was accepted, by this machine's clock.
    """

    revision: int
    committed_ms: int
    outcomes: tuple[int, ...] = ()
    replayed: bool = False
    pending: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The documents of a partition at one revision. Revision 0: there is no such partition, and nothing in it.

    `now_ms` is the store's clock when it was fetched, 0 where nobody asked; two snapshots are equal whenever they were fetched.
    """

    revision: int = 0
    created_ms: int = 0
    updated_ms: int = 0
    expires_ms: int | None = None
    documents: Mapping[str, bytes] = field(default_factory=dict)
    now_ms: int = field(default=0, compare=False)


class Page(NamedTuple):
    """Entries of a log, in the order asked, and whether more follow in that order."""

    entries: list[Entry]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of a listing: a partition's name, and when it was last written by the store's clock (microseconds)."""

    name: str
    updated_us: int


class Catalogue(NamedTuple):
    """Partitions of an owner by name, each with its documents, in the order asked, and whether more follow in that order."""

    partitions: list[tuple[str, Snapshot]]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Lease:
    """A claim on a name in a partition, until `expires_ms` by the store's clock.

    `fence` grows with every claim by a new holder: what carries a smaller fence comes from an older holder.
    """

    name: str
    holder: str
    fence: int
    expires_ms: int
