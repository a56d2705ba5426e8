"""The verbs that read runs: records, and pages of events. Bulk goes out as native XRANGE and HGETALL, never through Lua."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from ...errors import GoneError, InvalidError, NotFoundError, UnknownCursorError
from ...limits import check_limit
from ...records import Partition
from ...run_limits import MAX_EVENTS_AT_ONCE, check_after
from ...runs import LARGEST_NUMBER, NOWHERE, EventId, EventPage, Run, RunEvent
from .base import RedisBase
from .client import Client
from .requests import Reply, pack
from .runs_keys import RunKeys, run_keys, runs_key
from .runs_records import decode_events, decode_run

_TIME: Final = pack("TIME")
_LINES: Final = 100
"""Runs looked at in one pass over a partition's list."""


class RunReadVerbs(RedisBase):
    """Reading runs."""

    async def find_run(self, partition: Partition, run: str) -> Run:
        """See Running.find_run."""
        keys = run_keys(self.options.namespace, partition, run)
        client = await self._client()
        payload = pack("HGETALL", keys.record) + pack("HEXISTS", keys.all[0], "g") + _TIME
        flat, gone, time = await client.call(keys.record, payload, 3)
        if gone:
            raise GoneError(f"{partition.name!r} has been deleted")
        if not flat:
            raise NotFoundError(f"there is no run {run!r} in {partition.name!r} for this owner, or no such thread")
        return decode_run(keys.name, _ms_of(time), flat)

    async def list_runs(
        self, partition: Partition, *, only_open: bool = False, limit: int = 20, before: int | None = None
    ) -> Sequence[Run]:
        """See Running.list_runs."""
        check_limit(limit)
        if before is not None and (isinstance(before, bool) or not isinstance(before, int) or before < 0):
            raise InvalidError(f"before is a run's number, not {before!r}")
        keys = self._keys(partition)
        client = await self._client()
        lines = runs_key(keys.prefix)
        found: list[Run] = []
        top = "+inf" if before is None or before > LARGEST_NUMBER else f"({before}"
        while True:
            count = _LINES if only_open else min(limit + 1 - len(found), _LINES)
            payload = pack("ZREVRANGEBYSCORE", lines, top, "-inf", "WITHSCORES", "LIMIT", 0, count)
            gone, flat = await client.call(keys.meta, pack("HEXISTS", keys.meta, "g") + payload, 2)
            if gone:
                raise GoneError(f"{partition.name!r} has been deleted")
            names = flat[::2]
            runs = await _records(client, keys.prefix, lines, names)
            found += [run for run in runs if run.is_open or not only_open]
            if len(found) >= limit or len(names) < count:
                return found[:limit]
            top = f"({int(float(flat[-1]))}"

    async def read_events(self, partition: Partition, run: str, *, after: EventId | None = None, limit: int = 100) -> EventPage:
        """See Running.read_events."""
        cursor = check_after(after)
        check_limit(limit, most=MAX_EVENTS_AT_ONCE)
        page = await self._read_log(partition, run, cursor, limit)
        if not page.events and cursor != NOWHERE:
            await self._check_cursor(partition, run, cursor)
        return page

    async def _read_log(self, partition: Partition, run: str, cursor: EventId, limit: int) -> EventPage:
        """Return a page without asking whether the cursor is of this log."""
        keys = run_keys(self.options.namespace, partition, run)
        client = await self._client()
        payload = pack("XRANGE", keys.stream, b"(%d-%d" % cursor, "+", "COUNT", limit + 1) + pack("EXISTS", keys.stream)
        entries, there = await client.call(keys.stream, payload, 2)
        if entries or there:
            events = decode_events(entries[:limit])
            return EventPage(events, len(entries) > limit)
        end = (await self.find_run(partition, run)).end
        return EventPage([end] if end is not None and end.at > cursor else [], False)

    async def _check_cursor(self, partition: Partition, run: str, cursor: EventId) -> RunEvent | None:
        """Return the terminal event where the cursor, which nothing follows, is its id.

        Raises:
            UnknownCursorError: the cursor is greater than the newest id.
        """
        keys = run_keys(self.options.namespace, partition, run)
        client = await self._client()
        (newest,) = await client.call(keys.stream, pack("XREVRANGE", keys.stream, "+", "-", "COUNT", 1))
        if newest:
            (last,) = decode_events(newest)
        else:
            end = (await self.find_run(partition, run)).end
            if end is None:
                # Its log has vanished, and there will be no end but that of the record.
                return None
            last = end
        if cursor > last.at:
            raise UnknownCursorError(f"the run {run!r} has no event {cursor} yet")
        return last if last.is_end and last.at == cursor else None


async def prune(client: Client, keys: RunKeys, oldest: bytes) -> None:
    """Take what has expired off a partition's long list of runs, if its oldest has."""
    prefix = keys.record[: -len(keys.name)].removesuffix(b"run:").decode()
    lines = runs_key(prefix)
    if (await client.call(lines, pack("EXISTS", f"{prefix}run:{oldest.decode()}")))[0]:
        return
    (names,) = await client.call(lines, pack("ZRANGE", lines, 0, _LINES - 1))
    await _records(client, prefix, lines, names)


async def _records(client: Client, prefix: str, lines: bytes, names: Sequence[bytes]) -> list[Run]:
    """Return the records with these names; take those that have expired off the list."""
    if not names:
        return []
    records = [f"{prefix}run:{name.decode()}".encode() for name in names]
    found: list[list[Reply]] = await asyncio.gather(
        *(client.call(lines, pack("HGETALL", record) + _TIME, 2) for record in records)
    )
    expired = [name for name, (flat, _) in zip(names, found, strict=True) if not flat]
    if expired:
        # A name is never given again, so none of these can have come back meanwhile.
        await client.call(lines, pack("ZREM", lines, *expired))
    return [decode_run(name, _ms_of(time), flat) for name, (flat, time) in zip(names, found, strict=True) if flat]


def _ms_of(time: Reply) -> int:
    return int(time[0]) * 1000 + int(time[1]) // 1000
