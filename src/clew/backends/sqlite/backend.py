"""The SQLite backend: the seven verbs and the powers, each checked here and worked out in a thread.

One store may be used from several event loops, and one file by several processes.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Sequence
from typing import Final, TypeAlias

from ...errors import InvalidError
from ...limits import (
    MAX_VALUE_KEY_BYTES,
    TOMBSTONE_MS,
    check_cursor,
    check_data,
    check_expect,
    check_expiry,
    check_id,
    check_limit,
    check_log,
    check_once,
    check_partition,
    check_revision,
    check_ttl,
    check_value_key,
)
from ...metering import Meters
from ...records import ANY, Any_, Catalogue, Change, Commit, Entry, ExpiryKind, Lease, Listed, Once, Page, Partition, Snapshot
from . import cataloguing, describing, leases, reading, values
from . import commit as writing
from .address import Address
from .changes import AppendRun, make_steps
from .checkpoint_verbs import CheckpointVerbs
from .collect_verbs import CollectVerbs
from .engine import Engine
from .erase_verbs import EraseVerbs
from .following import NumberedPage, follow
from .gathering import PlainAppend
from .globs import Glob
from .run_verbs import RunVerbs
from .splice_verbs import SpliceVerbs
from .unit import Clock, Work, read_clock

_END_OF_TIME: Final = 1 << 62
_Keys: TypeAlias = list[str]
"""Named here: inside the class, `list` is a verb."""


class SqliteBackend(CheckpointVerbs, CollectVerbs, SpliceVerbs, RunVerbs, EraseVerbs):
    """Implements Backend and every power of clew on a SQLite file, or in memory. Made by `open_backend`."""

    def __init__(self, address: Address, *, clock: Clock = read_clock) -> None:
        """Nothing is opened yet.

        Args:
            address: where the store is.
            clock: the store's time; only a test gives its own.
        """
        self._address = address
        self._engine = Engine(address, clock)

    @property
    def place(self) -> str:
        """Where the store is, as its URL says it."""
        return "memory://" if self._address.path is None else f"sqlite:///{self._address.path}"

    def meters(self) -> Meters:
        """See Metering.meters."""
        return Meters(round_trips=self._engine.transactions)

    async def open(self) -> None:
        """Open the file, once. Errors as `connection.open_writer`."""
        try:
            await self._engine.open()
        except asyncio.CancelledError:
            self._engine.stop()
            raise
        except BaseException:
            await self._engine.close()
            raise

    def __del__(self) -> None:
        if not self._engine.is_stopped:
            self._engine.stop()
            warnings.warn("a SQLite store was not closed: await its aclose()", ResourceWarning, stacklevel=2, source=self)

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
        check_partition(partition)
        used = check_once(once)
        check_expect(expect)
        steps = make_steps(changes)
        plain = None
        if expect is None and once is None and len(steps) == 1 and isinstance(steps[0], AppendRun):
            plain = PlainAppend(partition, steps[0], listed=listed)
        return await self._engine.write(lambda unit: writing.commit(unit, partition, steps, expect, used, listed), plain)

    async def fetch(self, partition: Partition, keys: Sequence[str] | None = None) -> Snapshot:
        """See Backend.fetch."""
        check_partition(partition)
        wanted = None if keys is None else [check_id(key, "a document's key") for key in keys]
        return await self._engine.read(lambda unit: reading.fetch(unit, partition, wanted))

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
        """See Backend.read."""
        check_partition(partition)
        check_log(log)
        check_cursor(after)
        check_cursor(before)
        check_limit(limit)
        return await self._engine.read(
            lambda unit: reading.read_page(unit, partition, log, after, before, limit, newest_first, inclusive)
        )

    def follow(self, partition: Partition, log: str, *, after: int | str | None = None) -> AsyncIterator[Entry]:
        """See Backend.follow."""
        check_partition(partition)
        check_log(log)
        check_cursor(after)
        return follow(self._engine.watch, self._read_pages, partition, log, after)

    async def _read_pages(self, work: Work[NumberedPage]) -> NumberedPage:
        """Read for a follower, which so keeps the store from being collected."""
        return await self._engine.read(work)

    async def revision(self, partition: Partition) -> int:
        """See Backend.revision."""
        check_partition(partition)
        return await self._engine.read(lambda unit: reading.read_revision(unit, partition))

    @property
    def fails_in_part(self) -> bool:
        """See Reaching.fails_in_part: who reads goes on while writers wait for another process's lock."""
        return True

    async def reach(self) -> None:
        """See Reaching.reach."""
        await self.revision(Partition("clew", "ping"))

    async def drop(
        self, partition: Partition, *, tombstone_ms: int = TOMBSTONE_MS, unless: str | None = None, expect: int | None = None
    ) -> bool:
        """See Backend.drop."""
        check_partition(partition)
        check_revision(expect)
        if unless is not None:
            check_id(unless, "a document's key")
        if tombstone_ms != 0:
            check_ttl(tombstone_ms)
        return await self._engine.write(lambda unit: writing.drop(unit, partition, tombstone_ms, unless, expect))

    async def aclose(self) -> None:
        """See Backend.aclose."""
        await self._engine.close()

    # -- Listing ------------------------------------------------------------------------------------------------------

    async def list(self, owner: str, *, limit: int = 20, before: Listed | None = None) -> Sequence[Listed]:
        """See Listing.list."""
        check_id(owner, "the owner")
        check_limit(limit)
        if before is not None:
            check_id(before.name, "the thread id")
            if not 0 <= before.updated_us < _END_OF_TIME:
                raise InvalidError("this line is of no listing: pass one that `list` returned")
        return await self._engine.read(lambda unit: reading.list_partitions(unit, owner, limit, before))

    # -- Cataloguing --------------------------------------------------------------------------------------------------

    async def catalogue(self, owner: str, *, limit: int = 20, after: str | None = None, newest_first: bool = True) -> Catalogue:
        """See Cataloguing.catalogue."""
        check_id(owner, "the owner")
        check_limit(limit)
        if after is not None:
            check_id(after, "the cursor")
        return await self._engine.read(lambda unit: cataloguing.read_catalogue(unit, owner, limit, after, newest_first))

    # -- Leasing ------------------------------------------------------------------------------------------------------

    async def claim(self, partition: Partition, name: str, holder: str, *, ttl_ms: int) -> Lease | None:
        """See Leasing.claim."""
        check_partition(partition)
        _check_lease(name, holder)
        check_ttl(ttl_ms)
        return await self._engine.write(lambda unit: leases.claim(unit, partition, name, holder, ttl_ms))

    async def renew(self, lease: Lease, partition: Partition, *, ttl_ms: int) -> Lease | None:
        """See Leasing.renew."""
        check_partition(partition)
        _check_lease(lease.name, lease.holder)
        check_ttl(ttl_ms)
        return await self._engine.write(lambda unit: leases.renew(unit, partition, lease, ttl_ms))

    async def release(self, lease: Lease, partition: Partition) -> bool:
        """See Leasing.release."""
        check_partition(partition)
        _check_lease(lease.name, lease.holder)
        return await self._engine.write(lambda unit: leases.release(unit, partition, lease))

    # -- Expiry -------------------------------------------------------------------------------------------------------

    async def expire(self, partition: Partition, ttl_ms: int | None, *, kind: ExpiryKind = "sliding") -> bool:
        """See Expiry.expire."""
        check_partition(partition)
        check_expiry(ttl_ms, kind)
        return await self._engine.write(lambda unit: writing.expire(unit, partition, ttl_ms, kind))

    # -- Values -------------------------------------------------------------------------------------------------------

    async def get_value(self, key: str, *, touch_ms: int | None = None) -> bytes | None:
        """See Values.get_value."""
        check_value_key(key)
        if touch_ms is not None:
            touch = check_ttl(touch_ms)
            return await self._engine.write(lambda unit: values.touch_value(unit, key, touch))
        return await self._engine.read(lambda unit: values.get_value(unit, key))

    async def put_value(
        self, key: str, data: bytes | None, *, ttl_ms: int | None = None, when: bytes | Any_ | None = ANY
    ) -> tuple[bool, bytes | None]:
        """See Values.put_value."""
        check_value_key(key)
        if data is not None:
            check_data(data, "a value")
        if ttl_ms is not None:
            check_ttl(ttl_ms)
        return await self._engine.write(lambda unit: values.put_value(unit, key, data, ttl_ms, when))

    async def value_ttl(self, key: str) -> int | None:
        """See Values.value_ttl."""
        check_value_key(key)
        return await self._engine.read(lambda unit: values.value_ttl(unit, key))

    async def scan_values(self, pattern: str, *, limit: int = 100, cursor: str | None = None) -> tuple[_Keys, str | None]:
        """See Values.scan_values."""
        check_id(pattern, "the pattern", most=MAX_VALUE_KEY_BYTES)
        check_limit(limit)
        if cursor is not None:
            check_id(cursor, "the cursor", most=MAX_VALUE_KEY_BYTES)
        glob = Glob(pattern)
        return await self._engine.read(lambda unit: values.scan_values(unit, glob, limit, cursor))

    # -- Describing ---------------------------------------------------------------------------------------------------

    async def describe(self) -> dict[str, str | int | float | bool | None]:
        """See Describing.describe."""
        return await self._engine.read(lambda unit: describing.describe(unit, self._address))


def _check_lease(name: str, holder: str) -> None:
    check_id(name, "a lease's name")
    check_id(holder, "the holder")
