"""The one line between the library and a database: seven verbs, and four small optional powers.

A *partition* (one conversation) holds *documents* and ordered *logs*. What is in one `commit` happens together or not at
all; nothing spans partitions. That is what both a SQLite transaction and one Cluster slot can promise. Every backend and
every wrapper is judged by `clew.conformance`.

Errors, for every verb: InvalidError for a bad argument (nothing is sent), GoneError while the partition's tombstone
stands, UnavailableError when the store cannot be reached within its time-out, DeniedError, FullError, ClosedError.
A caller that is cancelled never tears a commit that was sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol, runtime_checkable

from .limits import TOMBSTONE_MS
from .records import ANY, Any_, Change, Commit, Entry, ExpiryKind, Lease, Listed, Page, Partition, Snapshot

__all__ = ["Backend", "Describing", "Expiry", "Leasing", "Listing", "Values"]


@runtime_checkable
class Backend(Protocol):
    """What every backend can do."""

    async def commit(
        self,
        partition: Partition,
        changes: Sequence[Change],
        *,
        expect: int | None = None,
        once: str | None = None,
        listed: bool = False,
    ) -> Commit:
        """Apply every change, or none, and add one to the partition's revision.

        Args:
            changes: what to write; may be empty. At most `limits.MAX_CHANGES`.
            expect: the revision it must be at: 0 for "must not exist", PRESENT for "must exist" (NotFoundError
                where it does not). ConflictError where it is at another.
            once: a token; a call with a token that the partition remembers writes nothing and returns the first result.
            listed: whether to note this write in the owner's listing.
        """
        ...

    async def fetch(self, partition: Partition, keys: Sequence[str] | None = None) -> Snapshot:
        """Return the documents `keys` (all of them for None) that exist, with the revision. An unknown partition is at 0."""
        ...

    async def read(
        self,
        partition: Partition,
        log: str,
        *,
        after: int | str | None = None,
        before: int | str | None = None,
        limit: int = 100,
        newest_first: bool = False,
        inclusive: bool = False,
    ) -> Page:
        """Return the entries between two cursors, each a position or an entry's id, exclusive unless `inclusive`.

        A position is valid as a cursor for ever. An id is valid while the log knows it, also after its removal:
        UnknownCursorError otherwise. An unknown log or partition is an empty page where no id is given.

        Args:
            limit: from 1 to `limits.MAX_PAGE` entries.
            newest_first: which end to start from, and the order of the page.
            inclusive: whether the entries that the cursors name belong to the page, where they are still there.
        """
        ...

    def follow(self, partition: Partition, log: str, *, after: int | str | None = None) -> AsyncIterator[Entry]:
        """Yield the entries after the cursor (from the first for None), then each new one as it is committed.

        Never ends by itself, but raises GoneError when the partition is dropped, and UnavailableError when the store
        stays away past its time-out: follow again from the last position seen.
        """
        ...

    async def revision(self, partition: Partition) -> int:
        """Return the partition's revision, 0 where it does not exist."""
        ...

    async def drop(self, partition: Partition, *, tombstone_ms: int = TOMBSTONE_MS) -> bool:
        """Delete the partition, all that is in it, and its line in the listing; tell whether it was there.

        For `tombstone_ms` (0 for none) every other verb raises GoneError, so that a late write cannot bring it back.
        """
        ...

    async def aclose(self) -> None:
        """Finish what was sent, close what was opened. Later calls raise ClosedError; a second close does nothing."""
        ...


@runtime_checkable
class Listing(Protocol):
    """The partitions of an owner that were committed with `listed`, the newest write first."""

    async def list(self, owner: str, *, limit: int = 20, before: Listed | None = None) -> Sequence[Listed]:
        """Return at most `limit` lines, those after `before` in the listing's order; dangling lines are left out.

        One that is written while the caller pages moves to the top; no other is missed or doubled for it.
        """
        ...


@runtime_checkable
class Leasing(Protocol):
    """Claims on a name within a partition, timed by the store's clock."""

    async def claim(self, partition: Partition, name: str, holder: str, *, ttl_ms: int) -> Lease | None:
        """Claim `name` for `holder`; None while another holds it. A claim by its holder renews it and keeps its fence."""
        ...

    async def renew(self, lease: Lease, partition: Partition, *, ttl_ms: int) -> Lease | None:
        """Hold on for `ttl_ms` more; None where the lease ran out or somebody else has it."""
        ...

    async def release(self, lease: Lease, partition: Partition) -> bool:
        """Let go; tell whether it was still held."""
        ...


@runtime_checkable
class Expiry(Protocol):
    """A time to live for a whole partition."""

    async def expire(self, partition: Partition, ttl_ms: int | None, *, kind: ExpiryKind = "sliding") -> bool:
        """Let the partition vanish `ttl_ms` after now (fixed) or after its last commit (sliding); None keeps it for ever.

        Returns whether there is such a partition. What expired is not found; it leaves no tombstone.
        """
        ...


@runtime_checkable
class Values(Protocol):
    """Bytes under literal keys, for other programs to read and write too: no owner, no envelope, nothing added."""

    async def get_value(self, key: str) -> bytes | None:
        """Return the value, None where there is none."""
        ...

    async def put_value(
        self, key: str, data: bytes | None, *, ttl_ms: int | None = None, when: bytes | Any_ | None = ANY
    ) -> tuple[bool, bytes | None]:
        """Set the value (delete it for None) if the one stored now is `when` (None: none; ANY: whatever is there).

        Returns whether it was written, and what was stored before the call. `ttl_ms` None: no expiry.
        """
        ...

    async def value_ttl(self, key: str) -> int | None:
        """Return the milliseconds it has left, -1 where it does not expire, None where there is none."""
        ...

    async def scan_values(self, pattern: str, *, limit: int = 100, cursor: str | None = None) -> tuple[Sequence[str], str | None]:
        """Return some keys that match a glob (`*`, `?`, `[ab]`), and the cursor of the next part, None at the end.

        A part may hold fewer than `limit` keys, or none. A key that is there throughout is seen at least once.
        """
        ...


@runtime_checkable
class Describing(Protocol):
    """What a person at a terminal wants to know about the store."""

    async def describe(self) -> dict[str, str | int | float | bool | None]:
        """Return facts by name, as `version`, `persistence`, `eviction policy`; None where the server does not tell."""
        ...
