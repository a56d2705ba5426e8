"""The one line between the library and a database: seven verbs, and some optional powers.

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
from .records import ANY, Any_, Catalogue, Change, Commit, Entry, ExpiryKind, Lease, Listed, Once, Page, Partition, Snapshot
from .runs import EventId, EventPage, Retention, Run, RunEvent

__all__ = ["Backend", "Cataloguing", "Collecting", "Describing", "Expiry", "Leasing", "Listing", "Pinging", "Running", "Values"]


@runtime_checkable
class Backend(Protocol):
    """What every backend can do."""

    async def commit(
        self,
        partition: Partition,
        changes: Sequence[Change],
        *,
        expect: int | None = None,
        once: str | Once | None = None,
        listed: bool = False,
    ) -> Commit:
        """Apply every change, or none, and add one to the partition's revision.

        Args:
            changes: what to write; may be empty. At most `limits.MAX_CHANGES`.
            expect: the revision it must be at: 0 for "must not exist", PRESENT for "must exist" (NotFoundError
                where it does not). ConflictError where it is at another.
            once: a token; a call with a token that the partition remembers writes nothing and returns the first result.
                With a digest beside it (`Once`), which is remembered too: ReusedTokenError where the digests differ.
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

    async def drop(
        self, partition: Partition, *, tombstone_ms: int = TOMBSTONE_MS, unless: str | None = None, expect: int | None = None
    ) -> bool:
        """Delete the partition, all that is in it, and its line in the listing; tell whether it was there.

        Where it has the document `unless`, or is there at another revision than `expect`, nothing is deleted, and ConflictError
        is raised.

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
class Cataloguing(Protocol):
    """The partitions of an owner that were committed with `listed`, with their documents, in the order they were made.

    One that was not listed at first may stand where it was listed first.
    """

    async def catalogue(self, owner: str, *, limit: int = 20, after: str | None = None, newest_first: bool = True) -> Catalogue:
        """Return the partitions that follow `after`, the name of one that is there or whose tombstone stands.

        Args:
            limit: from 1 to `limits.MAX_PAGE`.
            after: a name; None for the end to start from.
            newest_first: which end to start from, and the order.

        Raises:
            UnknownCursorError: the owner has no such partition.
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

        Returns whether there is such a partition. What expired is not found; it leaves no tombstone. The change `Expire` does
        the same within a commit.
        """
        ...


@runtime_checkable
class Values(Protocol):
    """Bytes under literal keys, for other programs to read and write too: no owner, no envelope, nothing added."""

    async def get_value(self, key: str, *, touch_ms: int | None = None) -> bytes | None:
        """Return the value, None where there is none. With `touch_ms` it vanishes that many milliseconds from now: one step."""
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
class Collecting(Protocol):
    """Sets and lists of bytes under literal keys, which they share with `Values`: a key holds one kind of thing.

    A verb for another kind raises InvalidError, those of `Values` too, but for `value_ttl`, which knows every key. What is
    empty is not there. A change is never sent twice: UnavailableError, where its outcome is not known.
    """

    async def add_members(self, key: str, members: Sequence[bytes]) -> int:
        """Add to a set, and return how many were new to it. At least one, and at most `limits.MAX_CHANGES`."""
        ...

    async def remove_members(self, key: str, members: Sequence[bytes]) -> int:
        """Take out of a set, and return how many were in it."""
        ...

    async def get_members(self, key: str) -> Sequence[bytes]:
        """Return a whole set, in no order."""
        ...

    async def push_elements(self, key: str, elements: Sequence[bytes]) -> int:
        """Add to the end of a list, in the order given, and return its length. At least one, and at most `limits.MAX_CHANGES`."""
        ...

    async def get_elements(self, key: str, first: int = 0, last: int = -1) -> Sequence[bytes]:
        """Return the elements from `first` to `last`, both included, counted from 0, or from the end: -1 is the last one."""
        ...

    async def count_elements(self, key: str) -> int:
        """Return a list's length."""
        ...

    async def delete_key(self, key: str) -> bool:
        """Delete what is there, of whatever kind; tell whether there was something."""
        ...

    async def expire_key(self, key: str, ttl_ms: int | None) -> bool:
        """Let what is there, of whatever kind, vanish `ttl_ms` from now, or stay for None; tell whether there is something."""
        ...


@runtime_checkable
class Pinging(Protocol):
    """A way to ask whether the store answers, which needs no right to any key."""

    async def ping(self) -> None:
        """Return when it has answered, on a cluster every primary of it; raise UnavailableError where it does not in time."""
        ...


