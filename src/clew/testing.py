"""For your own tests: a store in memory, a clock you move by hand, and a recorder of what a store asks of its backend.

The store is the SQLite backend itself, so that what holds in a test holds on a file. Nothing here is imported by the rest.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, TypeAlias

from .backend import Backend, Cataloguing, Collecting, Expiry, Leasing, Listing, Pinging, Running, Values
from .backends.sqlite import SqliteBackend
from .backends.sqlite.address import parse_address
from .checkpointing import Checkpointing, CheckpointPage, Trace
from .erasing import Erased, Erasing
from .limits import TOMBSTONE_MS
from .records import ANY, Any_, Catalogue, Change, Commit, Entry, ExpiryKind, Lease, Listed, Once, Page, Partition, Snapshot
from .runs import EventId, EventPage, Run, RunEvent
from .splicing import Splicing
from .store import Store

__all__ = ["Call", "FixedClock", "Recorder", "WholeBackend", "memory_store"]

_Keys: TypeAlias = list[str]
"""Named here: inside the class, `list` is a verb."""


class FixedClock:
    """A clock that stands still until it is moved."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        """Start at this moment."""
        self._us = round(start.timestamp() * 1_000_000)

    def __call__(self) -> int:
        """Return microseconds since 1970."""
        return self._us

    @property
    def now(self) -> datetime:
        """The moment it shows."""
        return datetime.fromtimestamp(self._us / 1_000_000, UTC)

    def advance(self, seconds: float) -> None:
        """Move it on; back, where `seconds` is negative."""
        self._us += round(seconds * 1_000_000)


@asynccontextmanager
async def memory_store(*, clock: FixedClock | None = None) -> AsyncGenerator[Store]:
    """Open an empty store in memory, and close it after: `async with memory_store() as store:`.

    Args:
        clock: the store's time; the machine's for None. Move it to see what expires.
    """
    address = parse_address("memory://")
    backend = SqliteBackend(address) if clock is None else SqliteBackend(address, clock=clock)
    await backend.open()
    async with Store(backend) as store:
        yield store


class WholeBackend(
    Backend,
    Listing,
    Cataloguing,
    Leasing,
    Expiry,
    Values,
    Splicing,
    Collecting,
    Running,
    Checkpointing,
    Erasing,
    Pinging,
    Protocol,
):
    """A backend with every optional power, as those of clew are."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a backend: the verb, and what it was about: a partition, an owner or a key."""

    verb: str
    about: Partition | str | None