@runtime_checkable
class Running(Protocol):
    """Runs: answers that outlive their request. Each has a record and a log of events in a partition that exists.

    The log's ids are given by the writer (`EventId`), so that the store recognises a repeated append, and refuses a producer
    whose epoch is over. Every verb below is safe to repeat with the same arguments until its outcome is known. A run is no
    part of its partition's revision or listing. It goes with the partition when that is dropped; when that merely expires,
    the run goes by its own `Retention`. Times are the store's clock.

    Errors, besides the Backend's: NotFoundError where the partition has no such run (any more); GoneError, which is one,
    while the partition's tombstone stands. FencedError for a producer whose run is another's by now, or has ended otherwise.
    """

    async def start_run(
        self,
        partition: Partition,
        run: str,
        holder: str,
        *,
        lease_ms: int,
        takes_turn: bool,
        retention: Retention,
        data: bytes = b"",
    ) -> Run:
        """Make a run of epoch 1 with the event `1-0` (`start`, after NOWHERE), leased to `holder` for `lease_ms`, and return it.

        A repeated call by the same holder returns the run as it is now.

        Raises:
            AlreadyExistsError: the partition has a run with this id, and another holder started it.
            ConflictError: `takes_turn`, and an open run has the turn, also where its lease ran out; `actual` is its id.
            NotFoundError: there is no such partition.
        """
        ...

    async def append_events(self, partition: Partition, run: Run, events: Sequence[RunEvent]) -> None:
        """Add the events, all or none, and keep the log for `retention.open_ms` more; then tell whoever follows.

        They have `run.epoch`, and dense seqs that go on from the producer's last. A repeated call has the very same events: where
        all are there, with the same kinds and data, it succeeds. The lease is neither looked at nor renewed.

        Raises:
            FencedError: the log has moved past these ids, or has its terminal event: stop at once.
            NotFoundError: the log vanished (expired, evicted, flushed); it is never made again without its head.
        """
        ...

    async def end_run(self, partition: Partition, run: Run, end: RunEvent) -> Run:
        """Add the terminal event, set the record's state to its kind, let go of lease and turn, and return the record.

        Where only the log vanished, the record alone is ended. A repeated call returns the record.

        Raises:
            FencedError: the run has another terminal event, or a newer producer.
        """
        ...

    async def renew_run(self, partition: Partition, run: Run, *, lease_ms: int) -> Run:
        """Hold the lease for `lease_ms` from now, keep log and record as an append does, and return the record: `cancel_ms` too.

        A lease that ran out is renewed all the same while nobody took the run over.

        Raises:
            FencedError: the run has ended, or has a newer producer.
        """
        ...

    async def claim_run(self, partition: Partition, run: str, holder: str, *, lease_ms: int) -> Run:
        """Become the next producer of an open run without a lease: epoch + 1, and its event `<epoch>-0` (`takeover`).

        The event's `after` is the log's newest id, and fences every older producer. A repeated call by the same holder
        renews the lease and returns the record.

        Raises:
            ConflictError: another producer's lease stands (`actual` is its holder), or the run has ended (its state).
            NotFoundError: also where the record is there and the log vanished: there is nothing to go on from.
        """
        ...

    async def interrupt_run(self, partition: Partition, run: str, data: bytes = b"") -> Run:
        """End an open run without a lease as `interrupted`, by the terminal event `<epoch + 1>-0`; return the record after it.

        A run that has ended, or whose lease stands, is left as it is: of many callers one wins. Where the log vanished the
        record alone is ended.
        """
        ...

    async def cancel_run(self, partition: Partition, run: str) -> Run:
        """Ask the producer of an open run to stop: set `cancel_ms` (the first one stays), tell `await_stop`; return the record.

        One that has ended is left as it is.
        """
        ...

    async def await_stop(self, partition: Partition, run: Run) -> Run:
        """Return the record once `run.epoch`'s producer has a reason to stop: `cancel_ms` is set, the run has ended, or has a
        newer epoch. At once, where that is so already.

        It is the fast way to hear of it, and may be late by seconds where a message was lost; `renew_run` tells it too.
        """
        ...

    async def find_run(self, partition: Partition, run: str) -> Run:
        """Return the record as it is now."""
        ...

    async def list_runs(
        self, partition: Partition, *, only_open: bool = False, limit: int = 20, before: int | None = None
    ) -> Sequence[Run]:
        """Return at most `limit` records, the greatest `number` first, those with a smaller one than `before`.

        A partition that nobody knows has none.

        Args:
            only_open: whether to leave out the runs that have ended.
            limit: from 1 to `limits.MAX_PAGE`.
        """
        ...

    async def read_events(self, partition: Partition, run: str, *, after: EventId | None = None, limit: int = 100) -> EventPage:
        """Return the events after a cursor (from the oldest that is kept for None), in order.

        Where the log of a run that has ended is gone, its terminal event alone is the log; that of an open one is empty. What was
        trimmed is left out: the caller sees it by `RunEvent.before`.

        Args:
            after: an event's id, or one that was trimmed; it need not be in the log.
            limit: from 1 to `run_limits.MAX_EVENTS_AT_ONCE`.

        Raises:
            UnknownCursorError: the cursor is greater than the newest id of the log, which is there or whose run has ended.
        """
        ...

    def follow_events(self, partition: Partition, run: str, *, after: EventId | None = None) -> AsyncIterator[RunEvent]:
        """Yield the events after the cursor, then each new one as it is appended, in the order of the log, each once; end after
        the terminal event. Where `after` is that event's id, end at once.

        A follower that is slow reads the log again from where it is: it holds a bounded number of events and never slows the
        producer. What was trimmed meanwhile is left out, as in `read_events`; its errors are raised here too. GoneError where the
        partition is dropped meanwhile. UnavailableError when the store stays away past its time-out: follow again from
        the last event seen. Leases are not looked at.
        """
        ...


@runtime_checkable
class Describing(Protocol):
    """What a person at a terminal wants to know about the store."""

    async def describe(self) -> dict[str, str | int | float | bool | None]:
        """Return facts by name, as `version`, `persistence`, `eviction policy`; None where the server does not tell."""
        ...