class Recorder:
    """A backend around another that remembers every call, in order: `Store(Recorder(store.backend))`.

    Attributes:
        calls: what was called.
    """

    def __init__(self, inner: WholeBackend) -> None:
        """Stand around an open backend; `aclose` closes it."""
        self.inner = inner
        self.calls: _Calls = []

    @property
    def verbs(self) -> _Keys:
        """The verbs that were called."""
        return [call.verb for call in self.calls]

    def clear(self) -> None:
        """Forget what was called."""
        self.calls.clear()

    def _note(self, verb: str, about: Partition | str | None) -> WholeBackend:
        self.calls.append(Call(verb, about))
        return self.inner

    # -- Backend ------------------------------------------------------------------------------------------------------

    async def commit(
        self,
        partition: Partition,
        changes: Sequence[Change],
        *,
        expect: int | None = None,
        once: str | Once | None = None,
        listed: bool = False,
    ) -> Commit:
        """See Backend.commit."""
        return await self._note("commit", partition).commit(partition, changes, expect=expect, once=once, listed=listed)

    async def fetch(self, partition: Partition, keys: Sequence[str] | None = None) -> Snapshot:
        """See Backend.fetch."""
        return await self._note("fetch", partition).fetch(partition, keys)

    async def read(self, partition: Partition, log: str, **arguments: Any) -> Page:  # passed through as they are
        """See Backend.read."""
        return await self._note("read", partition).read(partition, log, **arguments)

    def follow(self, partition: Partition, log: str, *, after: int | str | None = None) -> AsyncIterator[Entry]:
        """See Backend.follow."""
        return self._note("follow", partition).follow(partition, log, after=after)

    async def revision(self, partition: Partition) -> int:
        """See Backend.revision."""
        return await self._note("revision", partition).revision(partition)

    async def drop(
        self, partition: Partition, *, tombstone_ms: int = TOMBSTONE_MS, unless: str | None = None, expect: int | None = None
    ) -> bool:
        """See Backend.drop."""
        return await self._note("drop", partition).drop(partition, tombstone_ms=tombstone_ms, unless=unless, expect=expect)

    async def aclose(self) -> None:
        """See Backend.aclose."""
        await self._note("aclose", None).aclose()

    # -- the optional powers ------------------------------------------------------------------------------------------

    async def list(self, owner: str, *, limit: int = 20, before: Listed | None = None) -> Sequence[Listed]:
        """See Listing.list."""
        return await self._note("list", owner).list(owner, limit=limit, before=before)

    async def catalogue(self, owner: str, *, limit: int = 20, after: str | None = None, newest_first: bool = True) -> Catalogue:
        """See Cataloguing.catalogue."""
        return await self._note("catalogue", owner).catalogue(owner, limit=limit, after=after, newest_first=newest_first)

    async def claim(self, partition: Partition, name: str, holder: str, *, ttl_ms: int) -> Lease | None:
        """See Leasing.claim."""
        return await self._note("claim", partition).claim(partition, name, holder, ttl_ms=ttl_ms)

    async def renew(self, lease: Lease, partition: Partition, *, ttl_ms: int) -> Lease | None:
        """See Leasing.renew."""
        return await self._note("renew", partition).renew(lease, partition, ttl_ms=ttl_ms)

    async def release(self, lease: Lease, partition: Partition) -> bool:
        """See Leasing.release."""
        return await self._note("release", partition).release(lease, partition)

    async def expire(self, partition: Partition, ttl_ms: int | None, *, kind: ExpiryKind = "sliding") -> bool:
        """See Expiry.expire."""
        return await self._note("expire", partition).expire(partition, ttl_ms, kind=kind)

    async def get_value(self, key: str, *, touch_ms: int | None = None) -> bytes | None:
        """See Values.get_value."""
        return await self._note("get_value", key).get_value(key, touch_ms=touch_ms)

    async def put_value(
        self, key: str, data: bytes | None, *, ttl_ms: int | None = None, when: bytes | Any_ | None = ANY
    ) -> tuple[bool, bytes | None]:
        """See Values.put_value."""
        return await self._note("put_value", key).put_value(key, data, ttl_ms=ttl_ms, when=when)

    async def value_ttl(self, key: str) -> int | None:
        """See Values.value_ttl."""
        return await self._note("value_ttl", key).value_ttl(key)

    async def scan_values(self, pattern: str, *, limit: int = 100, cursor: str | None = None) -> tuple[Sequence[str], str | None]:
        """See Values.scan_values."""
        return await self._note("scan_values", pattern).scan_values(pattern, limit=limit, cursor=cursor)

    # -- runs: their arguments by name are passed through as they are ---------------------------------------------------

    async def start_run(self, partition: Partition, run: str, holder: str, **arguments: Any) -> Run:
        """See Running.start_run."""
        return await self._note("start_run", partition).start_run(partition, run, holder, **arguments)

    async def append_events(self, partition: Partition, run: Run, events: Sequence[RunEvent]) -> None:
        """See Running.append_events."""
        await self._note("append_events", partition).append_events(partition, run, events)

    async def end_run(self, partition: Partition, run: Run, end: RunEvent) -> Run:
        """See Running.end_run."""
        return await self._note("end_run", partition).end_run(partition, run, end)

    async def renew_run(self, partition: Partition, run: Run, *, lease_ms: int) -> Run:
        """See Running.renew_run."""
        return await self._note("renew_run", partition).renew_run(partition, run, lease_ms=lease_ms)

    async def claim_run(self, partition: Partition, run: str, holder: str, *, lease_ms: int) -> Run:
        """See Running.claim_run."""
        return await self._note("claim_run", partition).claim_run(partition, run, holder, lease_ms=lease_ms)

    async def interrupt_run(self, partition: Partition, run: str, data: bytes = b"") -> Run:
        """See Running.interrupt_run."""
        return await self._note("interrupt_run", partition).interrupt_run(partition, run, data)

    async def cancel_run(self, partition: Partition, run: str) -> Run:
        """See Running.cancel_run."""
        return await self._note("cancel_run", partition).cancel_run(partition, run)

    async def await_stop(self, partition: Partition, run: Run) -> Run:
        """See Running.await_stop."""
        return await self._note("await_stop", partition).await_stop(partition, run)

    async def find_run(self, partition: Partition, run: str) -> Run:
        """See Running.find_run."""
        return await self._note("find_run", partition).find_run(partition, run)

    async def list_runs(self, partition: Partition, **arguments: Any) -> Sequence[Run]:
        """See Running.list_runs."""
        return await self._note("list_runs", partition).list_runs(partition, **arguments)

    async def read_events(self, partition: Partition, run: str, **arguments: Any) -> EventPage:
        """See Running.read_events."""
        return await self._note("read_events", partition).read_events(partition, run, **arguments)

    def follow_events(self, partition: Partition, run: str, *, after: EventId | None = None) -> AsyncIterator[RunEvent]:
        """See Running.follow_events."""
        return self._note("follow_events", partition).follow_events(partition, run, after=after)

    async def splice_value(self, key: str, data: bytes, **arguments: Any) -> tuple[bool, bytes | None]:  # passed through
        """See Splicing.splice_value."""
        return await self._note("splice_value", key).splice_value(key, data, **arguments)

    async def add_members(self, key: str, members: Sequence[bytes]) -> int:
        """See Collecting.add_members."""
        return await self._note("add_members", key).add_members(key, members)

    async def remove_members(self, key: str, members: Sequence[bytes]) -> int:
        """See Collecting.remove_members."""
        return await self._note("remove_members", key).remove_members(key, members)

    async def get_members(self, key: str) -> Sequence[bytes]:
        """See Collecting.get_members."""
        return await self._note("get_members", key).get_members(key)

    async def push_elements(self, key: str, elements: Sequence[bytes]) -> int:
        """See Collecting.push_elements."""
        return await self._note("push_elements", key).push_elements(key, elements)

    async def get_elements(self, key: str, first: int = 0, last: int = -1) -> Sequence[bytes]:
        """See Collecting.get_elements."""
        return await self._note("get_elements", key).get_elements(key, first, last)

    async def count_elements(self, key: str) -> int:
        """See Collecting.count_elements."""
        return await self._note("count_elements", key).count_elements(key)

    async def delete_key(self, key: str) -> bool:
        """See Collecting.delete_key."""
        return await self._note("delete_key", key).delete_key(key)

    async def expire_key(self, key: str, ttl_ms: int | None) -> bool:
        """See Collecting.expire_key."""
        return await self._note("expire_key", key).expire_key(key, ttl_ms)

    # -- checkpoints: their arguments by name are passed through as they are --------------------------------------------

    async def get_checkpoint(self, partition: Partition, branch: str, id: str | None = None, **arguments: Any) -> CheckpointPage:
        """See Checkpointing.get_checkpoint."""
        return await self._note("get_checkpoint", partition).get_checkpoint(partition, branch, id, **arguments)

    async def list_checkpoints(self, partition: Partition, **arguments: Any) -> CheckpointPage:
        """See Checkpointing.list_checkpoints."""
        return await self._note("list_checkpoints", partition).list_checkpoints(partition, **arguments)

    async def trace_checkpoint(
        self, partition: Partition, branch: str, id: str | None, channels: Sequence[str], **arguments: Any
    ) -> Trace:
        """See Checkpointing.trace_checkpoint."""
        return await self._note("trace_checkpoint", partition).trace_checkpoint(partition, branch, id, channels, **arguments)

    # -- erasing ------------------------------------------------------------------------------------------------------

    async def list_owners(self, *, cursor: str | None = None) -> tuple[Sequence[str], str | None]:
        """See Erasing.list_owners."""
        return await self._note("list_owners", None).list_owners(cursor=cursor)

    async def erase_owner(self, owner: str, *, cursor: str | None = None, dry: bool = False) -> Erased:
        """See Erasing.erase_owner."""
        return await self._note("erase_owner", owner).erase_owner(owner, cursor=cursor, dry=dry)

    async def erase_keys(self, prefix: str, **arguments: Any) -> Erased:  # passed through as they are
        """See Erasing.erase_keys."""
        return await self._note("erase_keys", prefix).erase_keys(prefix, **arguments)

    async def scrub(self) -> Sequence[str]:
        """See Erasing.scrub."""
        return await self._note("scrub", None).scrub()

    async def ping(self) -> None:
        """See Pinging.ping."""
        await self._note("ping", None).ping()


_Calls: TypeAlias = list[Call]
